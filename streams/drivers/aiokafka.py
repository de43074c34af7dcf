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

import msgspec
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

from hegui.rules.core import Outcome
from hegui.rules.observations import BLOCK_OFFSETS
from hegui.streams.broker import group_consumer, producer, start_with_retry
from hegui.streams.coverage_gaps import CoverageGap, plan_start
from hegui.streams.drivers.frames import use_frames
from hegui.streams.drivers.raw_records import use_raw_records
from hegui.streams.drivers.sending import Sender
from hegui.streams.evaluator import Evaluator, Output, Partition
from hegui.streams.metrics import EvaluatorMetrics, remove
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


class AiokafkaDriver(ConsumerRebalanceListener):  # type: ignore[misc]
    """One member of the evaluators' group."""

    def __init__(self, settings: Settings, evaluator: Evaluator, metrics: EvaluatorMetrics, progress: Progress) -> None:
        self.evaluator = evaluator
        self.assigned = asyncio.Event()
        self._settings = settings
        self._metrics = metrics
        self._progress = progress
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
        self._acknowledged: dict[Partition, int] = {}
        self._committed: dict[Partition, int] = {}
        self._waiting: list[Output] = []
        self._next_tick = 0.0
        self._next_commit = 0.0

    def send_later(self, output: Output) -> None:
        """Send a record with the next batch (dead letters of the facts feed)."""
        self._waiting.append(output)

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
        outputs: list[Output] = []
        positions: dict[Partition, int] = {}
        oldest_ms = None
        if batch:
            judgement = self.evaluator.judge({(p.topic, p.partition): records for p, records in batch.items()})
            self._metrics.evaluation_seconds.observe(time.monotonic() - now)
            outputs, oldest_ms = judgement.outputs, judgement.oldest_ms
        if self._waiting:
            outputs = outputs + self._waiting
            self._waiting = []
        if now >= self._next_tick:
            self._next_tick = now + self._settings.evaluator.tick_seconds
            outputs = outputs + self.evaluator.tick(await self._lag())
            positions = self._positions()
            self._log_errors()
            self._metrics.add(self.evaluator.tallies)
        if outputs or positions or oldest_ms is not None:
            self._sent.append(_Sent(positions, await self._sender.send(outputs), oldest_ms))
        # One batch may be under way while the next is judged; with nothing to do, all are waited for.
        while len(self._sent) > (1 if batch else 0):
            await self._acknowledge()
        if now >= self._next_commit:
            self._next_commit = now + self._settings.evaluator.commit_seconds
            await self._commit()
        self._progress.alive()

    def _positions(self) -> dict[Partition, int]:
        """Return what may be committed once a tick is acknowledged: a commit is always covered by the sums sent before it."""
        return {p: max(source.position, source.resume_at) for p, source in self.evaluator.sources.items()}

    async def _acknowledge(self) -> None:
        sent = self._sent[0]
        for acknowledgement in sent.acknowledgements:
            await acknowledgement
        del self._sent[0]
        self._acknowledged.update(sent.positions)
        if sent.oldest_ms is not None:
            self._metrics.detection_delay.observe(max(0.0, time.time() - sent.oldest_ms / 1000))

    async def _commit(self) -> None:
        due = {p: offset for p, offset in self._acknowledged.items() if offset > self._committed.get(p, -1)}
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
        self._committed.update(due)
        self._progress.committed()
        self._metrics.last_commit.set_to_current_time()

    async def _drain(self) -> None:
        """Send the sums of what was judged, wait for all acknowledgements, commit."""
        self._sent.append(_Sent(self._positions(), await self._sender.send(self.evaluator.tick({})), None))
        while self._sent:
            await self._acknowledge()
        await self._commit()

    async def _lag(self) -> dict[Partition, int]:
        """Expose the lag; return the partitions that stand at the end of their log, with the clock."""
        now_ms = time.time_ns() // 1_000_000
        idle = {}
        behind = 0
        for partition, source in self.evaluator.sources.items():
            end = self._consumer.highwater(TopicPartition(*partition))
            if end is None:
                continue
            # The client's position passes over what holds no records (transaction markers, compacted ends).
            position = max(source.position, source.resume_at, await self._consumer.position(TopicPartition(*partition)))
            lag = max(0, end - position)
            behind += lag
            self._metrics.lag.labels(partition[0], str(partition[1])).set(lag)
            if not lag and source.position >= source.resume_at:
                idle[partition] = now_ms
        self._progress.lag(behind)
        return idle

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
                key = (partition.topic, partition.partition)
                self.evaluator.revoke(key)
                self._acknowledged.pop(key, None)
                self._committed.pop(key, None)
                remove(self._metrics.lag, {"topic": key[0], "partition": str(key[1])})

    def _log_errors(self) -> None:
        for (service, rule, outcome), n in self.evaluator.tallies.evaluations.items():
            if outcome is Outcome.ERROR:
                log.error("rule_raised", rule=rule, service=service, events=n)

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
        start = plan_start(
            partition.topic,
            partition.partition,
            committed=committed,
            beginning=beginning,
            end=end,
            new_group=self._settings.evaluator.start,
            block_offsets=BLOCK_OFFSETS,
            now_ms=time.time_ns() // 1_000_000,
        )
        if start.gap is not None:
            await self._record_gap(start.gap)
        self._consumer.seek(partition, start.position)
        self.evaluator.assign((partition.topic, partition.partition), start.position, start.resume_at)
        if committed is None or start.gap is not None:
            # A first commit fixes the start: from now on the group is never reset, even if it dies before its first batch.
            self._acknowledged[partition.topic, partition.partition] = start.resume_at
            # A log made anew is committed from its new start, below what was committed of the old one.
            self._committed.pop((partition.topic, partition.partition), None)

    async def _record_gap(self, gap: CoverageGap) -> None:
        self._metrics.coverage_gap.labels(gap.topic).inc(max(1, gap.records))
        log.error("coverage_gap", **msgspec.structs.asdict(gap))
        await self._producer.send_and_wait(
            self._settings.topics.coverage_gaps, msgspec.json.encode(gap), key=f"{gap.topic}/{gap.partition}".encode()
        )

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
