"""LOC011."""

from hegui.rules import law
from hegui.rules.cases import holding
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.evidence import Code
from hegui.rules.exports import ExportLedger
from hegui.rules.facts import Facts
from hegui.rules.localisation.export_limits import (
    ORDINARY_LIMIT,
    SENSITIVE_LIMIT,
    assessment_due,
    of_unknown_entity,
)
from hegui.rules.localisation.mechanism import held_at


@rule(
    "LOC011",
    on=ExportLedger,
    zh="年度累计出境人数达到安全评估标准但未通过安全评估",
    severity="critical",
    basis=(law.CROSS_BORDER_ART_7, law.PIPL_ART_38),
    since=law.CROSS_BORDER_ART_7,
    waivable=False,
    cases=(
        fails("the millionth person", ordinary=1_000_000),
        fails("the ten-thousandth person, sensitive", sensitive=10_000),
        fails("only a contract", ordinary=1_000_000, given=holding("standard_contract")),
        fails("only a certificate", sensitive=10_000, given=holding("certification")),
        fails(
            "assessed, and the result ended that very moment",
            ordinary=1_000_000,
            given=holding("security_assessment", "2026-08-01T12:00:00+08:00"),
        ),
        fails("some exports could not be counted, and enough could", sensitive=10_000, uncounted=3),
        passes("one below a million", ordinary=999_999),
        passes("one below ten thousand, sensitive", sensitive=9_999),
        passes("both just below", ordinary=999_999, sensitive=9_999),
        passes("assessed", ordinary=1_000_000, sensitive=10_000, given=holding("security_assessment")),
        passes("assessed, and some could not be counted", uncounted=3, given=holding("security_assessment")),
        skips("before the law", at="2024-03-21T23:59:59+08:00", year=2024, ordinary=2_000_000),
        unclear("some exports could not be counted", ordinary=999_999, uncounted=1),
        passes("entities that were not in the policy, and every export of them is settled", entity="other", ordinary=0),
        unclear("an entity that is not in the policy, sensitive", entity="other", ordinary=0, sensitive=1),
        unclear("an entity that is not in the policy, nobody counted", entity="other", ordinary=0, uncounted=1),
        unclear("an entity that is not in the policy", entity="other", ordinary=1_000_000),
    ),
)
def export_assessment_missing(ledger: ExportLedger, facts: Facts) -> Result:
    """An entity provided information of so many persons abroad that it needs a security assessment, and has none.

    Why: from one million persons since 1 January on, or ten thousand whose information is sensitive, only a passed
    security assessment allows the export. Distinct persons are counted, each once; exempt exports are left out.

    When it fires:
    1. Read the year and the counts in the finding (`unmapped.evidence`); `hegui state show` prints the ledger of the entity.
    2. Stop the entity's exports, or let the data protection officer show the passed assessment and enter it under
       `entities` in the policy.
    3. The issue closes by itself once the assessment stands in the policy.
    """
    entity = facts.entity(ledger.entity)
    if entity is None:
        return of_unknown_entity(ledger)
    held = held_at(entity, facts.at_ms)
    if "security_assessment" in held:
        return PASS
    if assessment_due(ledger.ordinary, ledger.sensitive):
        return fail(
            "so many persons need a security assessment",
            entity=Code(entity.name),
            year=ledger.year,
            ordinary=ledger.ordinary,
            sensitive=ledger.sensitive,
            limit=SENSITIVE_LIMIT if ledger.sensitive >= SENSITIVE_LIMIT else ORDINARY_LIMIT,
        )
    if ledger.uncounted:
        return inconclusive("the persons of exports that could not be counted")
    return PASS
