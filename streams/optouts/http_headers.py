"""Response headers of a page: AIPREF's `Content-Usage`, TDMRep, `X-Robots-Tag: noai, noimageai`. What they say holds for the page alone.

A page that was reached by redirects has several addresses. What refuses on the way, or at the end, refuses for each of them; a yes is one for the
address that states it, since a redirect may lead to another page, as one for logging in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from hegui.rules.fact_tables import OptOut
from hegui.streams.errors import OptOutError
from hegui.streams.optouts import html_metas
from hegui.streams.optouts.normal_form import Reading, statement, web_address
from hegui.streams.optouts.paths import evidence
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.scopes import LICENSED, Said, Scope, page_scope
from hegui.streams.optouts.structured_fields import Preferences, agreed, usage_preferences
from hegui.streams.optouts.tdm_reservations import reservation

_AGENT = re.compile(r"\s*([A-Za-z0-9_.*-]+)(?:/[^\s:,]*)?\s*:(.*)", re.DOTALL)
_WITH_VALUE = re.compile(r"max-.*|unavailable[_-]after", re.IGNORECASE)

Header = tuple[int, str, str]
"""Line, name in small letters, value."""


Found = Iterator[Said]


class Response(NamedTuple):
    """One response on the way to a page."""

    url: str
    """What was asked for."""
    headers: Sequence[Header]

    def is_html(self) -> bool:
        """Tell whether it says that it is an HTML page."""
        return any(name == "content-type" and "html" in value.lower() for _, name, value in self.headers)


def scopes(urls: Iterable[str], reading: Reading, *, html: bool) -> Iterator[Scope]:
    """Yield of what a page is all that is said, for each of its addresses: of its headers, and of its HTML where that was read."""
    for url in dict.fromkeys(urls):
        of_url = reading._replace(url=url)
        yield from page_scope(of_url, "http-content-usage", "http-tdmrep", "x-robots-tag")
        if html:
            yield from html_metas.scope(of_url)


def of_page(
    responses: Sequence[Response], body: bytes, reading: Reading, *, first_line: int = 0, only_no: bool = False
) -> Found:
    """Yield the statements of a page: of its headers, and of its HTML. Of what they are all that is said, whoever read it tells (`scopes`).

    Args:
        responses: each response on the way to it, its own last.
        body: what came with the last one.
        reading: when they were read, and for which crawlers.
        first_line: the number of the line before the body, where it is part of a file.
        only_no: whether no yes is to be taken, as when part of it was not read.
    """
    yield from statements(responses, reading, only_no=only_no)
    if body and responses and responses[-1].is_html():

        def of_html(reading: Reading) -> Found:
            return html_metas.read(body, reading, first_line=first_line, only_no=only_no)

        yield from for_each([each.url for each in reversed(responses)], of_html, reading)


def for_each(urls: Iterable[str], read: Callable[[Reading], Found], reading: Reading) -> Found:
    """Yield what a text says of the first of several addresses, where it stands, and what it refuses of the others."""
    told: set[Said] = set()
    for number, url in enumerate(dict.fromkeys(urls)):
        for each in read(reading._replace(url=url)):
            if not isinstance(each, Scope) and (number == 0 or _refuses_here(each)) and each not in told:
                told.add(each)
                yield each


def _refuses_here(said: Said) -> bool:
    # What a licence says of another site, the site where it stands has said. Under the name of one that only led there nobody would take it back.
    return isinstance(said, OptOut) and said.value == "deny" and not said.source.startswith(LICENSED)


def statements(responses: Sequence[Response], reading: Reading, *, only_no: bool = False) -> Found:
    """Yield the statements that the headers of the responses make about their page: any no counts, a yes when none says otherwise.

    Args:
        responses: each response on the way to it, its own last.
        reading: when they were read, and for which crawlers.
        only_no: whether no yes is to be taken.
    """
    try:
        subjects = {each.url: web_address(each.url).text() for each in responses}
    except OptOutError as error:
        yield Remark(0, error.reason)
        return
    said: dict[tuple[str, str], str] = {}
    lines: dict[tuple[str, str], int] = {}
    stating: dict[tuple[str, str], set[str]] = {}
    broken = False

    def say(source: str, category: str, value: str, line: int, url: str) -> None:
        key = (source, category)
        said[key] = agreed((value, said.get(key, value)))
        lines.setdefault(key, line)
        stating.setdefault(key, set()).add(subjects[url])

    for url, headers in responses:
        usage: list[tuple[int, str]] = []
        for line, name, value in headers:
            if name == "content-usage":
                usage.append((line, value))
            elif name == "tdm-reservation":
                for each in value.split(","):  # two lines that a proxy made one
                    say("http-tdmrep", "mine", reservation(each), line, url)
            elif name == "x-robots-tag" and refuses_ai(value, reading.agents):
                say("x-robots-tag", "train", "deny", line, url)
            elif name == "link" and html_metas.RSL in value.lower():
                yield Remark(line, "license")
        try:
            for category, value in _usage(usage).items():
                say("http-content-usage", category, value, usage[0][0], url)
        except OptOutError as error:
            yield Remark(usage[0][0], error.reason)
            broken = True
    for key, value in said.items():
        source, category = key
        line = lines[key]
        # A field that cannot be read may have been a no.
        if value == "unknown" or (value == "allow" and (only_no or (broken and source == "http-content-usage"))):
            yield Remark(line, "value_unknown")
            continue
        proof = evidence(reading, line)
        for subject in dict.fromkeys(subjects.values()) if value == "deny" else sorted(stating[key]):
            try:
                yield statement("url", subject, value, reading.at_ms, source=source, category=category, evidence=proof)
            except OptOutError as error:
                yield Remark(line, error.reason)


def _usage(lines: Sequence[tuple[int, str]]) -> Preferences:
    """Read the `Content-Usage` of one response: several lines are one field. RFC 9110 section 5.3."""
    return usage_preferences(", ".join(value for _, value in lines)) if lines else {}


def refuses_ai(value: str, agents: Iterable[str]) -> bool:
    """Tell whether the directives of an `X-Robots-Tag` refuse use by AI: to everybody, or to one of the crawlers.

    A crawler's name stands before a colon, at the beginning or after a comma, and holds up to the next one. A directive that has a value
    (`max-snippet: -1`) looks the same and names nobody.
    """
    meant = True
    for part in value.split(","):
        words = part
        if (named := _AGENT.fullmatch(part)) and not _WITH_VALUE.fullmatch(named[1]):
            meant = named[1] == "*" or named[1].lower() in agents
            words = named[2]
        if meant and html_metas.refuses(words):
            return True
    return False
