"""TRN002."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.screens import sound_record


@rule(
    "TRN002",
    on=IngestEvent,
    zh="训练数据来源在采集前未做安全评估",
    severity="high",
    basis=(law.TC260_003_5_1, law.GB_45654_CORPUS),
    screen=sound_record,
    cases=(
        fails("no assessment", assessment_reference=""),
        fails("no assessment, and no time of one", assessment_reference="", assessed_at_ms=None),
        fails("synthetic, no assessment", source_type="synthetic", assessment_reference=""),
        fails("assessed a millisecond after collection", assessed_at_ms=BASE_AT_MS + 1),
        passes("assessed the day before"),
        passes("assessed at that very moment", assessed_at_ms=BASE_AT_MS),
        passes("assessed, kind of source unknown", source_type=None),
        skips("before the law", at="2024-02-28T23:59:59+08:00", assessment_reference=""),
        unclear("assessment not stated", assessment_reference=None),
        unclear("time of assessment not stated", assessed_at_ms=None),
    ),
)
def source_not_assessed(event: IngestEvent, facts: Facts) -> Result:
    """A record was taken from a source that was not assessed before collection.

    Why: the safety of each source is assessed before anything is collected from it: a source with over 5 % of unlawful
    or harmful content must not be collected at all. An empty reference says "there is none"; a missing one is
    inconclusive. The result of the assessment is not looked at here.

    When it fires:
    1. Read `source` in the evidence (the hash of `source_id`); group the failures of the pipeline by it.
    2. Stop collecting from that source until its assessment is on record with reference and time.
    3. Assess what was collected already, before the next dataset version; keep or remove it by the result.
    """
    reference = event.assessment_reference
    if reference is None:
        return inconclusive("assessment_reference")
    if not reference:
        return fail("the source was not assessed", lacks=Code("assessment_reference"), source=event.source_id)
    assessed_at_ms = event.assessed_at_ms
    if assessed_at_ms is None:
        return inconclusive("assessed_at_ms")
    if assessed_at_ms > facts.at_ms:
        return fail("the source was assessed only later", assessed_at_ms=assessed_at_ms, source=event.source_id)
    return PASS
