"""Observations that retention removed before they were counted: recorded with the exact range, and no ledger that may lack them passes."""

from types import SimpleNamespace

import msgspec
import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry

from hegui.rules.core import Outcome
from hegui.rules.ledgers.corpora import CorpusSum
from hegui.rules.ledgers.labels import SHOWN_MS
from hegui.streams.commands.state import command
from hegui.streams.coverage_gaps import CoverageGap
from hegui.streams.metrics import StateMetrics
from hegui.streams.observations import partition_of
from hegui.streams.state import contents as contents_module
from hegui.streams.state.contents import ProgressContent, contents
from hegui.streams.state.issues import Progress
from hegui.streams.state.ledgers import LOST_SHOWN_MS
from hegui.streams.state.observation_gaps import Misfit, ObservationGaps
from tests.streams.example import settings
from tests.streams.fakes import FakeProducer
from tests.streams.state import export_ledgers
from tests.streams.state.export_ledgers import AT_MS, ENTITY
from tests.streams.state.test_ledgers import HOUR_MS, NOW_MS, PARTITIONS, Ledgers, complaint, number_used, source, use

SETTINGS = settings()
OBSERVATIONS = SETTINGS.topics.observations


class Log:
    """One partition: the offsets that it holds, and where it begins and ends."""

    def __init__(self, *offsets, beginning=0, end=None):
        self.offsets, self.beginning = offsets, beginning
        self.end = end if end is not None else max(offsets, default=beginning - 1) + 1
        self.position = self.open = 0

    async def start(self):
        self.open += 1

    async def stop(self):
        self.open -= 1

    def assign(self, partitions):
        (self.partition,) = partitions

    async def beginning_offsets(self, partitions):
        return dict.fromkeys(partitions, self.beginning)

    async def end_offsets(self, partitions):
        return dict.fromkeys(partitions, self.end)

    def seek(self, partition, offset):
        assert partition == self.partition
        self.position = offset

    async def getone(self, partition):
        assert partition == self.partition
        return SimpleNamespace(offset=next(offset for offset in self.offsets if offset >= self.position))


def gaps_in(log):
    made = SimpleNamespace(metrics=StateMetrics(CollectorRegistry()), producer=FakeProducer())
    made.gaps = ObservationGaps(SETTINGS, made.metrics, lambda: log, made.producer)
    made.counted = lambda: made.metrics.registry.get_sample_value(
        "compliance_coverage_gap_records_total", {"topic": OBSERVATIONS}
    )
    return made


@pytest.mark.parametrize(
    ("log", "to"),
    [
        (Log(*range(20, 30), beginning=20), 20),
        # More was removed since the record came.
        (Log(*range(25, 30), beginning=25), 20),
        (Log(beginning=40), 20),
    ],
)
async def test_what_retention_removed_is_told_with_its_exact_range(log, to):
    gap = await gaps_in(log).gaps.missing(3, 12, 20)
    assert isinstance(gap, CoverageGap)
    assert (gap.topic, gap.partition, gap.from_offset, gap.to_offset, gap.cause) == (
        OBSERVATIONS,
        3,
        12,
        to,
        "retention",
    )
    assert (log.partition.topic, log.partition.partition, log.open) == (OBSERVATIONS, 3, 0)


async def test_where_only_a_part_was_removed_the_rest_never_was_there():
    gap = await gaps_in(Log(*range(20, 30), beginning=15)).gaps.missing(0, 12, 20)
    assert (gap.from_offset, gap.to_offset, gap.records) == (12, 15, 3)


@pytest.mark.parametrize("beginning", [0, 12])
async def test_offsets_that_the_log_never_held_are_no_gap(beginning):
    assert await gaps_in(Log(11, 20, beginning=beginning)).gaps.missing(0, 12, 20) is None


@pytest.mark.parametrize("beginning", [0, 14])
async def test_what_the_log_still_holds_is_read_by_starting_anew(beginning):
    misfit = await gaps_in(Log(*range(15, 30), beginning=beginning)).gaps.missing(2, 12, 20)
    assert misfit == Misfit("state_input_skipped", "partition 2 went from 12 to 20, the log has 15")


def test_a_log_that_begins_again_is_told_from_one_that_is_read_again():
    ledgers = Ledgers()
    keeper = ledgers.keeper
    assert not keeper.made_anew(0, 0, NOW_MS)
    ledgers.table.update(keeper.skip(0, 7, NOW_MS))
    ledgers.table.update(keeper.skip(0, 8, NOW_MS - 1))
    keeper = restarted(ledgers).keeper
    assert not keeper.made_anew(0, 8, NOW_MS)
    assert keeper.made_anew(0, 8, NOW_MS + 1)
    assert not keeper.made_anew(0, 9, NOW_MS + 1)
    keeper.progress[0] = Progress(last_offset=8)  # stored before times were
    assert not keeper.made_anew(0, 8, NOW_MS + 1)


async def test_a_gap_is_counted_and_on_record_when_it_was_recorded():
    made = gaps_in(Log())
    assert made.counted() == 0
    gap = CoverageGap(OBSERVATIONS, 1, 12, 20, "retention", NOW_MS)
    await made.gaps.record(gap)
    (sent,) = made.producer.of(SETTINGS.topics.coverage_gaps)
    assert (sent.key, msgspec.json.decode(sent.value, type=CoverageGap)) == (f"{OBSERVATIONS}/1".encode(), gap)
    assert made.counted() == 8


# -- what the ledgers say from then on


def lose(ledgers, at_ms, records=8):
    """Lose observations of every partition, and go on."""
    for partition in range(PARTITIONS):
        ledgers.offset += records
        ledgers.table.update(ledgers.keeper.lose(partition, ledgers.offset + 1, records, at_ms))


def restarted(ledgers):
    again = type(ledgers)(ledgers.table)
    again.offset = ledgers.offset
    return again


def said(ledgers, rule, entity=ENTITY):
    return {
        outcome
        for outcome in ("pass", "fail", "inconclusive")
        if ledgers.metrics.registry.get_sample_value(
            "compliance_ledger_outcome", {"tenant": "default", "entity": entity, "rule": rule, "outcome": outcome}
        )
    }


@pytest.mark.parametrize("again", [lambda ledgers: ledgers, restarted], ids=["at once", "after a restart"])
def test_an_export_ledger_that_passes_is_undecided_and_one_that_fails_fails(again):
    ledgers = export_ledgers.Ledgers()
    ledgers.tell((), [1])
    assert said(ledgers, "LOC011") == {"pass"}
    assert said(ledgers, "LOC012") == {"fail"}
    lose(ledgers, AT_MS)
    ledgers = again(ledgers)
    assert ledgers.tick() == []
    assert said(ledgers, "LOC011") == {"inconclusive"}
    assert said(ledgers, "LOC012") == {"fail"}
    assert ledgers.open() == {("LOC012", ENTITY)}


def test_an_export_ledger_of_a_later_year_passes():
    ledgers = export_ledgers.Ledgers()
    lose(ledgers, AT_MS)
    ledgers.tell([1], year=2026, at_ms=AT_MS, watermark_ms=AT_MS)
    assert said(ledgers, "LOC011") == {"inconclusive"}
    later_ms = AT_MS + 90 * 24 * HOUR_MS
    ledgers.tell([1], year=2027, at_ms=later_ms, watermark_ms=later_ms)
    assert said(ledgers, "LOC011") == {"pass"}


def test_a_warning_ends_with_its_year_although_observations_were_lost():
    ledgers = export_ledgers.Ledgers()
    ledgers.tell(range(80_000), watermark_ms=AT_MS)
    assert ("LOC013", ENTITY) in ledgers.open()
    lose(ledgers, AT_MS)
    later_ms = AT_MS + 90 * 24 * HOUR_MS
    ledgers.tell([1], year=2027, at_ms=later_ms, watermark_ms=later_ms)
    assert ("LOC013", ENTITY) not in ledgers.open()


def test_what_passed_in_a_year_that_is_over_is_undecided_where_observations_of_it_were_lost():
    ledgers = export_ledgers.Ledgers()
    ledgers.tell([1], watermark_ms=AT_MS)
    lose(ledgers, AT_MS)
    ledgers.tell([1], year=2027, at_ms=AT_MS + 90 * 24 * HOUR_MS, watermark_ms=AT_MS + 90 * 24 * HOUR_MS)
    verdicts = [
        verdict
        for partition, held in ledgers.keeper.exports._partitions.items()
        for verdict in ledgers.keeper.exports._judged(partition, held, (ENTITY, 2026), AT_MS + 91 * 24 * HOUR_MS)
        if any(of.entity == ENTITY for of in held.accounts)
    ]
    said = {verdict.issue[1]: verdict.outcome for verdict in verdicts}
    assert said["LOC011"] is said["LOC013"] is Outcome.INCONCLUSIVE


def corpus(name="d", human=4_000):
    counts = {"records": 50_000, "human": human, "human_passed": human, "technical": 5_000, "technical_passed": 5_000}
    return CorpusSum(
        tenant="default", service="crawler", dataset=name, last_ms=NOW_MS, counts=counts, released_at_ms=NOW_MS
    )


def test_ledgers_in_which_counts_may_be_missing_pass_no_more_until_results_of_that_time_are_kept_no_longer():
    ledgers = Ledgers()
    ledgers.tell(corpus(), corpus("bad", human=3_999), source(1000, 0))
    ledgers.tick()
    assert said(ledgers, "TRN019", "crawler") == set()
    lose(ledgers, NOW_MS)
    ledgers = restarted(ledgers)
    ledgers.tick()
    others = {
        (s.labels["rule"], s.labels["outcome"]): s.value
        for family in ledgers.metrics.registry.collect()
        for s in family.samples
        if s.name == "compliance_ledger_outcome"
    }
    assert others == {("TRN019", "fail"): 1, ("TRN019", "inconclusive"): 1, ("TRN018", "inconclusive"): 1}
    assert ledgers.open() == {("TRN019", "sha256:bad")}
    ledgers.tell(corpus("last", human=4_000))
    gauge = {"tenant": "default", "entity": "other", "rule": "TRN019", "outcome": "inconclusive"}
    assert ledgers.metrics.registry.get_sample_value("compliance_ledger_outcome", gauge) == 2
    gauge["rule"] = "TRN018"
    end_ms = NOW_MS + LOST_SHOWN_MS
    ledgers.tell(source(1001, 0, at_ms=end_ms), watermark_ms=end_ms)
    assert ledgers.metrics.registry.get_sample_value("compliance_ledger_outcome", gauge) == 1
    ledgers.tell(source(1002, 0, at_ms=end_ms + 1), watermark_ms=end_ms + 1)
    # What comes is judged as of the time that was reached before it.
    ledgers.tell(source(1003, 0, at_ms=end_ms + 1), watermark_ms=end_ms + 1)
    assert not ledgers.metrics.registry.get_sample_value("compliance_ledger_outcome", gauge)


def test_a_source_is_cleared_by_an_assessment_although_observations_were_lost():
    ledgers = Ledgers()
    ledgers.tell(source(assessed=1000, assessed_illegal=51, assessed_at_ms=NOW_MS))
    lose(ledgers, NOW_MS)
    ledgers.tick()
    ledgers.tell(source(assessed=1000, assessed_illegal=1, assessed_at_ms=NOW_MS + 1))
    assert [fact.cleared_at_ms for fact in ledgers.facts][-1] == NOW_MS + 1


def test_a_fault_of_a_number_is_shown_for_its_time_only_although_observations_were_lost():
    ledgers = Ledgers()
    lose(ledgers, NOW_MS - 10 * 24 * HOUR_MS)
    ledgers.tell(number_used("n-1", "a" * 64, NOW_MS, "e1"), number_used("n-1", "b" * 64, NOW_MS, "e2"))
    ledgers.tick()
    assert {rule for rule, _ in ledgers.open()} == {"LBL029"}
    ledgers.tick(NOW_MS + SHOWN_MS + 2)
    ledgers.tick(NOW_MS + SHOWN_MS + 3)
    assert ledgers.open() == set()


def test_a_session_that_began_later_and_cases_are_judged_as_ever():
    ledgers = Ledgers()
    lose(ledgers, NOW_MS)
    later_ms = NOW_MS + HOUR_MS
    ledgers.tell(use(later_ms, later_ms, session="later"), complaint(), watermark_ms=later_ms)
    assert said(ledgers, "CMP002", "companion-app") == set()
    assert said(ledgers, "MOD010", "chat-assistant") == set()
    ledgers.tell(use(NOW_MS, later_ms, session="earlier"), watermark_ms=later_ms)
    assert said(ledgers, "CMP002", "companion-app") == {"inconclusive"}


def test_what_is_lost_adds_up_and_the_table_tells_of_it(monkeypatch):
    ledgers = Ledgers()
    ledgers.tell(source(1, 0))
    place = partition_of(b"default|" + source().source.encode(), PARTITIONS)
    lose(ledgers, NOW_MS, records=8)
    lose(ledgers, NOW_MS - 1, records=1)
    assert ledgers.keeper.progress[PARTITIONS - 1].last_offset == ledgers.offset
    told = [one for one in contents(ledgers.table) if isinstance(one, ProgressContent)]
    assert [(one.lost, one.lost_until_ms) for one in told] == [(9, NOW_MS)] * PARTITIONS

    async def table(_):
        return ledgers.table

    monkeypatch.setenv("HEGUI_KAFKA__BOOTSTRAP_SERVERS", "nobody-asks:1")
    monkeypatch.setattr(contents_module, "read_table", table)
    shown = CliRunner().invoke(command, ["show"], catch_exceptions=False).output
    assert shown.count("9 observations of events up to ") == PARTITIONS
    ledgers.table.clear()
    ledgers.tell(source(1, 0))
    ledgers.keeper.progress[place] = Progress()
    ledgers.table.update(ledgers.keeper.skip(place, 1, NOW_MS))
    assert "lost before they were counted" not in CliRunner().invoke(command, ["show"]).output
