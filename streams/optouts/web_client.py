"""Asks strangers' servers, bounded in size and time.

No redirect leads to another owner's site or away from encryption, no body is decompressed, no more is read than is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp

from hegui.streams.errors import OptOutError
from hegui.streams.optouts.http_headers import Header, Response
from hegui.streams.optouts.normal_form import owner_of, resolved, web_address

MAX_REDIRECTS = 5
"""RFC 9309 section 2.3.1.2."""


class FetchError(Exception):
    """Something could not be read; the text says what, never more of an address than its site."""

    def __init__(self, problem: str, responses: Sequence[Response] = (), *, answered: bool = False) -> None:
        super().__init__(problem)
        self.responses = responses
        """What came nevertheless: redirects on the way, an answer whose body could not be read."""
        self.answered = answered
        """Whether what was asked for came, in a form that cannot be read."""


class Answer(NamedTuple):
    """One answer of a server."""

    status: int
    body: bytes
    """As far as it was read: at most one byte more than the limit."""
    responses: list[Response]
    """The redirects that led to it, and its own last."""

    @property
    def url(self) -> str:
        """Where it came from, after redirects."""
        return self.responses[-1].url


class WebClient:
    """Asks for one page after the other."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, url: str, limit: int) -> Answer:
        """Return the answer for a URL, after redirects within the site of one owner.

        Raises:
            FetchError: no answer in time, or one that must not be followed or read.
        """
        responses: list[Response] = []
        try:
            return await self._followed(url, limit, responses)
        except FetchError as error:
            raise FetchError(str(error), responses, answered=error.answered) from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise FetchError(f"no answer ({type(error).__name__})", responses) from None

    async def _followed(self, url: str, limit: int, responses: list[Response]) -> Answer:
        owner = owner_of(web_address(url).host)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._session.get(url, allow_redirects=False) as response:
                responses.append(Response(url, _headers(response)))
                if response.status in {301, 302, 303, 307, 308} and "Location" in response.headers:
                    url = self._target(url, response.headers["Location"], owner)
                    continue
                if response.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
                    raise FetchError(
                        "the answer is compressed, though that was not asked for", answered=200 <= response.status < 300
                    )
                return Answer(response.status, await _bounded(response.content, limit), responses)
        raise FetchError(f"more than {MAX_REDIRECTS} redirects")

    @staticmethod
    def _target(url: str, location: str, owner: str) -> str:
        try:
            target = resolved(url, location)
        except OptOutError:
            raise FetchError("a redirect to something that is no web address") from None
        before, after = urlsplit(url).scheme.lower(), urlsplit(target).scheme.lower()
        if after != before and (before, after) != ("http", "https"):
            raise FetchError(f"a redirect from {before} to {after}")
        if owner_of(web_address(target).host) != owner:
            raise FetchError("a redirect to another owner's site")
        return target


def _headers(response: aiohttp.ClientResponse) -> list[Header]:
    return [
        (number, name.decode("latin-1").lower(), value.decode("latin-1"))
        for number, (name, value) in enumerate(response.raw_headers, 1)
    ]


async def _bounded(stream: aiohttp.StreamReader, limit: int) -> bytes:
    chunks: list[bytes] = []
    left = limit + 1
    while left > 0 and (chunk := await stream.read(left)):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)
