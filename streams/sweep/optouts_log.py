"""Reads the topic of opt-outs in batches: what is new since the last sweep, or what belongs to one that has begun."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from hegui.streams.broker import reader, start_with_retry
from hegui.streams.errors import SettingsError
from hegui.streams.settings import Settings
from hegui.streams.sweep.batch import Batch
from hegui.streams.sweep.positions import Offsets, beginnings, numbered, partitions_of

log = structlog.get_logger()

MAX_RECORDS = 2000
"""Most records read at once."""


class Collected(NamedTuple):
    """New opt-outs."""

    batch: Batch
    upto: dict[str, int]
    """Partition to the next offset that is not in it."""


class OptOutsLog:
    """One reader of the topic. Not thread-safe."""

    def __init__(self, settings: Settings, alive: Callable[[], None], pending: Callable[[float], None]) -> None:
        """Nothing is read before `start`.

        Args:
            settings: names the topic, and says how long and how many to collect.
            alive: called whenever the reader went round.
            pending: told how many records no sweep has ended for.

        Raises:
            SettingsError: there is no topic of opt-outs.
        """
        if not settings.topics.optouts:
            raise SettingsError("settings: topics.optouts is empty; name a topic, there is nothing to sweep for")
        self._topic = settings.topics.optouts
        self._sweep = settings.sweep
        self._alive = alive
        self._pending = pending
        self._consumer: Any = reader(settings.kafka)

    async def start(self) -> None:
        """Connect; waits for the broker."""
        await start_with_retry(self._consumer, "optouts")

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def range(self, since_ms: int | None) -> tuple[dict[str, int], dict[str, int]]:
        """Return where the opt-outs begin that came since a time, and where they end now: partition to offset."""
        sources = await partitions_of(self._consumer, (self._topic,))
        begin = await beginnings(self._consumer, sources, since_ms)
        return numbered(begin), numbered(await self._consumer.end_offsets(sources))

    async def collect(
        self, swept: dict[str, int], stop: asyncio.Event, ends: dict[str, int] | None = None
    ) -> Collected | None:
        """Wait for new opt-outs and collect what comes soon after; None when there are none up to the ends, or `stop` was set.

        Args:
            swept: partition to the first offset that is new.
            stop: gives up what was collected.
            ends: partition to where to stop; None: wait for the first, then the seconds of the settings.
        """
        consumer, batch, most = self._consumer, Batch(), self._sweep.max_optouts
        at = await self._stand_at(swept)
        until: float | None = None
        if ends is None:
            await self._show_pending(swept, list(at))
        while batch.records < most:
            if ends is not None and all(offset >= ends[partition] for partition, offset in numbered(at).items()):
                break
            if until is not None and time.monotonic() >= until:
                break
            found = await consumer.getmany(timeout_ms=500, max_records=min(MAX_RECORDS, most - batch.records))
            self._alive()
            if stop.is_set():
                return None
            _take(batch, found)
            at = {tp: await consumer.position(tp) for tp in at}
            if ends is None and until is None:
                await self._show_pending(swept, list(at))
                if batch.records:
                    until = time.monotonic() + self._sweep.batch_seconds
        if not batch.records:
            return None
        upto = numbered(at)
        if not await self._add_others(batch, swept, upto, stop):
            return None
        return Collected(batch, upto)

    async def read_again(self, swept: dict[str, int], optouts_to: dict[str, int], stop: asyncio.Event) -> Batch:
        """Read the opt-outs of a sweep that has begun. What was compacted away since then is replaced by what comes later.

        Args:
            swept: partition to the first offset of the sweep.
            optouts_to: partition to the next offset that is not part of it.
            stop: gives up; what was read then is not whole.
        """
        consumer, batch = self._consumer, Batch()
        sources = list(await self._stand_at(swept))
        ends = await consumer.end_offsets(sources)
        upto = {tp: min(optouts_to.get(str(tp.partition), 0), ends[tp]) for tp in sources}
        await self._show_pending(swept, sources)
        while any([await consumer.position(tp) < upto[tp] for tp in sources]):
            found = await consumer.getmany(timeout_ms=500, max_records=MAX_RECORDS)
            self._alive()
            _take(batch, {tp: [one for one in records if one.offset < upto[tp]] for tp, records in found.items()})
        await self._add_others(batch, swept, numbered(upto), stop)
        return batch

    async def _add_others(self, batch: Batch, swept: dict[str, int], upto: dict[str, int], stop: asyncio.Event) -> bool:
        """Let the batch see all else that the topic says, before it and after it; return whether it did.

        10 us a record, and only where something is refused: a sweep takes 50 us for each record of the inputs.
        """
        if not (batch.refuses or batch.removes):
            return True
        while await self._add_others_once(batch, swept, upto, stop):
            if not batch.reads_again():
                return True
        return False

    async def _add_others_once(
        self, batch: Batch, swept: dict[str, int], upto: dict[str, int], stop: asyncio.Event
    ) -> bool:
        consumer = self._consumer
        first = await self._stand_at(swept)
        ends = await consumer.end_offsets(list(first))
        await consumer.seek_to_beginning(*first)
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            found = await consumer.getmany(timeout_ms=500, max_records=MAX_RECORDS)
            self._alive()
            if stop.is_set():
                return False
            for tp, records in found.items():
                for record in records:
                    later = record.offset >= upto[str(tp.partition)]
                    if later or record.offset < first[tp]:
                        batch.take_other(record.key, record.value, record.timestamp, later=later)
        return True

    async def _stand_at(self, swept: dict[str, int]) -> Offsets:
        """Go to the first opt-outs that were not swept; to the beginning of a topic that was made anew."""
        consumer = self._consumer
        sources = await partitions_of(consumer, (self._topic,))
        consumer.assign(sources)
        begin, ends = await consumer.beginning_offsets(sources), await consumer.end_offsets(sources)
        found: Offsets = {}
        for tp in sources:
            at = swept.get(str(tp.partition), 0)
            found[tp] = max(begin[tp], at) if at <= ends[tp] else begin[tp]
            consumer.seek(tp, found[tp])
        return found

    async def _show_pending(self, swept: dict[str, int], sources: Sequence[TopicPartition]) -> None:
        try:
            ends = await self._consumer.end_offsets(sources)
        except KafkaError as error:  # a broker that is away for a while
            log.warning("optouts_end_unknown", error=type(error).__name__)
            return
        self._pending(sum(max(0, ends[tp] - swept.get(str(tp.partition), 0)) for tp in sources))


def _take(batch: Batch, found: dict[TopicPartition, list[Any]]) -> None:
    for _, records in sorted(found.items()):
        for record in records:
            batch.take(record.key, record.value, record.timestamp)
