"""JSON and JSON lines: rows of lists in normal form, ISCC declarations, C2PA manifests. Each object says by its fields what it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from hegui.streams.errors import OptOutError
from hegui.streams.optouts import c2pa, iscc_declarations
from hegui.streams.optouts.normal_form import Reading
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.rows import row_statement
from hegui.streams.optouts.scopes import Said, Scope

MAX_LINE = 1024 * 1024
"""Longest line of JSON lines, bytes."""

MAX_BYTES = 16 * 1024 * 1024
"""Largest JSON document; a longer list is written as JSON lines."""

_decode = msgspec.json.Decoder().decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_lines(lines: Iterable[bytes], reading: Reading) -> Iterator[Said]:
    """Yield the statements of JSON lines; empty lines are passed over."""
    yield Scope(reading.at_ms, (reading.source,))
    for number, raw in enumerate(lines, 1):
        line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        if not line.strip():
            continue
        if len(line) > MAX_LINE:
            yield Remark(number, "too_deep")
            continue
        try:
            found = _decode(line)
        except _UNREADABLE:
            yield Remark(number, "syntax")
            continue
        yield from _object(found, reading, number)


def read_document(content: bytes, reading: Reading) -> Iterator[Said]:
    """Yield the statements of one JSON document: an object, or a list of them. Lines of remarks are numbers of objects, from 1."""
    yield Scope(reading.at_ms, (reading.source,))
    if len(content) > MAX_BYTES:
        yield Remark(0, "too_large")
        return
    try:
        found = _decode(content.removeprefix(b"\xef\xbb\xbf"))
    except _UNREADABLE:
        yield Remark(0, "syntax")
        return
    for number, each in enumerate(found if isinstance(found, list) else [found], 1):
        yield from _object(each, reading, number)


def _object(found: Any, reading: Reading, number: int) -> Iterator[Said]:
    if not isinstance(found, dict):
        yield Remark(number, "syntax")
    elif "scheme" in found or "subject" in found:
        try:
            yield from row_statement(found, reading, number)
        except OptOutError as error:
            yield Remark(number, error.reason)
    elif iscc_declarations.is_declaration(found):
        yield from iscc_declarations.read_object(found, reading, number)
    elif c2pa.is_c2pa(found):
        yield from c2pa.read_object(found, reading, number)
    else:
        yield Remark(number, "syntax")
