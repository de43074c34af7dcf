"""Which importer reads a file: by its name, or as told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from hegui.streams.optouts import csv_lists, html_metas, http_messages, json_lists, robots, rsl, tdmrep
from hegui.streams.optouts.normal_form import Reading
from hegui.streams.optouts.scopes import Said

Found = Iterator[Said]

DOCUMENTS: dict[str, tuple[Callable[[bytes, Reading], Found], int]] = {
    "robots": (robots.read, robots.MAX_BYTES),
    "tdmrep": (tdmrep.read, tdmrep.MAX_BYTES),
    "rsl": (rsl.read, rsl.MAX_BYTES),
    "http": (http_messages.read, http_messages.MAX_BYTES),
    "html": (html_metas.read, html_metas.MAX_BYTES),
    "json": (json_lists.read_document, json_lists.MAX_BYTES),
}
"""Format to its importer and its limit, bytes. They are read whole, up to one byte more than the limit."""

LISTS: dict[str, Callable[[Iterable[bytes], Reading], Found]] = {
    "csv": csv_lists.read,
    "jsonl": json_lists.read_lines,
}
"""Format to its importer; lists are read line by line, so that their length does not matter."""

FORMATS = (*DOCUMENTS, *LISTS)

_ENDINGS = {
    ".xml": "rsl",
    ".rsl": "rsl",
    ".http": "http",
    ".html": "html",
    ".htm": "html",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
}
_OF_SITE = re.compile(r"(?:(?P<site>.+)\.)?(?P<name>robots\.txt|tdmrep\.json)", re.IGNORECASE)


def format_of(name: str) -> str | None:
    """Return the format of a file by its name, None when it tells none."""
    if found := _OF_SITE.fullmatch(name):
        return "robots" if found["name"].lower() == "robots.txt" else "tdmrep"
    return _ENDINGS.get(Path(name).suffix.lower())


def site_of(name: str) -> str | None:
    """Return the site in a file's name: `example.com.robots.txt` was read at `https://example.com/`."""
    found = _OF_SITE.fullmatch(name)
    return f"https://{found['site']}/" if found and found["site"] else None


def read(file: BinaryIO, form: str, reading: Reading, progress: Callable[[int], None] = lambda _: None) -> Found:
    """Yield the statements of a file and what is to be told of its rows. Never raises for what stands in the file.

    Args:
        file: it, at its beginning.
        form: one of `FORMATS`.
        reading: where and when it was read; `evidence` is the name of a list, and is set to the SHA-256 of a document.
        progress: called with the number of bytes read since the last call.
    """
    if form in LISTS:

        def lines() -> Iterator[bytes]:
            for line in file:
                progress(len(line))
                yield line

        yield from LISTS[form](lines(), reading)
        return
    importer, limit = DOCUMENTS[form]
    if form == "rsl":  # the file is all of its site's licences that is known; a fetch may read several
        yield from rsl.scope(reading)
    content = file.read(limit + 1)
    progress(len(content))
    yield from importer(content, reading._replace(evidence="sha256:" + sha256(content).hexdigest()))
