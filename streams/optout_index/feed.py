"""Keeps the index beside its topic: where to begin, when a snapshot is written or taken over, and what happens when the log is another.

    waiting     another process writes the first snapshot, or the broker does not answer; nothing is read
    loading     no snapshot: the whole topic goes into the first one
    following   a snapshot and the records since
    lost        the log is not the one that the snapshot rests on: not ready, until somebody has looked

The index is never ready unless it knows all that the topic says. Called by `facts_feed.FactsFeed` between two fetches, in the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from hegui.rules.fact_tables import FactStatus
from hegui.streams.optout_index.folder import Folder
from hegui.streams.optout_index.layout import SNAPSHOT, SnapshotError
from hegui.streams.optout_index.log_identity import identity_of
from hegui.streams.optout_index.snapshot_file import SnapshotFile
from hegui.streams.optout_index.table import OptOutIndex
from hegui.streams.optout_index.tombstones import SETTING, tombstones_kept_seconds
from hegui.streams.optout_index.writer import Writer

log = structlog.get_logger()

LOOK_SECONDS = 1.0
"""How often the folder is looked at: for a newer snapshot, a free lock, a file removed."""
IDENTITY_SECONDS = 10.0
"""How often the broker is asked whether the topic is still the same."""
USABLE = 0.9
"""How old a snapshot may be when it is taken up, as a part of the time for which the topic keeps its tombstones."""
RENEW = 0.25
"""After what part of this time a snapshot is written anew although nothing has come."""


class State(StrEnum):
    """See the module."""

    WAITING = "waiting"
    LOADING = "loading"
    FOLLOWING = "following"
    LOST = "lost"


class OptOutFeed:
    """One process' view of the folder and the topic."""

    def __init__(
        self, index: OptOutIndex, folder: Folder, topic: str, most_recent: int, clock: Callable[[], float]
    ) -> None:
        """Nothing is read before `begin`.

        Args:
            index: filled by the caller's `put`.
            folder: of the snapshots.
            topic: of the opt-outs.
            most_recent: after how many records since the snapshot a new one is written.
            clock: seconds, for pauses.
        """
        self.state = State.WAITING
        self._index = index
        self._folder = folder
        self._writer = Writer(index, folder, most_recent, clock)
        self._topic = topic
        self._clock = clock
        self._consumer: Any = None
        self._partitions: tuple[TopicPartition, ...] = ()
        self._log_name = ""
        self._looked_at = self._identified_at = clock()
        self._kept_seconds = 0.0
        """How long the topic keeps its tombstones."""
        self._passed_over: tuple[int, int, int] | None = None
        """A snapshot that must not be used: older than what is known, or of the log that was lost."""

    # -- called by the facts feed

    async def begin(self, consumer: Any, partitions: Iterable[TopicPartition]) -> None:
        """Choose where to begin and seek there.

        Args:
            consumer: assigned to the partitions, among others.
            partitions: of the topic.
        """
        self._consumer, self._partitions = consumer, tuple(partitions)
        await self._start()

    def add(self, partitions: Iterable[TopicPartition]) -> None:
        """Follow partitions that the topic has got since then; they are assigned, and stand at their beginning."""
        self._partitions += tuple(partitions)

    async def tend(self) -> None:
        """Do what is due. Called after every fetch."""
        try:
            written = self._writer.written()
        except SnapshotError as error:
            self._index.damage = str(error)
        else:
            if written is not None and self.state in {State.LOADING, State.FOLLOWING} and self._adopt(written):
                self.state = State.FOLLOWING
        if self._index.damage and self.state is not State.LOST:
            await self._anew()
        if self.state is State.LOADING and self._writer.full and not self._writer.busy:
            await self._to_spool()
        now = self._clock()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            await self._look()

    async def at_end(self, ends: Mapping[int, int]) -> bool:
        """Tell whether the index knows all that the topic says, now that everything up to the ends was read.

        Args:
            ends: partition to the next offset of the log, of all partitions that are followed.
        """
        # A snapshot of another process may know of partitions that this one is yet to hear of.
        followed = {partition: at for partition, at in self._index.positions.items() if partition in ends}
        if self.state is State.FOLLOWING and (missing := _missing(followed, ends)):
            self._lose(missing)
        if self.state in {State.LOADING, State.FOLLOWING}:
            self._writer.current_at = int(time.time())
        if self.state is State.LOADING and not self._writer.busy:
            if not self._writer.spooling:
                # All of it is in memory; the first snapshot is written like the later ones.
                self.state = State.FOLLOWING
            elif self._writer.may_try and await self._to_spool():
                self._writer.write_first(self._log_name)
        return self.state is State.FOLLOWING and not self._index.damage

    async def close(self) -> None:
        """End what runs, and let another process write."""
        await self._writer.stop()
        self._folder.close()

    # -- where to begin

    async def _start(self) -> None:
        consumer, partitions = self._consumer, self._partitions
        try:
            self._log_name = await identity_of(consumer, self._topic)
            self._kept_seconds = await tombstones_kept_seconds(consumer, self._topic)
            beginnings = await consumer.beginning_offsets(partitions)
            ends = await consumer.end_offsets(partitions)
        except (KafkaError, LookupError, OSError) as error:
            log.warning("optouts_log_unknown", error=type(error).__name__)
            self._wait()
            return
        self._writer.current_at, self._writer.renew_seconds = 0, RENEW * self._kept_seconds
        await consumer.seek_to_beginning(*partitions)
        try:
            file = self._folder.open()
        except FileNotFoundError:
            self._load()
        except SnapshotError as error:
            log.warning("optouts_snapshot_refused", problem=str(error))
            self._load(remove=True)
        except OSError as error:
            self._not_opened(error)
            self._wait()
        else:
            covered = file.header.positions
            problem = _missing(covered, {p.partition: end for p, end in ends.items()})
            for partition, beginning in beginnings.items():
                if covered.get(partition.partition, beginning) < beginning:
                    problem = f"partition {partition.partition} begins at {beginning}, after the end of the snapshot"
            if file.header.log != self._log_name:
                problem = f"the snapshot is of the log {file.header.log}, the topic is {self._log_name}"
            if problem:
                self._lose(problem)
            elif time.time() - file.header.current_at > USABLE * self._kept_seconds:
                # A removal since then may have gone with its tombstone, and what it removed would be believed for ever.
                log.warning(
                    "optouts_snapshot_outdated",
                    hours=round((time.time() - file.header.current_at) / 3600),
                    tombstones_kept_hours=round(self._kept_seconds / 3600),
                    remedy=f"nothing, or set {SETTING} of {self._topic} to more",
                )
                self._load(remove=True)
            else:
                self._follow(file)

    def _wait(self) -> None:
        self.state = State.WAITING
        self._consumer.pause(*self._partitions)

    def _follow(self, file: SnapshotFile) -> None:
        """Read on from where the snapshot ends."""
        self._adopt(file)
        self.state = State.FOLLOWING
        for partition in self._partitions:
            if partition.partition in file.header.positions:
                self._consumer.seek(partition, file.header.positions[partition.partition])
        self._consumer.resume(*self._partitions)

    def _load(self, *, remove: bool = False) -> None:
        """Read the whole topic, or wait until the process that does has written the snapshot."""
        if not self._writer.may_try or not self._folder.lock():
            self._wait()
            return
        if remove:
            self._folder.remove()
        self.state = State.LOADING
        self._consumer.resume(*self._partitions)
        log.info("optouts_loading")

    def _lose(self, problem: str) -> None:
        """Stop: the log may lack what the snapshot says, and the snapshot what the log says."""
        remedy = f"publish the opt-outs again, then remove {self._folder.path / SNAPSHOT}"
        log.error("optouts_log_lost", problem=problem, remedy=remedy)
        self.state, self._index.status = State.LOST, FactStatus.LOADING
        self._passed_over = self._folder.present()
        self._consumer.pause(*self._partitions)

    async def _anew(self) -> None:
        """Forget everything, and a damaged snapshot too, and begin again."""
        log.error("optouts_snapshot_damaged", problem=self._index.damage)
        await self._writer.stop()
        if self._index.file is not None and self._folder.present() == self._index.file.identity:
            self._folder.remove()
        self._index.reset()
        await self._start()

    # -- while it runs

    async def _to_spool(self) -> bool:
        """Make room in memory while loading; return whether all of it is in the spool."""
        try:
            await self._writer.to_spool()
        except OSError as error:
            self._writer.failed(error)
            await self._writer.stop()
            self._index.reset()
            self._wait()
            return False
        return True

    async def _look(self) -> None:
        """Look at the folder, and now and then at the topic."""
        if self.state is State.WAITING:
            await self._start()
        elif self.state is State.LOST:
            if self._folder.present() != self._passed_over:
                await self._writer.stop()
                self._index.reset()
                await self._start()
        else:
            if self.state is State.FOLLOWING:
                self._take_over()
                if self._folder.lock() and self._writer.due():
                    self._writer.write(self._log_name)
            await self._identify()

    async def _identify(self) -> None:
        if self._clock() - self._identified_at < IDENTITY_SECONDS:
            return
        self._identified_at = self._clock()
        try:
            found = await identity_of(self._consumer, self._topic)
        except (KafkaError, LookupError, OSError) as error:
            log.warning("optouts_log_unknown", error=type(error).__name__)
            return
        if found != self._log_name:
            self._lose(f"the topic was {self._log_name}, now it is {found}")

    def _take_over(self) -> None:
        """Use a snapshot that another process has written."""
        present, file = self._folder.present(), self._index.file
        if (
            present is None
            or present == self._passed_over
            or self._writer.busy
            or (file is not None and file.identity == present)
        ):
            return
        try:
            self._adopt(self._folder.open())
        except SnapshotError as error:
            log.warning("optouts_snapshot_refused", problem=str(error))
            self._folder.remove(only=present)
        except OSError as error:  # removed meanwhile, or nothing can be opened here: it is the snapshot of others too
            self._not_opened(error)

    @staticmethod
    def _not_opened(error: OSError) -> None:
        log.warning("optouts_snapshot_not_opened", problem=error.strerror)

    def _adopt(self, file: SnapshotFile) -> bool:
        before = self._index.file
        if file.header.log == self._log_name and self._index.adopt(file):
            self._writer.current_at = max(self._writer.current_at, file.header.current_at)
            if before is not None:
                asyncio.get_running_loop().run_in_executor(None, before.close)
            log.info("optouts_snapshot_opened", entries=file.header.entries, recent=self._index.recent_records)
            return True
        self._passed_over = file.identity
        log.warning("optouts_snapshot_passed_over", entries=file.header.entries)
        return False


def _missing(positions: Mapping[int, int], ends: Mapping[int, int]) -> str:
    """Return what the log lacks at its end of what was read, an empty text when it is all there."""
    for partition, position in sorted(positions.items()):
        if ends.get(partition, 0) < position:
            return f"partition {partition} ends at {ends.get(partition, 0)}, read was up to {position}"
    return ""
