"""Only what the broker acknowledged is committed, in order; a refusal ends the run with no commit."""

import asyncio

import pytest
from aiokafka.errors import CommitFailedError, KafkaError, KafkaTimeoutError, RequestTimedOutError

from hegui.streams.errors import DecodeError
from hegui.streams.evaluator import Output
from tests.streams.drivers.rig import FIRST, SECOND, Rig
from tests.streams.example import records
from tests.streams.fakes import FakePartition, turns

ONE = {"EVALUATOR__MAX_BATCH_RECORDS": "1"}


def test_a_decode_error_reads_as_reason_and_place():
    assert str(DecodeError("not_json", "the value")) == "not_json: the value"


async def test_nothing_is_committed_before_it_is_acknowledged(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001", "image"]), committed={FIRST: 0}, hold=True)
    await rig.start()
    await rig.step()
    step = asyncio.ensure_future(rig.step())
    await turns(lambda: bool(rig.producer.unacknowledged()))
    assert rig.consumer.commits == []
    rig.producer.acknowledge()
    await turns(lambda: step.done() or not rig.producer.acknowledge())
    rig.producer.hold = False
    rig.producer.acknowledge()
    await step
    await rig.step()
    assert rig.committed() == 2


async def test_the_next_batch_is_judged_while_the_last_is_under_way_and_no_third(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"] * 3), committed={FIRST: 0}, hold=True, **ONE)
    await rig.start()
    run = asyncio.ensure_future(rig.step(3))
    await turns(lambda: rig.violations == 2)
    for _ in range(50):
        await asyncio.sleep(0)
    assert rig.violations == 2
    assert rig.consumer.commits == []
    rig.producer.acknowledge()
    await turns(lambda: rig.violations == 3)
    assert [next(iter(commit.values())) for commit in rig.consumer.commits] == [1]
    rig.producer.hold = False
    rig.producer.acknowledge()
    await run


async def test_commits_only_move_forward_and_come_in_order(monkeypatch):
    rig = Rig(monkeypatch, records(["image", "LBL001"] * 10), committed={FIRST: 0}, **ONE)
    await rig.start()
    await rig.step(30)
    offsets = [commit[FIRST] for commit in rig.consumer.commits]
    assert offsets == sorted(set(offsets))
    assert offsets[-1] == 20


async def test_offsets_move_although_nothing_fails(monkeypatch):
    rig = Rig(monkeypatch, records(["image"] * 5), committed={FIRST: 0})
    await rig.start()
    await rig.step(3)
    assert rig.committed() == 5
    assert rig.violations == 0


async def test_a_refused_result_ends_the_run_and_nothing_is_committed(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"]), committed={FIRST: 0})
    rig.producer.refusal = KafkaTimeoutError()
    with pytest.raises(KafkaError):
        await rig.driver.run(asyncio.Event())
    assert rig.consumer.commits == []
    assert rig.consumer.stopped
    assert rig.committed() == 0


async def test_a_result_refused_later_takes_back_nothing_that_was_good(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"] * 4), committed={FIRST: 0}, **ONE)
    run = asyncio.ensure_future(rig.driver.run(asyncio.Event()))
    await turns(lambda: rig.committed() == 2)
    rig.producer.refuse(KafkaTimeoutError())
    rig.log[FIRST].records += records(["LBL001"] * 3, 4)
    with pytest.raises(KafkaError):
        await run
    good = sum(r.acknowledgement.exception() is None for r in rig.producer.of(rig.settings.topics.violations))
    assert rig.committed() <= good


async def test_a_refused_commit_is_no_reason_to_stop(monkeypatch):
    rig = Rig(monkeypatch, records(["image"] * 5), committed={FIRST: 0})
    rig.consumer.commit_errors = [CommitFailedError(), RequestTimedOutError()]
    await rig.start()
    await rig.step(6)
    assert rig.committed() == 5


async def test_a_commit_that_will_never_succeed_ends_the_run(monkeypatch):
    from aiokafka.errors import GroupAuthorizationFailedError

    rig = Rig(monkeypatch, records(["image"] * 5), committed={FIRST: 0})
    rig.consumer.commit_errors = [GroupAuthorizationFailedError("hegui")]
    with pytest.raises(KafkaError):
        await rig.driver.run(asyncio.Event())
    assert rig.consumer.stopped


async def test_a_stop_drains_commits_and_leaves(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001", "image", "image"]), committed={FIRST: 0})
    stop = asyncio.Event()
    run = asyncio.ensure_future(rig.driver.run(stop))
    await turns(lambda: rig.violations == 1)
    stop.set()
    await run
    assert rig.committed() == 3
    assert rig.producer.unacknowledged() == []
    assert rig.consumer.stopped
    assert rig.producer.stopped
    assert rig.value("compliance_events_total", stream="generation", service="image-studio") == 3


async def test_a_cancelled_run_commits_nothing_more(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"]), committed={FIRST: 0}, hold=True)
    run = asyncio.ensure_future(rig.driver.run(asyncio.Event()))
    await turns(lambda: rig.violations == 1)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert rig.consumer.commits == []
    assert rig.consumer.stopped


async def test_the_dead_letters_of_the_facts_go_with_the_next_batch(monkeypatch):
    rig = Rig(monkeypatch, [], committed={FIRST: 0})
    rig.driver.send_later(Output("dead_letters", None, b"{}", []))
    await rig.start()
    await rig.step()
    assert [r.value for r in rig.producer.of(rig.settings.topics.dead_letters)] == [b"{}"]


async def test_the_delay_is_measured_and_lag_exposed_per_partition(monkeypatch):
    log = {FIRST: FakePartition(records(["image"] * 4)), SECOND: FakePartition(records(["image"] * 9))}
    rig = Rig(monkeypatch, log, committed={FIRST: 0, SECOND: 0}, EVALUATOR__MAX_BATCH_RECORDS="6")
    await rig.start()
    await rig.step()
    assert rig.value("compliance_consumer_lag_records", topic="events", partition="0") == 0
    assert rig.value("compliance_consumer_lag_records", topic="events", partition="1") == 7
    await rig.step(3)
    assert rig.value("compliance_consumer_lag_records", topic="events", partition="1") == 0
    assert rig.value("compliance_detection_delay_seconds_count") >= 1


async def test_a_transaction_marker_at_the_end_is_no_lag(monkeypatch):
    # A transactional producer ends the log with a marker: the high water mark is one above the last record, for ever.
    rig = Rig(monkeypatch, {FIRST: FakePartition(records(["image"]), markers=1)}, committed={FIRST: 0})
    await rig.start()
    await rig.step(3)
    rig.clock.advance(1000)
    await rig.step()
    assert rig.progress.stalled(120) is None
    assert rig.value("compliance_consumer_lag_records", topic="events", partition="0") == 0


async def test_an_idle_partition_lets_time_pass(monkeypatch):
    import time

    import msgspec

    from hegui.rules.observations import Observation

    rig = Rig(monkeypatch, records(["image"]), committed={FIRST: 0})
    before_ms = time.time_ns() // 1_000_000
    await rig.start()
    await rig.step(3)
    last = rig.producer.of(rig.settings.topics.observations)[-1]
    assert msgspec.json.decode(last.value, type=Observation).watermark_ms >= before_ms
