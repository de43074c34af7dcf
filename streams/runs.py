"""Runs: neighbouring records of one partition that are decoded and judged together, so that what they share is asked once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import NamedTuple, Protocol

from hegui.rules.events import Envelope
from hegui.streams.decoders import Decoder, Headers, RunDecoder
from hegui.streams.errors import DecodeError

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


class Refused(NamedTuple):
    """A record that could not be decoded."""

    record: Record
    error: DecodeError


class Decoded(NamedTuple):
    """Events, each beside its record and that record's value; at least one."""

    records: Sequence[Record]
    values: Sequence[bytes | None]
    envelopes: Sequence[Envelope]


def decoded(
    records: Sequence[Record], decode_run: RunDecoder, decode: Decoder, max_bytes: int
) -> Iterator[Decoded | Refused]:
    """Decode records in their order: at once as long as they are plain, then one by one.

    Args:
        records: the records of a run.
        decode_run: decodes plain values.
        decode: decodes any record.
        max_bytes: larger records are refused.
    """
    values = [record.value for record in records]
    envelopes: list[Envelope] = []
    if not any([record.headers for record in records]):  # noqa: C419 - a generator takes twice as long
        envelopes = decode_run(values, max_bytes)
    plain = len(envelopes)
    if plain == len(records):  # nearly always
        yield Decoded(records, values, envelopes)
        return
    holders, contents = [*records[:plain]], values[:plain]
    for record, value in zip(records[plain:], values[plain:], strict=True):
        try:
            if value is None or len(value) > max_bytes:
                raise _refusal(value, max_bytes)
            found = decode(value, record.headers)
        except DecodeError as error:
            if envelopes:
                yield Decoded(holders, contents, envelopes)
                holders, contents, envelopes = [], [], []
            yield Refused(record, error)
            continue
        holders += [record] * len(found)
        contents += [value] * len(found)
        envelopes += found
    if envelopes:
        yield Decoded(holders, contents, envelopes)


def _refusal(value: bytes | None, max_bytes: int) -> DecodeError:
    if value is None:
        return DecodeError("tombstone", "the value is null")
    return DecodeError("too_large", f"more than {max_bytes} bytes")


class Run(NamedTuple):
    """Decoded events of a run, beside their records, times and arrivals; all of one length."""

    records: Sequence[Record]
    envelopes: Sequence[Envelope]
    times: list[int]
    """When each happened, epoch milliseconds."""
    arrivals: list[int]
    """The broker's time of each, epoch milliseconds."""
    reused: Sequence[bool | None]
    """Whether the identity of each was used before with another content; None: it was not used before."""

    def halves(self) -> tuple[Run, Run]:
        """Return the two halves."""
        middle = len(self.times) // 2
        return self._part(slice(middle)), self._part(slice(middle, None))

    def _part(self, part: slice) -> Run:
        return Run(self.records[part], self.envelopes[part], self.times[part], self.arrivals[part], self.reused[part])
