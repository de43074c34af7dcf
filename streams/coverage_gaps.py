"""Gaps of coverage: input that the log no longer had when it should have been read. Recorded with the exact range; pages."""

from __future__ import annotations

from typing import Literal

import msgspec


class CoverageGap(msgspec.Struct, frozen=True):
    """A record on the coverage-gaps topic: the offsets `from_offset` to `to_offset` (exclusive) were never judged; of observations: never counted."""

    topic: str
    """Source topic, or that of the observations."""
    partition: int
    """Its partition."""
    from_offset: int
    """First offset not judged."""
    to_offset: int
    """First offset judged again."""
    cause: Literal["retention", "log_shorter_than_committed"]
    """The log's start moved past the position, or its end lies before it (the topic was made anew)."""
    detected_at_ms: int
    """When it was noticed, epoch milliseconds."""

    @property
    def records(self) -> int:
        """How many offsets are missing; 0 when the log is shorter than what was committed."""
        return max(0, self.to_offset - self.from_offset)


class Start(msgspec.Struct, frozen=True):
    """Where to begin reading a source partition."""

    position: int
    """First offset to read: the start of the block, so that its sums are whole; the commit, where the block's start is gone."""
    resume_at: int
    """First offset not yet judged."""
    gap: CoverageGap | None = None
    """What is missing."""


def plan_start(
    topic: str,
    partition: int,
    *,
    committed: int | None,
    beginning: int,
    end: int,
    new_group: Literal["earliest", "latest"],
    block_offsets: int,
    now_ms: int,
) -> Start:
    """Return where to begin. A group that has committed is never silently reset.

    Args:
        topic: source topic.
        partition: source partition.
        committed: the group's next offset, None for a new group.
        beginning: first offset in the log.
        end: next offset of the log.
        new_group: where a new group begins.
        block_offsets: offsets in a block of observations.
        now_ms: the clock.
    """
    if committed is None:
        # A whole block: what is counted and what is recorded must be the same events, also after a restart.
        resume = beginning if new_group == "earliest" else max(beginning, end // block_offsets * block_offsets)
        return Start(resume, resume)
    if committed < beginning:
        return Start(beginning, beginning, CoverageGap(topic, partition, committed, beginning, "retention", now_ms))
    if committed > end:
        gap = CoverageGap(topic, partition, committed, beginning, "log_shorter_than_committed", now_ms)
        return Start(beginning, beginning, gap)
    block_start = committed // block_offsets * block_offsets
    # Where retention has cut the block, its sums cannot be made anew: they go on from the commit, which they cover.
    return Start(block_start if beginning <= block_start else committed, committed)
