"""Stand-ins with state for librdkafka's consumer and producer: real messages and errors, no network, no waiting but for a hold."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from hegui.streams.evaluator import Partition
from tests.streams.fakes import FakePartition

NO_OFFSET = -1001


def nothing() -> None:
    """Let the first batch pass."""


def error(name: str, *, fatal: bool = False, retriable: bool = False, abort: bool = False) -> KafkaError:
    return KafkaError(getattr(KafkaError, name), name, fatal, retriable, abort)


class FakeConsumer:
    """A member of a group. Rebalances happen within `poll` and `consume`, as librdkafka's do."""

    def __init__(self, log: dict[Partition, FakePartition], committed: dict[Partition, int]) -> None:
        self.log = log
        self.group = committed
        self.positions: dict[Partition, int | None] = {}
        """None: stands still after an error, until it is assigned again."""
        self.commits: list[dict[Partition, int]] = []
        self.commit_errors: list[str] = []
        self.lookup_errors: list[str] = []
        self.defects: dict[Partition, dict[int, str]] = {}
        """Partition to offset to the error that stands for its record."""
        self.told: list[Message] = []
        """Errors that belong to no partition."""
        self.pending: list[Callable[[], None]] = []
        """One is done at the end of each `consume`, before it returns. The first batch comes with the assignment: it is read again."""
        self.closed = False
        self._ended: dict[Partition, int] = {}
        self.coming: list[Callable[[], None]] = []
        """Done in the next `poll`."""
        self._listener: dict[str, Any] = {}

    def subscribe(self, topics: Sequence[str], **listener: Any) -> None:
        self._listener = listener
        self.coming.append(lambda: self.rebalance(self.log))

    def rebalance(self, assigned: Iterable[Partition], *, lost: bool = False) -> None:
        """Take away what this member has and give it the named partitions."""
        if self.positions:
            had = [TopicPartition(*p) for p in self.positions]
            self._listener["on_lost" if lost else "on_revoke"](self, had)
        self.positions = {}
        if not lost:
            self._listener["on_assign"](self, [TopicPartition(*p, NO_OFFSET) for p in assigned])

    def assign(self, places: Sequence[TopicPartition]) -> None:
        self.positions = {(p.topic, p.partition): p.offset for p in places}
        assert NO_OFFSET not in self.positions.values(), "a start that nobody stated"
        self._ended = {}

    def poll(self, _: float) -> Message | None:
        while self.coming:
            self.coming.pop(0)()
        return next(iter(self._fetch(1)), None)

    def consume(self, limit: int, _: float) -> list[Message]:
        found = self._fetch(limit)
        if self.pending:
            self.pending.pop(0)()
        return found

    def _fetch(self, limit: int) -> list[Message]:
        found, self.told = self.told, []
        for place, position in self.positions.items():
            log = self.log[place]
            if position is None:
                continue
            if not log.beginning <= position <= log.end:
                found.append(Message(*place, offset=position, error=error("_AUTO_OFFSET_RESET")))
                self.positions[place] = None
                continue
            for record in [r for r in log.records if r.offset >= position][: limit - len(found)]:
                defect = self.defects.get(place, {}).get(record.offset)
                made = {
                    "value": record.value,
                    "headers": list(record.headers) or None,
                    "timestamp": (1, record.timestamp),
                }
                found.append(
                    Message(*place, offset=record.offset, **({"error": error(defect)} if defect else made))  # type: ignore[arg-type]
                )
                self.positions[place] = record.offset + 1
            if (
                self.positions[place] == log.end - log.markers
                and self._ended.get(place) != log.end
                and len(found) < limit
            ):
                self.positions[place] = self._ended[place] = log.end
                found.append(Message(*place, offset=log.end, error=error("_PARTITION_EOF")))
        return found

    def _look_up(self) -> None:
        if self.lookup_errors:
            raise KafkaException(error(self.lookup_errors.pop(0)))

    def committed(self, places: Sequence[TopicPartition], _: float) -> list[TopicPartition]:
        self._look_up()
        return [TopicPartition(p.topic, p.partition, self.group.get((p.topic, p.partition), NO_OFFSET)) for p in places]

    def get_watermark_offsets(self, place: TopicPartition, _: float = 0.0, *, cached: bool) -> tuple[int, int]:
        log = self.log[place.topic, place.partition]
        return log.beginning, log.end

    def position(self, places: Sequence[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition(p.topic, p.partition, self.positions[p.topic, p.partition] or NO_OFFSET) for p in places]

    def commit(self, *, offsets: Sequence[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        assert not asynchronous
        if self.commit_errors:
            raise KafkaException(error(self.commit_errors.pop(0)))
        plain = {(p.topic, p.partition): p.offset for p in offsets}
        assert not plain.keys() - self.positions.keys(), "a commit for partitions that are not ours"
        self.commits.append(plain)
        self.group.update(plain)
        return list(offsets)

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(*p) for p in self.positions]

    def consumer_group_metadata(self) -> "FakeConsumer":
        return self

    def close(self) -> None:
        if self.positions:
            self._listener["on_revoke"](self, [TopicPartition(*p) for p in self.positions])
        self.positions = {}
        self.closed = True


class CooperativeConsumer(FakeConsumer):
    """A member of a cooperative group: a rebalance names what goes and what comes; the rest keeps its position."""

    def __init__(self, log: dict[Partition, FakePartition], committed: dict[Partition, int]) -> None:
        super().__init__(log, committed)
        self.read_anew: list[dict[Partition, int]] = []
        """Partitions and positions of each `incremental_assign`."""

    def rebalance(self, assigned: Iterable[Partition], *, lost: bool = False) -> None:
        wanted = set(assigned)
        if gone := [p for p in self.positions if p not in wanted]:
            self._listener["on_lost" if lost else "on_revoke"](self, [TopicPartition(*p) for p in gone])
            self.incremental_unassign([TopicPartition(*p) for p in gone])
        if not lost:
            come = wanted - self.positions.keys()
            self._listener["on_assign"](self, [TopicPartition(*p, NO_OFFSET) for p in come])
            assert self.positions.keys() == wanted, "nobody answered the assignment"

    def assign(self, _: Sequence[TopicPartition]) -> None:
        raise KafkaException(error("_STATE"))  # as librdkafka does in a cooperative group

    def incremental_assign(self, places: Sequence[TopicPartition]) -> None:
        come = {(p.topic, p.partition): p.offset for p in places}
        assert not come.keys() & self.positions.keys(), "assigned twice"
        assert NO_OFFSET not in come.values(), "a start that nobody stated"
        self.positions.update(come)
        self.read_anew.append(come)

    def incremental_unassign(self, places: Sequence[TopicPartition]) -> None:
        for place in places:
            del self.positions[place.topic, place.partition]
            self._ended.pop((place.topic, place.partition), None)


@dataclass
class Produced:
    """What a producer was given."""

    topic: str
    value: bytes
    key: bytes | None
    partition: int
    on_delivery: Callable[[KafkaError | None, Any], None]
    reported: bool = False


class FakeProducer:
    """Keeps what was produced. With `hold`, the broker answers once the test says so; `refusal` names its error."""

    def __init__(self, *, hold: bool = False) -> None:
        self.produced: list[Produced] = []
        self.refusal: str | None = None
        self.full = 0
        """So many calls find the queue full."""
        self.answers = threading.Event()
        if not hold:
            self.answers.set()

    def produce(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        *,
        partition: int = -1,
        headers: Sequence[tuple[str, bytes]] = (),
        on_delivery: Callable[[KafkaError | None, Any], None],
    ) -> None:
        if self.full:
            self.full -= 1
            raise BufferError
        if len(value) > 1_048_000:
            raise KafkaException(error("MSG_SIZE_TOO_LARGE"))
        self.produced.append(Produced(topic, value, key, partition, on_delivery))

    def poll(self, seconds: float) -> int:
        if not self.answers.wait(seconds):
            return 0
        for record in self.produced:
            if not record.reported:
                record.reported = True
                record.on_delivery(error(self.refusal) if self.refusal else None, None)
        return 0

    def flush(self, _: float) -> int:
        self.poll(0)
        return 0

    def of(self, topic: str) -> list[Produced]:
        return [record for record in self.produced if record.topic == topic]


class FakeTransactionalProducer(FakeProducer):
    """What it sends, and positions, count only with the commit of their transaction. `refusals`: errors for the coming calls, by name of the call."""

    def __init__(self) -> None:
        super().__init__()
        self.open = False
        self.committed: list[Produced] = []
        self.aborted: list[Produced] = []
        self.calls: list[str] = []
        self.refusals: dict[str, list[KafkaError]] = {}
        self._first = 0
        self._offsets: tuple[FakeConsumer, dict[Partition, int]] | None = None

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if refusals := self.refusals.get(name):
            raise KafkaException(refusals.pop(0))

    def produce(self, *record: Any, **named: Any) -> None:
        assert self.open, "sent outside of a transaction"
        super().produce(*record, **named)

    def init_transactions(self, _: float) -> None:
        self._call("init")

    def begin_transaction(self) -> None:
        assert not self.open
        self.open = True

    def send_offsets_to_transaction(self, offsets: Sequence[TopicPartition], member: FakeConsumer, _: float) -> None:
        self._call("offsets")
        self._offsets = (member, {(p.topic, p.partition): p.offset for p in offsets})

    def commit_transaction(self, _: float) -> None:
        self._call("commit")
        self.committed += self._end()
        if self._offsets is not None:
            member, offsets = self._offsets
            member.commits.append(offsets)
            member.group.update(offsets)
            self._offsets = None

    def abort_transaction(self, _: float) -> None:
        self._call("abort")
        self.aborted += self._end()
        self._offsets = None

    def _end(self) -> list[Produced]:
        assert self.open
        self.open = False
        ended, self._first = self.produced[self._first :], len(self.produced)
        return ended
