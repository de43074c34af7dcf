"""Stand-ins with state for Kafka's clients and the clock. No network, no waiting: one turn of the event loop is one step."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.structs import OffsetAndMetadata

from hegui.streams.decoders import Headers

MAX_REQUEST_BYTES = 1_048_576
"""What aiokafka's producer and a broker take by default."""


class FakeClock:
    """Seconds that pass only when told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class FakeRecord:
    """A record as aiokafka hands it out."""

    offset: int
    timestamp: int
    value: bytes | None
    headers: Headers = ()
    key: bytes | None = None


@dataclass
class FakePartition:
    """One partition's log. `markers` counts transaction markers at its end: they take offsets and are never handed out."""

    records: list[FakeRecord] = field(default_factory=list)
    beginning: int = 0
    markers: int = 0
    next_offset: int | None = None

    @property
    def end(self) -> int:
        last = self.records[-1].offset + 1 if self.records else self.beginning
        return (last if self.next_offset is None else self.next_offset) + self.markers


class FakeConsumer:
    """A member of a group: positions, commits, and a listener whose errors are swallowed as aiokafka swallows them."""

    def __init__(self, log: dict[TopicPartition, FakePartition], committed: dict[TopicPartition, int]) -> None:
        self.log = log
        self.group = committed
        self.positions: dict[TopicPartition, int] = {}
        self.commits: list[dict[TopicPartition, int]] = []
        self.errors: list[Exception] = []
        self.commit_errors: list[Exception] = []
        self.lookup_errors: list[Exception] = []
        self.before_return: list[Callable[[], Any]] = []
        self.listener: Any = None
        self.topics: Sequence[str] = ()
        self.halted: set[TopicPartition] = set()
        self.started = self.stopped = False

    def subscribe(self, topics: Sequence[str], listener: Any) -> None:
        self.topics, self.listener = topics, listener

    async def start(self) -> None:
        self.started = True
        await self.rebalance(self.log)

    async def stop(self) -> None:
        self.stopped = True

    async def rebalance(self, assigned: Iterable[TopicPartition]) -> None:
        """Take away what this member has and give it the named partitions."""
        if self.positions:
            await self._tell(self.listener.on_partitions_revoked(set(self.positions)))
        self.positions = {p: self.group.get(p, -1) for p in assigned}
        await self._tell(self.listener.on_partitions_assigned(set(self.positions)))

    @staticmethod
    async def _tell(call: Any) -> None:
        try:
            await call
        except Exception as error:  # noqa: BLE001 - aiokafka logs it and goes on (group_coordinator.py)
            print(f"listener raised {error!r}")

    async def getmany(self, timeout_ms: int = 0, max_records: int = 1) -> dict[TopicPartition, list[FakeRecord]]:
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        found: dict[TopicPartition, list[FakeRecord]] = {}
        for partition, position in self.positions.items():
            if partition in self.halted:
                continue
            log = self.log[partition]
            batch = [r for r in log.records if r.offset >= position >= log.beginning][:max_records]
            max_records -= len(batch)
            if batch:
                found[partition] = batch
                self.positions[partition] = batch[-1].offset + 1
            if self.positions[partition] == log.end - log.markers:
                self.positions[partition] = log.end
        if self.before_return:
            await self.before_return.pop(0)()
        return found

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert partition in self.positions
        self.positions[partition] = offset

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        for partition in partitions:
            self.positions[partition] = self.log[partition].beginning

    def pause(self, *partitions: TopicPartition) -> None:
        self.halted |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.halted -= set(partitions)

    def paused(self) -> set[TopicPartition]:
        return set(self.halted)

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self.positions = dict.fromkeys(partitions, -1)
        self.halted = set()

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {p.partition for p in self.log if p.topic == topic}

    async def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    async def committed(self, partition: TopicPartition) -> int | None:
        return self.group.get(partition)

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        if self.lookup_errors:
            raise self.lookup_errors.pop(0)
        return {p: self.log[p].beginning for p in partitions}

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {p: self.log[p].end for p in partitions}

    def highwater(self, partition: TopicPartition) -> int | None:
        assert partition in self.positions
        return self.log[partition].end

    async def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        await asyncio.sleep(0)
        if self.commit_errors:
            raise self.commit_errors.pop(0)
        plain = {p: found.offset for p, found in offsets.items()}
        assert not plain.keys() - self.positions.keys(), "a commit for partitions that are not ours"
        self.commits.append(plain)
        self.group.update(plain)


@dataclass
class SentRecord:
    """What a producer was given."""

    topic: str
    value: bytes
    key: bytes | None
    partition: int | None
    headers: Sequence[tuple[str, bytes]]
    acknowledgement: asyncio.Future[object]


def _refuse(acknowledgement: asyncio.Future[object], error: Exception) -> None:
    acknowledgement.set_exception(error)
    # Taken note of: else asyncio logs those nobody waited for whenever they are collected, in the middle of another test.
    acknowledgement.exception()


class FakeBatch:
    """A record batch under construction; full above 256 kB, as the producer's is."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes | None, bytes, Sequence[tuple[str, bytes]]]] = []

    def append(
        self, *, timestamp: None, key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> object:
        if sum(len(record[1]) for record in self.records) + len(value) > 256 * 1024:
            return None
        self.records.append((key, value, headers))
        return object()


class FakeProducer:
    """Keeps what was sent. With `hold`, the test says when the broker acknowledges or refuses."""

    def __init__(self, *, hold: bool = False) -> None:
        self.hold = hold
        self.sent: list[SentRecord] = []
        self.refusal: Exception | None = None
        self.started = self.stopped = False

    async def start(self) -> None:
        self.started = True

    async def stop(self) -> None:
        self.stopped = True

    async def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> asyncio.Future[object]:
        if len(value) + len(key or b"") + 500 > MAX_REQUEST_BYTES:
            raise MessageSizeTooLargeError(f"{len(value)} bytes")
        acknowledgement = asyncio.get_running_loop().create_future()
        self.sent.append(SentRecord(topic, value, key, partition, list(headers), acknowledgement))
        if self.refusal is not None:
            _refuse(acknowledgement, self.refusal)
        elif not self.hold:
            acknowledgement.set_result(None)
        return acknowledgement

    async def partitions_for(self, topic: str) -> set[int]:
        return set(range(4))

    def create_batch(self) -> FakeBatch:
        return FakeBatch()

    async def send_batch(self, batch: FakeBatch, topic: str, *, partition: int) -> asyncio.Future[object]:
        shared: asyncio.Future[object] | None = None
        for key, value, headers in batch.records:
            acknowledgement = await self.send(topic, value, key, partition, headers)
            if shared is None:
                shared = acknowledgement
            else:
                acknowledgement.cancel()
                self.sent[-1].acknowledgement = shared
        assert shared is not None
        return shared

    async def send_and_wait(self, topic: str, value: bytes, key: bytes | None = None) -> None:
        await (await self.send(topic, value, key))

    def of(self, topic: str) -> list[SentRecord]:
        return [record for record in self.sent if record.topic == topic]

    def unacknowledged(self) -> list[SentRecord]:
        return [record for record in self.sent if not record.acknowledgement.done()]

    def acknowledge(self) -> None:
        """Acknowledge all that was sent so far."""
        for record in self.unacknowledged():
            if not record.acknowledgement.done():
                record.acknowledgement.set_result(None)

    def refuse(self, error: Exception) -> None:
        """Refuse what is under way, and all that follows."""
        self.refusal = error
        for record in self.unacknowledged():
            if not record.acknowledgement.done():
                _refuse(record.acknowledgement, error)


class FakeAdmin:
    """A cluster's topics: name to partition count."""

    def __init__(self, existing: dict[str, int], refusals: dict[str, int] | None = None) -> None:
        self.existing = existing
        self.refusals = refusals or {}
        self.configurations: dict[str, dict[str, str]] = {}

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def list_topics(self) -> list[str]:
        return list(self.existing)

    async def create_topics(self, topics: Sequence[Any]) -> Any:
        errors = []
        for topic in topics:
            code = self.refusals.get(topic.name, 0)
            if not code:
                self.existing[topic.name] = topic.num_partitions
                self.configurations[topic.name] = dict(topic.topic_configs)
            errors.append((topic.name, code, None))
        return SimpleNamespace(topic_errors=errors)

    async def describe_topics(self, names: Sequence[str]) -> list[dict[str, Any]]:
        return [{"topic": name, "partitions": [{"partition": p} for p in range(self.existing[name])]} for name in names]


async def turns(condition: Callable[[], bool], limit: int = 2000) -> None:
    """Give the loop turns until the condition holds."""
    for _ in range(limit):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come to that")
