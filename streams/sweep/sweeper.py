"""Reads new opt-outs, then the retained inputs once, and sends what it finds. Slow on purpose, and it goes on where it was.

    collecting   new opt-outs, for some seconds after the first
    sweeping     the inputs, from their beginning up to where they ended when the opt-outs had been collected

Progress is stored when the broker has acknowledged what was found up to there: after a crash a part is read twice, none is missed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError

from hegui.rules.core import Rule
from hegui.rules.policy import Policy
from hegui.streams.broker import producer, reader, start_with_retry
from hegui.streams.evaluator import Output
from hegui.streams.metrics import SweeperMetrics, remove
from hegui.streams.settings import Settings
from hegui.streams.sweep.batch import Batch
from hegui.streams.sweep.matching import Matcher
from hegui.streams.sweep.optouts_log import MAX_RECORDS, OptOutsLog
from hegui.streams.sweep.positions import Offsets, beginnings, named, partitions_of
from hegui.streams.sweep.progress import MemoryStore, ProgressStore, RunningSweep, Store, SweepProgress

log = structlog.get_logger()

STORE_SECONDS = 1.0
"""How often progress is stored."""

AGAIN_SECONDS = 2.0
"""How long to wait after a time-out or a lost connection, before the sweep goes on from the stored progress."""

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
        self._settings = settings
        self._present = present
        self._metrics = metrics
        self._alive = alive
        self._inputs = settings.sweep.topics or tuple(topic.name for topic in settings.topics.inputs)
        for topic in self._inputs:  # at 0: a counter born at 1 is invisible to `increase()`
            metrics.sweep_records.labels(topic)
        self._optouts = OptOutsLog(settings, alive, metrics.sweep_pending.set)
        # What the evaluators do not judge, the sweep must not report.
        committed = settings.evaluator.delivery == "exactly_once"
        self._events = reader(settings.kafka, committed=committed)
        self._logs = reader(settings.kafka) if committed else self._events
        """Tells where the inputs end, open transactions included: a sweep waits for these."""
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
            progress: SweepProgress | None = None
            while not stop.is_set():
                try:
                    if progress is None:
                        progress = await store.read()
                        self.started.set()
                    progress = await self._next(store, progress, stop)
                except KafkaError as error:
                    if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                        raise
                    # A broker that is away must not end the process: under `hegui run` the evaluator would end with it.
                    log.warning("sweep_interrupted", error=type(error).__name__, again_in_seconds=AGAIN_SECONDS)
                    await _pause(stop, AGAIN_SECONDS)
                    progress = None
        finally:
            await self._stop()

    async def _next(self, store: Store, progress: SweepProgress, stop: asyncio.Event) -> SweepProgress:
        """Go on with the sweep that has begun, or wait for opt-outs and begin one."""
        if progress.running is None:
            collected = await self._optouts.collect(progress.swept, stop)
            if collected is None:
                return progress
            batch = collected.batch
            progress = msgspec.structs.replace(progress, running=await self._planned(collected.upto, None))
            await store.write(progress)
        else:
            batch = await self._optouts.read_again(progress.swept, progress.running.optouts_to, stop)
            log.info("sweep_resumed", optouts=batch.records)
        return (await self._sweep(store, progress, batch, stop))[0]

    async def once(self, since_ms: int | None, optouts_since_ms: int | None) -> list[Swept]:
        """Sweep by hand: the opt-outs of the topic as it stands now, in as many sweeps as it takes. The stored progress is left alone.

        Args:
            since_ms: records that reached the broker from then on, epoch milliseconds; None: all that are retained.
            optouts_since_ms: opt-outs that reached it from then on; None: all.
        """
        await self._start()
        never = asyncio.Event()
        done: list[Swept] = []
        try:
            begin, ends = await self._optouts.range(optouts_since_ms)
            progress = SweepProgress(begin)
            store = MemoryStore(progress)
            while (collected := await self._optouts.collect(progress.swept, never, ends)) is not None:
                # What has ended since the last statement, such as a yes, is to be found: nothing says when, so this is when to look.
                collected.batch.as_of_ms = max(collected.batch.as_of_ms, time.time_ns() // 1_000_000)
                running = await self._planned(collected.upto, since_ms)
                progress = msgspec.structs.replace(progress, running=running)
                progress, swept = await self._sweep(store, progress, collected.batch, never)
                done.append(swept)
        finally:
            await self._stop()
        return done

    # -- inputs

    async def _planned(self, optouts_to: dict[str, int], since_ms: int | None) -> RunningSweep:
        """Return the sweep to begin: over all that the inputs hold now, or what reached them since a time."""
        ends = await self._ends()
        events = await partitions_of(self._events, self._inputs)
        begin = await beginnings(self._events, events, since_ms)
        return RunningSweep(optouts_to, named(ends), named(begin), time.time_ns() // 1_000_000)

    async def _ends(self) -> Offsets:
        found: Offsets = await self._logs.end_offsets(await partitions_of(self._logs, self._inputs))
        return found

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
            running = msgspec.structs.replace(running, positions={**running.positions, **named(at)})
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
        events = await partitions_of(consumer, self._inputs)
        consumer.assign(events)
        begin, ends = await consumer.beginning_offsets(events), await self._ends()
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
        await self._optouts.start()
        for client in {self._events, self._logs}:
            await start_with_retry(client, "inputs")
        await start_with_retry(self._producer, "results")

    async def _stop(self) -> None:
        for client in (self._optouts, *{self._events, self._logs}, self._producer):
            await client.stop()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    if seconds > 0:
        try:
            await asyncio.wait_for(stop.wait(), seconds)
        except TimeoutError:
            return
