"""What the evaluator tells the ledgers of events that come twice, or are corrected."""

import msgspec
from msgspec.structs import replace

from hegui.rules.engine import Engine
from hegui.rules.events import Inspection, Moderation
from hegui.rules.facts import Snapshot, loaded
from hegui.rules.ledgers.abuse import AbusiveInputs
from hegui.rules.ledgers.corpora import CorpusSum
from hegui.rules.ledgers.coverage import CoverageSum
from hegui.rules.ledgers.labels import ProduceIdUse
from hegui.rules.ledgers.samples import SampleSet, sampled, unpacked
from hegui.rules.ledgers.sources import SourceState, SourceSum
from hegui.rules.observations import BLOCK_OFFSETS, Observation
from hegui.streams import simulation
from hegui.streams.evaluator import Evaluator
from tests.streams.example import POLICY, RULES, envelope, evaluator, settings
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


def output(kind, event_id, revision=0, **changes):
    made = envelope(kind, 1, id=event_id, revision=revision)
    return replace(made, data=replace(made.data, **changes))


def test_an_input_sent_five_times_is_one_and_a_revision_takes_it_back():
    ours = started()
    refused = Moderation(verdict="none", action="blocked", input_verdict="block")
    bad = output("chat", "e", moderation=refused, user_key=simulation.person(1))
    ((_, entry),) = of(AbusiveInputs, told(ours, [bad] * 5))
    assert [one.refused for one in entry.inputs] == [True]
    allowed = replace(refused, verdict="allow", action="delivered", input_verdict="allow")
    right = output("chat", "e", 1, moderation=allowed, user_key=simulation.person(1))
    ((_, entry),) = of(AbusiveInputs, told(ours, [right], first=5))
    assert [(one.revision, one.refused) for one in entry.inputs] == [(1, False)]
    assert of(AbusiveInputs, told(ours, [output("chat", "f", moderation=allowed)], first=6)) == []


def test_a_label_applied_afterwards_is_no_second_use_of_its_number():
    services = tuple(replace(s, label_index=True) for s in POLICY.services)
    ours = Evaluator(settings(), Engine(RULES, snapshot_of(replace(POLICY, services=services))))
    ours.assign(PLACE, 0, 0)
    first = output("image", "e", output_sha256="1" * 64)
    entries = told(ours, [first, output("image", "e", 1, output_sha256="2" * 64)])
    ((_, entry),) = of(ProduceIdUse, entries)
    (use,) = entry.uses
    assert use.revision == 1


def snapshot_of(policy):
    return Snapshot(policy, loaded(()), notices=loaded(()), sources=loaded(()), suspensions=loaded(()))


def test_label_coverage_counts_an_output_that_is_sent_twice_once():
    ours = started()
    bare = envelope("LBL001", 1)
    entries = of(CoverageSum, told(ours, [envelope("image", 2), bare, bare, envelope("image", 2), bare]))
    explicit = [entry.outputs for _, entry in entries if entry.label == "explicit"]
    assert sum(one.get("fail", 0) for one in explicit) == 1
    assert sum(one.get("pass", 0) for one in explicit) == 1
