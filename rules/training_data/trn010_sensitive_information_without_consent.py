"""TRN010."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


@rule(
    "TRN010",
    on=IngestEvent,
    zh="训练数据中的敏感个人信息未取得单独同意",
    severity="critical",
    basis=(law.INTERIM_MEASURES_ART_7, law.PIPL_ART_29),
    when={"sensitive_personal_information": {True}},
    cases=(
        fails("no separate consent", sensitive_personal_information=True, separate_consent_reference=""),
        fails(
            "consent, but no separate one",
            sensitive_personal_information=True,
            consent_reference="c",
            separate_consent_reference="",
        ),
        passes("separate consent", sensitive_personal_information=True, separate_consent_reference="s"),
        skips("not sensitive", personal_information=True, separate_consent_reference=""),
        skips(
            "before the law",
            at="2023-08-14T23:59:59+08:00",
            sensitive_personal_information=True,
            separate_consent_reference="",
        ),
        unclear("sensitivity unknown", sensitive_personal_information=None, separate_consent_reference=""),
        unclear("separate consent not stated", sensitive_personal_information=True),
    ),
)
def sensitive_information_without_consent(event: IngestEvent, facts: Facts) -> Result:
    """Sensitive personal information was taken into a training corpus without the person's separate consent.

    Why: sensitive personal information needs a separate consent; a general consent does not cover it.

    False positives: a basis other than consent, under which counsel finds no separate consent necessary. Record a
    waiver with that opinion.

    When it fires:
    1. Read `source` in the evidence (the hash of `source_id`); stop the ingest from that source.
    2. Take its sensitive records out of the datasets that are not yet used, or obtain the separate consent.
    3. Tell the data protection officer how many persons are concerned and which dataset versions were used already.
    """
    consent = event.separate_consent_reference
    if consent is None:
        return inconclusive("separate_consent_reference")
    if not consent:
        return fail(
            "sensitive personal information without separate consent",
            lacks=Code("separate_consent_reference"),
            source=event.source_id,
        )
    return PASS
