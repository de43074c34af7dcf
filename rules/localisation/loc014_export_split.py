"""LOC014."""

from hegui.rules import law
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.evidence import Code
from hegui.rules.exports import ExportLedger, Together
from hegui.rules.facts import Facts
from hegui.rules.localisation.export_limits import CONTRACT_FROM, ORDINARY_LIMIT, SENSITIVE_LIMIT

_MILLION: dict[str, object] = {"below_assessment": Together(2, 1_000_000), "ordinary": 600_000}
_HUNDRED_THOUSAND: dict[str, object] = {
    "below_assessment": Together(2, 100_000),
    "below_contract": Together(2, 100_000),
    "ordinary": 60_000,
}


@rule(
    "LOC014",
    on=ExportLedger,
    zh="同一控制者通过多个主体拆分出境以规避安全评估、标准合同或认证",
    severity="high",
    basis=(law.CERTIFICATION_SPLITTING, law.CROSS_BORDER_ART_7, law.CROSS_BORDER_ART_8),
    since=law.CERTIFICATION_SPLITTING,
    waivable=False,
    cases=(
        fails("a million over two entities", **_MILLION),
        fails("ten thousand over three, sensitive", below_assessment=Together(3, 0, 10_000), sensitive=1),
        fails("a hundred thousand over two that hold nothing", **_HUNDRED_THOUSAND),
        fails(
            "a million over two that hold a contract each",
            below_assessment=Together(2, 1_000_000),
            below_contract=Together(),
        ),
        fails(
            "some exports could not be counted, and enough could",
            below_assessment=Together(2, 1_000_000, 0, 1),
            uncounted=1,
        ),
        passes("one below a million over two that hold a contract", below_assessment=Together(2, 999_999)),
        passes("one below ten thousand, sensitive", below_assessment=Together(2, 0, 9_999)),
        passes(
            "one below a hundred thousand over two",
            below_assessment=Together(2, 99_999),
            below_contract=Together(2, 99_999),
        ),
        skips("one entity is no split", below_assessment=Together(1, 1_000_000)),
        skips("no other entity stays below a limit", below_assessment=Together(1, 999_999), ordinary=999_999),
        skips(
            "the others need nothing by themselves, and this one has reached the limit or holds an assessment",
            ordinary=1_000_000,
        ),
        skips("before the measures", at="2025-12-31T23:59:59+08:00", year=2025, **_MILLION),
        unclear("some exports could not be counted", below_assessment=Together(2, 2, 0, 1), uncounted=1),
        unclear("some of a sister could not be counted", below_assessment=Together(2, 2, 0, 1)),
        unclear("some of a sister without contract could not be counted", below_contract=Together(2, 2, 0, 1)),
    ),
)
def export_split(ledger: ExportLedger, facts: Facts) -> Result:
    """Several entities of one controller export, each below a limit of the year, and together they reach it.

    Why: splitting the number of persons among entities or mechanisms to stay out of the assessment is forbidden; the same is
    asked of the number from which a contract or certificate is needed. Only entities count that are below the limit by
    themselves and do not hold what it asks for: one that has passed an assessment, or is over the limit, has split nothing.
    Whether it was meant so, no count can show.

    False positives: entities with businesses of their own. Record why they are apart, and waive nothing: let counsel decide.

    When it fires:
    1. Read `limit`, `entities` and the counts in the finding (`unmapped.evidence`); `hegui state show` prints the ledgers of
       all entities of the controller.
    2. Ask the data protection officer of the controller whether the exports belong together.
    3. If they do, stop them until the entities have what the limit asks for: an assessment, or for a hundred thousand
       persons a contract or certificate, entered under `entities` in the policy. The issue closes once those that are left
       without it stay below the limit together.
    """
    assessed, contracted = ledger.below_assessment, ledger.below_contract
    for found, limit, reached in (
        (assessed, SENSITIVE_LIMIT, assessed.sensitive >= SENSITIVE_LIMIT),
        (assessed, ORDINARY_LIMIT, assessed.ordinary >= ORDINARY_LIMIT),
        (contracted, CONTRACT_FROM, contracted.ordinary >= CONTRACT_FROM),
    ):
        if found.entities > 1 and reached:
            return fail(
                "the entities of a controller together reach a limit",
                entity=Code(ledger.entity),
                year=ledger.year,
                entities=found.entities,
                ordinary=found.ordinary,
                sensitive=found.sensitive,
                limit=limit,
            )
    several = [found for found in (assessed, contracted) if found.entities > 1]
    if not several:
        return NOT_APPLICABLE
    if any(found.uncounted for found in several):
        return inconclusive("the persons of exports that could not be counted")
    return PASS
