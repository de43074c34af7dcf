"""Positions in topics that are read without a group."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition

Offsets = dict[TopicPartition, int]


async def partitions_of(consumer: Any, topics: Sequence[str]) -> list[TopicPartition]:
    """Return the partitions of topics that exist; waits for the broker to tell them."""
    found: list[TopicPartition] = []
    for topic in topics:
        while not (partitions := consumer.partitions_for_topic(topic)):
            consumer._client.add_topic(topic)  # noqa: SLF001 - a consumer without subscription knows no topics yet
            await consumer._client.force_metadata_update()  # noqa: SLF001
            await asyncio.sleep(0.1)
        found += [TopicPartition(topic, p) for p in sorted(partitions)]
    return found


async def beginnings(consumer: Any, sources: Sequence[TopicPartition], since_ms: int | None) -> Offsets:
    """Return where to begin reading: at what reached the broker since a time, or at the beginning of the log."""
    begin: Offsets = await consumer.beginning_offsets(sources)
    if since_ms is None:
        return begin
    ends = await consumer.end_offsets(sources)
    found = await consumer.offsets_for_times(dict.fromkeys(sources, since_ms))
    return {tp: ends[tp] if (at := found.get(tp)) is None else max(at.offset, begin[tp]) for tp in sources}


def named(offsets: Offsets) -> dict[str, int]:
    """Return the same with `topic/partition` as keys, as progress is stored."""
    return {f"{tp.topic}/{tp.partition}": offset for tp, offset in offsets.items()}


def numbered(offsets: Offsets) -> dict[str, int]:
    """Return the same with partition numbers as keys, for a single topic."""
    return {str(tp.partition): offset for tp, offset in offsets.items()}
