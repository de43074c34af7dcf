"""Our reading of fetched records gives what aiokafka's own gives, whatever lies in the log and however much is asked for at a time."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record._crecords import DefaultRecordBatchBuilder, MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from hegui.streams.drivers.raw_records import RawFetchResult, RawRecords, use_raw_records

PLACE = TopicPartition("events", 0)
CONTROL, ABORT_MARKER = 0x20, struct.pack(">hh", 0, 0)
STOCK = (RawRecords.__base__, RawFetchResult.__base__)


class Batch(NamedTuple):
    """A record batch: offsets skipped before it, its records, whose transaction it belongs to, whether it ends that with an abort."""

    skipped: int
    records: int
    producer: int = -1
    marker: bool = False


class Position:
    """As much of a consumer's state as a fetch result asks for."""

    paused = False

    def __init__(self, position: int) -> None:
        self.position = position

    def consumed_to(self, position: int) -> None:
        self.position = position


class Assignment:
    active = True

    def __init__(self, position: int) -> None:
        self.state = Position(position)

    def state_value(self, _: TopicPartition) -> Position:
        return self.state


def log_of(batches: Sequence[Batch], *, name: str = "h") -> bytes:
    """Return record batches as a broker sends them."""
    log, offset = b"", 0
    for batch in batches:
        offset += batch.skipped
        transactional = batch.producer >= 0
        builder = DefaultRecordBatchBuilder(2, 0, transactional, batch.producer, 0, 0, 1 << 20)
        count = 1 if batch.marker else batch.records
        for delta in range(count):
            key = ABORT_MARKER if batch.marker else b"%d" % (offset + delta)
            builder.append(delta, 1000 + delta, key, b"v", [(name, b"x")])
        built = builder.build()
        built[:8] = offset.to_bytes(8, "big")
        if batch.marker:
            built[22] |= CONTROL
        log += bytes(built)
        offset += count
    return log


def read(
    classes: tuple[Any, Any],
    log: bytes,
    start: int,
    limits: Sequence[int | None],
    *,
    aborted: Sequence[tuple[int, int]] = (),
    isolation: int = fetcher.READ_UNCOMMITTED,
    checked: bool = False,
) -> list[Any]:
    """Return what calls with those limits bring, and where the position stands after each."""
    partition_records, fetch_result = classes
    records = partition_records(PLACE, MemoryRecords(log), list(aborted), start, None, None, checked, isolation)
    assignment = Assignment(start)
    result = fetch_result(PLACE, assignment=assignment, partition_records=records, backoff=0)
    found: list[Any] = []
    for limit in limits:
        if not result.has_more():
            break
        taken = [(r.key, r.value, r.offset, r.timestamp, tuple(r.headers)) for r in result.getall(limit)]
        found.append((taken, assignment.state.position, result.has_more()))
    return found


BATCHES = st.lists(
    st.builds(Batch, st.integers(0, 3), st.integers(1, 5), st.integers(-1, 1))
    | st.builds(Batch, st.integers(0, 3), st.just(1), st.integers(0, 1), st.just(True)),
    min_size=1,
    max_size=6,
)


@given(BATCHES, st.integers(0, 8), st.lists(st.integers(1, 7) | st.none(), min_size=40, max_size=40), st.booleans())
def test_records_and_positions_are_those_of_aiokafka(
    batches: list[Batch], start: int, limits: list[int | None], committed: bool
) -> None:
    log = log_of(batches)
    options: dict[str, Any] = {
        "isolation": fetcher.READ_COMMITTED if committed else fetcher.READ_UNCOMMITTED,
        "aborted": [(0, 0), (1, 4)] if committed else [],
    }
    ours = read((RawRecords, RawFetchResult), log, start, limits, **options)
    assert ours == read(STOCK, log, start, limits, **options)


def test_single_records_move_the_position_too() -> None:
    records = RawRecords(
        PLACE, MemoryRecords(log_of([Batch(0, 3)])), [], 0, None, None, False, fetcher.READ_UNCOMMITTED
    )
    assert [(record.offset, records.next_fetch_offset) for record in records] == [(0, 1), (1, 2), (2, 3)]


def test_a_wrong_checksum_is_an_error_and_moves_nothing() -> None:
    log = bytearray(log_of([Batch(0, 2), Batch(0, 2)]))
    log[-1] ^= 1
    records = RawRecords(PLACE, MemoryRecords(bytes(log)), [], 0, None, None, True, fetcher.READ_UNCOMMITTED)
    assignment = Assignment(0)
    result = RawFetchResult(PLACE, assignment=assignment, partition_records=records, backoff=0)
    with pytest.raises(CorruptRecordException):
        result.getall(None)
    assert assignment.state.position == 0
    assert result.getall(None) == []
    assert assignment.state.position == 0
    assert not result.has_more()


def test_after_an_unreadable_record_nothing_behind_it_is_handed_out() -> None:
    log = log_of([Batch(0, 3)], name="é").replace("é".encode(), b"\xff\xff", 2)
    records = RawRecords(PLACE, MemoryRecords(log), [], 0, None, None, False, fetcher.READ_UNCOMMITTED)
    with pytest.raises(UnicodeDecodeError):
        records.take(None)
    assert records.take(None) == []
    assert records.next_fetch_offset == 0


def test_records_of_a_position_that_moved_are_not_handed_out() -> None:
    records = RawRecords(
        PLACE, MemoryRecords(log_of([Batch(0, 3)])), [], 0, None, None, False, fetcher.READ_UNCOMMITTED
    )
    assignment = Assignment(0)
    result = RawFetchResult(PLACE, assignment=assignment, partition_records=records, backoff=0)
    assignment.state.position = 2
    assert result.getall(10) == []
    assert assignment.state.position == 2


def test_another_aiokafka_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(fetcher, "FetchResult")
    with pytest.raises(RuntimeError, match="FetchResult"):
        use_raw_records()
