"""TRN014."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.facts import Facts


@rule(
    "TRN014",
    on=IngestEvent,
    zh="合成训练数据未在数据血缘中标记",
    severity="low",
    stage="sandbox",
    basis=(law.INTERIM_MEASURES_ART_7,),
    when={"ai_generated": {True}},
    cases=(
        fails("not tagged", ai_generated=True, lineage_tagged=False),
        fails("synthetic, not tagged", source_type="synthetic", ai_generated=True, lineage_tagged=False),
        passes("tagged", ai_generated=True, lineage_tagged=True),
        skips("not generated", lineage_tagged=False),
        skips("before the law", at="2023-08-14T23:59:59+08:00", ai_generated=True, lineage_tagged=False),
        unclear("generated or not unknown", ai_generated=None, lineage_tagged=False),
        unclear("tag not stated", ai_generated=True),
    ),
)
def generated_record_untracked(event: IngestEvent, facts: Facts) -> Result:
    """A generated record is not tagged as generated in the lineage of its dataset.

    Why: training data must be true and diverse; generated records can be weighed or left out only when they can be told
    apart.

    When it fires:
    1. Read `source` and `dataset` in the evidence (hashes of `source_id` and `dataset`).
    2. Let the pipeline set the tag for synthetic sources and for records on which a label was found.
    3. Tag the records already taken in, before the next dataset version.
    """
    tagged = event.lineage_tagged
    if tagged is None:
        return inconclusive("lineage_tagged")
    if not tagged:
        return fail(
            "generated, and not tagged in the lineage",
            lineage_tagged=False,
            source=event.source_id,
            dataset=event.dataset,
        )
    return PASS
