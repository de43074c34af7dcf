"""LOC006."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Export, GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts

_BARE = Export(entity="company", destination_country="SG", legal_basis="consent", separate_consent_reference="")


@rule(
    "LOC006",
    on=GenerationEvent,
    zh="基于同意向境外提供个人信息但未取得单独同意",
    severity="high",
    basis=(law.PIPL_ART_39,),
    when={"exported": {True}},
    cases=(
        fails("consent, but none to the export", exported=True, export=_BARE),
        fails("known to have no basis", exported=True, export=Export(entity="company", legal_basis="none")),
        fails(
            "country unknown",
            exported=True,
            export=Export(entity="company", legal_basis="consent", separate_consent_reference=""),
        ),
        passes(
            "separate consent",
            exported=True,
            export=Export(entity="company", legal_basis="consent", separate_consent_reference="consent-1"),
        ),
        passes(
            "contract",
            exported=True,
            export=Export(entity="company", legal_basis="contract", separate_consent_reference=""),
        ),
        passes(
            "legal duty, consent not stated", exported=True, export=Export(entity="company", legal_basis="legal_duty")
        ),
        skips("nothing left the mainland", export=_BARE),
        skips("before the law", at="2021-10-31T23:59:59+08:00", exported=True, export=_BARE),
        unclear("consent not stated", exported=True, export=Export(entity="company", legal_basis="consent")),
        unclear("basis not stated", exported=True, export=Export(entity="company", separate_consent_reference="")),
        unclear("no details", exported=True),
        unclear("whether anything left is unknown", exported=None, export=_BARE),
    ),
)
def export_without_separate_consent(event: GenerationEvent, facts: Facts) -> Result:
    """Personal information went abroad on the basis of consent, without a separate consent to the export.

    Why: where consent is the basis, a general consent to the processing is not enough; the person consents to the
    export by itself. Other bases, as a contract with the person, need no consent. An empty reference says "there is
    none".

    When it fires:
    1. Read `destination` in the evidence; find the step of the service that sends data to that country.
    2. Stop that export for everybody who has not consented to it; ask for the consent in a dialogue of its own.
    3. Tell the data protection officer how many persons were concerned.
    """
    export = event.export
    if export is None or export.legal_basis is None:
        return inconclusive("export.legal_basis")
    if export.legal_basis == "none":
        return fail("the export has no legal basis", legal_basis=Code("none"))
    if export.legal_basis != "consent" or export.separate_consent_reference:
        return PASS
    if export.separate_consent_reference is None:
        return inconclusive("export.separate_consent_reference")
    return fail(
        "no separate consent to the export",
        destination=Code(export.destination_country) if export.destination_country else None,
    )
