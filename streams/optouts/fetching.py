"""Reads what a site says of training on it: robots.txt, tdmrep.json, RSL licences, the headers and metas of a page.

What is bounded, and how, stands in `web_client.py`: all of it are the answers of strangers.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from typing import NamedTuple
from urllib.parse import urljoin

import aiohttp

from hegui.streams.errors import OptOutError
from hegui.streams.optouts import html_metas, robots, rsl, tdmrep
from hegui.streams.optouts.http_headers import Response, for_each, of_page, scopes
from hegui.streams.optouts.normal_form import Reading, owner_of, resolved, web_address
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.scopes import Said, Scope
from hegui.streams.optouts.web_client import Answer, FetchError, WebClient

MAX_LICENSES = 10
"""RSL documents read for one site."""

_NOT_THERE = frozenset({404, 410})
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


class Link(NamedTuple):
    """A link to an RSL licence."""

    urls: tuple[str, ...]
    """The address of what links to it, and then those from which redirects led there."""
    reference: str
    """As written."""


class Asked(NamedTuple):
    """What came of asking for something."""

    answer: Answer | None = None
    """None: it is not there, or cannot be read."""
    problem: str = ""
    """Why it cannot."""
    known: bool = True
    """Whether what is said there is known now, be it nothing: it was read, is not there, or came in a form that cannot be read."""


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

    def __init__(self, client: WebClient) -> None:
        self._client = client
        self._sites: dict[str, str] = {}
        """Those that were read, each with an address there."""
        self._unread: set[str] = set()
        """Those of which not every page or licence could be read."""

    def licenses_read(self, reading: Reading) -> Iterator[Fetched]:
        """Yield of which sites the licences that were read are all that is said: one that could not be read may have another yes."""
        for site, url in self._sites.items():
            if site not in self._unread:
                yield Fetched(f"licences of {site}", list(rsl.scope(reading._replace(url=url))))

    async def site(self, url: str, reading: Reading) -> AsyncIterator[Fetched]:
        """Yield what a site says, and the page at `url`. Where a redirect leads to another host of the same owner, that one is read too.

        Args:
            url: a page, with scheme.
            reading: when it is read, and for which crawlers.
        """
        site = web_address(url).site
        links: list[Link] = []
        sites = {site: url}
        try:
            async for fetched in self._read_site(url, reading, links, sites):
                yield fetched
        except Exception:
            self._unread.update(sites)
            raise
        self._sites |= sites

    async def _read_site(
        self, url: str, reading: Reading, links: list[Link], sites: dict[str, str]
    ) -> AsyncIterator[Fetched]:
        site = web_address(url).site
        async for fetched in self._of_site(url, reading, links):
            yield fetched
        try:
            answer = await self._client.get(url, html_metas.MAX_BYTES)
        except FetchError as error:
            responses, known = error.responses, error.answered
            yield Fetched(f"page of {site}", _page(responses, b"", reading, only_no=True, known=known), str(error))
        else:
            responses = answer.responses
            sound = 200 <= answer.status < 300
            known = sound or answer.status in _NOT_THERE
            body = answer.body if sound else b""
            problem = "" if known else f"status {answer.status}"
            if sound:
                links += _linked(answer, url)
            found = _page(responses, body, reading, only_no=not sound, known=known)
            yield Fetched(f"page of {site}", found, problem)
        last = responses[-1].url if responses else url
        sites.setdefault(web_address(last).site, last)
        if not known:
            self._unread.update(sites)
        if len(sites) > 1:
            async for fetched in self._of_site(last, reading, links):
                yield fetched
        async for fetched in self._licenses(site, links, reading):
            yield fetched

    async def _of_site(self, url: str, reading: Reading, links: list[Link]) -> AsyncIterator[Fetched]:
        """Yield what robots.txt and tdmrep.json of a page's site say; the licences that they link to are added to `links`."""
        site, root = web_address(url).site, urljoin(url, "/")
        reading = reading._replace(url=url)
        asked = await self._try(urljoin(root, "/robots.txt"), robots.MAX_BYTES)
        if asked.answer is not None:
            links += [Link((root,), each) for each in robots.license_urls(asked.answer.body)]
        if not asked.known:
            self._unread.add(site)
        yield _read(
            "robots.txt", site, asked, lambda a: robots.read(a.body, _evident(reading, a.body)), robots.scope(reading)
        )
        asked = await self._try(urljoin(root, "/.well-known/tdmrep.json"), tdmrep.MAX_BYTES)
        yield _read(
            "tdmrep.json", site, asked, lambda a: tdmrep.read(a.body, _evident(reading, a.body)), tdmrep.scope(reading)
        )

    async def _licenses(self, site: str, links: Iterable[Link], reading: Reading) -> AsyncIterator[Fetched]:
        name = f"licence of {site}"
        targets: dict[str, dict[str, None]] = {}
        for link in links:
            try:
                target = resolved(link.urls[0], link.reference)
            except OptOutError as error:
                yield Fetched(name, [Remark(0, error.reason)])
                continue
            targets.setdefault(target, {}).update(dict.fromkeys(link.urls))
        if len(targets) > MAX_LICENSES:
            yield Fetched(name, [], f"of {len(targets)} only the first {MAX_LICENSES} were read")
        for number, (target, urls) in enumerate(targets.items(), 1):
            sites = {web_address(each).site for each in urls}
            if number > MAX_LICENSES:
                self._unread |= sites
                continue
            if owner_of(web_address(target).host) != owner_of(web_address(next(iter(urls))).host):
                yield Fetched(name, [Remark(0, "other_site")])
                continue
            asked = await self._try(target, rsl.MAX_BYTES)
            if not asked.known:
                self._unread |= sites
            if asked.answer is None and not asked.problem:
                asked = Asked(problem="it is not there, though the site links to it")
            yield _read("licence", site, asked, partial(_license, urls=urls, reading=reading))

    async def _try(self, url: str, limit: int) -> Asked:
        try:
            answer = await self._client.get(url, limit)
        except FetchError as error:
            return Asked(problem=str(error), known=error.answered)
        if answer.status in _NOT_THERE:
            return Asked()
        if not 200 <= answer.status < 300:
            return Asked(problem=f"status {answer.status}", known=False)
        return Asked(answer)


def _read(what: str, site: str, asked: Asked, read: Reader, gone: Iterable[Scope] = ()) -> Fetched:
    """Read an answer. One that says nothing, or cannot be read, says no yes either: `gone` is what it would have spoken of."""
    if asked.answer is None:
        return Fetched(f"{what} of {site}", list(gone) if asked.known else [], asked.problem)
    return Fetched(f"{what} of {site}", list(read(asked.answer)), asked.problem)


def _page(responses: Sequence[Response], body: bytes, reading: Reading, *, only_no: bool, known: bool) -> list[Said]:
    """Read a page. Where it is `known` what is said there, it is all that is said of each of its addresses."""
    gone = scopes((each.url for each in responses), reading, html=True) if known else ()
    return [*gone, *of_page(responses, body, _evident(reading, body), only_no=only_no)]


def _license(answer: Answer, urls: Iterable[str], reading: Reading) -> Iterator[Said]:
    """Yield what a licence says of the site that links to it, and what it refuses of one that led there."""
    return for_each(urls, lambda of_url: rsl.read(answer.body, of_url), _evident(reading, answer.body))


def _evident(reading: Reading, body: bytes) -> Reading:
    return reading._replace(evidence="sha256:" + sha256(body).hexdigest())


def _linked(answer: Answer, url: str) -> list[Link]:
    """Return the RSL licences that a page links to, in `Link` headers (RFC 8288) or in its HTML. `url` is the address that was asked for."""
    last = answer.responses[-1]
    found = [
        part.partition("<")[2].partition(">")[0]
        for _, name, value in last.headers
        if name == "link"
        for part in value.split(",")
        if html_metas.RSL in part.lower() and "<" in part
    ]
    if last.is_html():
        found += html_metas.license_urls(answer.body)
    return [Link((answer.url, url), each) for each in found if each]


async def fetch(urls: Iterable[str], reading: Reading, timeout_seconds: float) -> AsyncIterator[Fetched]:
    """Yield what sites say; each request ends after `timeout_seconds` at the latest."""
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        headers={"User-Agent": f"hegui/{version('hegui')}", "Accept-Encoding": "identity"},
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        fetcher = Fetcher(WebClient(session))
        for url in urls:
            try:
                async for fetched in fetcher.site(url, reading):
                    yield fetched
            except Exception as error:  # noqa: BLE001 - whatever a stranger's answer breaks: what other sites said must not be lost
                yield Fetched(f"all of {web_address(url).site}", [], f"it cannot be read ({type(error).__name__})")
        for fetched in fetcher.licenses_read(reading):
            yield fetched


def portions(urls: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yield pages in portions of about `size`, those of one owner's sites together: what one of them no longer says another one may."""
    of_owner: dict[str, list[str]] = {}
    for url in urls:
        of_owner.setdefault(owner_of(web_address(url).host), []).append(url)
    portion: list[str] = []
    for pages in of_owner.values():
        portion += pages
        if len(portion) >= size:
            yield portion
            portion = []
    if portion:
        yield portion


def fetch_all(urls: Iterable[str], reading: Reading, timeout_seconds: float) -> list[Fetched]:
    """Return what sites say. Blocks until all are read."""

    async def work() -> list[Fetched]:
        return [each async for each in fetch(urls, reading, timeout_seconds)]

    return asyncio.run(work())
