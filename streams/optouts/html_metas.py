"""An HTML page: TDMRep's `tdm-reservation`, `noai` and `noimageai` for robots, which hold for the page alone; an RSL licence inside it."""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator

from hegui.rules.fact_tables import OptOut
from hegui.streams.errors import OptOutError
from hegui.streams.optouts import rsl
from hegui.streams.optouts.html_elements import Element, Unclosed, elements
from hegui.streams.optouts.normal_form import Reading, statement
from hegui.streams.optouts.paths import evidence
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.scopes import Said, Scope, page_scope
from hegui.streams.optouts.structured_fields import agreed
from hegui.streams.optouts.tdm_reservations import reservation

MAX_BYTES = 1024 * 1024
"""What is read of a page; metas stand at its beginning."""

_NO_AI = frozenset({"noai", "noimageai"})
_BETWEEN_WORDS = re.compile(r"[\s,;]+")


RSL = "application/rsl+xml"
"""Type of a link to an RSL licence, and of a script that is one."""


def text_of(content: bytes) -> str:
    """Return a page as text, as far as it is read: UTF-16 where its first bytes tell so, else UTF-8."""
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return content[:MAX_BYTES].decode("utf-16", "replace")
    if b"\0" in content[:2]:
        return content[:MAX_BYTES].decode("utf-16-be" if content[:1] == b"\0" else "utf-16-le", "replace")
    return content[:MAX_BYTES].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


def license_urls(content: bytes) -> list[str]:
    """Return the addresses of RSL licences that a page links to, as written."""
    found = elements(text_of(content))
    return [
        each.given.get("href", "").strip() for each in found if isinstance(each, Element) and _is_license(each, "link")
    ]


def _is_license(element: Element, name: str) -> bool:
    return element.name == name and element.given.get("type", "").strip().lower() == RSL


def scope(reading: Reading) -> Iterator[Scope]:
    """Yield of what the metas of a page are all that is said."""
    return page_scope(reading, "html-tdmrep", "html-robots")


def read(content: bytes, reading: Reading, *, first_line: int = 0, only_no: bool = False) -> Iterator[Said]:
    """Yield the statements of a page.

    Args:
        content: the page.
        reading: where and when it was read.
        first_line: the number of the line before it, where it is part of a file.
        only_no: whether no yes is to be taken, as when part of it was not read, which has been told.
    """
    try:
        subject = reading.address().text()
    except OptOutError as error:
        yield Remark(first_line, error.reason)
        return
    yield from scope(reading)
    cut = len(content) > MAX_BYTES
    if cut:
        yield Remark(first_line, "too_large")
    unread = cut or only_no
    licensed: list[Said] = []
    said: dict[tuple[str, str], str] = {}
    lines: dict[tuple[str, str], int] = {}
    for element in elements(text_of(content)):
        line = first_line + element.line
        if isinstance(element, Unclosed):
            if not (cut or only_no):
                yield Remark(line, "unclosed")
            unread = True
            break
        if _is_license(element, "link"):
            yield Remark(line, "license")
        if _is_license(element, "script"):
            licensed += rsl.read(element.inside.encode("utf-8", "replace"), reading, first_line=line - 1)
        if element.name != "meta":
            continue
        name, words = element.given.get("name", "").strip().lower(), element.given.get("content", "")
        if name == "tdm-reservation":
            key, value = ("html-tdmrep", "mine"), reservation(words)
        elif (name == "robots" or name in reading.agents) and refuses(words):
            key, value = ("html-robots", "train"), "deny"
        else:
            continue
        said[key] = agreed((value, said.get(key, value)))
        lines.setdefault(key, line)
    # What was not read may have been a no.
    yield from (each for each in licensed if not (unread and isinstance(each, OptOut) and each.value != "deny"))
    for (source, category), value in said.items():
        line = lines[source, category]
        if value == "unknown" or (value == "allow" and unread):
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
