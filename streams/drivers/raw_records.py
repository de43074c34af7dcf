"""Lets aiokafka hand out records as its C parser makes them, without a `ConsumerRecord` around each.

A `ConsumerRecord` has eleven fields and costs 0.7 us, 8 % of what an event costs; the evaluator reads four of them, and the parser's
record has those. aiokafka has no hook for it, so the class that its fetcher makes is replaced; the version is pinned, and
every broker test runs on it.
"""

from __future__ import annotations

from typing import Any

from aiokafka.consumer import fetcher


class RawRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetched partition, as the parser makes them: key, value, offset, timestamp, headers."""

    def _consumer_record(self, tp: Any, record: Any) -> Any:  # noqa: ARG002 - aiokafka's signature
        return record


def use_raw_records() -> None:
    """Make every consumer of this process hand out raw records. Calling twice is safe.

    Raises:
        RuntimeError: aiokafka changed, and the records would still be wrapped.
    """
    if not hasattr(fetcher.PartitionRecords, "_consumer_record"):
        raise RuntimeError("aiokafka's PartitionRecords has no _consumer_record; see streams/drivers/raw_records.py")
    fetcher.PartitionRecords = RawRecords
