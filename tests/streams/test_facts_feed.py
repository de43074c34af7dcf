"""Facts from compacted topics: what is put, removed or refused, when a table is ready, and how stale it is."""

import asyncio

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from hegui.rules.facts import FactStatus, Filing, OptOut
from hegui.streams.facts_feed import FactsFeed, declared_tables, snapshot_of
from hegui.streams.optouts.normal_form import statement
from tests.streams.example import POLICY, settings
from tests.streams.fakes import FakeClock, FakeConsumer, FakePartition, FakeRecord, turns
from tests.streams.optouts.texts import DIGEST, PERSON

REFUSAL = OptOut("domain", "refused.example", "deny", 1000)
VALUE = msgspec.json.encode(REFUSAL)
NO_FILINGS = {"TOPICS__FILINGS": ""}
NO_OTHERS = {f"TOPICS__{name}": "" for name in ("NOTICES", "WAIVERS", "SOURCES", "SUSPENSIONS")}
OPTOUTS = TopicPartition("compliance.optouts.v1", 0)
MORE_OPTOUTS = TopicPartition("compliance.optouts.v1", 1)
FILINGS = TopicPartition("compliance.filings.v1", 0)


class Feed:
    def __init__(self, **environment: str) -> None:
        self.settings = settings(**NO_OTHERS | environment)
        self.tables = declared_tables(self.settings)
        self.clock = FakeClock()
        self.buried = []
        self.feed = FactsFeed(self.settings, self.tables, self.clock, lambda *what: self.buried.append(what))

    def take(self, offset: int, key: bytes | None, value: bytes | None) -> None:
        self.feed.take("optouts", OPTOUTS.topic, 0, FakeRecord(offset, 0, value, key=key))

    def refused(self, at_ms: int = 5000) -> bool:
        return bool(self.tables["optouts"].at(("domain", "refused.example"), at_ms))


def test_a_record_is_found_from_its_time_on():
    feed = Feed()
    feed.take(0, b"k", VALUE)
    assert (feed.refused(999), feed.refused(1000)) == (False, True)
    assert feed.tables["optouts"].positions == {0: 1}


def test_a_tombstone_removes_the_record_of_its_key():
    feed = Feed()
    feed.take(0, b"k", VALUE)
    feed.take(1, b"other", None)
    assert feed.refused()
    feed.take(2, b"k", None)
    assert not feed.refused()
    assert len(feed.tables["optouts"]) == 0
    assert feed.buried == []


def test_a_later_record_of_the_same_key_replaces_the_earlier_one():
    feed = Feed()
    feed.take(0, b"k", VALUE)
    feed.take(1, b"k", msgspec.json.encode(OptOut("domain", "else.example", "deny", 1000)))
    assert not feed.refused()
    assert len(feed.tables["optouts"]) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, VALUE),
        (b"k", b""),
        (b"k", b"not json"),
        (b"k", b"\xff\xfe"),
        (b"k", b"[" * 100_000),
        (b"k", b'{"scheme":"domain"}'),
        (b"k", VALUE.replace(b"domain", b"planet")),
        (b"k", VALUE.replace(b"domain", b"user")),
        (b"k", VALUE.replace(b"refused.example", b"*.refused.example")),
    ],
)
def test_what_is_no_fact_is_buried_and_changes_nothing(key, value):
    feed = Feed()
    feed.take(0, b"k", VALUE)
    feed.take(1, key, value)
    assert feed.refused()
    ((topic, partition, record, error),) = feed.buried
    assert (topic, partition, record.offset, error.reason) == (OPTOUTS.topic, 0, 1, "invalid_data")
    assert feed.tables["optouts"].positions == {0: 2}


def test_a_statement_that_no_event_can_meet_is_buried_with_the_reason_and_without_its_subject():
    feed = Feed()
    feed.take(0, b"k", msgspec.json.encode(OptOut("user", "alice@example.com", "deny", 1000)))
    ((_, _, _, error),) = feed.buried
    assert error.detail == "a user is named by a keyed hash, k<keyid>: and 64 hex digits - at `$.subject`"
    assert len(feed.tables["optouts"]) == 0


@pytest.mark.parametrize(
    ("scheme", "subject"),
    [
        ("domain", "*.Example.COM."),
        ("domain", "my_site.例子.example"),
        ("domain", "127.0.0.1"),
        ("url_prefix", "https://u:p@localhost:8443/a/../b/"),
        ("url", "http://example.com/a?b=1#c"),
        ("content", "SHA256:" + DIGEST.upper()),
        ("work", "ISBN:978-7-302-51184-7"),
        ("work", "dci:a-1/2"),
        ("holder", " Some  Press "),
        ("user", PERSON),
    ],
)
def test_what_the_importers_write_is_taken(scheme, subject):
    feed = Feed()
    feed.take(0, b"k", msgspec.json.encode(statement(scheme, subject, "deny", 1000, source="list")))
    assert (len(feed.tables["optouts"]), feed.buried) == (1, [])


def test_tables_are_loading_where_a_topic_is_named_and_undeclared_elsewhere():
    assert Feed(**NO_FILINGS).tables["filings"].status is FactStatus.UNDECLARED
    assert Feed().tables["filings"].status is FactStatus.LOADING
    assert settings(**NO_FILINGS, **NO_OTHERS).topics.facts() == {"optouts": "compliance.optouts.v1"}


def test_without_any_fact_topic_there_is_nothing_to_wait_for():
    assert Feed(TOPICS__OPTOUTS="", **NO_FILINGS).feed.loaded.is_set()


async def test_a_feed_without_topics_ends_at_once():
    await Feed(TOPICS__OPTOUTS="", **NO_FILINGS).feed.run()


def test_the_gate_opens_when_every_table_has_been_read_to_its_end():
    feed = Feed()
    feed.feed.stand_at_end("optouts")
    assert not feed.feed.loaded.is_set()
    assert snapshot_of(POLICY, feed.tables).status()["optouts"] is FactStatus.READY
    feed.feed.stand_at_end("filings")
    assert feed.feed.loaded.is_set()


def test_staleness_is_the_time_since_the_reader_stood_at_the_end():
    feed = Feed(**NO_FILINGS)
    feed.clock.advance(30)
    assert feed.feed.staleness_seconds() == {"optouts": 30}
    feed.feed.stand_at_end("optouts")
    feed.clock.advance(7)
    assert feed.feed.staleness_seconds() == {"optouts": 7}


def test_a_stale_table_keeps_its_facts_and_stays_ready():
    feed = Feed(**NO_FILINGS)
    feed.take(0, b"k", VALUE)
    feed.feed.stand_at_end("optouts")
    feed.clock.advance(10**6)
    assert feed.refused()
    assert feed.tables["optouts"].status is FactStatus.READY


class Reading:
    """A feed that runs against a fake consumer."""

    def __init__(self, patch: pytest.MonkeyPatch, log: dict[TopicPartition, FakePartition]) -> None:
        self.world = Feed()
        self.consumer = FakeConsumer(log, {})
        self.consumer.subscribe([], _Nobody())
        patch.setattr("hegui.streams.facts_feed.reader", lambda _: self.consumer)


class _Nobody:
    async def on_partitions_revoked(self, partitions):
        pass

    async def on_partitions_assigned(self, partitions):
        pass


async def test_the_feed_reads_every_partition_to_its_end_before_it_is_ready(monkeypatch):
    filing = msgspec.json.encode(Filing("example-model", "N-1", 0))
    log = {
        OPTOUTS: FakePartition([FakeRecord(4, 0, VALUE, key=b"k")], beginning=4),
        MORE_OPTOUTS: FakePartition([FakeRecord(n, 0, VALUE, key=b"%d" % n) for n in range(3)]),
        FILINGS: FakePartition([FakeRecord(0, 0, filing, key=b"f")], markers=1),
    }
    reading = Reading(monkeypatch, log)
    run = asyncio.ensure_future(reading.world.feed.run())
    await turns(reading.world.feed.loaded.is_set)
    assert len(reading.world.tables["optouts"]) == 4
    assert reading.world.tables["optouts"].positions == {0: 5, 1: 3}
    assert reading.world.tables["filings"].at("example-model", 5)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert reading.consumer.stopped


async def test_partitions_that_are_added_are_read_and_their_facts_are_not_ready_before(monkeypatch):
    log = {
        OPTOUTS: FakePartition([FakeRecord(n, 0, VALUE, key=b"%d" % n) for n in range(3)]),
        FILINGS: FakePartition(),
    }
    reading = Reading(monkeypatch, log)
    run = asyncio.ensure_future(reading.world.feed.run())
    await turns(reading.world.feed.loaded.is_set)
    read = [FakeRecord(n, 0, VALUE, key=b"more %d" % n) for n in range(2)]
    log[MORE_OPTOUTS] = FakePartition(read, next_offset=4)
    optouts, filings = (reading.world.tables[name] for name in ("optouts", "filings"))
    await turns(lambda: optouts.positions.get(1) == 2)
    await turns(lambda: optouts.status is FactStatus.LOADING)
    for _ in range(20):
        await asyncio.sleep(0)
    assert (optouts.status, filings.status) == (FactStatus.LOADING, FactStatus.READY)
    assert [len(optouts), len(reading.world.buried)] == [5, 0]
    taken = optouts.changes
    log[MORE_OPTOUTS].records += [FakeRecord(n, 0, VALUE, key=b"more %d" % n) for n in range(2, 4)]
    await turns(lambda: optouts.status is FactStatus.READY)
    assert optouts.positions == {0: 3, 1: 4}
    assert optouts.changes == taken + 2  # nothing was read twice
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def test_partitions_that_are_added_to_a_topic_that_is_paused_wait_with_it(monkeypatch):
    log = {OPTOUTS: FakePartition(), FILINGS: FakePartition()}
    reading = Reading(monkeypatch, log)
    run = asyncio.ensure_future(reading.world.feed.run())
    await turns(reading.world.feed.loaded.is_set)
    reading.consumer.pause(OPTOUTS)
    more_filings = TopicPartition(FILINGS.topic, 1)
    log[MORE_OPTOUTS], log[more_filings] = FakePartition([FakeRecord(0, 0, VALUE, key=b"k")]), FakePartition()
    await turns(lambda: {MORE_OPTOUTS, more_filings} <= reading.consumer.assignment())
    for _ in range(20):
        await asyncio.sleep(0)
    assert reading.consumer.paused() == {OPTOUTS, MORE_OPTOUTS}
    assert reading.world.tables["filings"].status is FactStatus.READY
    assert reading.world.tables["optouts"].status is FactStatus.LOADING
    reading.consumer.resume(OPTOUTS, MORE_OPTOUTS)
    await turns(lambda: reading.world.tables["optouts"].status is FactStatus.READY)
    assert reading.world.refused()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def test_an_empty_topic_is_ready_at_once(monkeypatch):
    reading = Reading(monkeypatch, {OPTOUTS: FakePartition(), FILINGS: FakePartition()})
    run = asyncio.ensure_future(reading.world.feed.run())
    await turns(reading.world.feed.loaded.is_set)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def test_a_reader_that_is_behind_is_not_ready_and_grows_stale(monkeypatch):
    log = {OPTOUTS: FakePartition(next_offset=5), FILINGS: FakePartition()}
    reading = Reading(monkeypatch, log)
    run = asyncio.ensure_future(reading.world.feed.run())
    await turns(lambda: reading.world.tables["filings"].status is FactStatus.READY)
    reading.world.clock.advance(40)
    for _ in range(20):
        await asyncio.sleep(0)
    assert reading.world.tables["optouts"].status is FactStatus.LOADING
    assert reading.world.feed.staleness_seconds()["optouts"] == 40
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def test_a_broker_that_does_not_answer_makes_facts_stale_never_empty(monkeypatch):
    reading = Reading(
        monkeypatch, {OPTOUTS: FakePartition([FakeRecord(0, 0, VALUE, key=b"k")]), FILINGS: FakePartition()}
    )
    run = asyncio.ensure_future(reading.world.feed.run())
    await turns(reading.world.feed.loaded.is_set)

    async def away(_):
        raise KafkaConnectionError

    monkeypatch.setattr(reading.consumer, "end_offsets", away)
    reading.world.clock.advance(99)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not run.done()
    assert reading.world.refused()
    assert reading.world.feed.staleness_seconds()["optouts"] == 99
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


WAIVERS = TopicPartition("compliance.waivers.v1", 0)
WAIVER = {
    "id": "w-1",
    "scope": "MOD001@default/chat-assistant",
    "reason": "a reason that is long enough",
    "ticket": "T-1",
    "owner": "a",
    "approver": "b",
    "valid_from": "2026-01-01T00:00:00+08:00",
    "valid_to": "2026-06-01T00:00:00+08:00",
}


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({}, True),
        ({"scope": "MOD@default/*"}, True),
        ({"scope": "MOD001"}, False),
        ({"approver": "A "}, False),
        ({"valid_to": "2025-06-01T00:00:00+08:00"}, False),
        ({"valid_to": "2028-06-01T00:00:00+08:00"}, False),
        ({"reason": "short"}, False),
        ({"surprise": 1}, False),
    ],
)
def test_a_waiver_that_may_not_be_is_buried_and_waives_nothing(changes, taken):
    feed = Feed(TOPICS__WAIVERS=WAIVERS.topic)
    value = msgspec.json.encode(WAIVER | changes)
    feed.feed.take("waivers", WAIVERS.topic, WAIVERS.partition, FakeRecord(0, 0, value, key=b"w-1"))
    assert [w.id for w in feed.tables["waivers"]] == (["w-1"] if taken else [])
    assert len(feed.buried) == (0 if taken else 1)
