"""TRN011."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


@rule(
    "TRN011",
    on=IngestEvent,
    zh="不满十四周岁未成年人个人信息用于训练未取得监护人同意",
    severity="critical",
    basis=(law.INTERIM_MEASURES_ART_7, law.PIPL_ART_31),
    when={"minor_under_14": {True}},
    waivable=False,
    cases=(
        fails("no guardian's consent", minor_under_14=True, guardian_consent_reference=""),
        fails(
            "the child's consent, not the guardian's",
            minor_under_14=True,
            consent_reference="c",
            separate_consent_reference="s",
            guardian_consent_reference="",
        ),
        passes("guardian's consent", minor_under_14=True, guardian_consent_reference="g"),
        skips("no minor under 14", personal_information=True, guardian_consent_reference=""),
        skips("before the law", at="2023-08-14T23:59:59+08:00", minor_under_14=True, guardian_consent_reference=""),
        unclear("age unknown", minor_under_14=None, guardian_consent_reference=""),
        unclear("guardian's consent not stated", minor_under_14=True),
    ),
)
def minor_without_guardian_consent(event: IngestEvent, facts: Facts) -> Result:
    """Personal information of a minor under 14 was taken into a training corpus without a guardian's consent.

    Why: only a parent or guardian can consent for a child under 14, and all of the child's information counts as
    sensitive.

    When it fires:
    1. Read `source` in the evidence (the hash of `source_id`); stop the ingest from that source.
    2. Take those records out of every dataset that is not yet used; do not ask for consent afterwards to keep them.
    3. Tell the data protection officer how many records are concerned and which dataset versions were used already.
    """
    consent = event.guardian_consent_reference
    if consent is None:
        return inconclusive("guardian_consent_reference")
    if not consent:
        return fail(
            "information of a minor under 14 without a guardian's consent",
            lacks=Code("guardian_consent_reference"),
            source=event.source_id,
        )
    return PASS
