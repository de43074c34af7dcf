"""Where a snapshot lies: one process on a machine writes it, the others read it."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

import msgspec
import structlog

from hegui.streams.errors import SettingsError
from hegui.streams.optout_index.keys import form
from hegui.streams.optout_index.layout import FORMAT, SNAPSHOT, SnapshotError
from hegui.streams.optout_index.snapshot_file import SnapshotFile
from hegui.streams.optout_index.spool import BROKEN, ROWS, VALUES, Order, Spool

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

log = structlog.get_logger()

LOCK = "lock"
LOOK_SECONDS = 0.05
"""How often the builder is looked at."""


class BuildError(Exception):
    """No snapshot was written, for a reason outside the files; its text is one sentence."""


class Folder:
    """The folder of one topic's snapshots in one form. Topics and versions that share the folder of the settings do not meet."""

    def __init__(self, parent: Path, topic: str) -> None:
        """Make the folder.

        Raises:
            SettingsError: it cannot be made or written to.
        """
        self.form = form()
        self._topic = topic
        self.path = parent / f"{topic}-{FORMAT}-{self.form}"
        self._lock_fd = -1
        if fcntl is None:
            raise SettingsError("settings: facts.optouts_folder is set, but this system has no flock; remove it")
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise SettingsError(
                f"settings: facts.optouts_folder is {str(parent)!r}, which cannot be written to ({error.strerror}); name another folder"
            ) from None

    # -- the lock

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes."""
        return self._lock_fd >= 0

    def lock(self) -> bool:
        """Become the process that writes, if there is none; return whether this one is. Does not wait."""
        if self._lock_fd < 0:
            try:
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)  # somebody may have removed it
                fd = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:  # too many open files, say
                log.warning("optouts_folder_not_locked", problem=error.strerror)
                return False
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return False
            self._lock_fd = fd
            for left in (ROWS, VALUES, SNAPSHOT + ".tmp"):  # of a writer that was killed
                (self.path / left).unlink(missing_ok=True)
        return True

    def close(self) -> None:
        """Let another process write. Calling twice is safe."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    # -- the snapshot

    def open(self) -> SnapshotFile:
        """Open the snapshot.

        Raises:
            FileNotFoundError: there is none.
            SnapshotError: it must not be used.
            OSError: it cannot be opened at present: too many open files, say. That says nothing against it.
        """
        try:
            file = SnapshotFile(self.path / SNAPSHOT, self.form)
        except OSError as error:
            if error.errno not in {errno.EIO, errno.EISDIR}:
                raise
            raise SnapshotError(f"{SNAPSHOT} cannot be read ({error.strerror})") from None
        if file.header.log.split("/")[1:2] != [self._topic]:
            raise SnapshotError(f"{SNAPSHOT} is of another topic ({file.header.log})")
        return file

    def present(self) -> tuple[int, int, int] | None:
        """Return which file has the snapshot's name now (`SnapshotFile.identity`), None when there is none."""
        try:
            found = (self.path / SNAPSHOT).stat()
        except OSError:
            return None
        return (found.st_dev, found.st_ino, found.st_mtime_ns)

    def remove(self, only: tuple[int, int, int] | None = None) -> None:
        """Remove the snapshot, so that it is made anew from the topic.

        Args:
            only: the one that is meant (`present`); None: whichever is there.
        """
        if only is not None and self.present() != only:
            return
        (self.path / SNAPSHOT).unlink(missing_ok=True)

    def spool(self) -> Spool:
        """Return an empty spool. Only for the process that writes."""
        assert self.writes
        return Spool(self.path)

    async def build(self, order: Order, before: SnapshotFile | None) -> None:
        """Write a snapshot from the spool and the one before, in a process of its own; cancelling ends that process.

        It inherits the lock: if this process is killed, no other writes before that one has ended.

        Raises:
            SnapshotError: the one before is damaged. BuildError: it was not written.
        """
        command = [sys.executable, "-m", "hegui.streams.optout_index.build", *([str(before.fd)] if before else [])]
        # Files for its input and output: nothing here has to be awaited, so that a cancellation at any moment finds the process.
        with TemporaryFile() as given, TemporaryFile() as said:
            given.write(msgspec.json.encode(order))
            given.seek(0)
            process = subprocess.Popen(  # noqa: ASYNC220 - a few ms; asyncio's own leaves the process behind when it is cancelled as it starts
                command,
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=said,
                pass_fds=[self._lock_fd, *([before.fd] if before else [])],
            )
            try:
                while process.poll() is None:  # noqa: ASYNC110 - its end is no event of this loop
                    await asyncio.sleep(LOOK_SECONDS)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            said.seek(0)
            lines = said.read().decode("utf-8", "replace").strip().splitlines()
        sentence = lines[-1] if lines else "nothing said"
        if process.returncode == BROKEN:
            raise SnapshotError(sentence)
        if process.returncode:
            raise BuildError(f"{sentence} (exit code {process.returncode})")
