"""`delivery = "exactly_once"`: who reads committed records sees every result once, whatever happens to a member."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import TopicPartition

from hegui.rules.violations import Violation
from hegui.streams.drivers.librdkafka_clients import group_consumer, producer
from hegui.streams.drivers.librdkafka_transactions import Transactions, transactional_options
from hegui.streams.simulation import traffic
from tests.broker.harness import Deployment, deployment
from tests.broker.kills import kill_round
from tests.broker.processes import dice, now_ms, until

pytestmark = pytest.mark.broker

ROUNDS = int(os.environ.get("KILL_ROUNDS") or 3)
EXACTLY_ONCE = {"client": "librdkafka", "delivery": "exactly_once", "tick_seconds": 0.2, "commit_seconds": 0.2}


async def committed_uids(made: Deployment) -> Counter[str]:
    """How often each violation is on the topic for those who read committed records."""
    reader = AIOKafkaConsumer(
        made.settings.topics.violations,
        bootstrap_servers=made.bootstrap,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await reader.start()
    try:
        ends = await reader.end_offsets(reader.assignment())
        found: Counter[str] = Counter()
        while any([await reader.position(partition) < end for partition, end in ends.items()]):
            for batch in (await reader.getmany(timeout_ms=200)).values():
                found.update(msgspec.json.decode(record.value, type=Violation).uid for record in batch)
        return found
    finally:
        await reader.stop()


async def faults_of(made: Deployment) -> list[str]:
    wanted = (await made.update_reference()).violations.keys()
    found: Counter[str] = Counter()

    async def all_there() -> bool:
        nonlocal found
        found = await committed_uids(made)
        return wanted <= found.keys()

    await until(all_there, "all violations committed")
    return [f"{uid} stands {times} times" for uid, times in found.items() if times != 1 or uid not in wanted]


@pytest.mark.timeout(120 + 60 * ROUNDS)
async def test_kill_9_in_mid_stream_leaves_every_committed_result_once(kafka):
    chance = dice()
    async with deployment(kafka.bootstrap, evaluator=EXACTLY_ONCE) as made:
        evaluator = await made.daemon("evaluator").start()
        for number in range(ROUNDS):
            done = await kill_round(made, [evaluator], number, chance)
            assert not done.faults, done
            assert done.killed_at
        assert len(made.reference.violations) > 100
        assert await faults_of(made) == []
        assert await evaluator.stop() == 0


async def test_a_member_that_was_thought_dead_commits_nothing_when_it_wakes(kafka):
    """A zombie: stopped in mid-stream for longer than the group waits, it wakes with an open transaction while another has its partitions."""
    async with deployment(kafka.bootstrap, evaluator=EXACTLY_ONCE) as made:
        sleeper, other = made.daemon("evaluator"), made.daemon("evaluator")
        await sleeper.start()
        events = traffic(now_ms, seed=31, faults=0.5)
        await made.send((next(events) for _ in range(2000)), seconds=1.0)
        assert sleeper._process is not None
        sleeper._process.send_signal(signal.SIGSTOP)
        await made.send((next(events) for _ in range(1000)), seconds=0.2)
        await other.start()
        await made.caught_up()
        sleeper._process.send_signal(signal.SIGCONT)
        await made.send((next(events) for _ in range(1000)), seconds=1.0)
        await made.caught_up()
        assert await made.evaluation_faults() == []
        assert len(made.reference.violations) > 1000
        assert await faults_of(made) == []


def _poll_until(consumers: Sequence[object], holds: Callable[[], bool]) -> None:
    for _ in range(600):
        for consumer in consumers:
            consumer.poll(0.05)  # type: ignore[attr-defined]
        if holds():
            return
    raise TimeoutError("the group did not settle")


async def test_the_broker_refuses_results_and_positions_of_a_fenced_member(kafka):
    async with deployment(kafka.bootstrap, evaluator=EXACTLY_ONCE) as made:
        events = traffic(now_ms, seed=32)
        await made.send(next(events) for _ in range(50))
        settings, problems = made.settings, []
        options = transactional_options(settings.kafka)
        fenced, rival = (group_consumer(settings.kafka, problems.append, read_committed=True) for _ in range(2))
        sending = producer(settings.kafka, problems.append, options)
        transactions = Transactions(sending)
        transactions.start()

        def from_zero(consumer, partitions):
            consumer.assign([TopicPartition(p.topic, p.partition, 0) for p in partitions])

        try:
            fenced.subscribe([made.generation], on_assign=from_zero)
            _poll_until([fenced], lambda: len(fenced.assignment()) == 2)
            assert transactions.commit({(made.generation, 0): 1}, fenced.consumer_group_metadata())
            before = fenced.consumer_group_metadata()

            rival.subscribe([made.generation], on_assign=from_zero)
            _poll_until([fenced, rival], lambda: len(fenced.assignment()) == len(rival.assignment()) == 1)
            sending.produce(settings.topics.violations, b"{}", b"zombie")
            assert not transactions.commit({(made.generation, 0): 20}, before)
            assert (await made.committed())[made.generation, 0] == 1

            # With the generation of today the same producer goes on.
            assert transactions.commit({(made.generation, 0): 2}, fenced.consumer_group_metadata())

            async def shown() -> bool:
                """The broker answers a commit before its marker is in the group's log: a moment later the position is seen."""
                return (await made.committed())[made.generation, 0] == 2

            await until(shown, "the position is committed")
            assert not await committed_uids(made)
        finally:
            fenced.close()
            rival.close()
