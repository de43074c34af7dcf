"""LOC012."""

from hegui.rules import law
from hegui.rules.cases import holding
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.evidence import Code
from hegui.rules.exports import ExportLedger
from hegui.rules.facts import Facts
from hegui.rules.localisation.export_limits import CONTRACT_FROM, assessment_due, of_unknown_entity
from hegui.rules.localisation.mechanism import held_at


@rule(
    "LOC012",
    on=ExportLedger,
    zh="年度累计出境人数达到标准但未订立标准合同或取得认证",
    severity="critical",
    basis=(law.CROSS_BORDER_ART_8, law.PIPL_ART_38),
    since=law.CROSS_BORDER_ART_8,
    waivable=False,
    cases=(
        fails("the hundred-thousandth person", ordinary=100_000),
        fails("one below a million", ordinary=999_999),
        fails("the first person, sensitive", sensitive=1),
        fails("one below ten thousand, sensitive", sensitive=9_999),
        fails(
            "the contract ended that very moment",
            ordinary=100_000,
            given=holding("standard_contract", "2026-08-01T12:00:00+08:00"),
        ),
        passes("one below a hundred thousand", ordinary=99_999),
        passes("contract", ordinary=100_000, given=holding("standard_contract")),
        passes("certificate", sensitive=1, given=holding("certification")),
        passes("assessed", ordinary=100_000, given=holding("security_assessment")),
        passes("contract, and some could not be counted", uncounted=1, given=holding("standard_contract")),
        skips("so many that another rule judges", ordinary=1_000_000),
        skips("so many that another rule judges, sensitive", sensitive=10_000),
        skips("before the law", at="2024-03-21T23:59:59+08:00", year=2024, ordinary=200_000),
        unclear("some exports could not be counted", ordinary=99_999, uncounted=1),
        passes("entities that were not in the policy, and every export of them is settled", entity="other", ordinary=0),
        unclear("an entity that is not in the policy, sensitive", entity="other", ordinary=0, sensitive=1),
        unclear("an entity that is not in the policy, nobody counted", entity="other", ordinary=0, uncounted=1),
        unclear("an entity that is not in the policy", entity="other", ordinary=100_000),
    ),
)
def export_contract_missing(ledger: ExportLedger, facts: Facts) -> Result:
    """An entity provided information of so many persons abroad that it needs a standard contract or certificate, and has none.

    Why: from a hundred thousand persons since 1 January on, or from the first whose information is sensitive, a filed
    standard contract or a certificate must be in place. Distinct persons are counted, each once; exempt exports are left out.

    When it fires:
    1. Read the year and the counts in the finding (`unmapped.evidence`); `hegui state show` prints the ledger of the entity.
    2. Stop the entity's exports, or let the data protection officer show contract or certificate and enter it under
       `entities` in the policy.
    3. The issue closes by itself once it stands in the policy.
    """
    if assessment_due(ledger.ordinary, ledger.sensitive):
        return NOT_APPLICABLE
    entity = facts.entity(ledger.entity)
    if entity is None:
        return of_unknown_entity(ledger)
    if held_at(entity, facts.at_ms):
        return PASS
    if ledger.ordinary >= CONTRACT_FROM or ledger.sensitive:
        return fail(
            "so many persons need a standard contract or certificate",
            entity=Code(entity.name),
            year=ledger.year,
            ordinary=ledger.ordinary,
            sensitive=ledger.sensitive,
            limit=1 if ledger.sensitive else CONTRACT_FROM,
        )
    if ledger.uncounted:
        return inconclusive("the persons of exports that could not be counted")
    return PASS
