"""Counts over blocks of source offsets, idempotent by replacement.

Within a block the counts that arrive are cumulative: a record of the same block replaces, one of a later block adds. A
block read twice counts once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Place(Protocol):
    """Where in a source partition counts come from; an observation fits."""

    @property
    def block(self) -> int:
        """Number of the block."""
        ...

    @property
    def start(self) -> int:
        """First offset of it that is counted."""
        ...

    @property
    def upto(self) -> int:
        """Next offset that is not."""
        ...

    @property
    def source(self) -> str:
        """Name of the source partition."""
        ...


class BlockCounts(msgspec.Struct, frozen=True, array_like=True):
    """How far one source partition has been counted, by kind of count."""

    block: int
    """Number of the current block."""
    start: int
    """First offset of it that is counted."""
    upto: int
    """Next offset that is not."""
    closed: dict[str, int]
    """Counts of earlier blocks."""
    current: dict[str, int]
    """Counts of the current block."""


Marks = dict[str, BlockCounts]
"""Source partition to what was counted of it."""


def counted(marks: Marks, place: Place, counts: Mapping[str, int]) -> Marks | None:
    """Return the marks with counts of a block counted in; None when they are old news.

    Counts of the same block and start replace. Those of a later block, or of the same block with a later start (retention cut
    the block), add the finished ones first.
    """
    mark = marks.get(place.source)
    told = (place.block, place.start)
    closed: dict[str, int] = {}
    if mark is not None:
        seen = (mark.block, mark.start)
        if told < seen or (told == seen and place.upto < mark.upto):
            return None
        closed = mark.closed if told == seen else added(mark.closed, mark.current)
    return {**marks, place.source: BlockCounts(*told, place.upto, closed, dict(counts))}


def totals(marks: Marks) -> dict[str, int]:
    """Return the counts of all source partitions together."""
    total: dict[str, int] = {}
    for mark in marks.values():
        total = added(total, added(mark.closed, mark.current))
    return total


def added(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    """Return the sum of two sets of counts."""
    return {name: first.get(name, 0) + second.get(name, 0) for name in (*first, *second)}
