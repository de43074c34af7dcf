"""How far the sweeper has come: one record on a compacted topic, so that it goes on where it was, however long it stood still."""

from __future__ import annotations

from typing import Any

import msgspec
from aiokafka import TopicPartition

from hegui.streams.broker import reader, start_with_retry
from hegui.streams.settings import Settings
from hegui.streams.stored import decode_stored, encode_stored

VERSION = 1
"""Version of `SweepProgress` that this process writes; it reads older ones."""


class RunningSweep(msgspec.Struct, frozen=True):
    """A sweep that has not ended."""

    optouts_to: dict[str, int]
    """Partition of the opt-outs to the next offset that is not part of this sweep."""
    ends: dict[str, int]
    """`topic/partition` of the inputs to the next offset that is not part of this sweep."""
    positions: dict[str, int]
    """`topic/partition` of the inputs to the next offset to read."""
    begun_ms: int
    """When it began, epoch milliseconds."""


class SweepProgress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the sweeper has come; a record on the topic of sweeps, under the consumer group of the evaluators."""

    swept: dict[str, int] = {}
    """Partition of the opt-outs to the next offset for which no sweep has ended."""
    running: RunningSweep | None = None
    """The sweep that has not ended."""
    version: int = msgspec.field(default_factory=lambda: 1)
    """Version of this struct, always written; 1 where an entry says none."""


_progress = msgspec.json.Decoder(SweepProgress)


class ProgressStore:
    """The topic. One sweeper writes at a time; when two do, each record is true by itself."""

    def __init__(self, settings: Settings, producer: Any) -> None:
        self._settings = settings
        self._producer = producer
        self._key = settings.kafka.group_id.encode()

    async def read(self) -> SweepProgress:
        """Return the last record of this deployment; an empty one when there is none.

        Raises:
            StateVersionError: a newer hegui wrote it.
        """
        consumer = reader(self._settings.kafka)
        await start_with_retry(consumer, "sweeps")
        found = SweepProgress()
        try:
            source = TopicPartition(self._settings.topics.sweeps, 0)
            consumer.assign([source])
            end = (await consumer.end_offsets([source]))[source]
            await consumer.seek_to_beginning(source)
            while await consumer.position(source) < end:
                for record in (await consumer.getmany(source, timeout_ms=1000)).get(source, ()):
                    if record.key == self._key and record.value is not None:
                        found = decode_stored(record.value, _progress, VERSION, "the progress of sweeps")
        finally:
            await consumer.stop()
        return found

    async def write(self, progress: SweepProgress) -> None:
        """Store a record; it is acknowledged when this returns.

        Raises:
            KafkaError: the broker refused it.
        """
        await self._producer.send_and_wait(
            self._settings.topics.sweeps, encode_stored(progress, VERSION), key=self._key
        )


class MemoryStore:
    """Keeps progress for one run by hand."""

    def __init__(self, progress: SweepProgress) -> None:
        self._progress = progress

    async def read(self) -> SweepProgress:
        """Return the last one."""
        return self._progress

    async def write(self, progress: SweepProgress) -> None:
        """Keep one."""
        self._progress = progress


Store = ProgressStore | MemoryStore
