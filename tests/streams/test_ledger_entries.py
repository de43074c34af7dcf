"""What the evaluator tells the ledgers of events that come twice, or are corrected."""

import msgspec
from msgspec.structs import replace

from hegui.rules.events import Inspection
from hegui.rules.ledgers.corpora import CorpusSum
from hegui.rules.ledgers.coverage import CoverageSum
from hegui.rules.ledgers.samples import SampleSet, sampled, unpacked
from hegui.rules.ledgers.sources import SourceState, SourceSum
from hegui.rules.observations import BLOCK_OFFSETS, Observation
from hegui.streams import simulation
from tests.streams.example import envelope, evaluator
from tests.streams.fakes import FakeRecord
from tests.streams.test_evaluator_blocks import PLACE, started


def ingest(number, *, illegal=None, revision=0, inspection=None):
    """A record of one source; without a check unless it says what that found."""
    made = envelope("licensed", number, revision=revision, id=f"r-{number}")
    check = None if illegal is None else replace(made.data.content_check, illegal=illegal, filtered=illegal)
    return replace(made, data=replace(made.data, content_check=check, inspection=inspection, source_id="mirror-1"))


def told(ours, envelopes, first=0):
    """Judge events from an offset on; return the entries that are told, and the offset after them."""
    records = [
        FakeRecord(first + n, round(one.time.timestamp() * 1000) + 20, simulation.encode(one))
        for n, one in enumerate(envelopes)
    ]
    outputs = [*ours.judge({PLACE: records}).outputs, *ours.tick({})]
    observations = [
        msgspec.json.decode(output.value, type=Observation)
        for output in outputs
        if output.destination == "observations"
    ]
    return [(one, entry) for one in observations for entry in one.entries]


def of(kind, entries):
    return [(observation, entry) for observation, entry in entries if isinstance(entry, kind)]


def folded(entries):
    state = None
    for observation, entry in of(SourceSum, entries):
        state = (entry.begin() if state is None else state).step(observation, entry)
    assert isinstance(state, SourceState)
    ledger = state.judgement(0, None).ledger
    return ledger.sampled, ledger.illegal


def test_a_source_counts_a_record_that_is_sent_twice_once_also_over_blocks():
    ours = started()
    some = [ingest(n, illegal=n < 15) for n in range(200)]
    entries = told(ours, some) + told(ours, some[:100], first=200)
    entries += told(ours, some, first=BLOCK_OFFSETS)
    assert folded(entries) == (200, 15)
    records = {one.block: entry.counts for one, entry in of(CorpusSum, entries)}
    assert records == {0: {"records": 200}, 1: {}}


def test_what_is_found_illegal_after_collection_by_a_revision_counts():
    ours = started()
    entries = told(ours, [ingest(n) for n in range(1000)])
    assert of(SourceSum, entries) == []
    entries += told(ours, [ingest(n, illegal=True, revision=1) for n in range(1000)], first=1000)
    assert folded(entries) == (1000, 1000)


def test_a_check_that_changed_is_replaced_also_when_its_record_lies_in_an_earlier_block():
    ours = started()
    entries = told(ours, [ingest(n, illegal=False) for n in range(1000)])
    assert folded(entries) == (1000, 0)
    entries += told(ours, [ingest(n, illegal=True, revision=1) for n in range(60)], first=BLOCK_OFFSETS)
    assert folded(entries) == (1000, 60)
    entries += told(ours, [ingest(n, illegal=False, revision=2) for n in range(60)], first=BLOCK_OFFSETS + 60)
    assert folded(entries) == (1000, 0)


def test_a_revision_of_a_record_that_is_not_remembered_counts_as_checked_for_the_first_time():
    ours = started()
    entries = told(ours, [ingest(1, illegal=True, revision=1)])
    assert folded(entries) == (1, 1)
    ((_, corpus),) = of(CorpusSum, entries)
    assert corpus.counts == {}


def test_without_an_identity_window_every_event_counts():
    ours = evaluator(EVALUATOR__IDENTITY_WINDOW_EVENTS="0")
    ours.assign(PLACE, 0, 0)
    assert folded(told(ours, [ingest(1, illegal=True)] * 2)) == (2, 2)


def test_a_record_that_is_inspected_twice_is_told_as_one_and_one_without_a_version_not_at_all():
    ours = started()
    passed = ingest(1, inspection=Inspection(human_passed=True))
    failed = ingest(1, inspection=Inspection(human_passed=False), revision=1)
    unnamed = replace(passed, id="other", data=replace(passed.data, dataset_version=None))
    nothing = ingest(2, inspection=Inspection())
    entries = of(SampleSet, told(ours, [passed, passed, failed, unnamed, nothing]))
    ((_, entry),) = entries
    assert [sampled(said) for said in unpacked(entry.words).values()] == [{"human": 1}]
    assert of(SampleSet, told(ours, [nothing], first=9)) == [], "a set is told once"


def test_label_coverage_counts_an_output_that_is_sent_twice_once():
    ours = started()
    bare = envelope("LBL001", 1)
    entries = of(CoverageSum, told(ours, [envelope("image", 2), bare, bare, envelope("image", 2), bare]))
    explicit = [entry.outputs for _, entry in entries if entry.label == "explicit"]
    assert sum(one.get("fail", 0) for one in explicit) == 1
    assert sum(one.get("pass", 0) for one in explicit) == 1
