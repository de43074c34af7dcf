"""What every driver does the same way, whatever its Kafka client: where to begin, ticks, what may be committed, lag, gaps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from hegui.rules.core import Outcome
from hegui.rules.observations import BLOCK_OFFSETS
from hegui.streams.coverage_gaps import CoverageGap, Start, plan_start
from hegui.streams.evaluator import Evaluator, Output, Partition
from hegui.streams.metrics import EvaluatorMetrics, remove
from hegui.streams.runs import Record
from hegui.streams.settings import Settings
from hegui.streams.watchdog import Progress

log = structlog.get_logger()


class GroupMember:
    """One member of the evaluators' group, without a client. Not thread-safe: one call at a time."""

    def __init__(self, settings: Settings, evaluator: Evaluator, metrics: EvaluatorMetrics, progress: Progress) -> None:
        self.evaluator = evaluator
        self.assigned = asyncio.Event()
        self._settings = settings
        self._metrics = metrics
        self._progress = progress
        self._acknowledged: dict[Partition, int] = {}
        self._committed: dict[Partition, int] = {}
        self._waiting: list[Output] = []
        self._next_tick = 0.0
        self._next_commit = 0.0

    def send_later(self, output: Output) -> None:
        """Send a record with the next batch (dead letters of the facts feed)."""
        self._waiting.append(output)

    # -- batches

    def _judge(self, batch: Mapping[Partition, Sequence[Record]]) -> tuple[list[Output], int | None]:
        """Judge a batch; return what to send and the least broker time judged for the first time (epoch milliseconds)."""
        outputs: list[Output] = []
        oldest_ms = None
        if batch:
            begun = time.monotonic()
            judgement = self.evaluator.judge(batch)
            self._metrics.evaluation_seconds.observe(time.monotonic() - begun)
            outputs, oldest_ms = judgement.outputs, judgement.oldest_ms
        if self._waiting:
            outputs = outputs + self._waiting
            self._waiting = []
        return outputs, oldest_ms

    def _tick_is_due(self, now: float) -> bool:
        if now < self._next_tick:
            return False
        self._next_tick = now + self._settings.evaluator.tick_seconds
        return True

    def _tick(self, ends: Mapping[Partition, tuple[int, int]]) -> list[Output]:
        """Return the sums that are due; expose lag and counts.

        Args:
            ends: partition to the end of its log and the client's position in it.
        """
        outputs = self.evaluator.tick(self._show_lag(ends))
        for (service, rule, outcome), n in self.evaluator.tallies.evaluations.items():
            if outcome is Outcome.ERROR:
                log.error("rule_raised", rule=rule, service=service, events=n)
        self._metrics.add(self.evaluator.tallies)
        return outputs

    def _show_lag(self, ends: Mapping[Partition, tuple[int, int]]) -> dict[Partition, int]:
        """Expose the lag; return the partitions that stand at the end of their log, with the clock."""
        now_ms = time.time_ns() // 1_000_000
        idle = {}
        behind = 0
        for partition, (end, at) in ends.items():
            source = self.evaluator.sources[partition]
            # The client's position passes over what holds no records (transaction markers, compacted ends).
            lag = max(0, end - max(source.position, source.resume_at, at))
            behind += lag
            self._metrics.lag.labels(partition[0], str(partition[1])).set(lag)
            if not lag and source.position >= source.resume_at:
                idle[partition] = now_ms
        self._progress.lag(behind)
        return idle

    # -- commits

    def _positions(self) -> dict[Partition, int]:
        """Return what may be committed once a tick is acknowledged: a commit is always covered by the sums sent before it."""
        return {p: max(source.position, source.resume_at) for p, source in self.evaluator.sources.items()}

    def _results_acknowledged(self, positions: Mapping[Partition, int], oldest_ms: int | None) -> None:
        self._acknowledged.update(positions)
        if oldest_ms is not None:
            self._metrics.detection_delay.observe(max(0.0, time.time() - oldest_ms / 1000))

    def _commit_is_due(self, now: float) -> bool:
        if now < self._next_commit:
            return False
        self._next_commit = now + self._settings.evaluator.commit_seconds
        return True

    def _to_commit(self) -> dict[Partition, int]:
        return {p: offset for p, offset in self._acknowledged.items() if offset > self._committed.get(p, -1)}

    def _commit_done(self, offsets: Mapping[Partition, int]) -> None:
        self._committed.update(offsets)
        self._progress.committed()
        self._metrics.last_commit.set_to_current_time()

    # -- partitions

    def _start_of(self, partition: Partition, committed: int | None, beginning: int, end: int) -> Start:
        """Return where to begin; the caller records the gap, if there is one, before it takes the partition over."""
        return plan_start(
            *partition,
            committed=committed,
            beginning=beginning,
            end=end,
            new_group=self._settings.evaluator.start,
            block_offsets=BLOCK_OFFSETS,
            now_ms=time.time_ns() // 1_000_000,
        )

    def _gap_record(self, gap: CoverageGap) -> tuple[bytes, bytes]:
        """Count and log a gap; return key and value of its record."""
        self._metrics.coverage_gap.labels(gap.topic).inc(max(1, gap.records))
        log.error("coverage_gap", **msgspec.structs.asdict(gap))
        return f"{gap.topic}/{gap.partition}".encode(), msgspec.json.encode(gap)

    def _take_over(self, partition: Partition, start: Start, committed: int | None) -> None:
        self.evaluator.assign(partition, start.position, start.resume_at)
        if committed is None or start.gap is not None:
            # A first commit fixes the start: from now on the group is never reset, even if it dies before its first batch.
            self._acknowledged[partition] = start.resume_at
            # A log made anew is committed from its new start, below what was committed of the old one.
            self._committed.pop(partition, None)

    def _give_up(self, partition: Partition) -> None:
        self.evaluator.revoke(partition)
        self._acknowledged.pop(partition, None)
        self._committed.pop(partition, None)
        remove(self._metrics.lag, {"topic": partition[0], "partition": str(partition[1])})
