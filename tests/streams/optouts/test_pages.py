"""HTTP headers and HTML metas: what they say holds for their page alone."""

import pytest

from hegui.streams.optouts.html_metas import MAX_BYTES
from hegui.streams.optouts.normal_form import Reading
from tests.streams.optouts.texts import AT_MS, READING, read, said, told

PAGE = READING._replace(url="https://example.com/p")


def of_page(category: str, value: str) -> tuple[str, ...]:
    return ("url", "example.com/p", category, value)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (["Content-Usage: train-ai=n"], {of_page("train", "deny")}),
        (
            ["content-usage: train-ai=y", "Content-Usage: search=n"],
            {of_page("train", "allow"), of_page("search", "deny")},
        ),
        (["Content-Usage: train-ai=y", "Content-Usage: train-ai=n"], {of_page("train", "deny")}),
        (["Content-Usage: train-ai=n", "Content-Usage: ((("], set()),
        (["TDM-Reservation: 1", "TDM-Policy: https://example.com/policy"], {of_page("mine", "deny")}),
        (["tdm-reservation:0"], {of_page("mine", "allow")}),
        (["tdm-reservation: 0", "tdm-reservation: 1"], {of_page("mine", "deny")}),
        (["tdm-reservation: 0", "tdm-reservation: 2"], set()),
        (["tdm-reservation: 1, 1"], {of_page("mine", "deny")}),
        (["tdm-reservation: 0,0"], {of_page("mine", "allow")}),
        (["tdm-reservation: 0, 1"], {of_page("mine", "deny")}),
        (["tdm-reservation: 0, 2"], set()),
        (["tdm-reservation: 2"], set()),
        (["X-Robots-Tag: noindex, NOAI"], {of_page("train", "deny")}),
        (["X-Robots-Tag: noimageai"], {of_page("train", "deny")}),
        (["X-Robots-Tag: otherbot: noai"], set()),
        (["X-Robots-Tag: OurBot: noai"], {of_page("train", "deny")}),
        (["X-Robots-Tag: noaido"], set()),
        (["X-Robots-Tag: max-image-preview:large, noai"], {of_page("train", "deny")}),
        (["X-Robots-Tag: max-snippet: -1, noai"], {of_page("train", "deny")}),
        (["X-Robots-Tag: unavailable_after: 25 Jun 2030 15:00:00 PST, noai"], {of_page("train", "deny")}),
        (["X-Robots-Tag: unavailable_after: Sunday, 25-Aug-30 15:00:00 GMT, noai"], {of_page("train", "deny")}),
        (["X-Robots-Tag: *: noai"], {of_page("train", "deny")}),
        (["X-Robots-Tag: noindex, ourbot: noai"], {of_page("train", "deny")}),
        (["X-Robots-Tag: otherbot: noindex, OurBot/1.0 : nofollow, noai"], {of_page("train", "deny")}),
        (["X-Robots-Tag: ourbot: max-snippet: -1, noai"], {of_page("train", "deny")}),
        (["X-Robots-Tag: otherbot: nofollow, noai"], set()),
        (["X-Robots-Tag: otherbot: max-snippet: -1, noai"], set()),
        (["X-Robots-Tag: noindex; noai"], {of_page("train", "deny")}),
        (["X-Robots-Tag: noindex noimageai"], {of_page("train", "deny")}),
        (["X-Robots-Tag: all"], set()),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_headers(headers, found, end):
    text = end.join(["HTTP/1.1 200 OK", *headers, "", ""])
    assert said(read("http", text, PAGE._replace(agents=("*", "ourbot")))) == found


def test_a_message_names_its_page_itself():
    text = "GET https://example.com/p HTTP/1.1\r\nHost: example.com\r\nTDM-Reservation: 0\r\n\r\nHTTP/1.1 200 OK\r\nTDM-Reservation: 1\r\n\r\n"
    assert said(read("http", text, Reading(AT_MS))) == {of_page("mine", "deny")}
    assert said(read("http", text.replace("https://example.com", ""), PAGE)) == {of_page("mine", "deny")}


def test_the_html_of_a_message_is_read_too():
    head = "HTTP/1.1 200 OK\nContent-Type: {}\n\n"
    html = '<html><head><meta name="robots" content="noai">'
    found = read("http", head.format("text/html; charset=utf-8") + html, PAGE)
    assert said(found) == {of_page("train", "deny")}
    assert [record.evidence.rpartition(" ")[2] for record in found] == ["4"]
    assert not read("http", head.format("text/plain") + html, PAGE)


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<meta name="tdm-reservation" content="1"><meta name="tdm-policy" content="x">', {of_page("mine", "deny")}),
        ("<META CONTENT=0 NAME=TDM-Reservation />", {of_page("mine", "allow")}),
        (
            '<meta name="tdm-reservation" content="0"><meta name="tdm-reservation" content="1">',
            {of_page("mine", "deny")},
        ),
        ('<meta name="tdm-reservation" content="yes">', set()),
        ('<meta name="tdm-reservation">', set()),
        ('<meta name="robots" content="index, noai, noimageai">', {of_page("train", "deny")}),
        ('<meta name="ourbot" content="noai">', {of_page("train", "deny")}),
        ('<meta name="otherbot" content="noai">', set()),
        ('<meta name="robots" content="noindex noai">', {of_page("train", "deny")}),
        ('<meta name="robots" content="all">', set()),
        ('<!-- <meta name="tdm-reservation" content="0"> -->', set()),
        ('<script>"<meta name=tdm-reservation content=0>"</script>', set()),
        ('<meta name="tdm-reservation" name="robots" content="noai" content="0">', set()),
        ("<p>tdm-reservation: 0</p>", set()),
        ('<![bad[<meta name="robots" content="noai">', set()),
        ('<![bad[><meta name="robots" content="noai">', {of_page("train", "deny")}),
        (
            "<meta name='description' content='A 5\" screen'><meta name='robots' content='noai'>",
            {of_page("train", "deny")},
        ),
        ('<meta name="description" content="x""><meta name="robots" content="noai">', {of_page("train", "deny")}),
        ("<meta name='robots' content='a > b, noai'>", {of_page("train", "deny")}),
        ("<meta name='robots' content='noai' data-x='5\"'>", {of_page("train", "deny")}),
        ('<!-- a --!><meta name="robots" content="noai">', {of_page("train", "deny")}),
        (f'<meta name="robots" content="noai" data-x="{"x" * 9000}">', {of_page("train", "deny")}),
        ("<p title=\"<meta name='tdm-reservation' content='0'>\">", set()),
        ('<meta content="a > b, noai" name="robots">', {of_page("train", "deny")}),
        ('<meta name="robots" content="noai', set()),
        ('<script><meta name="robots" content="noai">', set()),
        ("<metal name=robots content=noai>", set()),
        ('<!-- <meta name="robots" content="noai">', set()),
        ('<!--><meta name="robots" content="noai">', {of_page("train", "deny")}),
        ('<!---><meta name="robots" content="noai">', {of_page("train", "deny")}),
        ("", set()),
    ],
)
def test_metas(html, found):
    assert said(read("html", html, PAGE._replace(agents=("*", "ourbot")))) == found


LICENSE = '<rsl xmlns="https://rslstandard.org/rsl">\n<content url="/l/"><license><{} type="usage">ai-train</{}></license></content></rsl>'
ONE, TWO, TAG = "HTTP/1.1 301 Moved\nLocation: {}\n\n", "HTTP/2 200 \n{}\n\n", "X-Robots-Tag: noai"
GET = "GET https://example.com/p HTTP/1.1\n\n"
NOAI = {of_page("train", "deny")}
SEVERAL = {(0, "responses")}


def of_pages(category: str, value: str, *pages: str) -> set[tuple[str, ...]]:
    return {("url", page, category, value) for page in ("example.com/p", *pages)}


@pytest.mark.parametrize(
    ("text", "found", "remarks"),
    [
        (ONE.format("/q") + TWO.format(TAG), of_pages("train", "deny", "example.com/q"), SEVERAL),
        (ONE.format("https://www.example.com/q") + TWO.format(TAG), of_pages("train", "deny", "www.example.com/q"), SEVERAL),
        (ONE.format("/q") + ONE.format("r") + TWO.format(TAG), of_pages("train", "deny", "example.com/q", "example.com/r"), SEVERAL),
        (ONE.format(f"/q\n{TAG}") + TWO.format("a: b"), of_pages("train", "deny", "example.com/q"), SEVERAL),
        (ONE.format("/q\ntdm-reservation: 1") + TWO.format("tdm-reservation: 0"), of_pages("mine", "deny", "example.com/q"), SEVERAL),
        (ONE.format("/q\nContent-Usage: train-ai=n") + TWO.format("Content-Usage: train-ai=y"), of_pages("train", "deny", "example.com/q"), SEVERAL),
        (ONE.format("/q\nContent-Usage: train-ai=y") + TWO.format("Content-Usage: train-ai=n"), of_pages("train", "deny", "example.com/q"), SEVERAL),
        (ONE.format("/q\nContent-Usage: search=y") + TWO.format("Content-Usage: train-ai=y"), {("url", "example.com/q", "train", "allow"), of_page("search", "allow")}, SEVERAL),
        (ONE.format("/q\nContent-Usage: train-ai=y") + TWO.format("Content-Usage: train-ai=y"), of_pages("train", "allow", "example.com/q"), SEVERAL),
        (ONE.format("/q") + TWO.format("Content-Type: text/html") + "<meta name=tdm-reservation content=0>" + f"<script type=application/rsl+xml>{LICENSE.format(*['permits'] * 2).replace(chr(10), '')}</script>", {("url", "example.com/q", "mine", "allow"), ("url_prefix", "example.com/l/", "train", "allow"), ("url_prefix", "example.com/l/", "input", "deny"), ("url_prefix", "example.com/l/", "search", "deny")}, SEVERAL),
        (ONE.format("/q\nContent-Usage: (((") + TWO.format("Content-Usage: train-ai=n"), of_pages("train", "deny", "example.com/q"), {*SEVERAL, (3, "syntax")}),
        (ONE.format("/q\nContent-Usage: (((") + TWO.format("Content-Usage: train-ai=y\nTDM-Reservation: 0"), {("url", "example.com/q", "mine", "allow")}, {*SEVERAL, (3, "syntax"), (6, "value_unknown")}),
        (ONE.format("/q\nContent-Type: text/html") + TWO.format("a: b") + "<meta name=robots content=noai>", set(), SEVERAL),
        (ONE.format("/q") + TWO.format("Content-Type: text/html") + "<meta name=robots content=noai>\n<meta name=tdm-reservation content=2>", of_pages("train", "deny", "example.com/q"), {*SEVERAL, (8, "value_unknown")}),
        (ONE.format("https://other.example/q") + TWO.format(TAG), set(), {(4, "other_site")}),
        (ONE.format(f"https://other.example/q\n{TAG}") + TWO.format("Content-Usage: train-ai=y"), NOAI, {(5, "other_site")}),
        (ONE.format("https://other.example/q\ntdm-reservation: 0") + TWO.format(TAG), set(), {(5, "other_site"), (3, "value_unknown")}),
        (ONE.format("https://other example/q") + TWO.format(TAG), set(), {(4, "other_site")}),
        (ONE.format("http://[bad/") + TWO.format(TAG), set(), {(4, "other_site")}),
        (ONE.format("https://other.example/q").strip() + f"\n{TAG}", NOAI, set()),
        (GET + "HTTP/1.1 100 Continue\nX-Robots-Tag: none\n\n" + TWO.format(TAG), NOAI, set()),
        ("HTTP/1.1 103 Early Hints\ntdm-reservation: 0\n\n" + TWO.format(TAG), NOAI, set()),
        (GET.strip() + f"\n{TAG}\n\n", set(), {(0, "no_response")}),
        (TWO.format(TAG).replace("\n", "\r"), NOAI, set()),
        ("\n\n" + TAG, NOAI, set()),
        (GET + TWO.format(TAG) + GET.replace("/p", "/q") + TWO.format(TAG), NOAI, {(6, "syntax")}),
        (TWO.format("Content-Type: text/html") + "\n\n<meta name=robots content=noai>", NOAI, set()),
    ],
)  # fmt: skip
def test_messages_of_several_responses_or_none(text, found, remarks):
    read_ = read("http", text, PAGE)
    assert (said(read_), told(read_)) == (found, remarks)


def test_a_redirect_of_a_page_without_address_gives_nothing():
    text = ONE.format("https://other.example/q") + TWO.format(TAG)
    assert told(read("http", text, Reading(AT_MS))) == {(0, "no_address")}


OF_OTHER = {(1, "other_site")}


@pytest.mark.parametrize(
    ("request_", "url", "subject", "remarks"),
    [
        ("GET /private HTTP/1.1\nHost: example.com", None, "example.com/private", set()),
        ("GET /private HTTP/1.1\nhost:EXAMPLE.com:443", "https://example.com/private", "example.com/private", set()),
        ("GET /private HTTP/1.1\nHost: example.com", "https://example.com/", "example.com/private", set()),
        ("GET /private HTTP/1.1", "https://example.com/", "example.com/private", set()),
        ("GET //x/private HTTP/1.1", "https://example.com:8443/", "example.com:8443//x/private", set()),
        ("GET /private?a=b HTTP/1.1", "https://example.com/private?a=b", "example.com/private?a=b", set()),
        ("GET https://example.com/private HTTP/1.1\nHost: other.org", None, "example.com/private", set()),
        ("GET /private HTTP/1.1\nHost: example.com", "https://example.com/p", "", {(1, "other_page")}),
        ("GET https://example.com/private HTTP/1.1", "https://example.com/p", "", {(1, "other_page")}),
        ("GET /p HTTP/1.1\nHost: other.org", "https://example.com/p", "", OF_OTHER),
        ("GET / HTTP/1.1\nHost: other.org", "https://example.com/", "", OF_OTHER),
        ("GET https://other.org/ HTTP/1.1\nHost: example.com", "https://example.com/", "", OF_OTHER),
        ("GET /p HTTP/1.1\nHost: example.com:8443", "https://example.com/p", "", OF_OTHER),
        ("GET /p HTTP/1.1", None, "", {(1, "no_address")}),
        ("GET /p HTTP/1.1\nHost: example.com\nHost: other.org", None, "", {(1, "subject_invalid")}),
        ("GET /p HTTP/1.1\nHost: other.org/a?", None, "", {(1, "subject_invalid")}),
        ("GET /p HTTP/1.1\nHost: user@other.org", None, "", {(1, "subject_invalid")}),
        ("GET /p HTTP/1.1\nHost:", None, "", {(1, "subject_invalid")}),
        ("OPTIONS * HTTP/1.1\nHost: example.com", None, "", {(1, "subject_invalid")}),
        ("CONNECT example.com:443 HTTP/1.1\nHost: example.com", None, "", {(1, "subject_invalid")}),
        ("GET ftp://example.com/ HTTP/1.1", None, "", {(1, "subject_invalid")}),
        ("GET http://[bad/ HTTP/1.1", None, "", {(1, "subject_invalid")}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", ["train-ai=n", "train-ai=y"])
def test_a_message_is_about_the_page_that_its_request_asks_for(request_, url, subject, remarks, value):
    text = f"{request_}\n\nHTTP/1.1 200 OK\nContent-Usage: {value}\n\n"
    found = read("http", text, Reading(AT_MS, url))
    word = {"n": "deny", "y": "allow"}[value[-1]]
    assert said(found) == ({("url", subject, "train", word)} if subject else set())
    assert told(found) == remarks


def test_a_message_beyond_the_limit_is_read_up_to_there_and_gives_no_yes():
    text = "HTTP/1.1 200 OK\n{}\nContent-Type: text/html\n\n{}"
    refusing = text.format("Content-Usage: train-ai=n", "<meta name=tdm-reservation content=1>")
    agreeing = text.format("Content-Usage: train-ai=y", "<meta name=tdm-reservation content=0>")
    assert said(read("http", agreeing, PAGE)) == {of_page("train", "allow"), of_page("mine", "allow")}
    for whole, found in ((refusing, {of_page("train", "deny"), of_page("mine", "deny")}), (agreeing, set())):
        for filler in (" ", "x", "\n"):
            cut = read("http", whole + filler * MAX_BYTES + "<meta name=robots content=noai>", PAGE)
            assert said(cut) == found
            assert (0, "too_large") in told(cut)


def test_a_header_that_the_limit_cuts_through_is_not_taken():
    head, tail = "HTTP/1.1 200 OK\nX: ", "\nX-Robots-Tag: noai"
    filled = head + "x" * (MAX_BYTES - len(head + tail)) + tail
    assert said(read("http", filled, PAGE)) == NOAI
    assert not said(read("http", filled + "do\n", PAGE))


@pytest.mark.parametrize("code", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_page_in_utf_16_is_read(code):
    html = '<html>\n<meta name="robots" content="noai">'.encode(code)
    assert said(read("html", html, PAGE)) == NOAI
    message = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + html
    (record,) = read("http", message, PAGE)
    assert record.evidence.endswith("line 5")


RSL = LICENSE.format("prohibits", "prohibits")
NO = ("url_prefix", "example.com/l/", "train", "deny")


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ('<script type="application/rsl+xml">', "</script>", {NO}),
        ('<SCRIPT async TYPE="Application/RSL+xml">', "</SCRIPT>", {NO}),
        ('<script type="application/rsl+xml">\n<?xml version="1.0" encoding="iso-8859-1"?>', "</script>", {NO}),
        ('<script>"<meta name=robots content=noai>"</script><script type="application/rsl+xml">', "</script>", {NO}),
        ('<script type="text/plain" data-x="application/rsl+xml">', "</script>", set()),
        ("<script>", "</script>", set()),
        ('<!-- <script type="application/rsl+xml">', "</script> -->", set()),
        ('<script type="application/rsl+xml">', "", set()),
    ],
)
def test_a_licence_inside_a_page_is_read(before, after, found):
    assert said(read("html", before + RSL + after, PAGE)) == found


def test_a_licence_inside_a_page_has_the_lines_of_the_page():
    text = '<html>\n<script type="application/rsl+xml">\n\n' + RSL + "</script>"
    (record,) = read("html", text, PAGE)
    assert (record.source, record.evidence.rpartition(" ")[2]) == ("rsl", "5")
    assert told(read("html", text.replace("</rsl>", ""), PAGE)) == {(2, "syntax")}
    message = read("http", "HTTP/1.1 200 OK\nContent-Type: text/html\n\n" + text, PAGE)
    assert [record.evidence.rpartition(" ")[2] for record in message] == ["8"]


def test_a_page_that_is_not_read_whole_gives_no_yes_of_a_licence_inside_it():
    yes = '<script type="application/rsl+xml">' + LICENSE.format("permits", "permits") + "</script>"
    assert ("url_prefix", "example.com/l/", "train", "allow") in said(read("html", yes, PAGE))
    for behind in (" " * MAX_BYTES, "<!-- "):
        cut = said(read("html", yes + behind, PAGE))
        assert {value for *_, value in cut} == {"deny"}
        assert "train" not in {category for _, _, category, _ in cut}


@pytest.mark.parametrize(
    ("form", "text", "remarks"),
    [
        ("html", '\n<meta name="robots" content="noai', {(2, "unclosed")}),
        ("html", '<meta name="tdm-reservation" content="0">\n<!-- ', {(1, "value_unknown"), (2, "unclosed")}),
        ("http", "HTTP/1.1 200 OK\nContent-Type: text/html\n\n<p>\n<title>", {(5, "unclosed")}),
        ("http", "HTTP/1.1 200 OK\nno header\nContent-Usage: ?\n", {(2, "syntax"), (3, "syntax")}),
        ("http", "HTTP/1.1 200 OK\ntdm-reservation: 2\n", {(2, "value_unknown")}),
        ("http", 'HTTP/1.1 200 OK\nLink: </l.xml>; rel="license"; type="application/rsl+xml"\n', {(2, "license")}),
        ("http", "HTTP/1.1 200 OK\n" + "a" * 2_000_000, {(0, "too_large")}),
        ("http", "", set()),
        ("html", '\n<meta name="tdm-reservation" content="2">', {(2, "value_unknown")}),
        ("html", '<link rel="license" type="application/rsl+xml" href="/l.xml">', {(1, "license")}),
        (
            "html",
            '<meta name="tdm-reservation" content="0">' + " " * MAX_BYTES,
            {(0, "too_large"), (1, "value_unknown")},
        ),
    ],
)
def test_what_is_not_taken_of_a_page_is_told(form, text, remarks):
    found = read(form, text, PAGE)
    assert (said(found), told(found)) == (set(), remarks)


@pytest.mark.parametrize(
    ("form", "text"), [("http", "HTTP/1.1 200 OK\ntdm-reservation: 1\n"), ("html", "<meta name=robots content=noai>")]
)
def test_a_page_without_address_gives_nothing(form, text):
    assert told(read(form, text, Reading(AT_MS))) == {(0, "no_address")}
    assert told(read(form, text, Reading(AT_MS, "ftp://example.com/"))) == {(0, "subject_invalid")}
    assert told(read(form, text, Reading(AT_MS, "https://example.com/\n"))) == {(0, "control_characters")}
    assert {reason for _, reason in told(read(form, text, Reading(AT_MS, "https://example.com/" + "a/" * 70)))} == {
        "too_deep"
    }
