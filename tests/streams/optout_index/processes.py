"""A broker and processes that feed an index, in one event loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from hegui.rules.facts import FactStatus, OptOut
from hegui.streams.facts_feed import FactsFeed, declared_tables
from hegui.streams.optout_index import feed as feed_module
from hegui.streams.optout_index.feed import State
from hegui.streams.optout_index.table import OptOutIndex
from tests.streams.example import settings
from tests.streams.fakes import FakeConsumer, FakePartition, FakeRecord

TOPIC = "compliance.optouts.v1"
ONE, TWO = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)
DEADLINE_S = 30.0


class Broker:
    """The topic, and what the broker says of it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.log = {ONE: FakePartition(), TWO: FakePartition()}
        self.identity = f"cluster/{TOPIC}/id"
        self.away = False
        self.kept_seconds = 86_400.0
        self.readers: list[FakeConsumer] = []

        async def identity_of(_: object, topic: str) -> str:
            assert topic == TOPIC
            await asyncio.sleep(0)
            if self.away:
                raise KafkaConnectionError
            return self.identity

        async def kept(_: object, topic: str) -> float:
            assert topic == TOPIC
            return self.kept_seconds

        patch.setattr(feed_module, "identity_of", identity_of)
        patch.setattr(feed_module, "tombstones_kept_seconds", kept)
        patch.setattr("hegui.streams.facts_feed.reader", self._reader)

    def _reader(self, _: object) -> FakeConsumer:
        made = FakeConsumer(self.log, {})
        made.subscribe([], _Nobody())
        self.readers.append(made)
        return made

    def send(self, key: str, record: OptOut | None, partition: TopicPartition = ONE) -> None:
        log = self.log[partition]
        value = None if record is None else msgspec.json.encode(record)
        log.records.append(FakeRecord(log.end, 0, value, key=key.encode()))

    def refuse(self, *names: str, partition: TopicPartition = ONE) -> None:
        for name in names:
            self.send(name, OptOut("holder", name, "deny", 10), partition)

    def make_anew(self) -> None:
        """Delete the topic and create it."""
        self.identity += "2"
        for log in self.log.values():
            log.records.clear()
            log.beginning = 0


class _Nobody:
    async def on_partitions_revoked(self, partitions: object) -> None:
        pass

    async def on_partitions_assigned(self, partitions: object) -> None:
        pass


class Process:
    """One evaluator's feed."""

    def __init__(self, folder: Path, most_recent: int) -> None:
        others = {f"TOPICS__{fact}".upper(): "" for fact in settings().topics.facts() if fact != "optouts"}
        self.settings = settings(
            **others, FACTS__OPTOUTS_FOLDER=str(folder), FACTS__OPTOUTS_MOST_RECENT=str(most_recent)
        )
        self.tables = declared_tables(self.settings)
        self.index = self.tables["optouts"]
        assert isinstance(self.index, OptOutIndex)
        self.buried: list[object] = []
        self.feed = FactsFeed(self.settings, self.tables, time.monotonic, lambda *what: self.buried.append(what))

    @property
    def state(self) -> State:
        return self.feed._optouts.state

    @property
    def ready(self) -> bool:
        return self.index.status is FactStatus.READY

    def refused(self, *names: str) -> list[str]:
        return [name for name in names if self.index.at(("holder", name), 20)]


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "not within the deadline"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def running(folder: Path, most_recent: int = 1000) -> AsyncIterator[Process]:
    process = Process(folder, most_recent)
    task = asyncio.ensure_future(process.feed.run())
    try:
        yield process
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def names(count: int, start: int = 0) -> list[str]:
    return [f"w{number}" for number in range(start, start + count)]
