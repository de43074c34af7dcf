"""`/.well-known/tdmrep.json`: reservations of text and data mining by location. TDM Reservation Protocol, section 3.2; the first match counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from hegui.streams.errors import OptOutError
from hegui.streams.optouts.normal_form import Reading
from hegui.streams.optouts.paths import PathRule, path_rule, statements_of
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.scopes import Said, Scope, site_scope
from hegui.streams.optouts.tdm_reservations import reservation

MAX_BYTES = 1024 * 1024
"""Largest file."""


def scope(reading: Reading) -> Iterator[Scope]:
    """Yield of what a tdmrep.json is all that is said."""
    return site_scope(reading, "tdmrep")


def read(content: bytes, reading: Reading) -> Iterator[Said]:
    """Yield the statements of a tdmrep.json. Lines of remarks are numbers of entries, from 1."""
    try:
        address = reading.address()
    except OptOutError as error:
        yield Remark(0, error.reason)
        return
    yield from scope(reading)
    if len(content) > MAX_BYTES:
        yield Remark(0, "too_large")
        return
    try:
        entries = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        yield Remark(0, "syntax")
        return
    if not isinstance(entries, list):
        yield Remark(0, "syntax")
        return
    rules: list[PathRule] = []
    unread = False
    seen: set[str] = set()
    for number, entry in enumerate(entries, 1):
        try:
            rule = _rule(entry, number)
        except OptOutError as error:
            yield Remark(number, error.reason)
            unread = True
            continue
        if any(rule.path[:end] in seen for end in range(len(rule.path) + 1)):
            yield Remark(number, "never_reached")
            continue
        if rule.kind == "prefix":
            seen.add(rule.path)
        rules.append(rule)
        if rule.values["mine"] == "unknown":
            yield Remark(number, "value_unknown")
    yield from statements_of([rules], address, reading, "tdmrep", only_no=unread)


def _rule(entry: Any, number: int) -> PathRule:
    if not isinstance(entry, dict):
        raise OptOutError("syntax")
    location = entry.get("location")
    if not isinstance(location, str) or not location.strip():
        raise OptOutError("no_subject")
    return path_rule(location.strip(), {"mine": reservation(entry.get("tdm-reservation"))}, number)
