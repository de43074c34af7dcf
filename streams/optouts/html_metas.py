"""Meta elements of an HTML page: TDMRep's `tdm-reservation`, and `noai`, `noimageai` for robots. What they say holds for the page alone."""

from __future__ import annotations

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

_NO_AI = frozenset({"noai", "noimageai"})


class _Metas(HTMLParser):
    """Collects what metas say of AI and mining: line, name and content, the names in small letters."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str, str]] = []
        self.licensed: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a meta or a link; called by the parser, for `<meta/>` too."""
        if tag not in {"meta", "link"}:
            return
        given = {name: value or "" for name, value in reversed(attrs)}  # the first of two counts
        if tag == "meta" and "name" in given:
            self.found.append((self.getpos()[0], given["name"].strip().lower(), given.get("content", "")))
        elif tag == "link" and given.get("type", "").strip().lower() == "application/rsl+xml":
            self.licensed.append(self.getpos()[0])


def read(content: bytes, reading: Reading, *, first_line: int = 0) -> Iterator[OptOut | Remark]:
    """Yield the statements of a page. `first_line` is the number of the line before it, where it is part of a file."""
    try:
        subject = reading.address().text()
    except OptOutError as error:
        yield Remark(first_line, error.reason)
        return
    if len(content) > MAX_BYTES:
        yield Remark(first_line, "too_large")
    metas = _Metas()
    try:
        metas.feed(content[:MAX_BYTES].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace"))
        metas.close()
    except AssertionError:  # what html.parser says to some broken declarations; what came before counts
        yield Remark(first_line + metas.getpos()[0], "syntax")
    said: dict[tuple[str, str], str] = {}
    lines: dict[tuple[str, str], int] = {}
    for line, name, text in metas.found:
        if name == "tdm-reservation":
            key, value = ("html-tdmrep", "mine"), reservation(text)
        elif (name == "robots" or name in reading.agents) and _NO_AI & {w.strip().lower() for w in text.split(",")}:
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
    for line in metas.licensed:
        yield Remark(first_line + line, "license")
