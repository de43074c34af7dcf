"""What was ingested before an opt-out is found when the opt-out comes: all of it, nothing else, over kill -9, and again with the same uids."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer

from hegui.rules.case_events import NoticeEvent
from hegui.rules.events import Envelope, NoticeEnvelope
from hegui.rules.facts import OptOut
from hegui.rules.ledgers.removals import REMOVAL_SOURCE
from hegui.rules.violations import Violation, result_uid
from hegui.streams.simulation import crawled, encode, envelope, person, user_input
from hegui.streams.sweep.progress import SweepProgress
from tests.broker.harness import Deployment, deployment
from tests.broker.processes import now_ms, until

pytestmark = pytest.mark.broker

RECORDS = 200_000
OPTOUTS = 1_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
KEY = ("default", "OPT010", "crawler")


class Told(NamedTuple):
    """A record of the test: its value, and whether the sweep must find it."""

    value: bytes
    id: str
    hit: bool


def statements(observed_ms: int) -> list[OptOut]:
    """A thousand opt-outs: domains, prefixes, works, users in turn."""
    made = []
    for n in range(OPTOUTS // 4):
        made += [
            OptOut("domain", f"refuses{n}.example", "deny", observed_ms, source="list"),
            OptOut("url_prefix", f"host{n}.example/private", "deny", observed_ms, source="robots"),
            OptOut("work", f"doi:10.1000/{n}", "deny", observed_ms, source="list"),
            OptOut("user", person(n), "deny", observed_ms, source="app"),
        ]
    return made


def older(observed_ms: int) -> list[OptOut]:
    """What was said before: the domains allowed it for ten days, the prefixes had an exception."""
    said_ms, made = observed_ms - 20 * DAY_MS, []
    for n in range(OPTOUTS // 4):
        domain, prefix = f"refuses{n}.example", f"host{n}.example/private"
        allowed = (observed_ms - 15 * DAY_MS, observed_ms - 5 * DAY_MS)
        made += [
            OptOut("domain", domain, "deny", said_ms, source="list"),
            OptOut("domain", domain, "allow", *allowed, source="list"),
            OptOut("url_prefix", prefix, "deny", said_ms, source="robots"),
            OptOut("url_prefix", f"{prefix}/open", "unknown", said_ms, source="robots"),
        ]
    return made


def records(observed_ms: int) -> Iterator[Told]:
    """Of every hundred records seven are covered and were accepted; six look like those and must not be found."""
    before, after = ('"2026-02-01T00:00:00Z"', f'"{iso(observed_ms + 60_000)}"')
    refused, allowed = f'"{iso(observed_ms - 17 * DAY_MS)}"', f'"{iso(observed_ms - 10 * DAY_MS)}"'
    users = [person(n) for n in range(OPTOUTS // 4)]
    for i in range(RECORDS):
        n, kind = i // 100 % (OPTOUTS // 4), i % 100
        time_, source, what = before, "crawl", f'"url":"https://open{i}.example/a"'
        if kind == 0:
            what = f'"url":"https://www.Refuses{n}.example:443/{i}"'
        elif kind == 1:
            what = f'"url":"https://host{n}.example/x/../private/{i}"'
        elif kind == 2:
            source, what = "open", f'"work_id":"DOI:10.1000/{n}"'
        elif kind == 3:
            source, what = "user_input", f'"user_key":"{users[n]}"'
        elif kind == 4:  # judged by the evaluators, who knew the opt-out
            time_, what = after, f'"url":"https://refuses{n}.example/{i}"'
        elif kind == 5:
            what = f'"url":"https://host{n}.example/privateer/{i}"'
        elif kind == 6:  # stated as licensed
            source, what = "licensed", f'"url":"https://refuses{n}.example/{i}"'
        elif kind == 7:
            what = f'"url":"https://refuses{n}.example.net/{i}"'
        elif kind == 8:  # while the domain allowed it
            time_, what = allowed, f'"url":"https://refuses{n}.example/{i}"'
        elif kind == 9:  # before that
            time_, what = refused, f'"url":"https://refuses{n}.example/{i}"'
        elif kind == 10:  # while it was excepted
            time_, what = allowed, f'"url":"https://host{n}.example/private/open/{i}"'
        elif kind == 11:
            time_, what = allowed, f'"url":"https://host{n}.example/private/{i}"'
        elif kind == 12:  # within the grace time
            time_, source, what = after, "user_input", f'"user_key":"{users[n]}"'
        value = (
            f'{{"specversion":"1.0","type":"hegui.ingest.v1","source":"sweep-test","id":"r{i}","time":{time_},'
            f'"data":{{"service":"crawler","source_type":"{source}",{what}}}}}'
        )
        yield Told(value.encode(), f"r{i}", kind in {0, 1, 2, 3, 8, 10, 12})


def iso(at_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ms / 1000))


async def send_optouts(made: Deployment, told: list[OptOut], broker_ms: int, keys: bytes = b"new %d") -> None:
    """Put statements on their topic as if they had come at a time."""
    producer = await made.producer()
    topic = made.settings.topics.optouts
    assert topic
    for waiting in [
        await producer.send(topic, msgspec.json.encode(one), key=keys % n, timestamp_ms=broker_ms)
        for n, one in enumerate(told)
    ]:
        await waiting


def spare(made: Deployment) -> str:
    """An input of three partitions."""
    return f"{made.name}.a-spare"


def send_records(made: Deployment, found: list[Told]) -> None:
    producer = Producer(
        {"bootstrap.servers": made.bootstrap, "linger.ms": 20, "queue.buffering.max.messages": RECORDS + 1}
    )
    for number, record in enumerate(found):
        producer.produce(spare(made), record.value, partition=number % 3)
        if number % 10_000 == 0:
            producer.poll(0)
    assert producer.flush(60) == 0


async def swept(made: Deployment) -> bool:
    """Whether a sweep has ended for all opt-outs there are."""
    stored = await made.read(made.settings.topics.sweeps)
    ends = await made.tail(made.settings.topics.optouts).ends()
    if not stored:
        return False
    progress = msgspec.json.decode(stored[-1].value, type=SweepProgress)
    return progress.running is None and all(progress.swept.get(str(p), 0) >= end for p, end in ends.items())


async def of_the_rule(made: Deployment) -> dict[str, list[Violation]]:
    """Uid to the different records of OPT010."""
    found = await made.violations()
    return {uid: each for uid, each in found.items() if each[0].results and each[0].results[0].rule == "OPT010"}


@pytest.mark.timeout(300)
async def test_the_sweep_finds_exactly_what_was_ingested_before_the_opt_outs_over_kill_9_in_the_middle(kafka):
    sweep = {"batch_seconds": 0.5, "records_per_second": 40_000}
    async with deployment(kafka.bootstrap, spare=3, sweep=sweep) as made:
        policy = made.policy_path.read_text("utf-8")
        assert "opt_out_grace_seconds: 0" in policy
        made.policy_path.write_text(policy.replace("opt_out_grace_seconds: 0", "opt_out_grace_seconds: 86400"), "utf-8")
        observed_ms = now_ms() - HOUR_MS
        told = list(records(observed_ms))
        begun = time.monotonic()
        await asyncio.to_thread(send_records, made, told)
        await send_optouts(made, older(observed_ms), observed_ms - 20 * DAY_MS, b"old %d")
        await send_optouts(made, statements(observed_ms), now_ms() - HOUR_MS // 2)
        sent = time.monotonic()
        sweeper = await made.daemon("sweeper").start()

        async def in_the_middle() -> bool:
            return (await sweeper.metric("compliance_sweep_records_total", topic=spare(made)) or 0) > RECORDS * 0.4

        await until(in_the_middle, "in the middle of the sweep")
        assert 0 < await sweeper.metric("compliance_sweep_progress_ratio") < 1
        sweeper.kill()
        assert not await swept(made)
        before = len(await of_the_rule(made))
        await sweeper.start()
        await until(lambda: swept(made), "swept", 120)
        assert "sweep_resumed" in sweeper.log
        read_again = await sweeper.metric("compliance_sweep_records_total", topic=spare(made))
        found = await of_the_rule(made)
        wanted = {result_uid("OPT010", "default", "sweep-test", one.id): one.id for one in told if one.hit}
        print(f"sent in {sent - begun:.1f} s, swept in {time.monotonic() - sent:.1f} s; {before} hits before the kill")
        assert len(wanted) == RECORDS * 7 // 100
        assert found.keys() == wanted.keys()
        assert {uid: each[0].id for uid, each in found.items()} == wanted
        assert [uid for uid, each in found.items() if len(each) > 1] == []
        # It went on where it was: what it read again is less than what was left.
        assert 0 < before < len(wanted)
        assert read_again is not None
        assert read_again < RECORDS
        assert await sweeper.metric("compliance_sweep_progress_ratio") == 1
        assert await sweeper.metric("compliance_sweep_duration_seconds_count") >= 1
        await until(lambda: no_optouts_pending(sweeper), "nothing pending")
        assert await sweeper.stop() == 0
        # Nothing that names a page, work or user stands in what was written.
        assert not any(b"refuses" in part or b"10.1000" in part for part in await made.everything_written())


async def no_optouts_pending(sweeper) -> bool:
    return await sweeper.metric("compliance_sweep_pending_optouts") == 0


def taken(number: int, user: int, at_ms: int) -> Envelope:
    data = msgspec.structs.replace(user_input(number), user_key=person(user), service="crawler")
    return envelope(data, number, at_ms, "taken")


async def test_a_removal_is_a_finding_with_a_deadline_until_it_is_told_to_be_done(kafka):
    async with deployment(kafka.bootstrap, sweep={"batch_seconds": 0.2}) as made:
        roles = ("evaluator", "state", "sweeper")
        daemons = {role: await made.daemon(role).start() for role in roles}
        await made.send(taken(n, 900_000 + n % 2, now_ms() - 1000) for n in range(10))
        await made.send(envelope(crawled(n, now_ms()), n, now_ms(), "other") for n in range(10))
        await made.caught_up()
        observed_ms = now_ms()
        await made.state_fact(b"late", OptOut("user", person(900_000), "deny", observed_ms, source="app"))

        async def open_issue() -> bool:
            issue = (await made.all_issues()).get(KEY)
            return issue is not None and issue.status == "open"

        await until(open_issue, "issue open")
        found = await of_the_rule(made)
        assert len(found) == 5
        result = next(iter(found.values()))[0].results[0]
        grace_ms = grace_ms_of(made)
        assert result.evidence["due_at_ms"] == observed_ms + grace_ms
        assert result.reason == "ingested before the opt-out, must leave the next dataset version"
        labels = {"service": "crawler", "kind": "removal"}
        state = daemons["state"]
        assert await state.metric("compliance_open_cases", **labels) == 1
        due = await state.metric("compliance_next_deadline_timestamp_seconds", **labels)
        assert due == pytest.approx((observed_ms + grace_ms) / 1000)

        # By hand, once more: the same records.
        command = [sys.executable, "-m", "hegui.streams", "optouts", "sweep", "--config", str(made.config)]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("5 hits in 20 records read")
        late = [*command, "--since", iso(now_ms() + HOUR_MS)]
        done = await asyncio.to_thread(subprocess.run, late, capture_output=True, text=True, timeout=60)
        assert done.stdout.startswith("0 hits in 0 records read")
        assert await of_the_rule(made) == found

        event = NoticeEnvelope(
            id=str(result.evidence["removal"]),
            source=REMOVAL_SOURCE,
            time=datetime.now(UTC),
            specversion="1.0",
            revision=1,
            data=NoticeEvent(service="crawler", handled_at_ms=now_ms()),
        )
        producer = await made.producer()
        await producer.send_and_wait(made.ingest, encode(event))

        async def closed() -> bool:
            return (await made.all_issues())[KEY].status == "closed"

        await until(closed, "issue closed")
        assert (await made.all_issues())[KEY].episode == 1
        assert await state.metric("compliance_open_cases", **labels) in (None, 0)


async def test_where_the_evaluators_read_committed_records_the_sweep_does_too_and_waits_for_them(kafka):
    exactly = {"client": "librdkafka", "delivery": "exactly_once"}
    async with deployment(kafka.bootstrap, spare=3, evaluator=exactly, sweep={"batch_seconds": 0.2}) as made:
        observed_ms = now_ms()

        async def begin(name: str, first: int, partition: int) -> AIOKafkaProducer:
            """Send five records in a transaction that stays open."""
            producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=f"{made.name}-{name}")
            await producer.start()
            await producer.begin_transaction()
            for n in range(first, first + 5):
                told = encode(taken(n, 900_000, observed_ms - 1000))
                await (await producer.send(spare(made), told, partition=partition))
            return producer

        aborted, open_ = await begin("aborted", 0, 0), await begin("open", 5, 1)
        await aborted.abort_transaction()
        await made.state_fact(b"no", OptOut("user", person(900_000), "deny", observed_ms, source="app"))
        sweeper = await made.daemon("sweeper").start()

        async def begun() -> bool:
            remaining = await sweeper.metric("compliance_sweep_remaining_records", topic=spare(made), partition="1")
            return remaining == 5

        await until(begun, "waiting for the open transaction")
        await open_.commit_transaction()
        await until(lambda: swept(made), "swept", 60)
        found = await of_the_rule(made)
        source = taken(5, 900_000, 0).source
        assert {(each[0].source, each[0].id) for each in found.values()} == {
            (source, taken(n, 900_000, 0).id) for n in range(5, 10)
        }
        for producer in (aborted, open_):
            await producer.stop()


def grace_ms_of(made: Deployment) -> int:
    return made.reference.engine.snapshot.policy.notice_grace_hours * HOUR_MS
