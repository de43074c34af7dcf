"""Records on their way into a snapshot: two files that the process appends to and the builder reads, and what it tells the builder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from hegui.streams.optout_index.keys import Hashes
from hegui.streams.optout_index.layout import ROW, value_check

ROWS, VALUES = "spool.rows", "spool.values"


class Recent(NamedTuple):
    """A record of the topic that no snapshot holds yet."""

    partition: int
    offset: int
    hashes: Hashes
    """Of its key, host and site."""
    value: bytes | None
    """The record's value; None for a tombstone."""


BROKEN = 3
"""Exit code of the builder: the snapshot before is damaged."""


class Order(msgspec.Struct, frozen=True):
    """What is to be built."""

    folder: str
    """Where the spool lies, and where the snapshot goes."""
    form: str
    """`keys.form()`."""
    log: str
    """`log_identity.identity_of`."""
    seed: int
    """Of the hashes in the spool."""
    positions: dict[int, int]
    """What the snapshot will cover."""
    written_at: int
    """Epoch seconds."""
    current_at: int
    """When all that the topic said had been read, epoch seconds."""
    user_keys: dict[str, int] = {}
    """`OptOutIndex.user_keys`."""


class Spool:
    """Appends to the spool of a folder, in the order of the log; empties it first. One process at a time: the one that holds the folder's lock."""

    def __init__(self, folder: Path) -> None:
        self._rows = (folder / ROWS).open("wb")
        self._values = (folder / VALUES).open("wb")
        for file in (ROWS, VALUES):
            (folder / file).chmod(0o600)
        self._place = 0

    def append(self, records: Iterable[tuple[bytes, Recent]]) -> None:
        """Append records with their ids. A tombstone is a row without value.

        Raises:
            OSError: the disk is full.
        """
        rows, values, place = [], [], self._place
        for record_id, (_, offset, (key, host, site), value) in records:
            if value is None:
                rows.append(ROW.pack(0, place, 0, 0, offset, record_id, 0, 0))
                continue
            rows.append(ROW.pack(key, place, len(value), value_check(value), offset, record_id, host, site))
            values.append(value)
            place += len(value)
        self._rows.write(b"".join(rows))
        self._values.write(b"".join(values))
        self._place = place

    def flush(self) -> None:
        """Let the builder see what was appended."""
        self._rows.flush()
        self._values.flush()

    def close(self) -> None:
        """Write out what is buffered.

        Raises:
            OSError: the disk is full. The files are closed all the same.
        """
        try:
            self._rows.close()
        finally:
            self._values.close()
