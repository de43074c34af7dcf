"""Reads new opt-outs, then the retained inputs once, and sends what it finds. Slow on purpose, and it goes on where it was.

    collecting   new opt-outs, for some seconds after the first
    sweeping     the inputs, from their beginning up to where they ended when the opt-outs had been collected

Progress is stored when the broker has acknowledged what was found up to there: after a crash a part is read twice, none is missed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from hegui.rules.core import Rule
from hegui.rules.policy import Policy
from hegui.streams.broker import producer, reader, start_with_retry
from hegui.streams.evaluator import Output
from hegui.streams.metrics import SweeperMetrics, remove
from hegui.streams.settings import Settings
from hegui.streams.sweep.batch import Batch
from hegui.streams.sweep.matching import Matcher
from hegui.streams.sweep.progress import MemoryStore, ProgressStore, RunningSweep, Store, SweepProgress

log = structlog.get_logger()

MAX_RECORDS = 2000
"""Most records read at once."""

STORE_SECONDS = 1.0
"""How often progress is stored."""

Offsets = dict[TopicPartition, int]
Present = Callable[[], tuple[Policy, Sequence[Rule]]]
"""Returns the policy in force and its rules."""


class Swept(NamedTuple):
    """What a sweep came to."""

    optouts: int
    records: int
    hits: int
    seconds: float


class Sweeper:
    """One sweeper. Not thread-safe."""

    def __init__(
        self, settings: Settings, present: Present, metrics: SweeperMetrics, alive: Callable[[], None] = lambda: None
    ) -> None:
        if not settings.topics.optouts:
            raise ValueError("a sweeper needs a topic of opt-outs")
        self._settings = settings
        self._present = present
        self._metrics = metrics
        self._alive = alive
        self._topic = settings.topics.optouts
        self._inputs = settings.sweep.topics or tuple(topic.name for topic in settings.topics.inputs)
        self._optouts = reader(settings.kafka)
        self._events = reader(settings.kafka)
        self._producer = producer(settings.kafka)
        self.started = asyncio.Event()

    async def follow(self, stop: asyncio.Event) -> None:
        """Sweep whenever opt-outs arrive, until `stop` is set.

        Raises:
            KafkaError: the broker refused what was found. StateVersionError: a newer hegui stored the progress.
        """
        await self._start()
        try:
            store = ProgressStore(self._settings, self._producer)
            progress = await store.read()
            self.started.set()
            while not stop.is_set():
                self._alive()
                if progress.running is None:
                    batch, running = await self._collect(progress, stop)
                    if running is None:
                        continue
                    progress = msgspec.structs.replace(progress, running=running)
                    await store.write(progress)
                else:
                    batch = await self._collected(progress.swept, progress.running.optouts_to)
                    log.info("sweep_resumed", optouts=batch.records)
                progress, _ = await self._sweep(store, progress, batch, stop)
        finally:
            await self._stop()

    async def once(self, since_ms: int | None, optouts_since_ms: int | None) -> list[Swept]:
        """Sweep by hand: the opt-outs of the topic as it stands now, in as many sweeps as it takes. The stored progress is left alone.

        Args:
            since_ms: records that reached the broker from then on, epoch milliseconds; None: all that are retained.
            optouts_since_ms: opt-outs that reached it from then on; None: all.
        """
        await self._start()
        never, done = asyncio.Event(), []
        try:
            sources = await self._partitions(self._optouts, (self._topic,))
            ends = await self._optouts.end_offsets(sources)
            begin = await self._from(self._optouts, sources, optouts_since_ms)
            progress = SweepProgress({str(tp.partition): begin[tp] for tp in sources})
            store = MemoryStore(progress)
            while any(progress.swept[str(tp.partition)] < ends[tp] for tp in sources):
                batch, running = await self._collect(progress, never, ends, since_ms)
                if running is None:
                    break
                progress = msgspec.structs.replace(progress, running=running)
                progress, swept = await self._sweep(store, progress, batch, never)
                done.append(swept)
        finally:
            await self._stop()
        return done

    # -- opt-outs

    async def _collect(
        self, progress: SweepProgress, stop: asyncio.Event, ends: Offsets | None = None, since_ms: int | None = None
    ) -> tuple[Batch, RunningSweep | None]:
        """Collect new opt-outs; return them and the sweep to begin, None when there are none.

        Args:
            progress: where the opt-outs begin.
            stop: gives up what was collected.
            ends: up to where; None: whatever comes within the seconds of the settings.
            since_ms: the inputs are read from there on.
        """
        settings, consumer, batch = self._settings.sweep, self._optouts, Batch()
        sources = await self._at(progress.swept)
        until: float | None = None
        while batch.records < settings.max_optouts:
            found = await consumer.getmany(
                timeout_ms=500, max_records=min(MAX_RECORDS, settings.max_optouts - batch.records)
            )
            self._alive()
            if stop.is_set():
                return batch, None
            for record in _in_order(found):
                batch.take(record.key, record.value, record.timestamp)
            at = {tp: await consumer.position(tp) for tp in sources}
            if ends is not None:
                if all(at[tp] >= ends[tp] for tp in sources):
                    break
            elif until is None:
                await self._show_pending(progress, sources)
                if batch.records:
                    until = time.monotonic() + settings.batch_seconds
            elif time.monotonic() >= until:
                break
        optouts_to = {str(tp.partition): await consumer.position(tp) for tp in sources}
        events = await self._partitions(self._events, self._inputs)
        last = await self._events.end_offsets(events)
        begin = await self._from(self._events, events, since_ms)
        return batch, RunningSweep(optouts_to, _named(last), _named(begin), time.time_ns() // 1_000_000)

    async def _collected(self, swept: dict[str, int], optouts_to: dict[str, int]) -> Batch:
        """Read the opt-outs of a sweep that has begun once more."""
        batch = Batch()
        sources = await self._at(swept)
        ends = await self._optouts.end_offsets(sources)
        upto = {tp: min(optouts_to.get(str(tp.partition), 0), ends[tp]) for tp in sources}
        while any([await self._optouts.position(tp) < upto[tp] for tp in sources]):
            found = await self._optouts.getmany(timeout_ms=500, max_records=MAX_RECORDS)
            self._alive()
            for record in _in_order(found):
                if record.offset < upto[TopicPartition(record.topic, record.partition)]:
                    batch.take(record.key, record.value, record.timestamp)
        return batch

    async def _at(self, swept: dict[str, int]) -> list[TopicPartition]:
        """Stand at the first opt-outs that were not swept; at the beginning of a topic that was made anew."""
        consumer = self._optouts
        sources = await self._partitions(consumer, (self._topic,))
        consumer.assign(sources)
        begin, ends = await consumer.beginning_offsets(sources), await consumer.end_offsets(sources)
        for tp in sources:
            at = swept.get(str(tp.partition), 0)
            consumer.seek(tp, max(begin[tp], at) if at <= ends[tp] else begin[tp])
        return sources

    async def _show_pending(self, progress: SweepProgress, sources: Sequence[TopicPartition]) -> None:
        try:
            ends = await self._optouts.end_offsets(sources)
        except KafkaError as error:  # a broker that is away for a while
            log.warning("optouts_end_unknown", error=type(error).__name__)
            return
        swept = progress.swept
        self._metrics.sweep_pending.set(sum(max(0, ends[tp] - swept.get(str(tp.partition), 0)) for tp in sources))

    # -- inputs

    async def _sweep(
        self, store: Store, progress: SweepProgress, batch: Batch, stop: asyncio.Event
    ) -> tuple[SweepProgress, Swept]:
        """Read the inputs of the running sweep; return the progress, without it when it ended."""
        running = progress.running
        assert running is not None
        begun, read, hits = time.monotonic(), 0, 0
        if batch.refuses:
            policy, rules = self._present()
            matcher = Matcher(self._settings, policy, rules, batch, running.optouts_to)
            read, running = await self._read(store, progress, running, matcher, stop)
            hits = matcher.hits_of.total()
            if stop.is_set():
                return msgspec.structs.replace(progress, running=running), Swept(batch.records, read, hits, 0.0)
        ended = SweepProgress({**progress.swept, **running.optouts_to})
        await store.write(ended)
        self._metrics.sweep_progress.set(1)
        self._metrics.sweep_duration.observe(max(0.0, time.time() - running.begun_ms / 1000))
        swept = Swept(batch.records, read, hits, time.monotonic() - begun)
        log.info("sweep_ended", optouts=swept.optouts, records=read, hits=hits, seconds=round(swept.seconds, 1))
        return ended, swept

    async def _read(
        self, store: Store, progress: SweepProgress, running: RunningSweep, matcher: Matcher, stop: asyncio.Event
    ) -> tuple[int, RunningSweep]:
        consumer, rate = self._events, self._settings.sweep.records_per_second
        left = await self._begin(running)
        begun = stored = time.monotonic()
        read = 0
        while left and not stop.is_set():
            self._alive()
            found = await consumer.getmany(timeout_ms=500, max_records=min(MAX_RECORDS, rate))
            outputs: list[Output] = []
            for tp, records in found.items():
                within = [record for record in records if record.offset < left.get(tp, 0)]
                outputs += matcher.hits(tp.topic, tp.partition, within)
                self._metrics.sweep_records.labels(tp.topic).inc(len(within))
                read += len(within)
            await self._send(outputs)
            for service, n in matcher.new_hits().items():
                self._metrics.sweep_hits.labels(service).inc(n)
            at = {tp: await consumer.position(tp) for tp in left}
            running = msgspec.structs.replace(running, positions={**running.positions, **_named(at)})
            self._show(running)
            for tp in [tp for tp, end in left.items() if at[tp] >= end]:
                consumer.pause(tp)
                del left[tp]
            now = time.monotonic()
            if now - stored >= STORE_SECONDS or stop.is_set():
                await store.write(msgspec.structs.replace(progress, running=running))
                stored = now
            await _pause(stop, begun + read / rate - now)
        return read, running

    async def _begin(self, running: RunningSweep) -> Offsets:
        """Stand where the sweep goes on; return the partitions that are to be read, each with its end."""
        consumer = self._events
        events = await self._partitions(consumer, self._inputs)
        consumer.assign(events)
        begin, ends = await consumer.beginning_offsets(events), await consumer.end_offsets(events)
        left: Offsets = {}
        for tp in events:
            name = f"{tp.topic}/{tp.partition}"
            end = min(running.ends.get(name, 0), ends[tp])  # a topic that was made anew is shorter
            at = max(running.positions.get(name, 0), begin[tp])
            if at < end:
                left[tp] = end
                consumer.seek(tp, at)
            else:
                consumer.pause(tp)
        self._show(running)
        return left

    def _show(self, running: RunningSweep) -> None:
        whole, left = sum(running.ends.values()), 0
        for name, end in running.ends.items():
            topic, _, partition = name.rpartition("/")
            ahead = max(0, end - running.positions.get(name, 0))
            left += ahead
            if ahead:
                self._metrics.sweep_remaining.labels(topic, partition).set(ahead)
            else:
                remove(self._metrics.sweep_remaining, {"topic": topic, "partition": partition})
        self._metrics.sweep_progress.set(1 - left / whole if whole else 1)

    async def _send(self, outputs: Sequence[Output]) -> None:
        """Send violations, then the cases they belong to; both are acknowledged when this returns."""
        topics = self._settings.topics
        for destination, topic in (("violations", topics.violations), ("observations", topics.observations)):
            sent = [
                await self._producer.send(topic, one.value, key=one.key, partition=one.partition, headers=one.headers)
                for one in outputs
                if one.destination == destination
            ]
            await asyncio.gather(*sent)

    # -- clients

    async def _start(self) -> None:
        for client, what in ((self._optouts, "optouts"), (self._events, "inputs"), (self._producer, "results")):
            await start_with_retry(client, what)

    async def _stop(self) -> None:
        for client in (self._optouts, self._events, self._producer):
            await client.stop()

    @staticmethod
    async def _partitions(consumer: Any, topics: Sequence[str]) -> list[TopicPartition]:
        found: list[TopicPartition] = []
        for topic in topics:
            while not (partitions := consumer.partitions_for_topic(topic)):
                consumer._client.add_topic(topic)  # noqa: SLF001 - a consumer without subscription knows no topics yet
                await consumer._client.force_metadata_update()  # noqa: SLF001
                await asyncio.sleep(0.1)
            found += [TopicPartition(topic, p) for p in sorted(partitions)]
        return found

    @staticmethod
    async def _from(consumer: Any, sources: Sequence[TopicPartition], since_ms: int | None) -> Offsets:
        """Return where to begin reading: at a time, or at the beginning of the log."""
        begin: Offsets = await consumer.beginning_offsets(sources)
        if since_ms is None:
            return begin
        ends = await consumer.end_offsets(sources)
        found = await consumer.offsets_for_times(dict.fromkeys(sources, since_ms))
        return {tp: ends[tp] if (at := found.get(tp)) is None else max(at.offset, begin[tp]) for tp in sources}


def _named(offsets: Offsets) -> dict[str, int]:
    return {f"{tp.topic}/{tp.partition}": offset for tp, offset in offsets.items()}


def _in_order(found: dict[TopicPartition, list[Any]]) -> list[Any]:
    return [record for _, records in sorted(found.items()) for record in records]


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    if seconds > 0:
        try:
            await asyncio.wait_for(stop.wait(), seconds)
        except TimeoutError:
            return
