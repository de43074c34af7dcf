"""An HTML page: TDMRep's `tdm-reservation`, `noai` and `noimageai` for robots, which hold for the page alone; an RSL licence inside it."""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import NamedTuple

from hegui.rules.fact_tables import OptOut
from hegui.streams.errors import OptOutError
from hegui.streams.optouts import rsl
from hegui.streams.optouts.normal_form import Reading, statement
from hegui.streams.optouts.paths import evidence
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.scopes import Said, Scope, page_scope
from hegui.streams.optouts.structured_fields import agreed
from hegui.streams.optouts.tdm_reservations import reservation

MAX_BYTES = 1024 * 1024
"""What is read of a page; metas stand at its beginning."""

MAX_ELEMENT = 4096
"""Longest element that is read, characters."""

_OPENING = re.compile(r"<(?:!--|(?:meta|link|script|style|template|textarea|title)(?=[\s/>]))", re.IGNORECASE)
_NO_AI = frozenset({"noai", "noimageai"})
_BETWEEN_WORDS = re.compile(r"[\s,;]+")


RSL = "application/rsl+xml"
"""Type of a link to an RSL licence, and of a script that is one."""


class Element(NamedTuple):
    """An element that may mean something here."""

    line: int
    name: str
    """In small letters."""
    given: dict[str, str]
    """Its attributes."""
    inside: str = ""
    """What stands inside a script."""


class _Attributes(HTMLParser):
    """Reads the attributes of one element, the first of two of a name; texts with their character references resolved."""

    def __init__(self, element: str) -> None:
        super().__init__(convert_charrefs=True)
        self.given: dict[str, str] = {}
        self.feed(element)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        """Take the attributes; called by the parser."""
        self.given = {name: value or "" for name, value in reversed(attrs)}


def elements(text: str) -> Iterator[Element]:
    """Yield every meta and link, outside comments and scripts, and every script that is an RSL licence.

    Looked for in one pass: `html.parser` alone needs quadratic time for a page of tags that never end (minutes for 1 MB).
    """
    at, counted, line = 0, 0, 1
    while (found := _OPENING.search(text, at)) is not None:
        at = found.end()
        name = found[0][1:].lower()
        if name == "!--":
            at = text.find("-->", at - 2)  # `<!-->` is a whole comment
            if at < 0:
                return
            continue
        end = _end_of_tag(text, at)
        closing = None
        if name not in {"meta", "link"}:
            closing = re.compile(f"</{name}", re.IGNORECASE).search(text, at)
            if closing is None:
                return
            at = closing.end()
            if name != "script" or not 0 <= end < closing.start() or RSL not in text[found.start() : end].lower():
                continue
        elif end < 0:
            continue
        else:
            at = end + 1
        line += text.count("\n", counted, found.start())
        counted = found.start()
        given = _Attributes(text[found.start() : end + 1]).given
        yield Element(line, name, given, "" if closing is None else text[end + 1 : closing.start()])


def _end_of_tag(text: str, at: int) -> int:
    end = text.find(">", at, at + MAX_ELEMENT)
    for _ in range(3):  # an attribute may hold the sign
        if end >= 0 and text.count('"', at, end) % 2:
            end = text.find(">", end + 1, at + MAX_ELEMENT)
    return end


def text_of(content: bytes) -> str:
    """Return a page as text, as far as it is read: UTF-16 where its first bytes tell so, else UTF-8."""
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return content[:MAX_BYTES].decode("utf-16", "replace")
    if b"\0" in content[:2]:
        return content[:MAX_BYTES].decode("utf-16-be" if content[:1] == b"\0" else "utf-16-le", "replace")
    return content[:MAX_BYTES].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


def license_urls(content: bytes) -> list[str]:
    """Return the addresses of RSL licences that a page links to, as written."""
    return [each.given.get("href", "").strip() for each in elements(text_of(content)) if _is_license(each, "link")]


def _is_license(element: Element, name: str) -> bool:
    return element.name == name and element.given.get("type", "").strip().lower() == RSL


def scope(reading: Reading) -> Iterator[Scope]:
    """Yield of what the metas of a page are all that is said."""
    return page_scope(reading, "html-tdmrep", "html-robots")


def read(content: bytes, reading: Reading, *, first_line: int = 0) -> Iterator[Said]:
    """Yield the statements of a page. `first_line` is the number of the line before it, where it is part of a file."""
    try:
        subject = reading.address().text()
    except OptOutError as error:
        yield Remark(first_line, error.reason)
        return
    yield from scope(reading)
    cut = len(content) > MAX_BYTES
    if cut:
        yield Remark(first_line, "too_large")
    said: dict[tuple[str, str], str] = {}
    lines: dict[tuple[str, str], int] = {}
    for element in elements(text_of(content)):
        line, tag, given, inside = element
        if _is_license(element, "link"):
            yield Remark(first_line + line, "license")
        if _is_license(element, "script"):
            for each in rsl.read(inside.encode("utf-8", "replace"), reading, first_line=first_line + line - 1):
                if not (cut and isinstance(each, OptOut) and each.value != "deny"):
                    yield each
        if tag != "meta":
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
        if value == "unknown" or (value == "allow" and cut):
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
