"""Files that hold an HTTP message: a request like `GET https://example.org/page HTTP/1.1`, an empty line, then the response with its HTML, if there is any.

The request may name its page by path and `Host`, too. Without a request the page is named by `--url`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from hegui.streams.errors import OptOutError
from hegui.streams.optouts.http_headers import Header, Response, of_page, scopes
from hegui.streams.optouts.normal_form import Reading, owner_of, resolved, web_address
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.scopes import Said

MAX_BYTES = 1024 * 1024
"""What is read of a message."""

_REQUEST = re.compile(rb"[A-Z]{3,10} (\S+) HTTP/[0-9.]+\s*")
_STATUS = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})(?: .*)?")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_NO_HOST = re.compile(r"[/?#@\\\s]")


class _Response(NamedTuple):
    line: int
    """Of its status, 0 when it has none."""
    headers: list[Header]


class _Message:
    """A message, taken apart."""

    def __init__(self, content: bytes, cut: bool) -> None:
        self.target: str | None = None
        """What is asked for, as it stands in the request; None: there is no request."""
        self.hosts: set[str] = set()
        self.responses: list[_Response] = []
        """Final ones only: interim ones (1xx) say nothing of the page."""
        self.body = b""
        self.before_body = 0
        self.broken: list[int] = []
        """Lines that are no header, or a second request."""
        self.answered = False
        interim = ended = False
        for number, start, line in _lines(content):
            bare = line.strip()
            if cut and not ended and start + len(line) == len(content):
                return  # the limit went through it
            if number == 1 and (request := _REQUEST.fullmatch(bare)):
                self.target = request[1].decode("utf-8", "replace")
            elif status := _STATUS.fullmatch(bare):
                interim, ended, self.answered = status[1].startswith(b"1"), False, True
                if not interim:
                    self.responses.append(_Response(number, []))
            elif not bare:
                ended = self.answered or bool(self.responses)
            elif ended:
                if _REQUEST.fullmatch(bare):  # one message to a file
                    self.broken.append(number)
                self.body, self.before_body = content[start:], number - 1
                return
            elif not interim:
                self._header(number, line)

    def _header(self, number: int, line: bytes) -> None:
        raw, colon, value = line.decode("latin-1").partition(":")
        name = raw.strip().lower()
        if self.target is not None and not self.answered:
            if name == "host":
                self.hosts.add(value.strip().lower())
            return
        if not colon:
            self.broken.append(number)
            return
        if not self.responses:
            self.responses.append(_Response(0, []))
        self.responses[-1].headers.append((number, name, value.strip()))

    def url(self, given: Reading) -> str | None:
        """Return the page that the message is about; None: nobody says which.

        Raises:
            OptOutError: the request has no readable target, or is for another page than `given` names.
        """
        target = self.target
        if target is None:
            return given.url
        if target.lower().startswith(("http://", "https://")):  # then Host says nothing: RFC 9112 section 3.2.2
            url = target
        elif not target.startswith("/") or len(self.hosts) > 1 or any(map(_NO_HOST.search, self.hosts)):
            raise OptOutError("subject_invalid")
        elif self.hosts:
            url = f"https://{min(self.hosts)}{target}"
        else:
            url = f"https://{given.address().site}{target}"
        asked = web_address(url)
        if given.url is not None:
            named = given.address()
            if named.site != asked.site:
                raise OptOutError("other_site")
            if named.text() not in {asked.text(), asked.site + "/"}:  # a site is named by its root
                raise OptOutError("other_page")
        return url


def read(content: bytes, reading: Reading) -> Iterator[Said]:
    """Yield the statements of an HTTP message.

    Of several responses, as of redirects that were followed within the site of one owner, every one speaks of the page; interim ones (1xx) do not.
    """
    cut = len(content) > MAX_BYTES
    if cut:
        yield Remark(0, "too_large")
    message = _Message(content[:MAX_BYTES].removeprefix(b"\xef\xbb\xbf"), cut)
    yield from (Remark(number, "syntax") for number in message.broken)
    try:
        url = message.url(reading)
    except OptOutError as error:
        yield Remark(1, error.reason)
        return
    if message.target is not None and not message.answered:
        yield Remark(0, "no_response")
    try:
        owner = owner_of(reading._replace(url=url).address().host)
    except OptOutError as error:
        yield Remark(0, error.reason)
        return
    responses = list(_within(message.responses, str(url), owner))
    left = len(responses) < len(message.responses)
    if left:
        yield Remark(message.responses[len(responses)].line, "other_site")
    if sum(each.line > 0 for each in message.responses[: len(responses)]) > 1:
        yield Remark(0, "responses")
    body = b"" if left else message.body
    html = bool(body and responses and responses[-1].is_html())
    yield from scopes([str(url), *(each.url for each in responses)], reading, html=html)
    yield from of_page(responses, body, reading, first_line=message.before_body, only_no=cut or left)


def _within(responses: list[_Response], url: str, owner: str) -> Iterator[Response]:
    """Yield the responses with their addresses, by the redirects between them, up to the first redirect to another owner's site."""
    for _, headers in responses:
        yield Response(url, headers)
        try:
            targets = [resolved(url, value) for _, name, value in headers if name == "location"]
            if any(owner_of(web_address(target).host) != owner for target in targets):
                return
        except OptOutError:
            return
        url = targets[0] if targets else url


def _lines(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, place and text of each line; lines end as they like."""
    number, start = 1, 0
    for end in _LINE_END.finditer(content):
        yield number, start, content[start : end.start()]
        number, start = number + 1, end.end()
    if start < len(content):
        yield number, start, content[start:]
