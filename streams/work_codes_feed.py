"""Finds the ISCC in opt-outs that lie on disk, so that near duplicates can be told.

What comes from the topic is taken as it comes. A snapshot that covers more than was read is searched for codes, in a thread, at the
start as a rule; until then the opt-outs are not ready. Codes of opt-outs that are gone stay: which statement holds, the index says.
"""

from __future__ import annotations

import asyncio
import mmap
import re
from typing import TYPE_CHECKING

import structlog

from hegui.rules.fact_tables import OptOut

if TYPE_CHECKING:  # they need the extra `optouts`
    from hegui.streams.optout_index.snapshot_file import SnapshotFile
    from hegui.streams.optout_index.table import OptOutIndex

log = structlog.get_logger()

_CODE = re.compile(rb"iscc:\s*([a-z2-7]{10,128})")
"""In small letters."""
_LONGEST = 256
"""Bytes that a code takes at most; blanks beyond that make it no code."""
_PORTION = 1 << 20
"""Bytes searched at once: the search holds the interpreter for 1 to 2 ms. Ten million opt-outs take 1.2 to 2 s."""


class WorkCodesFeed:
    """Keeps the codes of one index complete."""

    def __init__(self, index: OptOutIndex) -> None:
        self._index = index
        self._log = ""
        self._known: dict[int, int] = {}
        """Partition to the next offset whose code, if it has one, is not known."""
        self._search: asyncio.Future[list[str]] | None = None
        self._searched: SnapshotFile | None = None

    def saw(self, record: OptOut | None) -> None:
        """Take the code of a record of the topic, if it has one."""
        if record is not None:
            self._index.codes.add(record.key())

    def passed(self, partition: int, offset: int) -> None:
        """Note that a record of the topic was read, whatever it was."""
        self._known[partition] = offset + 1

    def complete(self) -> bool:
        """Tell whether the codes of all that the index holds are known; begin or go on with what is missing."""
        file = self._index.file
        if self._search is not None:
            if not self._search.done():
                return False
            self._take()
        if file is None:
            return True
        if self._log and file.header.log != self._log:
            self._known = {}
        self._log = file.header.log
        covered = file.header.positions
        if all(self._known.get(partition, 0) >= offset for partition, offset in covered.items()):
            return True
        self._searched = file
        # Its own mapping: the file may be closed by a newer one while the thread reads.
        self._search = asyncio.get_running_loop().run_in_executor(None, codes_in, file.mapped(), file.at.values)
        return False

    def _take(self) -> None:
        assert self._search is not None
        assert self._searched is not None
        search, file = self._search, self._searched
        self._search = self._searched = None
        codes = search.result()
        for code in codes:
            self._index.codes.add(("work", "iscc:" + code))
        if file.header.log == self._log:
            for partition, offset in file.header.positions.items():
                self._known[partition] = max(offset, self._known.get(partition, 0))
        log.info("optouts_codes_known", codes=len(self._index.codes))

    async def close(self) -> None:
        """Wait for the thread."""
        if self._search is not None:
            await asyncio.wait([self._search])


def codes_in(content: mmap.mmap, start: int) -> list[str]:
    """Return the ISCC in the values of a snapshot, in capitals and without their scheme, each once. Closes the mapping."""
    with content:
        found: set[str] = set()
        for place in range(start, len(content), _PORTION):
            portion = content[place : place + _PORTION + _LONGEST].lower()
            matches = [match for match in _CODE.finditer(portion) if match.start() < _PORTION]
            found.update(match[1].decode().upper() for match in matches)
        return sorted(found)
