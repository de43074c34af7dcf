"""A broker in memory for the sweeper: topics as lists, readers, and a sender that may die at any record."""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndTimestamp
from prometheus_client import CollectorRegistry

from hegui.rules.facts import OptOut
from hegui.rules.violations import Violation
from hegui.streams.metrics import SweeperMetrics
from hegui.streams.settings import Settings
from hegui.streams.sweep import optouts_log, progress, sweeper
from hegui.streams.sweep.progress import SweepProgress
from hegui.streams.sweep.sweeper import Sweeper, Swept
from tests.streams.example import BOOK, POLICY, TOPIC, settings

SWEPT_MS = 1_795_140_000_000


class DiedError(Exception):
    """The process ended here."""


class Record(msgspec.Struct):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Reader:
    """A consumer without a group."""

    def __init__(self, world: "World", committed: bool) -> None:
        self.world = world
        self.committed = committed
        self.at: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {tp.partition for tp in self.world.log if tp.topic == topic}

    def assign(self, sources: Iterable[TopicPartition]) -> None:
        self.at = dict.fromkeys(sources, -1)
        self.paused = set()

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.at[tp] = offset

    def pause(self, *sources: TopicPartition) -> None:
        self.paused |= set(sources)

    async def seek_to_beginning(self, *sources: TopicPartition) -> None:
        for tp in sources:
            self.at[tp] = self.world.begin.get(tp, 0)

    async def position(self, tp: TopicPartition) -> int:
        return self.at[tp]

    async def beginning_offsets(self, sources: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self.world.begin.get(tp, 0) for tp in sources}

    async def end_offsets(self, sources: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self.end(tp) for tp in sources}

    def end(self, tp: TopicPartition) -> int:
        end = len(self.world.log[tp])
        return min(end, self.world.open.get(tp, end)) if self.committed else end

    async def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
        found = {}
        for tp, at_ms in times.items():
            later = [one for one in self.world.log[tp] if one.timestamp >= at_ms]
            found[tp] = OffsetAndTimestamp(later[0].offset, later[0].timestamp) if later else None
        return found

    async def getmany(
        self, *_: TopicPartition, timeout_ms: int, max_records: int = 500
    ) -> dict[TopicPartition, list[Record]]:
        del timeout_ms
        await asyncio.sleep(0)
        found: dict[TopicPartition, list[Record]] = {}
        for tp, at in self.at.items():
            if (
                tp not in self.paused
                and max_records > 0
                and (records := self.world.log[tp][at : min(at + max_records, self.end(tp))])
            ):
                found[tp] = [one for one in records if not (self.committed and one in self.world.aborted)]
                self.at[tp] = at + len(records)
                max_records -= len(records)
        if not found:
            self.world.idle()
        return found


class Sender:
    """A producer. The record after `world.lives` more is not sent any more: the process dies."""

    def __init__(self, world: "World") -> None:
        self.world = world

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(
        self, topic: str, value: bytes, *, key: bytes, partition: int | None = None, headers: Any = ()
    ) -> asyncio.Future[None]:
        self.world.lives -= 1
        if self.world.lives < 0:
            if not isinstance(self.world.error, DiedError):
                self.world.lives = 10**9  # it comes back
            raise self.world.error
        self.world.append(topic, key, value, partition=partition or 0, headers=headers)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes) -> None:
        await (await self.send(topic, value, key=key))


class World:
    """Topics with one partition of opt-outs and two of the input."""

    def __init__(self, patch: pytest.MonkeyPatch, max_optouts: int = 100) -> None:
        found = settings()
        sweep = msgspec.structs.replace(
            found.sweep, batch_seconds=0.0001, max_optouts=max_optouts, records_per_second=10**9
        )
        self.settings: Settings = msgspec.structs.replace(found, sweep=sweep)
        names = self.settings.topics
        assert names.optouts
        self.optouts = names.optouts
        self.log: dict[TopicPartition, list[Record]] = {TopicPartition(TOPIC, p): [] for p in range(2)}
        for name in (self.optouts, names.sweeps, names.violations):
            self.log[TopicPartition(name, 0)] = []
        for p in range(names.state_partitions):
            self.log[TopicPartition(names.observations, p)] = []
        self.begin: dict[TopicPartition, int] = {}
        self.open: dict[TopicPartition, int] = {}
        """Where the first open transaction begins."""
        self.aborted: list[Record] = []
        self.lives = 10**9
        self.error: Exception = DiedError()
        self.stop = asyncio.Event()
        self.metrics = SweeperMetrics(CollectorRegistry())
        for module in (sweeper, optouts_log, progress):
            patch.setattr(module, "reader", lambda _, committed=False: Reader(self, committed))
        patch.setattr(sweeper, "producer", lambda _: Sender(self))

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int = 0,
        at_ms: int = SWEPT_MS,
        headers: Any = (),
    ) -> None:
        log = self.log[TopicPartition(topic, partition)]
        log.append(Record(topic, partition, len(log), at_ms, key, value, tuple(headers)))

    def refuse(self, *statements: OptOut, at_ms: int = SWEPT_MS) -> None:
        for one in statements:
            end = len(self.log[TopicPartition(self.optouts, 0)])
            self.append(self.optouts, b"%d" % end, msgspec.json.encode(one), at_ms=at_ms)

    def progress(self) -> SweepProgress:
        stored = self.log[TopicPartition(self.settings.topics.sweeps, 0)]
        return msgspec.json.decode(stored[-1].value or b"", type=SweepProgress) if stored else SweepProgress()

    def idle(self) -> None:
        """Called when a reader found nothing: stop once all opt-outs are swept."""
        end = len(self.log[TopicPartition(self.optouts, 0)])
        stored = self.progress()
        if stored.running is None and stored.swept.get("0", 0) == end:
            self.stop.set()

    def sweeper(self) -> Sweeper:
        return Sweeper(self.settings, lambda: (POLICY, BOOK), self.metrics)

    async def follow(self) -> None:
        """Run a sweeper until all opt-outs are swept, or it dies."""
        self.stop.clear()
        await asyncio.wait_for(self.sweeper().follow(self.stop), 30)

    async def once(self, since_ms: int | None = None, optouts_since_ms: int | None = None) -> list[Swept]:
        return await asyncio.wait_for(self.sweeper().once(since_ms, optouts_since_ms), 30)

    def violations(self) -> dict[str, set[bytes]]:
        """Uid to the different records of it."""
        found: dict[str, set[bytes]] = {}
        for one in self.log[TopicPartition(self.settings.topics.violations, 0)]:
            found.setdefault(msgspec.json.decode(one.value or b"", type=Violation).uid, set()).add(one.value or b"")
        return found

    def cases(self) -> int:
        observations = self.settings.topics.observations
        return sum(len(log) for tp, log in self.log.items() if tp.topic == observations)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)
