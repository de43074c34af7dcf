"""Carries the judgement on aiokafka: poll, judge, send, and commit only what the broker acknowledged.

The next batch is fetched and judged while the last one's results are being acknowledged. Committing does not depend on results:
most batches have none. A crash at any point leads to repeated work, never to a hole: offsets are committed after the results
that they cover were acknowledged, and a new owner starts at the beginning of the committed offset's block.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    CorruptRecordException,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import OffsetAndMetadata

from hegui.streams.broker import group_consumer, producer, start_with_retry
from hegui.streams.coverage_gaps import CoverageGap
from hegui.streams.drivers.frames import use_frames
from hegui.streams.drivers.group_member import GroupMember
from hegui.streams.drivers.raw_records import use_raw_records
from hegui.streams.drivers.sending import Sender
from hegui.streams.evaluator import Evaluator, Partition
from hegui.streams.metrics import EvaluatorMetrics
from hegui.streams.settings import Settings
from hegui.streams.watchdog import Progress

log = structlog.get_logger()


UNREADABLE = (UnicodeDecodeError, CorruptRecordException)
"""What aiokafka raises for a record that it cannot hand out: a header name that is not UTF-8, a checksum that does not fit."""


class _Sent:
    """Results under way: the positions they cover may be committed once all are acknowledged."""

    __slots__ = ("acknowledgements", "oldest_ms", "positions")

    def __init__(
        self, positions: dict[Partition, int], acknowledgements: list[asyncio.Future[Any]], oldest_ms: int | None
    ) -> None:
        self.positions = positions
        self.acknowledgements = acknowledgements
        self.oldest_ms = oldest_ms


class AiokafkaDriver(GroupMember, ConsumerRebalanceListener):  # type: ignore[misc]
    """One member of the evaluators' group."""

    def __init__(self, settings: Settings, evaluator: Evaluator, metrics: EvaluatorMetrics, progress: Progress) -> None:
        super().__init__(settings, evaluator, metrics, progress)
        use_raw_records()
        use_frames()
        self._consumer: AIOKafkaConsumer = group_consumer(settings.kafka)
        self._producer: AIOKafkaProducer = producer(settings.kafka)
        names = settings.topics
        self._sender = Sender(
            self._producer,
            {"violations": names.violations, "observations": names.observations, "dead_letters": names.dead_letters},
        )
        self._lock = asyncio.Lock()
        self._epoch = 0
        self._failed: Exception | None = None
        self._sent: list[_Sent] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Judge until `stop` is set, then drain, commit and leave the group.

        Raises:
            KafkaError: results were refused by the broker; nothing they cover was committed.
        """
        await start_with_retry(self._producer, "producer")
        self._consumer.subscribe([topic.name for topic in self._settings.topics.inputs], listener=self)
        await start_with_retry(self._consumer, "consumer")
        clean = False
        try:
            while not stop.is_set():
                await self._step()
            async with self._lock:
                await self._drain()
            clean = True
        finally:
            # After a failure nothing more may be committed; leaving the group lets another member take over at once.
            await self._consumer.stop()
            if clean:
                await self._producer.stop()
            self._metrics.add(self.evaluator.tallies)

    async def _step(self) -> None:
        epoch = self._epoch
        limit = self._settings.evaluator.max_batch_records
        try:
            batch = await self._consumer.getmany(timeout_ms=100, max_records=limit)
        except OffsetOutOfRangeError as error:
            async with self._lock:
                await self._out_of_range(error.args[0])
            return
        except UNREADABLE as error:
            async with self._lock:
                log.error("record_unreadable", error=type(error).__name__)  # noqa: TRY400 - which one is found out below
                await self._read_carefully()
            return
        except NoOffsetForPartitionError:
            # A new group: the position is set in on_partitions_assigned.
            return
        async with self._lock:
            if self._failed is not None:
                raise self._failed
            if epoch != self._epoch:
                # The records may be from before a rebalance or from after it: read them again from where the block stands.
                for partition in batch:
                    if (source := self.evaluator.sources.get(tuple(partition))) is not None:
                        self._consumer.seek(partition, source.position)
                return
            await self._process(batch)

    async def _read_carefully(self) -> None:
        """Read on record by record where a record cannot be read, and bury it: one record must not stop the stream.

        What the failed call had taken from other partitions is read again. A record batch with an unreadable record is
        unreadable from there to its end.
        """
        sources = list(self.evaluator.sources.items())
        for partition, source in sources:
            self._consumer.seek(TopicPartition(*partition), source.position)
        for partition, source in sources:
            place = TopicPartition(*partition)
            buried, at_once = False, self._settings.evaluator.max_batch_records
            while True:
                try:
                    # A rebalance waits for our lock, and the call for the rebalance: then give up, the next step is here again.
                    async with asyncio.timeout(5):
                        batch = await self._consumer.getmany(place, timeout_ms=200, max_records=at_once)
                except TimeoutError:
                    return
                except UNREADABLE:
                    if at_once > 1:
                        at_once = 1
                        self._consumer.seek(place, source.position)
                        continue
                    outputs = self.evaluator.pass_over(partition, time.time_ns() // 1_000_000)
                    self._sent.append(_Sent({}, await self._sender.send(outputs), None))
                    self._consumer.seek(place, source.position)
                    buried = True
                    continue
                await self._process(batch)
                if buried or not batch or at_once > 1:
                    break

    async def _process(self, batch: dict[TopicPartition, list[Any]]) -> None:
        now = time.monotonic()
        outputs, oldest_ms = self._judge({(p.topic, p.partition): records for p, records in batch.items()})
        positions: dict[Partition, int] = {}
        if self._tick_is_due(now):
            outputs = outputs + self._tick(await self._ends())
            positions = self._positions()
        if outputs or positions or oldest_ms is not None:
            self._sent.append(_Sent(positions, await self._sender.send(outputs), oldest_ms))
        # One batch may be under way while the next is judged; with nothing to do, all are waited for.
        while len(self._sent) > (1 if batch else 0):
            await self._acknowledge()
        if self._commit_is_due(now):
            await self._commit()
        self._progress.alive()

    async def _acknowledge(self) -> None:
        sent = self._sent[0]
        for acknowledgement in sent.acknowledgements:
            await acknowledgement
        del self._sent[0]
        self._results_acknowledged(sent.positions, sent.oldest_ms)

    async def _commit(self) -> None:
        due = self._to_commit()
        if not due:
            return
        try:
            await self._consumer.commit(
                {TopicPartition(*p): OffsetAndMetadata(offset, "") for p, offset in due.items()}
            )
        except (CommitFailedError, IllegalStateError) as error:
            # The group moved on; the new owner starts at the last commit and repeats the work.
            log.warning("commit_refused", error=type(error).__name__)
            return
        except KafkaError as error:
            if not error.retriable:
                raise
            log.warning("commit_delayed", error=type(error).__name__)
            return
        self._commit_done(due)

    async def _drain(self) -> None:
        """Send the sums of what was judged, wait for all acknowledgements, commit."""
        self._sent.append(_Sent(self._positions(), await self._sender.send(self.evaluator.tick({})), None))
        while self._sent:
            await self._acknowledge()
        await self._commit()

    async def _ends(self) -> dict[Partition, tuple[int, int]]:
        """Return the end of each log and the client's position in it, for the partitions whose end is known."""
        found = {}
        for partition in self.evaluator.sources:
            place = TopicPartition(*partition)
            end = self._consumer.highwater(place)
            if end is not None:
                found[partition] = (end, await self._consumer.position(place))
        return found

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Finish what was judged of the partitions before another member takes them."""
        async with self._lock:
            self._epoch += 1
            try:
                if self.evaluator.sources:
                    await self._drain()
            except Exception as error:  # noqa: BLE001 - aiokafka logs what a listener raises and goes on
                self._failed = error
            for partition in revoked:
                self._give_up((partition.topic, partition.partition))

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Find where to begin; a position that the log no longer has is a recorded gap, never a silent reset."""
        partitions = sorted(assigned)
        async with self._lock:
            self._epoch += 1
            try:
                await self._find_starts(partitions)
            except Exception as error:  # noqa: BLE001 - aiokafka logs what a listener raises and goes on
                self._failed = error
                return
            # Once more: what was fetched while the starts were looked up is from before the seeks.
            self._epoch += 1
            self._progress.alive()
        log.info("partitions_assigned", partitions=len(partitions))
        self.assigned.set()

    async def _find_starts(self, partitions: list[TopicPartition]) -> None:
        if not partitions:
            return
        beginnings = await self._consumer.beginning_offsets(partitions)
        ends = await self._consumer.end_offsets(partitions)
        for partition in partitions:
            committed = await self._consumer.committed(partition)
            await self._begin(partition, committed, beginnings[partition], ends[partition])

    async def _begin(self, partition: TopicPartition, committed: int | None, beginning: int, end: int) -> None:
        key = (partition.topic, partition.partition)
        start = self._start_of(key, committed, beginning, end)
        if start.gap is not None:
            await self._record_gap(start.gap)
        self._consumer.seek(partition, start.position)
        self._take_over(key, start, committed)

    async def _record_gap(self, gap: CoverageGap) -> None:
        key, value = self._gap_record(gap)
        await self._producer.send_and_wait(self._settings.topics.coverage_gaps, value, key=key)

    async def _out_of_range(self, positions: dict[TopicPartition, int]) -> None:
        partitions = sorted(positions)
        beginnings = await self._consumer.beginning_offsets(partitions)
        ends = await self._consumer.end_offsets(partitions)
        await self._drain()
        for partition in partitions:
            source = self.evaluator.sources.get((partition.topic, partition.partition))
            if source is not None:
                at = max(source.position, source.resume_at)
                self.evaluator.revoke((partition.topic, partition.partition))
                await self._begin(partition, at, beginnings[partition], ends[partition])
