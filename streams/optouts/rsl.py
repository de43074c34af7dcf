"""RSL 1.0 licences (Really Simple Licensing): which uses of which content are licensed. Read by expat; a document type is refused, so nothing is expanded.

A licence permits what it lists. A use that is prohibited, not listed, or tied to a payment, a kind of user, a country or a licence server, is a no
to whoever has no such licence. A yes is only what is permitted to everybody for nothing.

A site speaks for itself. What its licence says of another site of its owner has a source of its own, so that it takes back nothing which that site says. A
document of which nobody says where it was read may speak of any site: of its noes alone, for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit
from xml.parsers import expat

from hegui.rules.addresses import Address
from hegui.rules.hosts import with_authority
from hegui.streams.errors import OptOutError
from hegui.streams.optouts.normal_form import Reading, owner_of, web_address
from hegui.streams.optouts.paths import PathRule, path_rule, statements_of
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.scopes import LICENSED, Said, Scope, site_scope

NAMESPACE = "https://rslstandard.org/rsl"
MAX_BYTES = 2 * 1024 * 1024
"""Largest document."""

_COVERS = {
    "train": frozenset({"all", "ai-all", "ai-train", "train-ai", "train-genai"}),
    "input": frozenset({"all", "ai-all", "ai-input"}),
    "search": frozenset({"all", "search"}),
}
"""Category to the usage tokens that take it in; early guides wrote `train-ai` and `train-genai`."""

_FREE = frozenset({"", "free"})
_WITH_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|//")


class _License:
    """What one `<license>` says."""

    def __init__(self) -> None:
        self.permits: set[str] = set()
        self.prohibits: set[str] = set()
        self.conditions = False
        """Whether it is for those only who pay, are of a kind, or live somewhere."""
        self.unclear = False
        """Whether it holds something of no kind: no yes, and by itself no no."""

    def says(self, category: str) -> str:
        tokens = _COVERS[category]
        if self.prohibits & tokens:
            return "prohibited"
        if not self.permits:
            return "deny" if self.conditions else "unknown"
        return "allow" if self.permits & tokens and not (self.conditions or self.unclear) else "deny"


class _Content(NamedTuple):
    """One `<content>`."""

    url: str
    line: int
    licenses: list[_License]
    served: bool
    """Whether a licence server must be asked."""

    def values(self) -> dict[str, str]:
        """Return category to what the licences come to: they are offers, so one that permits is enough unless another prohibits."""
        found: dict[str, str] = {}
        for category in _COVERS:
            said = {license_.says(category) for license_ in self.licenses}
            if "prohibited" in said:
                found[category] = "deny"
            elif "allow" in said and not self.served:
                found[category] = "allow"
            elif self.served or said & {"allow", "deny"}:
                found[category] = "deny"
            else:
                found[category] = "unknown"
        return found


class _Document:
    """Collects the contents of a document while expat reads it."""

    def __init__(self, first_line: int | None) -> None:
        # What stands inside a page was decoded with it, whatever its declaration says.
        self.parser = expat.ParserCreate(None if first_line is None else "utf-8", namespace_separator=" ")
        self._before = first_line or 0
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.contents: list[_Content] = []
        self._path: list[str] = []
        self._words: list[str] | None = None
        self._kind = ""

    def read(self, content: bytes) -> list[_Content]:
        try:
            self.parser.Parse(content, True)
        except (expat.ExpatError, LookupError, ValueError):
            raise OptOutError("syntax") from None
        return self.contents

    def _refuse(self, *_: object) -> None:
        raise OptOutError("xml_entities")

    def _start(self, name: str, given: dict[str, str]) -> None:
        space, _, tag = name.rpartition(" ")
        if not self._path and (space, tag) != (NAMESPACE, "rsl"):
            raise OptOutError("syntax")
        self._path.append(tag if space == NAMESPACE else "")
        match self._path:
            case ["rsl", "content"]:
                served = bool(given.get("server", "").strip())
                self.contents.append(
                    _Content(given.get("url", ""), self._before + self.parser.CurrentLineNumber, [], served)
                )
            case ["rsl", "content", "license"]:
                self.contents[-1].licenses.append(_License())
            case ["rsl", "content", "license", "permits" | "prohibits"]:
                self._words, self._kind = [], given.get("type", "").strip().lower()
            case ["rsl", "content", "license", "payment"] if given.get("type", "").strip().lower() not in _FREE:
                self.contents[-1].licenses[-1].conditions = True
            case _:
                pass

    def _text(self, text: str) -> None:
        if self._words is not None:
            self._words.append(text)

    def _end(self, _: str) -> None:
        tag = self._path.pop()
        if self._words is None or len(self._path) != 3:
            return
        tokens = set("".join(self._words).lower().replace(",", " ").split())
        license_ = self.contents[-1].licenses[-1]
        if self._kind == "usage":
            (license_.permits if tag == "permits" else license_.prohibits).update(tokens)
        elif tokens and self._kind:  # kinds of users, countries: for some only
            license_.conditions = True
        elif tokens:
            license_.unclear = True
        self._words = None


def scope(reading: Reading) -> Iterator[Scope]:
    """Yield of what all licences of a site are all that is said; none where the site is not known.

    One document is not: a site may have several. Whoever has read all of them yields it, before their statements.
    """
    for found in site_scope(reading, "rsl"):
        yield found
        yield Scope(reading.at_ms, (f"{LICENSED}{found.within[0]}",))


def _source(site: str, reading: Reading) -> str:
    """Return who speaks in a document: of its own site, of another site of its owner, or, where its site is not known, it alone."""
    if reading.url is None:
        return f"{LICENSED}{reading.source}"
    own = reading.address().site
    return "rsl" if site == own else f"{LICENSED}{own}"


def read(content: bytes, reading: Reading, *, first_line: int | None = None) -> Iterator[Said]:
    """Yield the statements of an RSL document. A broken one says nothing at all.

    Args:
        content: the document.
        reading: where and when it was read.
        first_line: the number of the line before it, where it is part of a page.
    """
    line = 0 if first_line is None else first_line + 1
    if len(content) > MAX_BYTES:
        yield Remark(line, "too_large")
        return
    if first_line is not None:
        bare = content.lstrip()
        first_line += content.count(b"\n", 0, len(content) - len(bare))
        content = bare
    try:
        found = _Document(first_line).read(content)
    except OptOutError as error:
        yield Remark(line, error.reason)
        return
    rules: dict[str, list[PathRule]] = {}
    sites: dict[str, Address] = {}
    unread = False
    for each in found:
        try:
            address, path = _place(each.url, reading)
            rule = path_rule(path, each.values(), each.line)
        except OptOutError as error:
            yield Remark(each.line, error.reason)
            unread = True
            continue
        if set(rule.values.values()) == {"unknown"}:
            yield Remark(each.line, "value_unknown")
        sites[address.site] = address
        rules.setdefault(address.site, []).append(rule)
    for site, of_site in rules.items():
        source, only_no = _source(site, reading), unread or reading.url is None
        yield from statements_of([of_site], sites[site], reading, source, only_no=only_no)
    if reading.url is None and any("allow" in rule.values.values() for of_site in rules.values() for rule in of_site):
        yield Remark(line, "no_site")


def _place(url: str, reading: Reading) -> tuple[Address, str]:
    url = url.strip()
    if not url:
        raise OptOutError("no_subject")
    if url.startswith("/") and not url.startswith("//"):
        return reading.address(), url
    if reading.url is None and not _WITH_HOST.match(url):  # `images/` would be a host of that name
        raise OptOutError("no_address")
    address = web_address(url)
    if reading.url is not None and owner_of(address.host) != owner_of(reading.address().host):
        raise OptOutError("other_site")
    parts = urlsplit(with_authority(url))
    path = parts.path or "/"
    return address, f"{path}?{parts.query}" if parts.query else path
