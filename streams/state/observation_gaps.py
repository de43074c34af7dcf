"""Observations that the log no longer had when they should have been counted: recorded with their exact range, and remembered."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import msgspec
import structlog
from aiokafka import TopicPartition

from hegui.rules.core import Outcome
from hegui.streams.coverage_gaps import CoverageGap
from hegui.streams.metrics import StateMetrics
from hegui.streams.settings import Settings

log = structlog.get_logger()


class Misfit(NamedTuple):
    """Why counting cannot go on with what the log holds."""

    event: str
    """As it stands in the log."""
    reason: str
    """What is wrong."""


class ObservationGaps:
    """Looks into the log where the offsets of a partition do not go on, and records what is missing."""

    def __init__(self, settings: Settings, metrics: StateMetrics, reader: Any, producer: Any) -> None:
        """Take a function that makes a consumer without a group, and a started producer."""
        self._settings = settings
        self._counter = metrics.coverage_gap
        self._reader = reader
        self._producer = producer
        self._counter.labels(settings.topics.observations)

    async def missing(self, partition: int, expected: int, found: int) -> CoverageGap | Misfit | None:
        """Tell what lies between the next offset to be counted and the one that came.

        Returns:
            What retention removed; why the process must start anew, where the log still holds some of it; None when the log
            never had anything there.
        """
        beginning, first = await self._look(partition, expected, found)
        if first < found:
            return Misfit(
                "state_input_skipped", f"partition {partition} went from {expected} to {found}, the log has {first}"
            )
        if beginning <= expected:
            return None
        topic, to = self._settings.topics.observations, min(beginning, found)
        return CoverageGap(topic, partition, expected, to, "retention", round(time.time() * 1000))

    async def record(self, gap: CoverageGap) -> None:
        """Count, log and record a gap; it is acknowledged when this returns."""
        self._counter.labels(gap.topic).inc(gap.records)
        log.error("coverage_gap", **msgspec.structs.asdict(gap))
        key = f"{gap.topic}/{gap.partition}".encode()
        await self._producer.send_and_wait(self._settings.topics.coverage_gaps, msgspec.json.encode(gap), key=key)

    async def _look(self, partition: int, expected: int, found: int) -> tuple[int, int]:
        """Return where the partition begins, and the first record from an offset on (`found` when there is none before it)."""
        consumer = self._reader()
        await consumer.start()
        try:
            source = TopicPartition(self._settings.topics.observations, partition)
            consumer.assign([source])
            beginning = (await consumer.beginning_offsets([source]))[source]
            end = (await consumer.end_offsets([source]))[source]
            start = max(expected, beginning)
            if start >= min(found, end):
                return beginning, found
            consumer.seek(source, start)
            return beginning, (await consumer.getone(source)).offset
        finally:
            await consumer.stop()


def undecided(outcomes: dict[str, Outcome]) -> dict[str, Outcome]:
    """Return what rules say of a ledger in which observations may be missing: what passes is not known to pass."""
    return {rule: Outcome.INCONCLUSIVE if outcome is Outcome.PASS else outcome for rule, outcome in outcomes.items()}
