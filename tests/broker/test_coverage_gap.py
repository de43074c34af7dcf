"""What the log no longer has is recorded with its exact range; nothing is reset in silence."""

import os
import signal

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from hegui.streams.coverage_gaps import CoverageGap
from hegui.streams.simulation import traffic
from tests.broker.harness import CLIENTS, COOPERATIVE, Deployment, carried_by, deployment
from tests.broker.processes import Daemon, now_ms, until

pytestmark = pytest.mark.broker


async def gaps(made: Deployment) -> list[CoverageGap]:
    records = await made.read(made.settings.topics.coverage_gaps)
    return [msgspec.json.decode(record.value, type=CoverageGap) for record in records]


async def delete_below(made: Deployment, offset: int, partition: int = 0) -> None:
    admin = await made.admin()
    at = TopicPartition(made.generation, partition)
    await admin.delete_records({at: RecordsToDelete(offset)})


async def gap_metric(made: Deployment, daemon: Daemon) -> float | None:
    return await daemon.metric("compliance_coverage_gap_records_total", topic=made.generation)


@pytest.mark.parametrize("client", CLIENTS)
async def test_records_deleted_while_down_are_a_gap_with_its_exact_range(kafka, client):
    async with deployment(kafka.bootstrap, evaluator={"client": client}) as made:
        events = traffic(now_ms, seed=21, faults=0.3)
        evaluator = await made.daemon("evaluator").start()
        assert await gap_metric(made, evaluator) == 0
        await made.send(next(events) for _ in range(400))
        await made.caught_up()
        assert await evaluator.stop() == 0
        committed = (await made.committed())[made.generation, 0]
        await made.send(next(events) for _ in range(400))
        await made.read(made.generation)  # the reference needs what is deleted now
        end = (await made.ends())[made.generation, 0]
        first_left = committed + 50
        assert committed < first_left < end
        await delete_below(made, first_left)
        made.lost.append((made.generation, 0, committed, first_left))

        evaluator.launch()
        await evaluator.ready()
        await made.caught_up()
        (gap,) = await gaps(made)
        assert (gap.topic, gap.partition) == (made.generation, 0)
        assert (gap.from_offset, gap.to_offset, gap.cause) == (committed, first_left, "retention")
        assert abs(gap.detected_at_ms - now_ms()) < 60_000
        assert await gap_metric(made, evaluator) == 50
        assert '"coverage_gap"' in evaluator.log

        # Nothing else was passed over or judged again: exact but for the gap, also after another restart.
        assert await made.evaluation_faults() == []
        assert await evaluator.stop() == 0
        await made.send(next(events) for _ in range(100))
        evaluator.launch()
        await evaluator.ready()
        await made.caught_up()
        assert await gaps(made) == [gap]
        assert await made.evaluation_faults() == []


@pytest.mark.parametrize("client", CLIENTS)
async def test_deleting_only_what_was_judged_is_no_gap(kafka, client):
    async with deployment(kafka.bootstrap, evaluator={"client": client}) as made:
        events = traffic(now_ms, seed=22, faults=0.3)
        evaluator = await made.daemon("evaluator").start()
        await made.send(next(events) for _ in range(400))
        await made.caught_up()
        await made.update_reference()
        assert await evaluator.stop() == 0
        committed = (await made.committed())[made.generation, 0]
        await delete_below(made, committed - 20)
        await made.send(next(events) for _ in range(100))
        evaluator.launch()
        await evaluator.ready()
        await made.caught_up()
        assert await gaps(made) == []
        assert await gap_metric(made, evaluator) == 0
        assert await made.evaluation_faults() == []


@pytest.mark.parametrize("client", [*CLIENTS, COOPERATIVE])
async def test_records_deleted_while_running_are_a_gap_too(kafka, client):
    async with deployment(kafka.bootstrap, evaluator=carried_by(client)) as made:
        events = traffic(now_ms, seed=23, faults=0.3)
        evaluator = await made.daemon("evaluator").start()
        await made.send(next(events) for _ in range(400))
        await made.caught_up()
        # The process stands still for less than its session, and the log moves on under it.
        assert evaluator._process is not None
        os.kill(evaluator._process.pid, signal.SIGSTOP)
        try:
            await made.send(next(events) for _ in range(400))
            await made.read(made.generation)
            end = (await made.ends())[made.generation, 0]
            await delete_below(made, end - 30)
        finally:
            os.kill(evaluator._process.pid, signal.SIGCONT)

        async def recorded() -> bool:
            return bool(await gaps(made))

        await until(recorded, "the gap is recorded")
        await made.caught_up()
        (gap,) = await gaps(made)
        assert (gap.topic, gap.partition, gap.to_offset, gap.cause) == (made.generation, 0, end - 30, "retention")
        # A fetch that was under way when the process stood still may have brought records: they were judged, the rest is the gap.
        made.lost.append((made.generation, 0, gap.from_offset, gap.to_offset))
        assert await gap_metric(made, evaluator) == gap.records > 0
        assert evaluator.running
        await made.send(next(events) for _ in range(100))
        await made.caught_up()
        assert await made.evaluation_faults() == []

        async def counted() -> bool:
            return await evaluator.metric("compliance_events_total") == made.sent - gap.records

        await until(counted, "every event that was not deleted is counted once", 10)


@pytest.mark.parametrize("client", [*CLIENTS, COOPERATIVE])
async def test_a_log_made_anew_is_a_gap_and_is_read_from_its_beginning(kafka, client):
    async with deployment(kafka.bootstrap, evaluator=carried_by(client)) as made:
        events = traffic(now_ms, seed=24, faults=0.3)
        evaluator = await made.daemon("evaluator").start()
        await made.send(next(events) for _ in range(400))
        await made.caught_up()
        await made.update_reference()
        assert await evaluator.stop() == 0
        committed = await made.committed()
        # The group is told to stand behind the end, as after a topic was deleted and made again.
        beyond = committed[made.generation, 0] + 1000
        await move_group(made, TopicPartition(made.generation, 0), beyond)
        evaluator.launch()
        await evaluator.ready()

        async def back() -> bool:
            return (await made.committed())[made.generation, 0] == committed[made.generation, 0]

        await until(back, "committed at the end of the log again")
        (gap,) = await gaps(made)
        assert (gap.from_offset, gap.to_offset, gap.cause) == (beyond, 0, "log_shorter_than_committed")
        metric = await gap_metric(made, evaluator)
        assert metric is not None
        assert metric > 0
        assert not [uid for uid, versions in (await made.violations()).items() if len(versions) > 1]


async def move_group(made: Deployment, partition: TopicPartition, offset: int) -> None:
    from aiokafka import AIOKafkaConsumer

    consumer = AIOKafkaConsumer(bootstrap_servers=made.bootstrap, group_id=made.name, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.commit({partition: offset})
    finally:
        await consumer.stop()
