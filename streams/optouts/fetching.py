"""Reads what a site says of training on it: robots.txt, tdmrep.json, RSL licences, the headers and metas of a page.

Bounded in size and time, and the answers of strangers: no redirect leads to another owner's site or away from encryption, no body is
decompressed, no more is read than a format allows.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from hashlib import sha256
from importlib.metadata import version
from itertools import chain
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import aiohttp

from hegui.streams.errors import OptOutError
from hegui.streams.optouts import html_metas, http_headers, robots, rsl, tdmrep
from hegui.streams.optouts.normal_form import Reading, owner_of, web_address
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.scopes import Said, Scope

MAX_REDIRECTS = 5
"""RFC 9309 section 2.3.1.2."""

MAX_LICENSES = 10
"""RSL documents read for one site."""


class FetchError(Exception):
    """Something could not be read; the text says what, never more of an address than its site."""


class Answer(NamedTuple):
    """One answer of a server."""

    status: int
    headers: list[tuple[int, str, str]]
    body: bytes
    """As far as it was read: at most one byte more than the limit."""
    url: str
    """Where it came from, after redirects."""

    def is_html(self) -> bool:
        """Whether it says that it is an HTML page."""
        return any(name == "content-type" and "html" in value.lower() for _, name, value in self.headers)


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def page_url(text: str) -> str:
    """Return the URL of a page, https unless it says otherwise.

    Raises:
        OptOutError: it is no web address.
    """
    text = text.strip()
    url = text if _SCHEME.match(text) else "https://" + text.removeprefix("//")
    web_address(url)
    return url


Reader = Callable[[Answer], Iterable[Said]]


class Fetched(NamedTuple):
    """What was read of one site."""

    name: str
    """For the report: what was read, and the site."""
    found: list[Said]
    problem: str = ""
    """Why nothing could be read."""


class Fetcher:
    """Reads sites, one after the other."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, url: str, limit: int) -> Answer:
        """Return the answer for a URL, after redirects within the site of one owner.

        Raises:
            FetchError: no answer in time, or one that must not be followed or read.
        """
        owner = owner_of(web_address(url).host)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                async with self._session.get(url, allow_redirects=False) as response:
                    if response.status in {301, 302, 303, 307, 308} and "Location" in response.headers:
                        url = self._target(url, response.headers["Location"], owner)
                        continue
                    if response.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
                        raise FetchError("the answer is compressed, though that was not asked for")
                    body = await _bounded(response.content, limit)
                    headers = [
                        (number, name.decode("latin-1").lower(), value.decode("latin-1"))
                        for number, (name, value) in enumerate(response.raw_headers, 1)
                    ]
                    return Answer(response.status, headers, body, url)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                raise FetchError(f"no answer ({type(error).__name__})") from None
        raise FetchError(f"more than {MAX_REDIRECTS} redirects")

    @staticmethod
    def _target(url: str, location: str, owner: str) -> str:
        target = urljoin(url, location)
        try:
            address = web_address(target)
        except OptOutError:
            raise FetchError("a redirect to something that is no web address") from None
        before, after = urlsplit(url).scheme.lower(), urlsplit(target).scheme.lower()
        if after != before and (before, after) != ("http", "https"):
            raise FetchError(f"a redirect from {before} to {after}")
        if owner_of(address.host) != owner:
            raise FetchError("a redirect to another owner's site")
        return target

    async def site(self, url: str, reading: Reading) -> AsyncIterator[Fetched]:
        """Yield what a site says, and the page at `url`.

        Args:
            url: a page, with scheme.
            reading: when it is read, and for which crawlers.
        """
        reading = reading._replace(url=url)
        site = web_address(url).site
        root = urljoin(url, "/")
        licenses: list[str] = []
        answer, problem = await self._try(urljoin(root, "/robots.txt"), robots.MAX_BYTES)
        if answer is not None:
            licenses += [urljoin(root, each) for each in robots.license_urls(answer.body)]
        yield _read(
            "robots.txt",
            site,
            answer,
            problem,
            lambda a: robots.read(a.body, _evident(reading, a)),
            robots.scope(reading),
        )
        unread = bool(problem)
        answer, problem = await self._try(urljoin(root, "/.well-known/tdmrep.json"), tdmrep.MAX_BYTES)
        yield _read(
            "tdmrep.json",
            site,
            answer,
            problem,
            lambda a: tdmrep.read(a.body, _evident(reading, a)),
            tdmrep.scope(reading),
        )
        answer, problem = await self._try(url, html_metas.MAX_BYTES)
        if answer is not None:
            licenses += _linked(answer)
        gone = chain(http_headers.scope(reading), html_metas.scope(reading))
        read = [_read("page", site, answer, problem, lambda a: _page(a, _evident(reading, a)), gone)]
        targets = list(dict.fromkeys(licenses))
        if len(targets) > MAX_LICENSES:
            read.append(Fetched(f"licence of {site}", [], f"of {len(targets)} only the first {MAX_LICENSES} were read"))
        for target in targets[:MAX_LICENSES]:
            try:
                same = owner_of(web_address(target).host) == owner_of(web_address(url).host)
            except OptOutError:
                same = False
            if not same:
                read.append(Fetched(f"licence of {site}", [Remark(0, "other_site")]))
                continue
            answer, problem = await self._try(target, rsl.MAX_BYTES)
            unread = unread or bool(problem)
            if answer is None and not problem:
                problem = "it is not there, though the site links to it"
            read.append(_read("licence", site, answer, problem, lambda a: rsl.read(a.body, _evident(reading, a))))
        if not unread and not read[0].problem and len(targets) <= MAX_LICENSES:  # these are all licences there are
            read[0].found[:0] = rsl.scope(reading)
        for each in read:
            yield each

    async def _try(self, url: str, limit: int) -> tuple[Answer | None, str]:
        try:
            answer = await self.get(url, limit)
        except FetchError as error:
            return None, str(error)
        if answer.status in {404, 410}:
            return None, ""
        if not 200 <= answer.status < 300:
            return None, f"status {answer.status}"
        return answer, ""


def _read(
    what: str, site: str, answer: Answer | None, problem: str, read: Reader, gone: Iterable[Scope] = ()
) -> Fetched:
    """Read an answer. One that says that there is nothing says no yes either: `gone` is what it would have spoken of."""
    if answer is None:
        return Fetched(f"{what} of {site}", [] if problem else list(gone), problem)
    return Fetched(f"{what} of {site}", list(read(answer)), problem)


def _page(answer: Answer, reading: Reading) -> Iterable[Said]:
    yield from http_headers.statements(answer.headers, reading)
    if answer.is_html():
        yield from html_metas.read(answer.body, reading)
    else:
        yield from html_metas.scope(reading)


def _evident(reading: Reading, answer: Answer) -> Reading:
    return reading._replace(evidence="sha256:" + sha256(answer.body).hexdigest())


def _linked(answer: Answer) -> list[str]:
    """Return the addresses of RSL licences that a page links to, in `Link` headers (RFC 8288) or in its HTML."""
    found = [
        part.partition("<")[2].partition(">")[0]
        for _, name, value in answer.headers
        if name == "link"
        for part in value.split(",")
        if html_metas.RSL in part.lower() and "<" in part
    ]
    if answer.is_html():
        found += html_metas.license_urls(answer.body)
    return [urljoin(answer.url, each) for each in found if each]


async def _bounded(stream: aiohttp.StreamReader, limit: int) -> bytes:
    chunks: list[bytes] = []
    left = limit + 1
    while left > 0 and (chunk := await stream.read(left)):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


async def fetch(urls: Iterable[str], reading: Reading, timeout_seconds: float) -> AsyncIterator[Fetched]:
    """Yield what sites say; each request ends after `timeout_seconds` at the latest."""
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        headers={"User-Agent": f"hegui/{version('hegui')}", "Accept-Encoding": "identity"},
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        fetcher = Fetcher(session)
        for url in urls:
            async for fetched in fetcher.site(url, reading):
                yield fetched


def fetch_all(urls: Iterable[str], reading: Reading, timeout_seconds: float) -> list[Fetched]:
    """Return what sites say. Blocks until all are read."""

    async def work() -> list[Fetched]:
        return [each async for each in fetch(urls, reading, timeout_seconds)]

    return asyncio.run(work())
