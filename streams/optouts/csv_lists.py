"""Lists of opt-outs as CSV with a header line. A row is one line: a quote that is never closed spoils its own row only. RFC 4180 but for that."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from hegui.streams.errors import OptOutError
from hegui.streams.optouts.normal_form import Reading
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.rows import COLUMNS, row_statement
from hegui.streams.optouts.scopes import Said, Scope

MAX_LINE = 100_000
"""Longest line, bytes."""


def read(lines: Iterable[bytes], reading: Reading) -> Iterator[Said]:
    """Yield the statements of a list. The header names the columns, in any order; the separator is a comma or a semicolon."""
    yield Scope(reading.at_ms, (reading.source,))
    header: list[str] | None = None
    separator = ","
    for number, raw in enumerate(lines, 1):
        line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        if not line.strip():
            continue
        try:
            text = _decoded(line)
            if header is None:
                separator = ";" if text.count(";") > text.count(",") else ","
                header = [name.strip().lower() for name in _cells(text, separator)]
                if not {"scheme", "subject", "value"} <= set(header) or len(set(header)) != len(header):
                    yield Remark(number, "no_header")
                    return
                continue
            cells = _cells(text, separator, len(header))
            row = {name: cell for name, cell in zip(header, cells, strict=True) if name in COLUMNS}
            yield from row_statement(row, reading, number)
        except OptOutError as error:
            yield Remark(number, error.reason)
            if header is None:
                return


def _decoded(line: bytes) -> str:
    if len(line) > MAX_LINE:
        raise OptOutError("too_deep")
    try:
        text = line.rstrip(b"\r\n").decode()
    except UnicodeDecodeError:
        raise OptOutError("not_utf8") from None
    if "\0" in text or "\r" in text:
        raise OptOutError("control_characters")
    return text


def _cells(text: str, separator: str, count: int | None = None) -> list[str]:
    try:
        found = next(csv.reader([text], delimiter=separator, strict=True))
    except (csv.Error, StopIteration):
        raise OptOutError("syntax") from None
    if count is not None and len(found) != count:
        raise OptOutError("syntax")
    return found
