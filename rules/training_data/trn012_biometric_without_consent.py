"""TRN012."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


@rule(
    "TRN012",
    on=IngestEvent,
    zh="人脸或声音用于训练未取得单独同意",
    severity="critical",
    basis=(law.INTERIM_MEASURES_ART_7, law.PIPL_ART_29),
    when={"biometric": {"face", "voice"}},
    cases=(
        fails("a face", biometric="face", separate_consent_reference=""),
        fails("a voice", biometric="voice", separate_consent_reference=""),
        fails("a face, general consent", biometric="face", consent_reference="c", separate_consent_reference=""),
        passes("a face, separate consent", biometric="face", separate_consent_reference="s"),
        passes("a voice, separate consent", biometric="voice", separate_consent_reference="s"),
        skips("neither face nor voice", separate_consent_reference=""),
        skips("before the law", at="2023-08-14T23:59:59+08:00", biometric="face", separate_consent_reference=""),
        unclear("face or voice unknown", biometric=None, separate_consent_reference=""),
        unclear("separate consent not stated", biometric="face"),
    ),
)
def biometric_without_consent(event: IngestEvent, facts: Facts) -> Result:
    """A face or voice that identifies a person was taken into a training corpus without separate consent.

    Why: faces and voiceprints are sensitive personal information, and a model trained on them can copy the person.

    False positives: a basis other than consent, under which counsel finds no separate consent necessary. Record a
    waiver with that opinion.

    When it fires:
    1. Read `biometric` and `source` (the hash of `source_id`) in the evidence; stop the ingest from that source.
    2. Take the recordings out of the datasets that are not yet used, or obtain the separate consent of each person.
    3. Tell the data protection officer how many persons are concerned and which models were trained on them.
    """
    consent = event.separate_consent_reference
    if consent is None:
        return inconclusive("separate_consent_reference")
    if not consent:
        return fail("a face or voice without separate consent", biometric=Code(event.biometric), source=event.source_id)
    return PASS
