"""Sums for the state agents: cumulative in a block, final at its end, the same when a block is judged again. Blocks of 8 here."""

import msgspec
import pytest
from msgspec.structs import replace

from hegui.rules.engine import Engine
from hegui.rules.facts import FactStatus, FactTable, Snapshot
from hegui.rules.observations import Observation
from hegui.rules.versions import Versions
from hegui.rules.violations import result_uid
from hegui.streams.evaluator import Evaluator
from tests.data.make import START_MS
from tests.streams.example import OPTOUTS, POLICY, RULES, TOPIC, engine, evaluator, record, records, settings
from tests.streams.fakes import MAX_REQUEST_BYTES, FakeRecord

PLACE = (TOPIC, 0)
KEY = ("default", "LBL001", "image-studio")


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr("hegui.streams.observations.BLOCK_OFFSETS", 8)


def started(start=0, resume_at=None, ours=None):
    ours = ours or evaluator()
    ours.assign(PLACE, start, start if resume_at is None else resume_at)
    return ours


def observed(outputs):
    return [msgspec.json.decode(o.value, type=Observation) for o in outputs if o.destination == "observations"]


def ticks(outputs):
    """The records that let time go on: those of sums. Ledgers are told before them, as of the time told last."""
    return [seen for seen in observed(outputs) if not seen.entries and not seen.exports]


def sums(outputs, key=KEY):
    """(block, upto, failures, waived) of every record that tells of the key."""
    return [
        (o.block, o.upto, s.failures, s.waived)
        for o in observed(outputs)
        for s in o.sums
        if (s.tenant, s.rule, s.service) == key
    ]


def test_within_a_block_the_sums_are_cumulative():
    ours = started()
    ours.judge({PLACE: records(["LBL001", "image"])})
    first = ours.tick({})
    ours.judge({PLACE: records(["LBL001", "LBL001"], 2)})
    assert sums(first) == [(0, 2, 1, 0)]
    assert sums(ours.tick({})) == [(0, 4, 3, 0)]


def test_only_sums_that_changed_are_sent_again():
    ours = started()
    ours.judge({PLACE: records(["LBL001"])})
    ours.tick({})
    ours.judge({PLACE: records(["chat"], 1)})
    assert sums(ours.tick({})) == []


def test_the_end_of_a_block_sends_its_final_sums_before_any_commit():
    ours = started()
    judgement = ours.judge({PLACE: records(["LBL001"] * 10)})
    assert sums(judgement.outputs) == [(0, 8, 8, 0)]
    assert sums(ours.tick({})) == [(1, 10, 2, 0)]


def test_a_gap_in_the_offsets_may_pass_over_whole_blocks():
    ours = started()
    judgement = ours.judge({PLACE: [record("LBL001", 3), record("LBL001", 30), record("LBL001", 31)]})
    assert sums(judgement.outputs) == [(0, 8, 1, 0), (3, 32, 2, 0)]
    assert {(o.block, o.start, o.upto) for o in observed(ours.tick({}))} == {(4, 32, 32)}


def test_a_full_block_sends_its_sums_with_its_last_offset():
    # The offset behind it may be committed at once, and then nobody reads the block again.
    judgement = started().judge({PLACE: records(["LBL001"] * 8)})
    assert judgement.positions == {PLACE: 8}
    assert sums(judgement.outputs) == [(0, 8, 8, 0)]


def test_every_tick_tells_every_state_partition_how_far_time_has_come():
    ours = started()
    ours.judge({PLACE: records(["image"])})
    made = ours.tick({})
    told = [o.partition for o in made if not msgspec.json.decode(o.value, type=Observation).entries]
    assert sorted(told) == [0, 1, 2, 3]
    assert {seen.watermark_ms for seen in ticks(made)} == {START_MS}
    assert {seen.watermark_ms for seen in observed(made) if seen.entries} == {0}
    assert {o.key for o in made} == {b"events/0"}


def test_a_restart_at_the_block_start_repeats_nothing_but_the_sums():
    before = started()
    batch = records(["LBL001", "image", "waived", "LBL001", "image", "LBL001"])
    batch[4] = FakeRecord(4, START_MS, b"bad")
    first = before.judge({PLACE: batch[:5]})
    after = started(0, resume_at=5)
    again = after.judge({PLACE: batch})
    sent = [(o.destination, o.key) for o in first.outputs] + [(o.destination, o.key) for o in again.outputs]
    assert [name for name, _ in sent] == ["violations"] * 3 + ["dead_letters", "violations"]
    assert len({key for _, key in sent}) == 5
    assert sums(after.tick({})) == [(0, 6, 3, 0)]
    assert after.tallies.events == {("generation", "image-studio"): 1}
    assert after.tallies.dead_letters == {}
    assert again.positions == {PLACE: 6}


def test_before_the_work_is_caught_up_no_earlier_position_is_committed():
    ours = started(0, resume_at=5)
    assert ours.judge({PLACE: records(["image"] * 3)}).positions == {PLACE: 5}


def test_waived_failures_are_summed_apart():
    ours = started()
    ours.judge({PLACE: records(["waived", "waived"])})
    assert sums(ours.tick({}), ("default", "MOD001", "chat-assistant")) == [(0, 2, 0, 2)]


def test_a_higher_revision_that_passes_names_what_it_corrects():
    ours = started()
    ours.judge({PLACE: [record("LBL001", 0), record("image", 1, revision=1)]})
    uid = result_uid("LBL001", "default", "simulation/image-studio", "test-1")
    (found,) = [s for o in observed(ours.tick({})) for s in o.sums if s.rule == "LBL001"]
    assert found.corrected == (uid,)
    assert len(found.failed) == 1


def test_a_revision_that_leaves_the_field_out_corrects_nothing():
    ours = started()
    ours.judge({PLACE: [record("inconclusive", 0, revision=1)]})
    corrected = {s.rule for o in observed(ours.tick({})) for s in o.sums if s.corrected}
    assert not corrected & {"LBL001", "LBL002", "MOD001"}
    assert "FIL001" in corrected


def test_facts_that_become_ready_during_the_run_are_used_from_the_next_batch_on():
    table = FactTable(FactStatus.LOADING)
    ours = started(ours=Evaluator(settings(), engine(table)))
    assert ours.judge({PLACE: [record("OPT001", 0)]}).outputs == []
    for number, found in enumerate(OPTOUTS):
        table.put(b"%d" % number, found)
    table.status = FactStatus.READY
    judgement = ours.judge({PLACE: [record("OPT001", 1)]})
    assert [o.destination for o in judgement.outputs] == ["violations"]
    ours.tick({})
    counted = {outcome: n for (_, rule, outcome), n in ours.tallies.evaluations.items() if rule == "OPT001"}
    assert counted == {"inconclusive": 1, "fail": 1}


def test_a_new_policy_keeps_the_counts_of_the_running_block():
    ours = started()
    ours.judge({PLACE: records(["LBL001", "image"])})
    ours.versions = Versions(
        [Engine(RULES, Snapshot(replace(POLICY, version="example-2"), ours.versions.engines[0].snapshot.optouts))]
    )
    judgement = ours.judge({PLACE: records(["LBL001"], 2)})
    assert b"example-2" in judgement.outputs[0].value
    assert sums(ours.tick({})) == [(0, 3, 2, 0)]
    assert ours.tallies.events == {("generation", "image-studio"): 3}


def test_the_watermark_never_runs_ahead_of_the_broker():
    ours = started()
    ours.judge({PLACE: [record("image", 0, at_ms=START_MS + 200_000, broker_ms=START_MS)]})
    ours.judge({PLACE: [record("image", 1, at_ms=START_MS + 10**10, broker_ms=START_MS + 1000)]})
    assert {seen.watermark_ms for seen in ticks(ours.tick({}))} == {START_MS + 1000}


def test_the_watermark_never_goes_back():
    ours = started()
    ours.judge({PLACE: [record("image", 0), record("image", 1, at_ms=START_MS - 5000, broker_ms=START_MS + 50)]})
    assert {seen.watermark_ms for seen in ticks(ours.tick({}))} == {START_MS}


def test_an_idle_partition_takes_the_clock_and_a_busy_one_does_not():
    ours = started()
    ours.assign((TOPIC, 1), 0, 0)
    ours.judge({PLACE: records(["image"]), (TOPIC, 1): records(["image"])})
    made = ticks(ours.tick({PLACE: START_MS + 60_000}))
    assert {(o.partition, o.watermark_ms) for o in made} == {(0, START_MS + 60_000), (1, START_MS)}


def test_a_pass_is_dated_by_an_event_that_passed_not_by_one_that_was_left_undecided():
    # Pass, failure, and then the field is left out: nothing has passed since the failure.
    ours = started()
    unlabelled = record("image", 2)
    event = msgspec.json.decode(unlabelled.value)
    del event["data"]["explicit_label"]
    unlabelled.value = msgspec.json.encode(event)
    ours.judge({PLACE: [record("image", 0), record("LBL001", 1), unlabelled]})
    (found,) = [s for o in observed(ours.tick({})) for s in o.sums if (s.tenant, s.rule, s.service) == KEY]
    assert found.last_failure_ms == START_MS + 1000
    assert found.last_pass_ms <= START_MS + 1000


def test_failures_are_not_passed_off_as_corrected_when_their_names_do_not_fit(monkeypatch):
    # More corrections than a sum can name: what is left of the failures must not look complete.
    monkeypatch.setattr("hegui.streams.observations.BLOCK_OFFSETS", 4096)
    from hegui.rules.issues import Timing, observe

    ours = started()
    ours.judge({PLACE: [record("LBL001", n) for n in range(2)]})
    ours.judge({PLACE: [record("image", n, revision=1) for n in range(2, 101)]})
    (first,) = [o for o in observed(ours.tick({})) if any(s.rule == "LBL001" for s in o.sums)]
    (sum_,) = [s for s in first.sums if s.rule == "LBL001"]
    issue, _ = observe(None, first, sum_, watermark_ms=START_MS, at_ms=START_MS, timing=Timing())
    corrected = record("image", 101, revision=1, id="test-1")
    ours.judge({PLACE: [corrected]})
    (second,) = [o for o in observed(ours.tick({})) if any(s.rule == "LBL001" for s in o.sums)]
    (sum_,) = [s for s in second.sums if s.rule == "LBL001"]
    issue, _ = observe(issue, second, sum_, watermark_ms=START_MS, at_ms=START_MS, timing=Timing())
    assert issue.status == "open", "test-0 still fails"


def test_no_observation_is_too_large_to_send(monkeypatch):
    monkeypatch.setattr("hegui.streams.observations.BLOCK_OFFSETS", 4096)
    services = tuple(replace(POLICY.services[0], name=f"studio-{n}") for n in range(40))
    found = settings(TOPICS__STATE_PARTITIONS="1")
    ours = started(ours=Evaluator(found, Engine(RULES, Snapshot(replace(POLICY, services=services)))))
    plain = record("image", 0, revision=1)
    batch = [
        replace_value(
            plain, n, plain.value.replace(b"image-studio", b"studio-%d" % (n % 40)).replace(b"test-0", b"t-%d" % n)
        )
        for n in range(4000)
    ]
    ours.judge({PLACE: batch})
    assert max(len(o.value) for o in ours.tick({})) < MAX_REQUEST_BYTES - 1000


def replace_value(plain, offset, value):
    return FakeRecord(offset, plain.timestamp, value)
