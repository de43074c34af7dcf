"""Lets aiokafka hand out records as its C parser makes them, many at a time.

aiokafka passes every record through a generator, an iterator in Python and a `ConsumerRecord` of eleven fields: 1.2 us a record, an
eighth of what an event costs; the evaluator reads four fields, and the parser's own record has those. aiokafka has no hook for it,
so two classes of its fetcher are replaced; the version is pinned, and every broker test runs on them. Aborted transactions,
control batches and checksums are treated as aiokafka treats them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException


class RawRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetched partition, as the parser makes them: key, value, offset, timestamp, headers."""

    next_fetch_offset: int

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._records_iterator: Iterator[Any] | None = chain.from_iterable(self._batches())

    def take(self, limit: int | None) -> list[Any]:
        """Return the next records, at most `limit`; fewer only when these are the last.

        Raises:
            CorruptRecordException: a checksum does not fit (only when checksums are checked).
            UnicodeDecodeError: a header's name is not UTF-8.
        """
        if self._records_iterator is None:
            return []
        try:
            records = list(islice(self._records_iterator, limit))
        except BaseException:
            # What was taken before the broken record is lost here; the position has not moved, so all of it is fetched again.
            self._records_iterator = None
            raise
        if records:
            self.next_fetch_offset = max(self.next_fetch_offset, records[-1].offset + 1)
        return records

    def _batches(self) -> Iterator[Iterable[Any]]:
        """Yield the records of each record batch that a consumer may see, and move the position over the batch after that."""
        while self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if not self._is_aborted(batch) and not batch.is_control_batch:
                # The first batch may begin before the position, and one in an old format does not say where it begins.
                first = self.next_fetch_offset
                whole = getattr(batch, "base_offset", -1) >= first
                yield batch if whole else [record for record in batch if record.offset >= first]
            self.next_fetch_offset = batch.next_offset

    def _is_aborted(self, batch: Any) -> bool:
        if self._isolation_level != fetcher.READ_COMMITTED or batch.producer_id is None:
            return False
        self._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and self._contains_abort_marker(batch):
            self._aborted_producers.discard(batch.producer_id)
        return bool(batch.is_transactional and batch.producer_id in self._aborted_producers)

    def __next__(self) -> Any:
        if records := self.take(1):
            return records[0]
        raise StopIteration


class RawFetchResult(fetcher.FetchResult):  # type: ignore[misc]
    """What one fetch brought of a partition."""

    _partition_records: RawRecords | None

    def getall(self, max_records: int | None = None) -> list[Any]:
        """Return the next records, at most `max_records`; none when the position was moved meanwhile."""
        if not self.check_assignment(self._topic_partition) or self._partition_records is None:
            return []
        records = self._partition_records.take(max_records)
        self._update_position()
        if max_records is None or len(records) < max_records:
            self._partition_records = None
        return records


def use_raw_records() -> None:
    """Make every consumer of this process hand out raw records. Calling twice is safe.

    Raises:
        RuntimeError: aiokafka changed, and the records would be read by its own classes.
    """
    replaced = {"PartitionRecords": RawRecords, "FetchResult": RawFetchResult}
    for name in replaced:
        if not hasattr(fetcher, name):
            raise RuntimeError(f"aiokafka's fetcher has no {name}; see streams/drivers/raw_records.py")
    for name, ours in replaced.items():
        setattr(fetcher, name, ours)
