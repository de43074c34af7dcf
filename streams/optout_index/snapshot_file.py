"""A snapshot opened for lookups: filter, fences and checks are mapped, rows and values are read when the filter says maybe."""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from hegui.streams.optout_index.layout import (
    BLOCK,
    BLOCK_ROWS,
    MAX_HEADER,
    PAGE,
    PREFIX,
    ROW,
    Header,
    SnapshotError,
    decode_header,
    hot_check,
    places,
    value_check,
)


class Stored(NamedTuple):
    """One row and its value."""

    record: bytes
    """Record id (`keys.record_id`)."""
    offset: int
    """Of the record on its partition."""
    value: bytes
    """The record's value."""


class SnapshotFile:
    """One snapshot. Rows are read by `pread`, not mapped: what a process keeps in memory does not grow with the hits.

    A file is never changed after it has its name, and keeps its content while it is open, also when a newer one takes its name.
    """

    def __init__(self, path: Path, form: str, fd: int | None = None) -> None:
        """Open and verify. Reads header, filter, fences and checks (3 bytes an entry), no rows.

        Args:
            path: its name.
            form: the form of opt-outs wanted, `keys.form()`.
            fd: a descriptor of the file, which is then taken over instead of opening it by name.

        Raises:
            FileNotFoundError: there is none.
            SnapshotError: it is broken, of another form, or of a newer version.
        """
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC) if fd is None else fd
        try:
            self._open(form)
        except BaseException:
            self.close()
            raise

    def _open(self, form: str) -> None:
        found = os.fstat(self.fd)
        self.identity = (found.st_dev, found.st_ino, found.st_mtime_ns)
        """Which file of this name it is."""
        front = os.pread(self.fd, PAGE, 0)
        if len(front) >= PREFIX.size:
            wanted = PREFIX.size + min(PREFIX.unpack_from(front)[2], MAX_HEADER) + 16
            front = os.pread(self.fd, wanted, 0) if wanted > len(front) else front
        header, header_bytes = decode_header(front, self.path)
        name = self.path.name
        if header.form != form:
            raise SnapshotError(f"{name} holds opt-outs in the form of another version")
        at = places(header, header_bytes)
        if found.st_size != at.end:
            raise SnapshotError(f"{name} has {found.st_size} bytes instead of {at.end}")
        self.header: Header = header
        self.at = at
        self._map = mmap.mmap(self.fd, at.rows, prot=mmap.PROT_READ)
        whole = memoryview(self._map)
        parts = (whole[at.filter : at.fences], whole[at.fences : at.checks], whole[at.checks : at.rows])
        if hot_check(*parts) != header.hot_check:
            raise SnapshotError(f"{name} has a damaged filter")
        self.filter, fences, checks = parts
        self._fences, self.checks = fences.cast("Q"), checks.cast("Q")

    def mapped(self) -> mmap.mmap:
        """Return the whole file, mapped, for reading it from end to end."""
        return mmap.mmap(self.fd, self.at.end, prot=mmap.PROT_READ)

    def close(self) -> None:
        """Give the file back; no lookup may follow. Calling twice is safe.

        Blocks without the GIL: the kernel takes 0.25 s to free 2 GB that have no name any more.
        """
        if self.fd < 0:
            return
        fd, self.fd = self.fd, -1
        if hasattr(self, "_fences"):
            with suppress(BufferError):  # whoever still looks things up in it keeps it mapped
                for view in (self._fences, self.checks, self.filter):
                    view.release()
                self._map.close()
        os.close(fd)

    def __del__(self) -> None:
        if hasattr(self, "fd"):  # else it was never opened
            self.close()

    def find(self, hash_: int) -> Iterator[Stored]:
        """Yield the rows of a hash, in any order. They are read when they are asked for: a host may have many.

        Raises:
            SnapshotError: what was read is damaged, or cannot be read.
        """
        fences = self._fences
        block = max(0, bisect_left(fences, hash_) - 1)
        while block < len(fences) and fences[block] <= hash_:
            rows = self._block(block)
            hashes = memoryview(rows).cast("Q")[:: ROW.size // 8].tolist()
            first = bisect_left(hashes, hash_)
            for row in range(first, len(hashes)):
                if hashes[row] != hash_:
                    return
                _, place, length, check, offset, record, *_ = ROW.unpack_from(rows, row * ROW.size)
                value = self._read(self.at.values + place, length)
                if value_check(value) != check:
                    raise SnapshotError(f"{self.path.name} has a damaged value")
                yield Stored(record, offset, value)
            block += 1

    def _block(self, number: int) -> bytes:
        rows = min(BLOCK_ROWS, self.header.entries - number * BLOCK_ROWS)
        block = self._read(self.at.rows + number * BLOCK, rows * ROW.size)
        if xxh3_64_intdigest(block) != self.checks[number]:
            raise SnapshotError(f"{self.path.name} has a damaged block of rows")
        return block

    def _read(self, place: int, length: int) -> bytes:
        try:
            found = os.pread(self.fd, length, place)
        except OSError as error:
            raise SnapshotError(f"{self.path.name} cannot be read ({error.strerror})") from None
        if len(found) != length:
            raise SnapshotError(f"{self.path.name} ends too early")
        return found
