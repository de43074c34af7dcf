"""LOC014."""

from hegui.rules import law
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.evidence import Code
from hegui.rules.exports import ExportLedger
from hegui.rules.facts import Facts
from hegui.rules.localisation.export_limits import assessment_due

_SPLIT: dict[str, object] = {"controller_entities": 2, "controller_ordinary": 1_000_000, "ordinary": 600_000}


@rule(
    "LOC014",
    on=ExportLedger,
    zh="同一控制者通过多个主体拆分出境以规避安全评估",
    severity="high",
    basis=(law.CERTIFICATION_SPLITTING, law.CROSS_BORDER_ART_7),
    since=law.CERTIFICATION_SPLITTING,
    waivable=False,
    cases=(
        fails("a million over two entities", **_SPLIT),
        fails(
            "ten thousand over three, sensitive",
            controller_entities=3,
            controller_sensitive=10_000,
            sensitive=1,
        ),
        fails(
            "some exports could not be counted, and enough could",
            controller_entities=2,
            controller_ordinary=1_000_000,
            uncounted=1,
        ),
        passes("one below a million over two", controller_entities=2, controller_ordinary=999_999),
        passes("one below ten thousand, sensitive", controller_entities=2, controller_sensitive=9_999),
        skips("one entity only", controller_ordinary=2_000_000),
        skips(
            "this entity is over the limit itself",
            controller_entities=2,
            controller_ordinary=1_100_000,
            ordinary=1_000_000,
        ),
        skips("before the measures", at="2025-12-31T23:59:59+08:00", year=2025, **_SPLIT),
        unclear("some exports could not be counted", controller_entities=2, uncounted=1),
    ),
)
def export_split(ledger: ExportLedger, facts: Facts) -> Result:
    """Several entities of one controller export, each below the limit for a security assessment, and together above it.

    Why: splitting the number of persons among entities or mechanisms to stay out of the assessment is forbidden. Whether it
    was meant so, no count can show.

    False positives: entities with businesses of their own. Record why they are apart, and waive nothing: let counsel decide.

    When it fires:
    1. Read the ledgers of all entities of the controller: `hegui state show` names them.
    2. Ask the data protection officer of the controller whether the exports belong together.
    3. If they do, stop them until the controller has passed an assessment.
    """
    if ledger.controller_entities < 2 or assessment_due(ledger.ordinary, ledger.sensitive):
        return NOT_APPLICABLE
    if assessment_due(ledger.controller_ordinary, ledger.controller_sensitive):
        return fail(
            "the entities of a controller together reach the limit",
            entity=Code(ledger.entity),
            year=ledger.year,
            entities=ledger.controller_entities,
            ordinary=ledger.controller_ordinary,
            sensitive=ledger.controller_sensitive,
        )
    if ledger.uncounted:
        return inconclusive("the persons of exports that could not be counted")
    return PASS
