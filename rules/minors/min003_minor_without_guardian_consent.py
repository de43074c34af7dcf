"""MIN003."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


@rule(
    "MIN003",
    on=GenerationEvent,
    zh="未经监护人同意处理不满十四周岁未成年人个人信息",
    severity="critical",
    basis=(law.ANTHROPOMORPHIC_ART_17, law.PIPL_ART_31),
    when={"age_band": {"under_14"}, "prompt_personal_information": {True}},
    waivable=False,
    cases=(
        fails("no consent", age_band="under_14", prompt_personal_information=True, guardian_consent_reference=""),
        passes(
            "consent given",
            age_band="under_14",
            prompt_personal_information=True,
            guardian_consent_reference="consent-1",
        ),
        skips(
            "fourteen or older", age_band="14_to_17", prompt_personal_information=True, guardian_consent_reference=""
        ),
        skips("adult", prompt_personal_information=True, guardian_consent_reference=""),
        skips("no personal information", age_band="under_14", guardian_consent_reference=""),
        skips(
            "before the law",
            at="2026-07-14T23:59:59+08:00",
            age_band="under_14",
            prompt_personal_information=True,
            guardian_consent_reference="",
        ),
        unclear("consent unknown", age_band="under_14", prompt_personal_information=True),
        unclear("age unknown", age_band=None, prompt_personal_information=True, guardian_consent_reference=""),
        unclear(
            "personal information unknown",
            age_band="under_14",
            prompt_personal_information=None,
            guardian_consent_reference="",
        ),
    ),
)
def minor_without_guardian_consent(event: GenerationEvent, facts: Facts) -> Result:
    """Personal information of a child under 14 was processed without the guardian's consent.

    Why: for a child under 14 the parents or other guardians decide; all personal information of the child is sensitive.
    An empty reference says "there is none"; a missing one is inconclusive.

    When it fires:
    1. Find the event by its `source` and `id`; stop the service for that user until a guardian consents.
    2. Check the sign-up of children: was the guardian not asked, or is only the reference missing in the event?
    3. Without consent, delete what was collected and tell the personal information protection officer.
    """
    if event.guardian_consent_reference:
        return PASS
    if event.guardian_consent_reference is None:
        return inconclusive("guardian_consent_reference")
    return fail(
        "no consent of a guardian",
        document=Code("guardian_consent_reference"),
        sensitive=event.sensitive_personal_information,
    )
