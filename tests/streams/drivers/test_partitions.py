"""Where reading begins, what happens when partitions move, and gaps of coverage: never a silent reset."""

import asyncio

import msgspec
import pytest
from aiokafka.errors import KafkaError, KafkaTimeoutError, NoOffsetForPartitionError, OffsetOutOfRangeError

from hegui.rules.observations import BLOCK_OFFSETS, Observation
from hegui.streams.coverage_gaps import CoverageGap
from tests.streams.drivers.rig import FIRST, SECOND, Rig
from tests.streams.example import record, records
from tests.streams.fakes import FakePartition, turns


def gaps(rig):
    return [msgspec.json.decode(r.value, type=CoverageGap) for r in rig.producer.of(rig.settings.topics.coverage_gaps)]


def told(rig, topic="events"):
    return rig.value("compliance_coverage_gap_records_total", topic=topic)


async def test_a_new_group_begins_at_the_earliest_record(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"] * 3))
    await rig.start()
    await rig.step(2)
    assert rig.violations == 3
    assert rig.committed() == 3


async def test_a_new_group_told_to_begins_with_the_last_block(monkeypatch):
    log = {FIRST: FakePartition(records(["LBL001"] * 6, BLOCK_OFFSETS - 3), beginning=BLOCK_OFFSETS - 3)}
    rig = Rig(monkeypatch, log, EVALUATOR__START="latest")
    await rig.start()
    await rig.step(2)
    assert rig.violations == 3
    rig.log[FIRST].records += records(["LBL001"], BLOCK_OFFSETS + 3)
    await rig.step(2)
    assert rig.violations == 4


async def test_the_start_of_a_new_group_is_fixed_by_a_commit_before_any_batch(monkeypatch):
    rig = Rig(monkeypatch, records(["image"] * 3), EVALUATOR__START="latest")
    await rig.start()
    rig.consumer.errors = [NoOffsetForPartitionError(FIRST)]
    await rig.step()
    await rig.step()
    assert rig.consumer.commits[0] == {FIRST: 0}


async def test_a_group_that_has_committed_goes_on_from_the_start_of_its_block(monkeypatch):
    log = records(["LBL001"] * 6, BLOCK_OFFSETS - 3)
    rig = Rig(
        monkeypatch, {FIRST: FakePartition(log, beginning=BLOCK_OFFSETS - 3)}, committed={FIRST: BLOCK_OFFSETS + 2}
    )
    await rig.start()
    assert rig.consumer.positions[FIRST] == BLOCK_OFFSETS
    await rig.step(2)
    assert rig.violations == 1
    sums = [
        s.failures
        for r in rig.producer.of(rig.settings.topics.observations)
        for s in msgspec.json.decode(r.value, type=Observation).sums
        if s.rule == "LBL001"
    ]
    assert sums == [3]
    assert gaps(rig) == []


async def test_a_start_past_what_was_committed_is_a_recorded_gap(monkeypatch):
    rig = Rig(monkeypatch, {FIRST: FakePartition(records(["LBL001"] * 3, 50), beginning=50)}, committed={FIRST: 20})
    await rig.start()
    await rig.step(2)
    (gap,) = gaps(rig)
    assert (gap.topic, gap.partition, gap.from_offset, gap.to_offset, gap.cause) == ("events", 0, 20, 50, "retention")
    assert told(rig) == 30
    assert rig.violations == 3
    assert rig.committed() == 53


async def test_a_log_shorter_than_what_was_committed_is_a_recorded_gap(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"] * 3), committed={FIRST: 900})
    await rig.start()
    await rig.step(2)
    (gap,) = gaps(rig)
    assert (gap.from_offset, gap.to_offset, gap.cause) == (900, 0, "log_shorter_than_committed")
    assert told(rig) == 1
    assert rig.committed() == 3


async def test_retention_that_overtakes_a_running_reader_is_a_recorded_gap(monkeypatch):
    rig = Rig(monkeypatch, records(["image"] * 3), committed={FIRST: 0})
    await rig.start()
    await rig.step(2)
    rig.log[FIRST] = FakePartition(records(["LBL001"] * 2, 10), beginning=10)
    rig.consumer.errors = [OffsetOutOfRangeError({FIRST: 3})]
    await rig.step(3)
    (gap,) = gaps(rig)
    assert (gap.from_offset, gap.to_offset, gap.cause) == (3, 10, "retention")
    assert told(rig) == 7
    assert rig.violations == 2
    assert rig.committed() == 12


async def test_a_topic_made_anew_under_a_running_reader_is_committed_from_its_new_start(monkeypatch):
    rig = Rig(monkeypatch, records(["image"] * 9), committed={FIRST: 0})
    await rig.start()
    await rig.step(2)
    assert rig.committed() == 9
    rig.log[FIRST] = FakePartition(records(["LBL001"] * 2))
    rig.consumer.errors = [OffsetOutOfRangeError({FIRST: 9})]
    await rig.step(3)
    (gap,) = gaps(rig)
    assert (gap.from_offset, gap.cause) == (9, "log_shorter_than_committed")
    # Else a restart after the log has grown past 9 would go on at 9, and the records from 2 to 9 were never judged.
    assert rig.committed() == 2


async def test_other_partitions_go_on_when_one_has_a_gap(monkeypatch):
    log = {FIRST: FakePartition(records(["image"] * 3)), SECOND: FakePartition(records(["LBL001"] * 3))}
    rig = Rig(monkeypatch, log, committed={FIRST: 0, SECOND: 0})
    await rig.start()
    rig.log[FIRST] = FakePartition([], beginning=7)
    rig.consumer.errors = [OffsetOutOfRangeError({FIRST: 0})]
    await rig.step(3)
    assert [gap.partition for gap in gaps(rig)] == [0]
    assert rig.violations == 3
    assert rig.consumer.group == {FIRST: 7, SECOND: 3}


async def test_partitions_taken_away_are_drained_and_committed_first(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001", "image"]), committed={FIRST: 0}, hold=True)
    await rig.start()
    step = asyncio.ensure_future(rig.step())
    await turns(lambda: rig.violations == 1)
    await step
    away = asyncio.ensure_future(rig.consumer.rebalance([]))
    await turns(lambda: bool(rig.producer.of(rig.settings.topics.observations)))
    assert rig.consumer.commits == []
    rig.producer.hold = False
    rig.producer.acknowledge()
    await away
    assert rig.committed() == 2
    assert rig.driver.evaluator.sources == {}
    assert rig.value("compliance_consumer_lag_records", topic="events", partition="0") is None


async def test_a_revoke_waits_for_the_batch_being_judged(monkeypatch):
    log = {FIRST: FakePartition(records(["LBL001"] * 2)), SECOND: FakePartition(records(["LBL001"] * 2))}
    rig = Rig(monkeypatch, log, committed={FIRST: 0, SECOND: 0})
    await rig.start()
    rig.consumer.before_return = [lambda: rig.consumer.rebalance([SECOND])]
    await rig.step(3)
    assert set(rig.driver.evaluator.sources) == {("events", 1)}
    assert rig.consumer.group[SECOND] == 2


async def test_records_from_before_a_rebalance_are_read_again(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"] * 3), committed={FIRST: 0})
    await rig.start()
    rig.consumer.before_return = [lambda: rig.consumer.rebalance([FIRST])]
    await rig.step()
    assert rig.violations == 0
    assert rig.consumer.positions[FIRST] == 0
    await rig.step(2)
    assert rig.violations == 3
    assert rig.committed() == 3


async def test_a_partition_that_comes_back_repeats_no_violation(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"] * 3), committed={FIRST: 0})
    await rig.start()
    await rig.step()
    await rig.consumer.rebalance([])
    await rig.consumer.rebalance([FIRST])
    rig.log[FIRST].records.append(record("LBL001", 3))
    await rig.step(2)
    assert rig.violations == 4
    assert rig.value("compliance_events_total", stream="generation", service="image-studio") == 4


async def test_results_refused_during_a_revoke_are_never_committed(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"] * 3), committed={FIRST: 0}, hold=True)
    await rig.start()
    step = asyncio.ensure_future(rig.step())
    await turns(lambda: rig.violations == 3)
    await step
    rig.producer.refuse(KafkaTimeoutError())
    await rig.consumer.rebalance([FIRST])
    with pytest.raises(KafkaError):
        await rig.step(3)
    assert rig.consumer.commits == []


async def test_a_failure_while_finding_the_start_never_leaves_a_partition_unwatched(monkeypatch):
    # aiokafka logs what a listener raises and goes on; the records would be fetched, judged by nobody and called no lag.
    rig = Rig(monkeypatch, records(["LBL001"] * 3), committed={FIRST: 0})
    rig.consumer.lookup_errors = [KafkaTimeoutError()]
    run = asyncio.ensure_future(rig.driver.run(asyncio.Event()))
    await turns(lambda: run.done() or rig.violations == 3)
    if not run.done():
        run.cancel()
    with pytest.raises((KafkaError, asyncio.CancelledError)):
        await run


async def test_results_refused_while_partitions_are_taken_away_end_the_process(monkeypatch):
    # aiokafka logs what a listener raises and goes on.
    rig = Rig(monkeypatch, records(["LBL001"]), committed={FIRST: 0}, hold=True)
    await rig.start()
    await rig.step()
    rig.producer.refuse(KafkaTimeoutError())
    await rig.consumer.rebalance([])
    assert rig.driver.evaluator.sources == {}
    with pytest.raises(KafkaTimeoutError):
        await rig.step()
    assert rig.committed() == 0
