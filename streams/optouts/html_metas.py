"""Meta elements of an HTML page: TDMRep's `tdm-reservation`, and `noai`, `noimageai` for robots. What they say holds for the page alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from hegui.rules.fact_tables import OptOut
from hegui.streams.errors import OptOutError
from hegui.streams.optouts.normal_form import Reading, statement
from hegui.streams.optouts.paths import evidence
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.structured_fields import agreed
from hegui.streams.optouts.tdm_reservations import reservation

MAX_BYTES = 1024 * 1024
"""What is read of a page; metas stand at its beginning."""

MAX_ELEMENT = 4096
"""Longest element that is read, characters."""

_OPENING = re.compile(r"<(?:!--|(?:meta|link|script|style|template|textarea|title)(?=[\s/>]))", re.IGNORECASE)
_NO_AI = frozenset({"noai", "noimageai"})
_BETWEEN_WORDS = re.compile(r"[\s,;]+")


class _Element(HTMLParser):
    """Reads the attributes of one element, the first of two of a name; texts with their character references resolved."""

    def __init__(self, element: str) -> None:
        super().__init__(convert_charrefs=True)
        self.given: dict[str, str] = {}
        self.feed(element)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        """Take the attributes; called by the parser."""
        self.given = {name: value or "" for name, value in reversed(attrs)}


def elements(text: str) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Yield line, name and attributes of every meta and link, outside comments and scripts.

    Looked for in one pass: `html.parser` alone needs quadratic time for a page of tags that never end (minutes for 1 MB).
    """
    at, counted, line = 0, 0, 1
    while (found := _OPENING.search(text, at)) is not None:
        at = found.end()
        name = found[0][1:].lower()
        if name not in {"meta", "link"}:
            end = text.find("-->", at) if name == "!--" else _closing(text, name, at)
            if end < 0:
                return
            at = end
            continue
        end = text.find(">", at, at + MAX_ELEMENT)
        for _ in range(3):  # an attribute may hold the sign
            if end >= 0 and text.count('"', at, end) % 2:
                end = text.find(">", end + 1, at + MAX_ELEMENT)
        if end < 0:
            continue
        at = end + 1
        line += text.count("\n", counted, found.start())
        counted = found.start()
        yield line, name, _Element(text[found.start() : at]).given


def _closing(text: str, name: str, at: int) -> int:
    closing = re.compile(f"</{name}", re.IGNORECASE).search(text, at)
    return -1 if closing is None else closing.end()


def read(content: bytes, reading: Reading, *, first_line: int = 0) -> Iterator[OptOut | Remark]:
    """Yield the statements of a page. `first_line` is the number of the line before it, where it is part of a file."""
    try:
        subject = reading.address().text()
    except OptOutError as error:
        yield Remark(first_line, error.reason)
        return
    if len(content) > MAX_BYTES:
        yield Remark(first_line, "too_large")
    text = content[:MAX_BYTES].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    said: dict[tuple[str, str], str] = {}
    lines: dict[tuple[str, str], int] = {}
    for line, tag, given in elements(text):
        if tag == "link":
            if given.get("type", "").strip().lower() == "application/rsl+xml":
                yield Remark(first_line + line, "license")
            continue
        name, words = given.get("name", "").strip().lower(), given.get("content", "")
        if name == "tdm-reservation":
            key, value = ("html-tdmrep", "mine"), reservation(words)
        elif (name == "robots" or name in reading.agents) and refuses(words):
            key, value = ("html-robots", "train"), "deny"
        else:
            continue
        said[key] = agreed((value, said.get(key, value)))
        lines.setdefault(key, first_line + line)
    for (source, category), value in said.items():
        line = lines[source, category]
        if value == "unknown" or (value == "allow" and len(content) > MAX_BYTES):
            yield Remark(line, "value_unknown")
            continue
        try:
            yield statement(
                "url", subject, value, reading.at_ms, source=source, category=category, evidence=evidence(reading, line)
            )
        except OptOutError as error:
            yield Remark(line, error.reason)


def refuses(words: str) -> bool:
    """Tell whether directives for robots refuse use by AI. Blanks and semicolons between them are taken as commas."""
    return any(word.lower() in _NO_AI for word in _BETWEEN_WORDS.split(words))
