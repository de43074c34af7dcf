"""Reading what sites say, from a server on this machine: what is read, what is followed, what is bounded."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from hegui.rules.facts import OptOut
from hegui.streams.errors import OptOutError
from hegui.streams.optouts import fetching, rsl, tdmrep
from hegui.streams.optouts.fetching import MAX_LICENSES, Fetched, fetch, page_url, portions
from hegui.streams.optouts.normal_form import Reading
from hegui.streams.optouts.remarks import REASONS
from hegui.streams.optouts.robots import MAX_BYTES
from hegui.streams.optouts.scopes import Scope
from hegui.streams.optouts.web_client import MAX_REDIRECTS, WebClient
from tests.streams.optouts.texts import AT_MS, said, told

READING = Reading(AT_MS, agents=("*",))
Site = dict[str, Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse]]]


class Server:
    """Answers by path, and remembers what was asked."""

    def __init__(self) -> None:
        self.answers: Site = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.port = 0
        self.stuck = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        self.headers.append(dict(request.headers))
        make = self.answers.get(request.path)
        if make is None:
            return web.Response(status=404)
        made = make(request)
        return await made if inspect.isawaitable(made) else made

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = runner.addresses[0][1]
    yield made
    made.stuck.set()
    await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


@pytest.fixture
async def other() -> AsyncIterator[Server]:
    """Another site of the same owner: another port."""
    async with serving() as made:
        yield made


def text(content: str | bytes, kind: str = "text/plain", **headers: str) -> Callable[[web.Request], web.Response]:
    body = content.encode() if isinstance(content, str) else content
    return lambda _: web.Response(body=body, content_type=kind, headers=headers)


def to(location: str, status: int = 302, **headers: str) -> Callable[[web.Request], web.Response]:
    return lambda _: web.Response(status=status, headers={"Location": location, **headers})


async def read(server: Server, path: str = "/", seconds: float = 10.0) -> dict[str, Fetched]:
    return {each.name.partition(" of ")[0]: each async for each in fetch([server.url(path)], READING, seconds)}


def no(server: Server, path: str, category: str = "train", scheme: str = "url_prefix") -> tuple[str, ...]:
    return (scheme, f"127.0.0.1:{server.port}{path}", category, "deny")


LICENSE = '<rsl xmlns="https://rslstandard.org/rsl"><content url="/l/"><license><prohibits type="usage">ai-train</prohibits></license></content></rsl>'


async def test_everything_that_a_site_says_is_read(server):
    server.answers = {
        "/robots.txt": text("User-agent: *\nDisallow: /a/\nLicense: /one.xml\n"),
        "/.well-known/tdmrep.json": text('[{"location": "/m/", "tdm-reservation": 1}]', "application/json"),
        "/p": text('<meta name="robots" content="noai">', "text/html", **{"tdm-reservation": "1", "Link": '</two.xml>; rel="license"; type="application/rsl+xml"'}),
        "/one.xml": text(LICENSE, "application/rsl+xml"),
        "/two.xml": text(LICENSE.replace("/l/", "/k/"), "application/rsl+xml"),
    }  # fmt: skip
    found = [each async for each in fetch([server.url("/p")], READING, 10)]
    statements = said(record for each in found for record in each.found)
    assert statements >= {
        no(server, "/a/"), no(server, "/m/", "mine"), no(server, "/p", "train", "url"), no(server, "/p", "mine", "url"), no(server, "/l/"), no(server, "/k/"),
    }  # fmt: skip
    assert [each.problem for each in found] == [""] * 6
    assert all(
        record.evidence.startswith("sha256:") for each in found for record in each.found if isinstance(record, OptOut)
    )
    assert server.asked == ["/robots.txt", "/.well-known/tdmrep.json", "/p", "/one.xml", "/two.xml"]
    assert all(
        each["User-Agent"].startswith("hegui/") and each["Accept-Encoding"] == "identity" for each in server.headers
    )


async def test_licences_that_the_html_links_to_or_holds_are_read(server):
    server.answers = {
        "/d/p": to("/d/e/p"),
        "/d/e/p": text(
            '<link rel="license" type="application/rsl+xml" href="one.xml"><link rel="license" type="text/html" href="x">'
            f'<script type="application/rsl+xml">\n{LICENSE.replace("/l/", "/k/")}</script>',
            "text/html",
        ),
        "/d/e/one.xml": text(LICENSE, "application/rsl+xml"),
    }
    found = await read(server, "/d/p")
    assert said(found["licence"].found) == {no(server, "/l/")}
    assert said(found["page"].found) == {no(server, "/k/")}
    assert all(len(each.found) == len(set(each.found)) for each in found.values())
    assert server.asked[-1] == "/d/e/one.xml"


@pytest.mark.parametrize("line", ["License: /l.xml # our licence", "\ufeffLicense: /l.xml", "license:/l.xml#x"])
async def test_a_licence_line_may_have_a_comment_or_a_byte_order_mark(server, line):
    server.answers = {"/robots.txt": text(line), "/l.xml": text(LICENSE)}
    assert said((await read(server))["licence"].found) == {no(server, "/l/")}


async def test_licences_beyond_the_limit_are_told(server):
    lines = [f"License: /{number}.xml" for number in (0, *range(MAX_LICENSES + 1))]
    server.answers = {"/robots.txt": text("\n".join(lines))} | {
        f"/{number}.xml": text(LICENSE) for number in range(MAX_LICENSES + 1)
    }
    found = [each async for each in fetch([server.url()], READING, 10)]
    assert [each.problem for each in found if each.problem] == ["of 11 only the first 10 were read"]
    assert sum(path.endswith(".xml") for path in server.asked) == MAX_LICENSES


async def test_a_licence_that_is_not_there_is_told(server):
    server.answers = {"/robots.txt": text("License: /l.xml")}
    assert (await read(server))["licence"].problem == "it is not there, though the site links to it"


async def test_a_site_that_says_nothing_is_no_problem(server):
    server.answers = {"/": text("hello")}
    found = await read(server)
    assert not any(each.problem for each in found.values())
    assert all(isinstance(one, Scope) for each in found.values() for one in each.found)


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_an_answer_that_is_none_is_told(server, status):
    server.answers = {"/robots.txt": lambda _: web.Response(status=status, text="User-agent: *\nDisallow: /")}
    found = await read(server)
    assert (found["robots.txt"].problem, found["robots.txt"].found) == (f"status {status}", [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_within_a_site_are_followed(server, status):
    server.answers = {"/robots.txt": to("/r/robots.txt", status), "/r/robots.txt": text("User-agent: *\nDisallow: /a/")}
    assert said((await read(server))["robots.txt"].found) == {no(server, "/a/")}


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("https://127.0.0.1/robots.txt", "no answer (ClientConnectorError)"),
        ("http://127.0.0.2/robots.txt", "a redirect to another owner's site"),
        ("http://other.example/robots.txt", "a redirect to another owner's site"),
        ("file:///etc/passwd", "a redirect to something that is no web address"),
        ("ftp://127.0.0.1/robots.txt", "a redirect to something that is no web address"),
        ("http://127.0.0.1\\@other.example/", "a redirect to something that is no web address"),
        ("http://[bad/", "a redirect to something that is no web address"),
        ("http://127.0.0.1:99999/", "a redirect to something that is no web address"),
        ("/robots.txt", f"more than {MAX_REDIRECTS} redirects"),
    ],
)
async def test_redirects_elsewhere_are_not_followed(server, location, problem):
    server.answers = {"/robots.txt": to(location)}
    assert (await read(server))["robots.txt"].problem == problem
    assert server.asked.count("/robots.txt") <= MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("example.com", "https://example.com"),
        (" http://example.com/a ", "http://example.com/a"),
        ("HTTPS://example.com/", "HTTPS://example.com/"),
        ("//example.com/a", "https://example.com/a"),
        ("example.com/?u=http://x/", "https://example.com/?u=http://x/"),
        ("example.com:8080/a", "https://example.com:8080/a"),
    ],
)
def test_a_page_may_be_named_without_scheme(given, url):
    assert page_url(given) == url


@pytest.mark.parametrize(
    "given", ["", "//", "///example.com", "/a", "ftp://example.com/", "https://", "http://x y/", "://x"]
)
def test_what_names_no_page_is_refused(given):
    with pytest.raises(OptOutError):
        page_url(given)


def test_encryption_is_never_left():
    with pytest.raises(Exception, match="a redirect from https to http"):
        WebClient._target("https://example.com/a", "http://example.com/a", "example.com")
    assert (
        WebClient._target("http://example.com/a", "https://www.example.com/b", "example.com")
        == "https://www.example.com/b"
    )


async def test_a_robots_txt_without_end_is_read_up_to_its_limit(server):
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"User-agent: *\nDisallow: /a/\nContent-Usage: train-ai=y\n")
        try:
            while True:
                await response.write(b"# filler\n" * 1000)
                sent += 9000
        except ConnectionError:
            return response

    server.answers = {"/robots.txt": endless}
    found = (await read(server))["robots.txt"]
    assert said(found.found) == {no(server, "/a/")}
    assert (0, "too_large") in told(found.found)
    assert sent < 100 * MAX_BYTES


async def test_a_server_that_does_not_answer_is_told_in_time(server):
    async def stuck(_: web.Request) -> web.Response:
        await server.stuck.wait()
        return web.Response()

    server.answers = {"/robots.txt": stuck}
    assert (await read(server, seconds=0.2))["robots.txt"].problem == "no answer (TimeoutError)"


async def test_a_server_that_is_not_there_is_told():
    found = [each async for each in fetch(["http://127.0.0.1:1/"], READING, 5)]
    assert {each.problem for each in found} == {"no answer (ClientConnectorError)"}


async def test_a_compressed_answer_is_not_opened(server):
    server.answers = {"/robots.txt": text(b"\x1f\x8b", **{"Content-Encoding": "gzip"})}
    assert (await read(server))["robots.txt"].problem == "the answer is compressed, though that was not asked for"


async def test_a_licence_of_another_owner_is_not_read(server):
    server.answers = {"/robots.txt": text("License: https://other.example/l.xml\nLicense: ftp://x/\n")}
    found = await read(server)
    assert told(found["licence"].found) == {(0, "other_site")}
    assert server.asked == ["/robots.txt", "/.well-known/tdmrep.json", "/"]


@pytest.mark.parametrize(("path", "limit"), [("/.well-known/tdmrep.json", tdmrep.MAX_BYTES), ("/l.xml", rsl.MAX_BYTES)])
async def test_what_is_too_large_says_nothing(server, path, limit):
    server.answers = {"/robots.txt": text("License: /l.xml"), path: text(b" " * (limit + 10))}
    found = await read(server)
    name = "licence" if path == "/l.xml" else "tdmrep.json"
    assert told(found[name].found) == {(0, "too_large")}


NOAI = {"X-Robots-Tag": "noai"}


async def every(*urls: str) -> tuple[set[tuple[str, ...]], list[str], list[str]]:
    """Read sites; return what they say, what could not be read, and the reasons of refused rows."""
    found = [each async for each in fetch(urls, READING, 10)]
    return (
        said(record for each in found for record in each.found),
        [f"{each.name.partition(' of ')[0]}: {each.problem}" for each in found if each.problem],
        [reason for each in found for _, reason in told(each.found) if reason in REASONS],
    )


async def test_what_a_page_says_is_said_of_each_address_that_led_to_it(server):
    server.answers = {
        "/a": to("/b", 301),
        "/b": to("c", 302),
        "/c": text("<meta name=robots content=noai>", "text/html", **{"tdm-reservation": "1"}),
    }
    found, problems, _ = await every(server.url("/a"))
    assert found == {no(server, path, use, "url") for path in ("/a", "/b", "/c") for use in ("train", "mine")}
    assert not problems


async def test_a_yes_is_one_for_the_address_that_states_it(server, other):
    server.answers = {"/a": to(other.url("/log-in"))}
    other.answers = {
        "/log-in": text(
            f'<meta name=tdm-reservation content=0><script type="application/rsl+xml">{LICENSE.replace("prohibits", "permits")}</script>',
            "text/html", **{"Content-Usage": "train-ai=y"},
        ),
    }  # fmt: skip
    found, *_ = await every(server.url("/a"))
    assert {subject for _, subject, _, value in found if value == "allow"} == {
        f"127.0.0.1:{other.port}/log-in",
        f"127.0.0.1:{other.port}/l/",
    }


async def test_a_redirect_itself_may_refuse(server):
    server.answers = {"/a": to("/b", 301, **NOAI), "/b": text("hello", **{"Content-Usage": "train-ai=y"})}
    found, *_ = await every(server.url("/a"))
    # The yes and the no have sources of their own, and any no wins.
    assert {no(server, "/a", "train", "url"), no(server, "/b", "train", "url")} <= found
    server.answers["/a"] = to("/b", 301, **{"Content-Usage": "train-ai=n"})
    found, *_ = await every(server.url("/a"))
    assert found == {no(server, "/a", "train", "url"), no(server, "/b", "train", "url")}


@pytest.mark.parametrize("location", ["http://other.example/", "http://[bad/", "/a"])
async def test_a_refusal_on_the_way_is_taken_though_the_page_cannot_be_read(server, location):
    server.answers = {"/a": to(location, 301, **NOAI, **{"tdm-reservation": "0"})}
    found, problems, _ = await every(server.url("/a"))
    assert found == {no(server, "/a", "train", "url")}
    assert len(problems) == 1


async def test_the_headers_of_a_page_whose_body_is_compressed_may_refuse(server):
    server.answers = {"/a": text(b"\x1f\x8b", **{"Content-Encoding": "gzip", "tdm-reservation": "0"}, **NOAI)}
    found, problems, _ = await every(server.url("/a"))
    assert found == {no(server, "/a", "train", "url")}
    assert problems == ["page: the answer is compressed, though that was not asked for"]


@pytest.mark.parametrize(
    ("status", "problems"), [(401, ["page: status 401"]), (503, ["page: status 503"]), (404, []), (410, [])]
)
async def test_of_a_page_that_is_not_given_out_the_headers_may_refuse(server, status, problems):
    def refused(_: web.Request) -> web.Response:
        body = "<meta name=tdm-reservation content=1>"
        headers = {"Content-Usage": "train-ai=y", **NOAI}
        return web.Response(status=status, text=body, content_type="text/html", headers=headers)

    server.answers = {"/a": refused}
    assert (await every(server.url("/a")))[:2] == ({no(server, "/a", "train", "url")}, problems)


async def test_the_site_that_a_page_is_redirected_to_is_read_too(server, other):
    server.answers = {"/robots.txt": text("User-agent: *\nDisallow: /x/"), "/a": to(other.url("/b"), 301)}
    other.answers = {
        "/robots.txt": text("User-agent: *\nDisallow: /y/\nLicense: /one.xml"),
        "/.well-known/tdmrep.json": text('[{"location": "/m/", "tdm-reservation": 1}]', "application/json"),
        "/b": text(f'<link type="application/rsl+xml" href="two.xml"><script type="application/rsl+xml">{LICENSE}</script>', "text/html"),
        "/one.xml": text(LICENSE.replace("/l/", "/k/")),
        "/two.xml": text(LICENSE.replace("/l/", "/n/")),
    }  # fmt: skip
    found, problems, _ = await every(server.url("/a"))
    assert found == {
        no(server, "/x/"), no(other, "/y/"), no(other, "/m/", "mine"), no(other, "/k/"),
        no(server, "/l/"), no(other, "/l/"), no(server, "/n/"), no(other, "/n/"),
    }  # fmt: skip
    assert not problems
    assert server.asked == ["/robots.txt", "/.well-known/tdmrep.json", "/a"]
    assert other.asked == ["/b", "/robots.txt", "/.well-known/tdmrep.json", "/two.xml", "/one.xml"]


async def test_the_site_of_a_page_that_cannot_be_read_is_read_nevertheless(server, other):
    server.answers = {"/a": to(other.url("/b"))}
    other.answers = {
        "/robots.txt": text("User-agent: *\nDisallow: /y/"),
        "/b": text(b"\x1f\x8b", **{"Content-Encoding": "gzip"}),
    }
    found, problems, _ = await every(server.url("/a"))
    assert found == {no(other, "/y/")}
    assert problems == ["page: the answer is compressed, though that was not asked for"]


async def test_links_that_lead_nowhere_are_told_and_nothing_else_is_lost(server, other):
    server.answers = {
        "/robots.txt": text("User-agent: *\nDisallow: /a/\nLicense: http://[bad/l.xml\nLicense: /l.xml"),
        "/": text(
            '<link rel="license" type="application/rsl+xml" href="http://[x">', "text/html",
            Link='<http://[y>; rel="license"; type="application/rsl+xml"',
        ),
        "/l.xml": text(LICENSE),
    }  # fmt: skip
    other.answers = {"/robots.txt": text("User-agent: *\nDisallow: /a/")}
    found, problems, refused = await every(server.url(), other.url())
    assert found == {no(server, "/a/"), no(server, "/l/"), no(other, "/a/")}
    assert (problems, refused) == ([], ["link_invalid"] * 3)


async def test_an_answer_that_breaks_a_reader_costs_no_other_site(server, other, monkeypatch):
    def broken(*_: object) -> list[OptOut]:
        raise RecursionError

    monkeypatch.setattr(fetching.tdmrep, "read", broken)
    server.answers = {"/.well-known/tdmrep.json": text("[]")}
    other.answers = {"/robots.txt": text("User-agent: *\nDisallow: /a/")}
    found, problems, _ = await every(server.url(), other.url())
    assert (found, problems) == ({no(other, "/a/")}, ["all: it cannot be read (RecursionError)"])


@pytest.mark.parametrize(
    ("size", "split"),
    [
        (1, ["acd", "be", "f"]),
        (3, ["acd", "bef"]),
        (4, ["acdbe", "f"]),
        (9, ["acdbef"]),
    ],
)
def test_the_pages_of_one_owner_are_in_one_portion(size, split):
    hosts = ["example.com", "example.org", "www.example.com", "EXAMPLE.com:8080", "a.example.org", "example.co.uk"]
    urls = [f"https://{host}/{letter}" for host, letter in zip(hosts, "abcdef", strict=True)]
    assert ["".join(url[-1] for url in portion) for portion in portions(urls, size)] == split
    assert list(portions([], size)) == []


@pytest.mark.parametrize("breaks", [True, False])
async def test_licences_are_not_known_to_be_all_when_a_page_breaks_a_reader(server, monkeypatch, breaks):
    def read_page(body: bytes, *_: object, **__: object) -> list[OptOut]:
        if breaks and body == b"two":
            raise RecursionError
        return []

    monkeypatch.setattr(fetching.html_metas, "read", read_page)
    server.answers = {"/1": text("one", "text/html"), "/2": text("two", "text/html")}
    found = [each async for each in fetch([server.url("/1"), server.url("/2"), server.url("/1")], READING, 10)]
    known = {source for each in found for one in each.found if isinstance(one, Scope) for source in one.sources}
    assert ("rsl" in known, "html-robots" in known) == (not breaks, True)
