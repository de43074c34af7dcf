"""Fills the fact tables from compacted topics, and says how fresh they are.

A table is `ready` once its reader has stood at the end of every partition; the daemon waits for that before it joins its group. When a
topic gets more partitions, it is not ready until these have been read too.
Staleness is the time since the reader last stood at the end, not since the last change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog
from aiokafka import TopicPartition

from hegui.rules.fact_tables import CondemnedSource, Suspension
from hegui.rules.facts import FactStatus, FactTable, Filing, Notice, OptOut, Snapshot
from hegui.rules.optout_subjects import subject_defect
from hegui.rules.policy import PolicyError
from hegui.rules.waivers import Waiver, check_form
from hegui.streams.broker import reader, start_with_retry
from hegui.streams.errors import DecodeError
from hegui.streams.optout_index.choice import feed_of, table_of
from hegui.streams.settings import Settings
from hegui.streams.work_codes_feed import WorkCodesFeed

log = structlog.get_logger()

Bury = Callable[[str, int, Any, DecodeError], None]
"""Called for a record that is no fact: topic, partition, record, error."""


KINDS: dict[str, type[OptOut | Filing | Notice | Waiver | CondemnedSource | Suspension]] = {
    "optouts": OptOut,
    "filings": Filing,
    "notices": Notice,
    "waivers": Waiver,
    "sources": CondemnedSource,
    "suspensions": Suspension,
}
"""Fact to the type of its records."""


def declared_tables(settings: Settings) -> dict[str, FactTable[Any]]:
    """Return empty tables: `loading` where the settings name a topic, else `undeclared`."""
    declared = settings.topics.facts()
    tables: dict[str, Any] = {
        fact: FactTable(FactStatus.LOADING if fact in declared else FactStatus.UNDECLARED) for fact in KINDS
    }
    if "optouts" in declared:
        tables["optouts"] = table_of(settings)
    return tables


class FactsFeed:
    """Reads the fact topics into tables. Runs in the event loop of the evaluator, between batches."""

    def __init__(
        self,
        settings: Settings,
        tables: dict[str, FactTable[Any]],
        clock: Callable[[], float],
        bury: Bury,
        max_waiver_days: Callable[[], int] = lambda: 366,
    ) -> None:
        self.tables = tables
        self._settings = settings
        self._clock = clock
        self._bury = bury
        self._max_waiver_days = max_waiver_days
        self._topics = settings.topics.facts()
        self._fact_of = {topic: fact for fact, topic in self._topics.items()}
        self._decoders: dict[str, Any] = {fact: msgspec.json.Decoder(KINDS[fact]) for fact in self._topics}
        self._at_end: dict[str, float] = dict.fromkeys(self._topics, clock())
        self._optouts = feed_of(settings, tables["optouts"], clock)
        index: Any = tables["optouts"]
        self._codes = None if self._optouts is None else WorkCodesFeed(index)
        self.loaded = asyncio.Event()
        if not self._topics:
            self.loaded.set()

    def staleness_seconds(self) -> dict[str, float]:
        """Return fact to seconds since its reader last stood at the end."""
        now = self._clock()
        return {fact: max(0.0, now - at) for fact, at in self._at_end.items()}

    async def run(self) -> None:
        """Read until cancelled. A broker that goes away makes the facts stale, never empty."""
        if not self._topics:
            return
        consumer = reader(self._settings.kafka)
        await start_with_retry(consumer, "facts")
        try:
            partitions = [
                TopicPartition(topic, p)
                for topic in self._topics.values()
                for p in sorted(await self._partitions(consumer, topic))
            ]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            if self._optouts is not None:
                await self._optouts.begin(consumer, [p for p in partitions if self._fact_of[p.topic] == "optouts"])
            while True:
                if added := self._added(consumer, partitions):
                    await self._take_in(consumer, partitions, added)
                    partitions += added
                await self._read_once(consumer, partitions)
                if self._optouts is not None:
                    await self._optouts.tend()
        finally:
            if self._optouts is not None:
                await self._optouts.close()
            if self._codes is not None:
                await self._codes.close()
            await consumer.stop()

    @staticmethod
    async def _partitions(consumer: Any, topic: str) -> set[int]:
        while not (found := consumer.partitions_for_topic(topic)):
            await consumer._client.force_metadata_update()  # noqa: SLF001 - a consumer without subscription knows no topics yet
            consumer._client.add_topic(topic)  # noqa: SLF001
            await asyncio.sleep(0.1)
        return set(found)

    def _added(self, consumer: Any, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        """Return the partitions that topics have beside those that are read: the client asks the broker for them now and then."""
        return [
            found
            for topic in self._topics.values()
            for p in sorted(consumer.partitions_for_topic(topic) or ())
            if (found := TopicPartition(topic, p)) not in partitions
        ]

    async def _take_in(
        self, consumer: Any, partitions: Sequence[TopicPartition], added: Sequence[TopicPartition]
    ) -> None:
        """Read more partitions, from their beginning; their facts are not ready until that is done."""
        at = {p: await consumer.position(p) for p in partitions}
        paused = consumer.paused()
        halted = {p.topic for p in paused}
        consumer.assign([*partitions, *added])
        for partition, position in at.items():
            consumer.seek(partition, position)
        await consumer.seek_to_beginning(*added)
        consumer.pause(*paused, *[p for p in added if p.topic in halted])
        for fact in {self._fact_of[p.topic] for p in added}:
            self.tables[fact].status = FactStatus.LOADING
            log.info("facts_partitions_added", fact=fact)
        if self._optouts is not None:
            self._optouts.add([p for p in added if self._fact_of[p.topic] == "optouts"])

    async def _read_once(self, consumer: Any, partitions: Sequence[TopicPartition]) -> None:
        batch = await consumer.getmany(timeout_ms=500, max_records=2000)
        for partition, records in batch.items():
            fact = self._fact_of[partition.topic]
            for record in records:
                self.take(fact, partition.topic, partition.partition, record)
        try:
            ends = await consumer.end_offsets(partitions)
        except Exception as error:  # noqa: BLE001 - whatever keeps the broker from answering: the facts grow stale, an alert says so
            log.warning("facts_end_unknown", error=type(error).__name__)
            return
        behind: set[str] = set()
        for partition, end in ends.items():
            if await consumer.position(partition) < end:
                behind.add(self._fact_of[partition.topic])
        if self._optouts is not None and "optouts" not in behind:
            of_optouts = {p.partition: end for p, end in ends.items() if self._fact_of[p.topic] == "optouts"}
            known = self._codes is None or self._codes.complete()
            if not await self._optouts.at_end(of_optouts) or not known:
                behind.add("optouts")
        for fact in self._topics:
            if fact not in behind:
                self.stand_at_end(fact)

    def _put(self, table: Any, partition: int, record: Any, found: Any) -> None:
        if isinstance(table, FactTable):
            table.put(record.key, found)
        else:
            if self._codes is not None:
                self._codes.saw(found)
            table.put(partition, record.offset, record.key, found, record.value)

    def take(self, fact: str, topic: str, partition: int, record: Any) -> None:
        """Put one record into its table; a record that is no fact is buried and changes nothing."""
        table = self.tables[fact]
        if isinstance(table, FactTable):
            table.positions[partition] = record.offset + 1
        else:
            table.passed(partition, record.offset)
            if self._codes is not None:
                self._codes.passed(partition, record.offset)
        if record.key is None:
            self._bury(topic, partition, record, DecodeError("invalid_data", "a fact needs a key"))
            return
        if record.value is None:
            self._put(table, partition, record, None)
            return
        try:
            found = self._decoders[fact].decode(record.value)
            if isinstance(found, Waiver):
                check_form(found, self._max_waiver_days())
            # No event could ever be looked up under such a subject, and a user in another form must not be kept on disk.
            if isinstance(found, OptOut) and (defect := subject_defect(found.scheme, found.subject)) is not None:
                self._bury(topic, partition, record, DecodeError("invalid_data", f"{defect} - at `$.subject`"))
                return
            self._put(table, partition, record, found)
        except PolicyError:
            self._bury(topic, partition, record, DecodeError("invalid_data", "a waiver that may not be: see its form"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._bury(topic, partition, record, DecodeError("invalid_data", "not a record of " + fact))

    def stand_at_end(self, fact: str) -> None:
        """Note that the reader stands at the end of a fact's topic: the table is ready."""
        self._at_end[fact] = self._clock()
        if self.tables[fact].status is FactStatus.LOADING:
            self.tables[fact].status = FactStatus.READY
            log.info("facts_ready", fact=fact, records=len(self.tables[fact]))
        if all(self.tables[f].status is FactStatus.READY for f in self._topics):
            self.loaded.set()


def snapshot_of(policy: Any, tables: dict[str, FactTable[Any]]) -> Snapshot:
    """Return a snapshot over the live tables."""
    names = ("optouts", "filings", "notices", "waivers", "sources", "suspensions")
    return Snapshot(policy, *(tables[name] for name in names))
