"""TRN017."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent, SourceAssessment
from hegui.rules.evidence import reference
from hegui.rules.fact_tables import CondemnedSource
from hegui.rules.facts import Facts
from hegui.rules.ledgers.sources import over_five_percent
from hegui.rules.screens import sound_record


def _condemned(at_ms: int, cleared_at_ms: int | None = None, tenant: str = "default") -> dict[str, object]:
    return {"sources": (CondemnedSource(tenant, reference("source-1"), at_ms, cleared_at_ms),)}


@rule(
    "TRN017",
    on=IngestEvent,
    zh="从违法不良信息超过5%的来源采集训练数据",
    severity="critical",
    basis=(law.TC260_003_5_1, law.GB_45654_CORPUS),
    needs=("sources",),
    screen=sound_record,
    waivable=False,
    cases=(
        fails("condemned the moment before", given=_condemned(BASE_AT_MS - 1)),
        fails("condemned at that very moment", given=_condemned(BASE_AT_MS)),
        fails("cleared only later", given=_condemned(BASE_AT_MS - 5, BASE_AT_MS + 1)),
        fails("its assessment: 51 of 1,000", assessment=SourceAssessment(sampled=1000, illegal=51)),
        fails(
            "condemned, and the assessment in the event is good",
            given=_condemned(BASE_AT_MS - 1),
            assessment=SourceAssessment(sampled=1000, illegal=0),
        ),
        fails(
            "condemned, and the assessment in the event is too small",
            given=_condemned(BASE_AT_MS - 1),
            assessment=SourceAssessment(sampled=10, illegal=0),
        ),
        fails(
            "assessment bad, source not named", source_id=None, assessment=SourceAssessment(sampled=400, illegal=400)
        ),
        passes("not condemned"),
        passes("its assessment: exactly 5 %", assessment=SourceAssessment(sampled=1000, illegal=50)),
        passes("condemned the moment after", given=_condemned(BASE_AT_MS + 1)),
        passes("cleared at that very moment", given=_condemned(BASE_AT_MS - 5, BASE_AT_MS)),
        passes("condemned at another tenant", given=_condemned(BASE_AT_MS - 1, tenant="other")),
        passes("another source", given=_condemned(BASE_AT_MS - 1), source_id="source-2"),
        skips("before the standard", at="2024-02-28T23:59:59+08:00", given=_condemned(0)),
        skips("input of a user, who is no source", source_type="user_input", source_id=None),
        unclear("source not named", source_id=None),
        passes("its assessment: just large enough", assessment=SourceAssessment(sampled=400, illegal=20)),
        unclear("its assessment: too small to judge", assessment=SourceAssessment(sampled=399, illegal=399)),
        unclear("verdicts not connected", given={"sources": None}),
    ),
)
def condemned_source_used(event: IngestEvent, facts: Facts) -> Result:
    """A record was taken from a source that holds more than 5 % of unlawful or harmful content.

    Why: a source with over 5 % must not be collected from, and what was collected must not be used for training. The
    verdict comes from the source ledger (TRN018), or from the assessment that the event itself reports.

    When it fires:
    1. Read `source` in the evidence (the hash of `source_id`) and stop collecting from that source.
    2. Take its records out of the dataset version that is being made.
    3. Only a new assessment, later than the verdict and passed, clears the source: send it with the next record.
    """
    found = event.assessment
    smallest = facts.policy.source_min_sample
    if found is not None and found.sampled >= smallest and over_five_percent(found.sampled, found.illegal):
        return fail(
            "the assessment of the source found more than 5 %",
            source=event.source_id,
            sampled=found.sampled,
            illegal=found.illegal,
        )
    if event.source_id is None:
        return NOT_APPLICABLE if event.source_type == "user_input" else inconclusive("source_id")
    verdict = facts.condemned(event.source_id)
    if verdict is not None:
        return fail("the source is condemned", source=event.source_id, condemned_at_ms=verdict.condemned_at_ms)
    if found is not None and found.sampled < smallest:
        return inconclusive("an assessment of enough records")
    return PASS
