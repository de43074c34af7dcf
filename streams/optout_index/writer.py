"""Writes snapshots of an index in the background, while the stream goes on. For the process that holds the folder's lock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from hegui.streams.optout_index.folder import BuildError, Folder
from hegui.streams.optout_index.layout import SNAPSHOT, SnapshotError
from hegui.streams.optout_index.snapshot_file import SnapshotFile
from hegui.streams.optout_index.spool import Order, Recent, Spool
from hegui.streams.optout_index.table import OptOutIndex

log = structlog.get_logger()

AGAIN_SECONDS = 30.0
"""How long to wait after a snapshot could not be written."""
MOST_AGE_SECONDS = 86_400
"""After how long a snapshot is written although few records have come."""
SLICE = 500
"""Records appended to the spool between two turns of the event loop: 1 ms."""


class Writer:
    """The snapshot that is being written, if any."""

    def __init__(self, index: OptOutIndex, folder: Folder, most_recent: int, clock: Callable[[], float]) -> None:
        self._index = index
        self._folder = folder
        self._most_recent = most_recent
        self._clock = clock
        self._spool: Spool | None = None
        self._task: asyncio.Task[None] | None = None
        self._again_at = clock()
        self._ordered: tuple[str, dict[int, int]] = ("", {})
        self.current_at = 0
        """When the index last knew all that the topic said, epoch seconds."""
        self.renew_seconds = 0.0
        """How far a snapshot may fall behind `current_at`, although no records have come."""

    @property
    def busy(self) -> bool:
        """Whether one is being written, or was written and not yet asked for (`outcome`)."""
        return self._task is not None

    @property
    def may_try(self) -> bool:
        """Whether enough time has passed since the last failure."""
        return self._clock() >= self._again_at

    @property
    def spooling(self) -> bool:
        """Whether records that memory no longer holds lie in the spool."""
        return self._spool is not None

    @property
    def full(self) -> bool:
        """Whether memory holds as many records as it should."""
        return self._index.recent_records >= self._most_recent

    def due(self) -> bool:
        """Tell whether a snapshot of the ready index is to be written now."""
        if self.busy or not self.may_try:
            return False
        file = self._index.file
        if file is None or self._folder.present() is None or self.full:
            return True
        if self.current_at - file.header.current_at >= self.renew_seconds:
            return True
        return self._index.recent_records > 0 and time.time() - file.header.written_at >= MOST_AGE_SECONDS

    async def to_spool(self) -> None:
        """Move what is in memory to the spool. Only while the index is not ready and nothing is being written.

        Raises:
            OSError: the disk is full.
        """
        if self._spool is None:
            self._spool = self._folder.spool()
        await _append(self._spool, self._index.recent())
        self._spool.flush()
        self._index.forget_recent()

    def write_first(self, log_name: str) -> None:
        """Make a snapshot of the spool alone, in the background. All that was read must be in it."""
        assert self._spool is not None
        self._task = asyncio.create_task(self._folder.build(self._order(log_name, self._index.positions), None))

    def write(self, log_name: str) -> None:
        """Write a snapshot of the present one and the records since, in the background."""
        self._task = asyncio.create_task(self._write(log_name))

    async def _write(self, log_name: str) -> None:
        # One moment: nothing is read between these two.
        records, order = self._index.recent(), self._order(log_name, self._index.positions)
        file = self._index.file
        spool = self._folder.spool()
        try:
            await _append(spool, records)
        finally:
            spool.close()
        await self._folder.build(order, file)

    def _order(self, log_name: str, positions: dict[int, int]) -> Order:
        self._ordered = (log_name, dict(positions))
        return Order(
            folder=str(self._folder.path),
            form=self._folder.form,
            log=log_name,
            seed=self._index.seed,
            positions=dict(positions),
            written_at=round(time.time()),
            current_at=self.current_at,
            user_keys=dict(self._index.user_keys),
        )

    def written(self) -> SnapshotFile | None:
        """Return the snapshot, opened, when one has just been written.

        Raises:
            SnapshotError: the one before is damaged, or the new one cannot be used.
        """
        if self._task is None or not self._task.done():
            return None
        task, self._task = self._task, None
        try:
            task.result()
            made = self._folder.open()
            if (made.header.log, made.header.positions) != self._ordered:
                raise SnapshotError(f"{SNAPSHOT} is not the one that was written")
        except (BuildError, OSError) as error:
            self.failed(error)
            return None
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        return made

    def failed(self, error: Exception) -> None:
        """Tell that a snapshot was not written, and wait a while before the next attempt."""
        log.error("optouts_snapshot_not_written", problem=str(error))
        self._again_at = self._clock() + AGAIN_SECONDS

    async def stop(self) -> None:
        """End what is being written, and forget the spool. Calling twice is safe."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._spool is not None:
            spool, self._spool = self._spool, None
            with suppress(OSError):  # a full disk: what is buffered is given up anyway
                spool.close()


async def _append(spool: Spool, records: list[tuple[bytes, Recent]]) -> None:
    for start in range(0, len(records), SLICE):
        spool.append(records[start : start + SLICE])
        await asyncio.sleep(0)
