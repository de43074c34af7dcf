"""Runs: neighbouring records of one partition that are decoded and judged together, so that what they share is asked once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import NamedTuple, Protocol

from hegui.rules.events import Envelope
from hegui.streams.decoders import Headers

RUN = 64
"""Records of a run: decoded, they fit the processor's second-level cache, and what is asked once a run costs next to nothing."""

_EPOCH = datetime.fromtimestamp(0, UTC)
_MILLISECOND = timedelta(milliseconds=1)
_offset = attrgetter("offset")


class Record(Protocol):
    """What a driver hands in; aiokafka's ConsumerRecord fits."""

    @property
    def offset(self) -> int:
        """Its offset."""
        ...

    @property
    def timestamp(self) -> int:
        """The broker's time, epoch milliseconds."""
        ...

    @property
    def value(self) -> bytes | None:
        """The value; None is a tombstone."""
        ...

    @property
    def headers(self) -> Headers:
        """Name and value of each header."""
        ...


def part_before(records: Sequence[Record], first: int, limit: int) -> Sequence[Record]:
    """Return the records of a run from number `first` on whose offsets are below `limit`; that of `first` is."""
    last = min(first + RUN, len(records))
    if records[last - 1].offset >= limit:
        last = bisect_left(records, limit, first, last, key=_offset)
    return records[first:last]


def times_of(envelopes: Sequence[Envelope]) -> list[int]:
    """Return the times of events, whole epoch milliseconds. Exact, and half the cost of `timestamp()`."""
    return [(envelope.time - _EPOCH) // _MILLISECOND for envelope in envelopes]


class Run(NamedTuple):
    """Decoded events of a run, beside their records, times and arrivals; all of one length."""

    records: Sequence[Record]
    envelopes: Sequence[Envelope]
    times: list[int]
    """When each happened, epoch milliseconds."""
    arrivals: list[int]
    """The broker's time of each, epoch milliseconds."""
    reused: Sequence[bool]
    """Whether the identity of each was used before with another content."""

    def halves(self) -> tuple[Run, Run]:
        """Return the two halves."""
        middle = len(self.times) // 2
        return self._part(slice(middle)), self._part(slice(middle, None))

    def _part(self, part: slice) -> Run:
        return Run(self.records[part], self.envelopes[part], self.times[part], self.arrivals[part], self.reused[part])
