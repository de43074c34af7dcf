"""Opt-outs on disk: a start reads the tail alone, changes work while snapshots are written, and a topic made anew excuses nobody."""

import asyncio

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from hegui.rules.facts import OptOut
from hegui.streams.broker import reader
from hegui.streams.optout_index.log_identity import identity_of
from hegui.streams.simulation import chat, envelope, person
from tests.broker.harness import Deployment, deployment
from tests.broker.processes import Daemon, now_ms, until
from tests.broker.test_facts import in_training, judged_as_failure

pytestmark = pytest.mark.broker

STATEMENTS = 5000


def on_disk(most_recent: int) -> dict[str, object]:
    return {"optouts_folder": "optouts", "optouts_most_recent": most_recent}


def topic_of(made: Deployment) -> str:
    assert made.settings.topics.optouts
    return made.settings.topics.optouts


async def refuse(made: Deployment, *people: int, value: str = "deny") -> None:
    """Send one statement for each person."""
    producer = await made.producer()
    sent = []
    for number in people:
        statement = OptOut("user", person(number), value, now_ms() - 3_600_000, source="app")
        sent.append(await producer.send(topic_of(made), msgspec.json.encode(statement), key=b"person %d" % number))
    for acknowledgement in sent:
        await acknowledgement


async def held(daemon: Daemon) -> tuple[float | None, float | None]:
    """Opt-outs in the snapshot, and in memory."""
    return (
        await daemon.metric("compliance_optouts", place="snapshot"),
        await daemon.metric("compliance_optouts", place="memory"),
    )


async def delete_all(made: Deployment) -> None:
    """Remove all records from the log of opt-outs; its end stays where it is."""
    admin = await made.admin()
    both = ConfigResource(ConfigResourceType.TOPIC, topic_of(made), {"cleanup.policy": "compact,delete"})
    await admin.alter_configs([both])
    at = TopicPartition(topic_of(made), 0)
    (end,) = (await made.tail(topic_of(made)).ends()).values()

    async def deleted() -> bool:
        found = await admin.delete_records({at: RecordsToDelete(end)})
        return found[at] == end

    await until(deleted, "records deleted")


async def test_a_start_reads_only_what_came_after_the_snapshot(kafka):
    async with deployment(kafka.bootstrap, facts=on_disk(1000)) as made:
        await made.send(envelope(chat(n, now_ms()), n, now_ms(), "first") for n in range(2))
        await refuse(made, *range(1000, 1000 + STATEMENTS))
        first = await made.daemon("evaluator").start()
        whole = STATEMENTS + len(made.optouts)

        async def written() -> bool:
            return await held(first) == (whole, 0)

        await until(written, "all of them in the snapshot")
        assert await judged_as_failure(made, in_training(1, 1000, "first"))
        assert await first.stop() == 0
        await delete_all(made)
        await refuse(made, 77, 78)
        producer = await made.producer()
        await producer.send_and_wait(topic_of(made), None, key=b"person 1000")
        second = await made.daemon("evaluator").start()
        assert await held(second) == (whole, 3)
        for number, (user, fails) in enumerate([(1000, False), (1001, True), (5999, True), (77, True), (79, False)]):
            assert await judged_as_failure(made, in_training(number, user, "second")) is fails
        assert second.log.index('"optouts_snapshot_opened"') < second.log.index('"facts_ready"')
        assert '"optouts_loading"' not in second.log


async def test_changes_work_within_seconds_on_every_process_while_snapshots_are_written(kafka):
    async with deployment(kafka.bootstrap, facts=on_disk(1)) as made:
        evaluators = [made.daemon("evaluator"), made.daemon("evaluator")]
        for evaluator in evaluators:
            evaluator.launch()
        for evaluator in evaluators:
            await evaluator.ready()
        await made.send(envelope(chat(n, now_ms()), n, now_ms(), "first") for n in range(2))
        number = iter(range(1000))

        async def fails() -> bool:
            n = next(number)
            return await judged_as_failure(made, in_training(n, 77, "live"))

        async def passes() -> bool:
            return not await fails()

        assert await passes()
        producer = await made.producer()
        for _ in range(3):
            await refuse(made, 77)
            await until(fails, "the opt-out works", 5)
            await producer.send_and_wait(topic_of(made), None, key=b"person 77")
            await until(passes, "the tombstone works", 5)

        async def in_one_snapshot() -> bool:
            return {await held(evaluator) for evaluator in evaluators} == {(len(made.optouts), 0)}

        await until(in_one_snapshot, "both use the last snapshot")
        assert sum('"optouts_snapshot_opened"' in evaluator.log for evaluator in evaluators) == 2
        assert sum('"optouts_loading"' in evaluator.log for evaluator in evaluators) == 1


async def test_a_writer_that_is_killed_again_and_again_loses_nothing(kafka):
    async with deployment(kafka.bootstrap, facts=on_disk(50)) as made:
        await made.send(envelope(chat(n, now_ms()), n, now_ms(), "first") for n in range(2))
        evaluator = made.daemon("evaluator")
        for turn in range(5):
            evaluator.launch()
            for part in range(4):
                await refuse(made, *range(1000 + turn * 400 + part * 100, 1100 + turn * 400 + part * 100))
                await asyncio.sleep(0.1 * turn)  # the kill meets another moment in each turn
            evaluator.kill()
        await evaluator.start()
        wanted = 2000 + len(made.optouts)

        async def complete() -> bool:
            # All are new keys: none is counted twice.
            return sum(await held(evaluator)) == wanted

        await until(complete, f"{wanted} opt-outs")
        for number, user in enumerate(range(1000, 3000, 97)):
            assert await judged_as_failure(made, in_training(number, user, "after"))
        assert not await judged_as_failure(made, in_training(99, 5000, "after"))


async def identity(made: Deployment) -> str:
    consumer = reader(made.settings.kafka)
    await consumer.start()
    try:
        return await identity_of(consumer, topic_of(made))
    finally:
        await consumer.stop()


async def test_a_topic_made_anew_is_another_log_and_excuses_nobody(kafka):
    async with deployment(kafka.bootstrap, facts=on_disk(1000), evaluator={"facts_timeout_seconds": 1}) as made:
        await made.send(envelope(chat(n, now_ms()), n, now_ms(), "first") for n in range(2))
        before = await identity(made)
        assert before == await identity(made)
        assert before.split("/")[1] == topic_of(made)
        assert "-" not in before.split("/")[::2]
        evaluator = await made.daemon("evaluator").start()

        async def written() -> bool:
            return await held(evaluator) == (len(made.optouts), 0)

        await until(written, "the snapshot is written")
        assert await evaluator.stop() == 0
        admin = await made.admin()
        await admin.delete_topics([topic_of(made)])

        async def gone() -> bool:
            return topic_of(made) not in await admin.list_topics()

        await until(gone, "the topic is deleted")
        await admin.create_topics([NewTopic(topic_of(made), 1, 1, topic_configs={"cleanup.policy": "compact"})])
        # As long as the old one: offsets alone would not tell.
        await refuse(made, *range(500))
        assert await identity(made) != before

        await evaluator.start()
        assert await evaluator.metric("compliance_facts_ready", fact="optouts") == 0
        await made.send([in_training(1, 7000, "anew")])

        async def undecided() -> bool:
            return bool(await evaluator.metric("compliance_evaluations_total", rule="OPT001", outcome="inconclusive"))

        await until(undecided, "the event is judged")
        assert await evaluator.metric("compliance_evaluations_total", rule="OPT001", outcome="pass") == 0
        assert '"optouts_log_lost"' in evaluator.log

        for snapshot in (made.folder / "optouts").glob("*/snapshot"):
            snapshot.unlink()

        async def ready() -> bool:
            return await evaluator.metric("compliance_facts_ready", fact="optouts") == 1

        await until(ready, "read anew")
        assert await judged_as_failure(made, in_training(2, 3, "anew"))
