"""Response headers of a page: AIPREF's `Content-Usage`, TDMRep, `X-Robots-Tag: noai, noimageai`. What they say holds for the page alone.

A file of this format is an HTTP message: `GET https://example.org/page HTTP/1.1` (with or without headers), an empty line, then the response
with its headers and, if there is one, its HTML. Without the first line the page is named by `--url`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urljoin

from hegui.streams.errors import OptOutError
from hegui.streams.optouts import html_metas
from hegui.streams.optouts.normal_form import Reading, owner_of, statement, web_address
from hegui.streams.optouts.paths import evidence
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.scopes import Said, Scope, page_scope
from hegui.streams.optouts.structured_fields import agreed, usage_preferences
from hegui.streams.optouts.tdm_reservations import reservation

MAX_BYTES = 1024 * 1024
"""Largest message."""

_REQUEST = re.compile(rb"[A-Z]{3,10} (\S+) HTTP/[0-9.]+\s*")
_STATUS = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})(?: .*)?")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_AGENT = re.compile(r"\s*([A-Za-z0-9_.*-]+)(?:/[^\s:,]*)?\s*:(.*)", re.DOTALL)
_WITH_VALUE = re.compile(r"max-.*|unavailable[_-]after", re.IGNORECASE)

Header = tuple[int, str, str]
"""Line, name in small letters, value."""


def read(content: bytes, reading: Reading) -> Iterator[Said]:
    """Yield the statements of an HTTP message.

    Of several responses, as of redirects that were followed within the site of one owner, every one speaks of the page; interim ones (1xx) do not.
    """
    if len(content) > MAX_BYTES:
        yield Remark(0, "too_large")
        return
    content = content.removeprefix(b"\xef\xbb\xbf")
    headers: list[Header] = []
    last: list[Header] = []
    responses = before_body = 0
    in_request = in_response = interim = ended = False
    body = b""
    for number, start, line in _lines(content):
        bare = line.strip()
        if number == 1 and (request := _REQUEST.fullmatch(bare)):
            in_request = True
            if request[1].lower().startswith((b"http://", b"https://")):
                reading = reading._replace(url=request[1].decode("utf-8", "replace"))
        elif status := _STATUS.fullmatch(bare):
            if any(name == "location" and _elsewhere(value, reading) for _, name, value in last):
                yield Remark(number, "other_site")
                return
            in_request, in_response, interim, ended, last = False, True, status[1].startswith(b"1"), False, []
            responses += not interim
        elif in_request:
            continue
        elif not bare:
            ended = in_response or bool(last)
        elif ended:
            body, before_body = content[start:], number - 1
            break
        else:
            name, colon, value = line.partition(b":")
            if not colon:
                yield Remark(number, "syntax")
            elif not interim:
                last.append((number, name.decode("latin-1").strip().lower(), value.decode("latin-1").strip()))
                headers.append(last[-1])
    if in_request:
        yield Remark(0, "no_response")
    if responses > 1:
        yield Remark(0, "responses")
    yield from statements(headers, reading)
    if body and any(name == "content-type" and "html" in value.lower() for _, name, value in last):
        yield from html_metas.read(body, reading, first_line=before_body)


def _lines(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, place and text of each line; lines end as they like."""
    number, start = 1, 0
    for end in _LINE_END.finditer(content):
        yield number, start, content[start : end.start()]
        number, start = number + 1, end.end()
    if start < len(content):
        yield number, start, content[start:]


def _elsewhere(location: str, reading: Reading) -> bool:
    try:
        here = reading.address()
        return owner_of(web_address(urljoin(str(reading.url), location)).host) != owner_of(here.host)
    except OptOutError:
        return reading.url is not None


def scope(reading: Reading) -> Iterator[Scope]:
    """Yield of what the headers of a page are all that is said."""
    return page_scope(reading, "http-content-usage", "http-tdmrep", "x-robots-tag")


def statements(headers: Iterable[Header], reading: Reading) -> Iterator[Said]:
    """Yield the statements that response headers make about their page."""
    try:
        subject = reading.address().text()
    except OptOutError as error:
        yield Remark(0, error.reason)
        return
    yield from scope(reading)
    usage: list[tuple[int, str]] = []
    said: dict[tuple[str, str], str] = {}
    lines: dict[tuple[str, str], int] = {}

    def say(source: str, category: str, value: str, line: int) -> None:
        key = (source, category)
        said[key] = agreed((value, said.get(key, value)))
        lines.setdefault(key, line)

    for line, name, value in headers:
        if name == "content-usage":
            usage.append((line, value))
        elif name == "tdm-reservation":
            say("http-tdmrep", "mine", reservation(value), line)
        elif name == "x-robots-tag" and refuses_ai(value, reading.agents):
            say("x-robots-tag", "train", "deny", line)
        elif name == "link" and "application/rsl+xml" in value.lower():
            yield Remark(line, "license")
    if usage:  # several lines are one field, RFC 9110 section 5.3
        line = usage[0][0]
        try:
            for category, value in usage_preferences(", ".join(value for _, value in usage)).items():
                say("http-content-usage", category, value, line)
        except OptOutError as error:
            yield Remark(line, error.reason)
    for (source, category), value in said.items():
        line = lines[source, category]
        if value == "unknown":
            yield Remark(line, "value_unknown")
            continue
        try:
            yield statement(
                "url", subject, value, reading.at_ms, source=source, category=category, evidence=evidence(reading, line)
            )
        except OptOutError as error:
            yield Remark(line, error.reason)


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
