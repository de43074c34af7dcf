"""TRN009."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


@rule(
    "TRN009",
    on=IngestEvent,
    zh="训练数据中的个人信息无同意或其他合法依据",
    severity="critical",
    basis=(law.INTERIM_MEASURES_ART_7, law.PIPL_ART_13),
    when={"personal_information": {True}},
    waivable=False,
    cases=(
        fails("no basis", personal_information=True, information_basis="none"),
        fails(
            "no basis, whatever reference", personal_information=True, information_basis="none", consent_reference="c"
        ),
        fails("no consent", personal_information=True, information_basis="consent", consent_reference=""),
        passes("consent", personal_information=True, information_basis="consent", consent_reference="c"),
        passes("contract with the person", personal_information=True, information_basis="contract"),
        passes("disclosed, no consent", personal_information=True, information_basis="disclosed", consent_reference=""),
        skips("no personal information", information_basis="none"),
        skips("before the law", at="2023-08-14T23:59:59+08:00", personal_information=True, information_basis="none"),
        unclear("personal information unknown", personal_information=None, information_basis="none"),
        unclear("basis not stated", personal_information=True),
        unclear("basis not stated, whatever reference", personal_information=True, consent_reference="c"),
        unclear("consent not stated", personal_information=True, information_basis="consent"),
    ),
)
def personal_information_without_basis(event: IngestEvent, facts: Facts) -> Result:
    """Personal information was taken into a training corpus without consent or another legal basis.

    Why: training on personal information needs the person's consent or another basis of the law, and what a model has
    learned is hard to take back. The rule asks for the consent's reference; for the other bases the producer's word
    counts.

    When it fires:
    1. Read `basis` and `source` (the hash of `source_id`) in the evidence; stop the ingest from that source.
    2. Take its records out of the datasets that are not yet used, or obtain the consent and record its reference.
    3. Tell the data protection officer how many records are concerned and which dataset versions were used already.
    """
    basis = event.information_basis
    if basis is None:
        return inconclusive("information_basis")
    if basis == "none":
        return fail("personal information without a basis", basis=Code(basis), source=event.source_id)
    if basis == "consent":
        consent = event.consent_reference
        if consent is None:
            return inconclusive("consent_reference")
        if not consent:
            return fail("the basis is consent, and there is none", basis=Code(basis), source=event.source_id)
    return PASS
