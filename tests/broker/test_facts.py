"""Facts are there before the first event is judged, and changes work within seconds."""

import asyncio
import time

import msgspec
import pytest
from aiokafka.admin import NewPartitions
from aiokafka.errors import KafkaError

from hegui.rules.core import Outcome
from hegui.rules.events import Envelope
from hegui.rules.facts import FactStatus, OptOut
from hegui.streams.broker import admin
from hegui.streams.facts_feed import FactsFeed, declared_tables
from hegui.streams.simulation import FAULTS, chat, envelope, person, user_input
from tests.broker.harness import CLIENTS, Deployment, deployment
from tests.broker.processes import now_ms, until
from tests.broker.reference import Reference

pytestmark = pytest.mark.broker

STATEMENTS = 5000
NEED_OPT_OUTS = ("OPT001", "OPT003", "OPT004")


def in_training(number: int, user: int, run: str) -> Envelope:
    """A sound record of a user's input."""
    data = msgspec.structs.replace(user_input(number), user_key=person(user))
    return envelope(data, number, now_ms(), run)


@pytest.mark.parametrize("client", CLIENTS)
async def test_opt_outs_are_loaded_before_the_first_event_is_judged(kafka, client):
    async with deployment(kafka.bootstrap, evaluator={"client": client}) as made:
        assert made.settings.topics.optouts
        producer = await made.producer()
        denied = [
            OptOut("user", person(n), "deny", now_ms() - 3_600_000, source="app")
            for n in range(1000, 1000 + STATEMENTS)
        ]
        sent = [
            await producer.send(made.settings.topics.optouts, msgspec.json.encode(statement), key=b"bulk %d" % n)
            for n, statement in enumerate(denied)
        ]
        for acknowledgement in sent:
            await acknowledgement
        made.optouts += denied
        made.reference = Reference(made.settings, made.optouts)
        # Every other record is of a person who refused, the last ones of the last statements read.
        people = [1000 + STATEMENTS - 1 - n if n % 2 else 10**6 + n for n in range(600)]
        await made.send(in_training(n, user, "early") for n, user in enumerate(people))
        trained = [msgspec.structs.replace(chat(n, now_ms()), train_use=True, user_key=person(n)) for n in people]
        await made.send(envelope(data, n, now_ms(), "early") for n, data in enumerate(trained))
        await made.send(envelope(FAULTS["OPT003"](n, now_ms()), n, now_ms(), "early-domain") for n in range(50))

        evaluators = [made.daemon("evaluator"), made.daemon("evaluator")]
        for evaluator in evaluators:
            evaluator.launch()
        for evaluator in evaluators:
            await evaluator.ready()
        await made.caught_up()
        assert await made.evaluation_faults() == []
        for rule in NEED_OPT_OUTS:
            assert made.reference.outcomes[rule, Outcome.FAIL] >= 50
            assert made.reference.outcomes[rule, Outcome.INCONCLUSIVE] == 0
            for evaluator in evaluators:
                assert await evaluator.metric("compliance_evaluations_total", rule=rule, outcome="inconclusive") == 0
        for evaluator in evaluators:
            assert await evaluator.metric("compliance_facts_ready", fact="optouts") == 1
            log = evaluator.log
            assert log.index('"facts_ready"') < log.index('"partitions_assigned"')
            assert f'"records": {len(made.optouts)}' in log


async def judged_as_failure(made: Deployment, event: Envelope) -> bool:
    """Send one event, wait until it is judged, and tell whether OPT001 failed it."""
    await made.send([event])
    ends = await made.ends()

    async def committed() -> bool:
        return await made.committed() == {place: end for place, end in ends.items() if end}

    await until(committed, "the event is judged", 20)
    found = [v for versions in (await made.violations()).values() for v in versions if v.id == event.id]
    return any(result.rule == "OPT001" for violation in found for result in violation.results)


@pytest.mark.parametrize("client", CLIENTS)
async def test_an_opt_out_works_within_seconds_until_its_tombstone(kafka, client):
    async with deployment(kafka.bootstrap, evaluator={"client": client}) as made:
        evaluator = await made.daemon("evaluator").start()
        number = iter(range(1000))

        async def fails() -> bool:
            n = next(number)
            return await judged_as_failure(made, in_training(n, 77, "live"))

        async def passes() -> bool:
            return not await fails()

        # One event per partition, so that every partition has a committed end.
        await made.send(envelope(chat(n, now_ms()), n, now_ms(), "first") for n in range(2))
        assert await passes()
        statement = OptOut("user", person(77), "deny", now_ms() - 1000, source="app")
        await made.state_fact(b"live", statement)
        await until(fails, "the opt-out works", 5)
        assert await fails()

        # A bad statement is put aside and changes nothing; the feed goes on.
        producer = await made.producer()
        assert made.settings.topics.optouts
        for value in (b"QX7MARKER", b'{"scheme":"user","subject":7}', b"\xff"):
            await producer.send_and_wait(made.settings.topics.optouts, value, key=b"live")

        async def put_aside() -> bool:
            return len(await made.dead_letters()) == 3

        await until(put_aside, "bad statements put aside", 10)
        letters = await made.dead_letters()
        assert {letter["topic"] for letter in letters} == {made.settings.topics.optouts}
        assert {letter["reason"] for letter in letters} == {"invalid_data"}
        assert not [written for written in await made.everything_written() if b"QX7MARKER" in written]
        assert await fails()

        await made.state_fact(b"live", None)
        await until(passes, "the tombstone removes it", 5)
        assert await passes()
        staleness = await evaluator.metric("compliance_facts_staleness_seconds", fact="optouts")
        assert staleness is not None
        assert staleness < 5


@pytest.mark.parametrize("client", CLIENTS)
async def test_an_opt_out_is_not_retroactive(kafka, client):
    async with deployment(kafka.bootstrap, evaluator={"client": client}) as made:
        await made.daemon("evaluator").start()
        refused_at = now_ms()
        await made.state_fact(b"later", OptOut("user", person(88), "deny", refused_at, source="app"))
        await made.send(envelope(chat(n, now_ms()), n, now_ms(), "first") for n in range(2))
        number = iter(range(1000))

        async def fails_now() -> bool:
            return await judged_as_failure(made, in_training(next(number), 88, "later"))

        await until(fails_now, "the opt-out works", 5)
        earlier = msgspec.structs.replace(user_input(1), user_key=person(88))
        assert not await judged_as_failure(made, envelope(earlier, 1, refused_at - 60_000, "earlier"))


async def test_partitions_that_are_added_to_a_topic_of_facts_are_read(kafka, monkeypatch):
    monkeypatch.setattr("hegui.streams.broker.READER_METADATA_MS", 300)
    async with deployment(kafka.bootstrap) as made:
        topic = made.settings.topics.optouts
        assert topic
        tables = declared_tables(made.settings)
        feed = FactsFeed(made.settings, tables, time.monotonic, lambda *_: None)
        reading = asyncio.ensure_future(feed.run())
        try:
            await asyncio.wait_for(feed.loaded.wait(), 30)
            before = len(tables["optouts"].positions)
            client = admin(made.settings.kafka)
            await client.start()
            count = len((await client.describe_topics([topic]))[0]["partitions"])
            await client.create_partitions({topic: NewPartitions(count + 1)})
            await client.close()
            refusal = OptOut("domain", "added.example", "deny", 1)
            producer = await made.producer()

            async def sent() -> bool:
                try:
                    await producer.send_and_wait(topic, msgspec.json.encode(refusal), key=b"added", partition=count)
                except (AssertionError, KafkaError):  # this producer does not know the partition yet
                    await producer.client.force_metadata_update()
                    return False
                return True

            await until(sent, "sent to the partition that was added")

            async def taken() -> bool:
                return bool(tables["optouts"].at(("domain", "added.example"), 2))

            await until(taken, "the partition is read")
            assert len(tables["optouts"].positions) == before + 1

            async def ready() -> bool:
                return tables["optouts"].status is FactStatus.READY

            await until(ready, "ready again")
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
