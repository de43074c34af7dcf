"""`hegui optouts`: who speaks, what is taken back and by whom, and which of two ends counts."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hegui.streams.commands import optouts as command
from tests.streams.optouts.texts import DIGEST

FIRST = 1_790_000_000
"""When the first text was read, epoch seconds; the others one second later each."""

ISCC = "ISCC:AAAWN77F727NXSUS"
ROBOTS = "User-agent: *\n"
LIST = "scheme,subject,value\n"


@pytest.fixture(autouse=True)
def no_broker(monkeypatch):
    monkeypatch.delenv("HEGUI_KAFKA__BOOTSTRAP_SERVERS", raising=False)


class Optouts:
    """Takes texts in, each a second after the one before, and looks things up."""

    def __init__(self, hegui, folder: Path) -> None:
        self._hegui = hegui
        self._folder = folder
        self._seconds = FIRST
        self.store = folder / "store"
        self.err = ""

    def file(self, name: str, text: str | bytes) -> Path:
        file = self._folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.utime(file, (self._seconds, self._seconds))
        self._seconds += 1
        return file

    def take(self, name: str, text: str | bytes, *options: str) -> str:
        ran = self._hegui("optouts", "import", self.file(name, text), "--store", self.store, *options)
        self.err = ran.err
        return ran.out.splitlines()[-1] if ran.out else ran.err

    def run(self, *words: object) -> str:
        return self._hegui("optouts", *words, "--store", self.store).out

    def says(self, subject: str, *options: str) -> str:
        return self.run("lookup", subject, *options).split()[1].rstrip(",")


@pytest.fixture
def optouts(hegui, tmp_path) -> Optouts:
    return Optouts(hegui, tmp_path)


def declared(issuer: object, usage: str) -> str:
    return json.dumps({"issuer": issuer, "credentialSubject": {"iscc": ISCC, "content-usage": usage}})


def manifest(use: str, **subjects: str) -> str:
    entries = {"c2pa.ai_generative_training": {"use": use}}
    return json.dumps(
        {**subjects, "manifest": {"assertions": [{"label": "c2pa.training-mining", "data": {"entries": entries}}]}}
    )


def test_one_issuer_does_not_take_back_what_another_one_declared(optouts):
    optouts.take("d.jsonl", declared("did:example:author", "train-ai=n"))
    optouts.take("d.jsonl", declared("did:example:stranger", "train-ai=y"))
    assert optouts.says(ISCC) == "no"
    # Anybody can write another one's name: the signature is not checked.
    optouts.take("e.jsonl", declared({"id": "did:example:author"}, "train-ai=y"))
    assert optouts.says(ISCC) == "no"
    assert "did:example" not in optouts.run("export")
    optouts.take("d.jsonl", declared({"id": "did:example:author"}, "train-ai=y"))
    assert optouts.says(ISCC) == "yes"


@pytest.mark.parametrize("issuer", [None, 7, ["did:example:stranger"], {"name": "a stranger"}])
def test_who_declares_without_a_readable_name_takes_nothing_back_either(optouts, issuer):
    optouts.take("d.jsonl", declared("did:example:author", "train-ai=n"))
    optouts.take("d.jsonl", declared(issuer, "train-ai=y"))
    assert optouts.says(ISCC) == "no"


@pytest.mark.parametrize("file", [{"content_sha256": "cd" * 32}, {"url": "https://example.com/2"}, {}])
def test_the_manifest_of_one_file_takes_nothing_back_that_another_file_of_the_work_says(optouts, file):
    work = {"work": "isbn:9787302511847"}
    optouts.take("m.jsonl", manifest("notAllowed", content_sha256=DIGEST, **work))
    optouts.take("m.jsonl", manifest("allowed", **file, **work))
    assert optouts.says("isbn:9787302511847") == "no"
    optouts.take("m.jsonl", manifest("allowed", content_sha256=DIGEST.upper(), **work))
    assert optouts.says("isbn:9787302511847") == "yes"


def test_lists_of_one_name_in_two_folders_are_two(optouts):
    one, two = (
        optouts.file(f"{folder}/optouts.csv", LIST + f"domain,example.com,{value}\n")
        for folder, value in (("a", "deny"), ("b", "allow"))
    )
    for files in ((one,), (two,), (one, two)):
        optouts.run("import", *files)
        assert optouts.says("example.com") == ("no")
    optouts.take("a/optouts.csv", LIST + "domain,example.com,allow\n")
    assert optouts.says("example.com") == "yes"


RSL = '<rsl xmlns="https://rslstandard.org/rsl"><content url="{url}"><license><{verb} type="usage">all</{verb}></license></content></rsl>'


def licence(url: str, verb: str = "permits") -> str:
    return RSL.format(url=url, verb=verb)


def test_a_licence_of_which_nobody_says_where_it_was_read_takes_no_refusal_back(optouts):
    optouts.take("licence.rsl", licence("/", "prohibits"), "--url", "https://victim.example.org/")
    optouts.take("free.rsl", licence("https://victim.example.org/"))
    assert "note: 1 row, no_site: " in optouts.err
    assert optouts.says("https://victim.example.org/a") == "no"
    # Its noes count, and the site's own yes takes back its own no alone.
    optouts.take("no.rsl", licence("https://victim.example.org/", "prohibits"))
    assert "no_site" not in optouts.err
    optouts.take("licence.rsl", licence("/"), "--url", "https://victim.example.org/")
    assert optouts.says("https://victim.example.org/a") == "no"
    assert "rsl:no.rsl@" in optouts.run("lookup", "https://victim.example.org/a")


def test_a_site_takes_nothing_back_that_another_site_of_its_owner_says(optouts):
    optouts.take("licence.rsl", licence("/", "prohibits"), "--url", "https://www.example.org/")
    optouts.take("other.rsl", licence("https://www.example.org/"), "--url", "https://blog.example.org/")
    assert optouts.says("https://www.example.org/a") == "no"
    optouts.take("licence.rsl", licence("/"), "--url", "https://www.example.org/")
    assert optouts.says("https://www.example.org/a") == "yes"
    # Each of them goes with its own text.
    optouts.take("licence.rsl", "<rsl", "--url", "https://www.example.org/")
    assert optouts.says("https://www.example.org/a") == "yes"
    optouts.take("other.rsl", "<rsl", "--url", "https://blog.example.org/")
    assert optouts.says("https://www.example.org/a") == "unknown"


PAGE = "GET https://example.com/ HTTP/1.1\n\nHTTP/1.1 200 OK\n"


@pytest.mark.parametrize(
    ("name", "yes", "without"),
    [
        ("example.com.robots.txt", ROBOTS + "Content-Usage: train-ai=y\n", ROBOTS + "Content-Usage: train-ai=unknown\n"),
        ("example.com.robots.txt", ROBOTS + "Content-Usage: train-ai=y\n", ROBOTS + "Content-Usage: TRAIN-AI=n\n"),
        ("example.com.robots.txt", ROBOTS + "Content-Usage: train-ai=y\n", ROBOTS),
        ("example.com.robots.txt", ROBOTS + "Content-Usage: train-ai=y\n", b"\0\xff"),
        ("example.com.robots.txt", ROBOTS + "Content-Signal: ai-train=yes\n", ROBOTS),
        ("example.com.robots.txt", ROBOTS + "Content-Usage: train-ai=y\n", ROBOTS + "Content-Usage: train-ai=y\n" + "# filler\n" * 60_000 + "Content-Usage: train-ai=n\n"),
        ("page.http", PAGE + "Content-Usage: train-ai=y\n", PAGE + "Content-Usage: train-ai=?0\n"),
        ("page.http", PAGE + "Content-Usage: train-ai=y\n", PAGE + "Content-Usage: ((\n"),
        ("page.http", PAGE + "Content-Usage: train-ai=y\n", PAGE),
        ("list.csv", LIST + "domain,example.com,allow\ndomain,example.org,deny\n", LIST + "domain,example.org,deny\n"),
        ("list.csv", LIST + "domain,example.com,allow\n", "nothing\n"),
        ("list.jsonl", '{"scheme":"domain","subject":"example.com","value":"allow","observed_at_ms":1}', ""),
        ("list.json", '[{"scheme":"domain","subject":"example.com","value":"allow"}]', "{"),
        ("manifest.json", manifest("allowed", url="https://example.com/"), '{"url":"https://example.com/","manifest":{}}'),
    ],
)  # fmt: skip
def test_a_yes_does_not_outlive_the_text_it_stood_in(optouts, name, yes, without):
    optouts.take(name, yes)
    assert optouts.says("https://example.com/") == "yes"
    optouts.take(name, without)
    assert optouts.says("https://example.com/") == "unknown"
    assert "note: 1 row, taken_back: the text no longer says yes" in optouts.err
    optouts.take(name, without)
    assert "taken_back" not in optouts.err
    optouts.take(name, yes)
    assert optouts.says("https://example.com/") == "yes"


@pytest.mark.parametrize(
    ("name", "no", "without"),
    [
        ("example.com.robots.txt", ROBOTS + "Content-Usage: train-ai=n\n", ROBOTS),
        ("page.http", PAGE + "Content-Usage: train-ai=n\n", PAGE),
        ("list.csv", LIST + "domain,example.com,deny\n", LIST),
        (
            "manifest.json",
            manifest("notAllowed", url="https://example.com/"),
            '{"url":"https://example.com/","manifest":{}}',
        ),
    ],
)
def test_a_no_does(optouts, name, no, without):
    optouts.take(name, no)
    optouts.take(name, without)
    assert optouts.says("https://example.com/") == "no"


def test_two_editions_of_a_text_in_one_command_are_read_as_one_after_the_other(optouts, hegui):
    editions = [
        optouts.file(f"{folder}/example.com.robots.txt", ROBOTS + lines)
        for folder, lines in (("first", "Content-Usage: train-ai=y\n"), ("second", "Disallow:\n"))
    ]
    for written in ("2, known before: 0", "0, known before: 1"):
        ran = hegui("optouts", "import", *editions, "--store", optouts.store)
        assert f"written to {optouts.store}: {written}" in ran.out
        assert optouts.says("https://example.com/") == "unknown"


def test_a_yes_that_was_taken_back_stays_so_in_what_is_given_out(optouts):
    head = "scheme,subject,value,observed_at\n"
    optouts.take("list.csv", head + "domain,example.com,allow,2020-01-01T00:00:00Z\n", "--source", "reg")
    optouts.take("list.csv", head, "--source", "reg")
    assert optouts.says("example.com") == "unknown"
    assert "written to" in optouts.take("own.jsonl", optouts.run("export"), "--complete")
    assert optouts.says("example.com") == "unknown"


def test_a_declaration_that_no_longer_says_yes_is_taken_back(optouts):
    optouts.take("d.jsonl", declared("did:example:author", "train-ai=y"))
    assert optouts.says(ISCC) == "yes"
    optouts.take("d.jsonl", declared("did:example:author", "TRAIN-AI=n"))
    assert optouts.says(ISCC) == "unknown"


def test_rows_that_name_a_source_are_single_words(optouts):
    rows = [
        {"scheme": "domain", "subject": name, "value": "allow", "source": "press"}
        for name in ("example.com", "example.org")
    ]
    for row in rows:
        optouts.take("press.jsonl", json.dumps(row))
    assert [optouts.says(row["subject"]) for row in rows] == ["yes", "yes"]


def test_a_list_may_be_all_that_the_sources_in_it_say(optouts):
    head, rows = (
        "scheme,subject,value,source\n",
        [f"domain,{name}.example,allow,{name[0]}\n" for name in ("ab", "ac", "ba")],
    )
    optouts.take("press.csv", head + "".join(rows))
    robots = (
        '{"scheme":"url_prefix","subject":"aa.example/","value":"allow","observed_at_ms":1,"source":"content-usage"}\n'
    )
    optouts.take("robots.jsonl", robots)
    optouts.take("press.csv", head + rows[0], "--complete")
    assert [optouts.says(f"{name}.example") for name in ("ab", "ac", "ba")] == ["yes", "unknown", "yes"]
    optouts.take("robots.jsonl", robots.replace("aa", "zz"), "--complete")
    assert optouts.says("aa.example") == "yes"


@pytest.mark.parametrize(
    ("value", "ends", "said"),
    [
        ("deny", ("2026-10-01T00:00:00Z", ""), "no"),
        ("deny", ("", "2026-10-01T00:00:00Z"), "no"),
        ("allow", ("2026-10-01T00:00:00Z", ""), "unknown"),
        ("allow", ("", "2026-10-01T00:00:00Z"), "unknown"),
    ],
)
@pytest.mark.parametrize("observed", ["2026-09-01T00:00:00Z", ""])
@pytest.mark.parametrize("at_once", [True, False])
def test_of_two_ends_of_one_statement_the_longer_no_and_the_shorter_yes_count(
    optouts, value, ends, said, observed, at_once, hegui
):
    head = "scheme,subject,value,observed_at,valid_to\n"
    rows = [f"domain,example.com,{value},{observed},{end}\n" for end in ends]
    options = ["--observed-at", "2026-09-01T00:00:00Z"]
    for text in [head + "".join(rows)] if at_once else [head + row for row in rows]:
        optouts.take("list.csv", text, *options)
    assert optouts.says("example.com", "--at", "2026-11-01T00:00:00Z") == said
    assert optouts.take("list.csv", head + "".join(rows), *options).startswith(
        f"written to {optouts.store}: 0, known before: "
    )
    event = {
        "specversion": "1.0", "type": "hegui.ingest.v1", "source": "s", "id": "1", "time": "2026-11-20T10:00:00+08:00",
        "data": {"service": "nobody", "source_type": "crawl", "url": "https://example.com/"},
    }  # fmt: skip
    ran = hegui("check", "-", "--format", "json", "--optouts", optouts.store, stdin=json.dumps(event).encode())
    assert json.loads(ran.out)["outcomes"]["OPT003"] == ("fail" if said == "no" else "pass")


@pytest.mark.parametrize("value", ["allow", "unknown"])
@pytest.mark.parametrize(
    "subject", ["https://example.com/a/", "https://example.com/a/*", "https://example.com/a", "https://example.com/"]
)
def test_a_refusal_is_withdrawn_as_it_was_written(optouts, subject, value):
    optouts.take("list.csv", LIST + f"url_prefix,{subject},deny\n")
    assert optouts.says("https://example.com/a/b") == "no"
    optouts.take("list.csv", LIST + f"url_prefix,{subject},{value}\n")
    assert optouts.says("https://example.com/a/b") == ("yes" if value == "allow" else "unknown")


def test_what_is_below_a_domain_is_withdrawn_under_its_own_name(optouts):
    optouts.take("list.csv", LIST + "domain,*.example.com,deny\n")
    optouts.take("list.csv", LIST + "domain,*.example.com,unknown\n")
    assert optouts.says("www.example.com") == "unknown"


def test_what_is_given_out_of_all_formats_comes_back_as_it_was(optouts, tmp_path):
    optouts.take("example.com.robots.txt", ROBOTS + "Disallow: /a/\nAllow: /a\nContent-Usage: /p/ train-ai=y\n")
    optouts.run("import", *sorted((Path(__file__).parents[2] / "data" / "optouts").iterdir()))
    given = optouts.run("export")
    assert optouts.take("again.jsonl", given).startswith(f"written to {optouts.store}: 0, known before: ")
    assert sorted(optouts.run("export").splitlines()) == sorted(given.splitlines())
    other = Optouts(optouts._hegui, tmp_path / "other")
    other.take("again.jsonl", given)
    assert sorted(other.run("export").splitlines()) == sorted(given.splitlines())


@pytest.mark.parametrize(
    "source", ["content-usage", "rsl", "rsl:example.com", "iscc-tdm:ab:list", "html-robots", "c2pa-training-mining"]
)
def test_a_list_is_no_format(optouts, source):
    assert "is what a format is known by" in optouts.take("list.csv", LIST, "--source", source)


def test_a_source_that_is_no_utf_8_is_refused_before_anything_is_read(optouts):
    source = os.fsdecode(b"\xff")
    assert "--source is no UTF-8" in optouts.take("list.csv", LIST + "domain,example.com,deny\n", "--source", source)
    assert not optouts.store.exists()


def test_a_list_older_than_what_is_known_is_told(optouts):
    older = optouts.file("a/list.csv", LIST + "domain,example.com,deny\n")
    optouts.take("b/list.csv", LIST + "domain,example.com,allow\n", "--source", "press")
    ran = optouts._hegui("optouts", "import", older, "--store", optouts.store, "--source", "press")
    assert "note: 1 row, overtaken: a later word of its source is known already" in ran.err
    assert optouts.says("example.com") == "yes"


def test_the_file_is_for_its_owner_alone(optouts):
    optouts.take("list.csv", LIST + "domain,example.com,deny\n")
    assert optouts.store.stat().st_mode & 0o777 == 0o600


def test_a_file_from_before_1970_is_refused_unless_its_time_is_said(optouts):
    file = optouts.file("list.csv", LIST + "domain,example.com,deny\n")
    os.utime(file, (-10, -10))
    ran = optouts._hegui("optouts", "import", file, "--store", optouts.store)
    assert (ran.code, "file_time: " in ran.err) == (1, True)
    assert optouts.says("example.com") == "unknown"
    optouts.run("import", file, "--observed-at", "2026-09-01T00:00:00Z")
    assert optouts.says("example.com") == "no"


@pytest.mark.parametrize("name", [b"l\xff\xfe.csv", b"l\x1b[31m\n.csv"])
def test_a_file_may_have_any_name(optouts, name):
    file = optouts.file(os.fsdecode(name), LIST + "domain,example.com,deny\ndomain,,deny\n")
    ran = optouts._hegui("optouts", "import", file, "--store", optouts.store)
    assert (ran.code, "refused  l\ufffd" in ran.err) == (1, True)
    assert optouts.says("example.com") == "no"
    ran = optouts._hegui("optouts", "import", file.rename(file.with_suffix(".txt")), "--store", optouts.store)
    assert (ran.code, "tells no format by its name" in ran.err) == (2, True)


def test_what_no_event_can_have_is_no_answer(optouts):
    records = [{"scheme": "domain", "subject": "co.uk"}, {"scheme": "url_prefix", "subject": "example.com/*"}]
    lines = [json.dumps({**record, "value": "allow", "observed_at_ms": 1}) for record in records]
    optouts.store.write_text("\n".join(lines))
    assert optouts.says("https://bbc.co.uk/x") == optouts.says("https://example.com/*") == "unknown"


def test_what_others_wrote_is_printed_harmlessly(optouts):
    record = {
        "scheme": "domain",
        "subject": "example.com",
        "value": "deny",
        "observed_at_ms": 1,
        "source": "p\x1b[31m",
        "evidence": "e\n\u202e",
    }
    optouts.store.write_text(json.dumps(record) + "\n")
    shown = optouts.run("lookup", "example.com") + optouts.run("stats")
    assert "p\ufffd[31m" in shown
    assert not any(char in shown for char in "\x1b\u202e")


class Site(ThreadingHTTPServer):
    """A site whose answers change: path to status, headers and body; what is not there is not found."""

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), _Answers)
        self.answers: dict[str, tuple[int, dict[str, str], str]] = {}
        self.url = f"http://{host}:{self.server_port}/"


class _Answers(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        status, headers, body = self.server.answers.get(self.path, (404, {}, ""))
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[Site]:
    with Site(host) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


@pytest.fixture
def sibling() -> Iterator[Site]:
    """Another site of the same owner: another port."""
    with serving() as made:
        yield made


@pytest.fixture
def stranger() -> Iterator[Site]:
    """A site of another owner."""
    with serving("127.0.0.2") as made:
        yield made


HTML = {"Content-Type": "text/html"}
LINK = {"Link": '</l.xml>; rel="license"; type="application/rsl+xml"'}
YES_IN_ROBOTS = (200, {}, ROBOTS + "Content-Usage: train-ai=y\n")
YES_IN_HEADER = (200, {"Content-Usage": "train-ai=y"}, "")
YES_IN_PAGE = (200, HTML, f'<script type="application/rsl+xml">{licence("/")}</script>')
FREE = (200, {}, licence("/"))
PACKED = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"/robots.txt": YES_IN_ROBOTS}, {"/robots.txt": (200, {}, "")}, "unknown"),
        ({"/robots.txt": YES_IN_ROBOTS}, {}, "unknown"),
        ({"/robots.txt": YES_IN_ROBOTS}, {"/robots.txt": (410, {}, "")}, "unknown"),
        # Not read: what was said stays known.
        ({"/robots.txt": YES_IN_ROBOTS}, {"/robots.txt": (503, {}, "")}, "yes"),
        ({"/robots.txt": YES_IN_ROBOTS}, {"/robots.txt": (302, {"Location": "http://other.example/"}, "")}, "yes"),
        ({"/robots.txt": YES_IN_ROBOTS}, {"/robots.txt": (200, PACKED, "\x1f")}, "unknown"),
        ({"/robots.txt": YES_IN_ROBOTS}, {"/robots.txt": (503, PACKED, "\x1f")}, "yes"),
        ({"/robots.txt": YES_IN_ROBOTS}, {"/robots.txt": (200, {}, YES_IN_ROBOTS[2] + "Disallow /a\n")}, "unknown"),
        ({"/": YES_IN_HEADER}, {"/": (200, PACKED, "\x1f")}, "unknown"),
        ({"/": YES_IN_HEADER}, {"/": (200, {}, "")}, "unknown"),
        ({"/": YES_IN_HEADER}, {}, "unknown"),
        ({"/": YES_IN_HEADER}, {"/": (500, {}, "")}, "yes"),
        ({"/": (200, LINK, ""), "/l.xml": FREE}, {"/": (200, LINK, ""), "/l.xml": (200, {}, "<rsl")}, "unknown"),
        ({"/": (200, LINK, ""), "/l.xml": FREE}, {"/": (200, LINK, "")}, "unknown"),
        ({"/": (200, LINK, ""), "/l.xml": FREE}, {"/": (200, {}, "")}, "unknown"),
        ({"/": (200, LINK, ""), "/l.xml": FREE}, {"/": (200, LINK, ""), "/l.xml": (503, {}, "")}, "yes"),
        ({"/": (200, LINK, ""), "/l.xml": FREE}, {"/": (200, {}, ""), "/robots.txt": (503, {}, "")}, "yes"),
        ({"/": (200, LINK, ""), "/l.xml": FREE}, {"/": (200, LINK, ""), "/l.xml": (200, PACKED, "\x1f")}, "unknown"),
        ({"/": YES_IN_PAGE}, {"/": (200, HTML, "<p>")}, "unknown"),
        ({"/": YES_IN_PAGE}, {"/": (200, HTML, YES_IN_PAGE[2] + "<!-- never ends")}, "unknown"),
        ({"/": YES_IN_PAGE}, {"/": (200, LINK, ""), "/l.xml": FREE}, "yes"),
        ({"/robots.txt": (200, {}, ROBOTS + "Content-Usage: train-ai=n\n")}, {}, "no"),
    ],
)
def test_what_a_site_no_longer_says_is_no_yes_when_it_was_read(optouts, site, before, after, said):
    site.answers = before
    optouts.run("fetch", site.url)
    assert optouts.says(site.url) == ("no" if said == "no" else "yes")
    site.answers = after
    ran = optouts._hegui("optouts", "fetch", site.url, "--store", optouts.store)
    assert optouts.says(site.url) == said
    assert ("taken_back" in ran.err) is (said == "unknown")
    ran = optouts._hegui("optouts", "fetch", site.url, "--store", optouts.store)
    assert f"written to {optouts.store}: 0, " in ran.out


def to(location: str, status: int = 301, **headers: str) -> tuple[int, dict[str, str], str]:
    return (status, {"Location": location, **headers}, "")


YES = {"Content-Usage": "train-ai=y"}
GONE = (404, {}, "")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        # The page was moved, perhaps to a log-in: its yes is one for the new address.
        ({"/a": YES_IN_HEADER}, {"/a": to("/b"), "/b": YES_IN_HEADER}, ("unknown", "yes")),
        ({"/a": YES_IN_HEADER}, {"/a": to("/b", **YES), "/b": (200, {}, "")}, ("yes", "unknown")),
        ({"/a": to("/b", **YES), "/b": YES_IN_HEADER}, {"/a": to("/b"), "/b": (200, {}, "")}, ("unknown", "unknown")),
        ({"/a": to("/b", **YES), "/b": YES_IN_HEADER}, {"/a": to("/b", **YES), "/b": GONE}, ("unknown", "unknown")),
        # A field that cannot be read may have been a no, on whatever address it stands.
        ({"/a": to("/b", **YES), "/b": YES_IN_HEADER}, {"/a": to("/b", **{"Content-Usage": "(("}), "/b": YES_IN_HEADER}, ("unknown", "unknown")),
        # Not read.
        ({"/a": to("/b", **YES), "/b": YES_IN_HEADER}, {"/a": to("/b"), "/b": (503, {}, "")}, ("yes", "yes")),
        ({"/a": YES_IN_HEADER}, {"/a": to("http://other.example/")}, ("yes", "unknown")),
        ({"/a": YES_IN_HEADER}, {"/a": to("/a")}, ("yes", "unknown")),
        # A no stays.
        ({"/a": to("/b"), "/b": (200, {"X-Robots-Tag": "noai"}, "")}, {"/a": to("/b"), "/b": (200, {}, "")}, ("no", "no")),
    ],
)  # fmt: skip
def test_each_address_of_a_redirect_keeps_its_own_yes_only(optouts, site, before, after, said):
    for site.answers in (before, after):
        ran = optouts._hegui("optouts", "fetch", site.url + "a", "--store", optouts.store)
    assert (optouts.says(site.url + "a"), optouts.says(site.url + "b")) == said
    ran = optouts._hegui("optouts", "fetch", site.url + "a", "--store", optouts.store)
    assert f"written to {optouts.store}: 0, " in ran.out


def test_the_yes_of_a_licence_goes_with_the_page_to_another_host(optouts, site, sibling):
    site.answers = {"/": (200, LINK, ""), "/l.xml": FREE}
    optouts.run("fetch", site.url)
    site.answers, sibling.answers = {"/": to(sibling.url)}, site.answers
    optouts.run("fetch", site.url)
    assert (optouts.says(site.url), optouts.says(sibling.url)) == ("unknown", "yes")
    # What stands there is all that is said of both.
    sibling.answers = {"/": (200, {}, ""), "/robots.txt": (503, {}, "")}
    optouts.run("fetch", site.url)
    assert optouts.says(sibling.url) == "yes"
    sibling.answers = {"/": (200, {}, "")}
    optouts.run("fetch", site.url)
    assert optouts.says(sibling.url) == "unknown"


def test_a_site_takes_its_own_no_back_though_another_one_led_there(optouts, site, sibling):
    site.answers = {"/": to(sibling.url)}
    for verb, said in (("prohibits", "no"), ("permits", "yes")):
        sibling.answers = {"/": (200, LINK, ""), "/l.xml": (200, {}, licence(sibling.url, verb))}
        optouts.run("fetch", site.url)
        assert optouts.says(sibling.url) == said


def test_what_a_site_said_of_a_sibling_is_taken_back_when_its_licences_were_read(optouts, site, sibling):
    site.answers = {"/": (200, LINK, ""), "/l.xml": (200, {}, licence(sibling.url))}
    for _ in range(2):
        optouts.run("fetch", site.url)
        assert optouts.says(sibling.url) == "yes"
    site.answers = {"/": (200, {}, "")}
    optouts.run("fetch", site.url)
    assert optouts.says(sibling.url) == "unknown"


@pytest.mark.parametrize(("status", "said"), [(200, "unknown"), (404, "unknown"), (503, "yes")])
def test_of_a_site_no_licence_is_gone_while_one_of_its_pages_was_not_read(optouts, site, status, said):
    site.answers = {"/": (200, {}, ""), "/p": (200, LINK, ""), "/l.xml": FREE}
    pages = (site.url, site.url + "p")
    optouts.run("fetch", *pages)
    assert optouts.says(site.url) == "yes"
    site.answers["/p"] = (status, {}, "")
    optouts.run("fetch", *pages)
    assert optouts.says(site.url) == said


def test_sites_that_are_written_in_portions_take_back_what_is_gone(optouts, site, stranger, monkeypatch):
    monkeypatch.setattr(command, "MAX_SITES", 1)
    urls = [site.url, stranger.url, site.url + "p"]
    site.answers = {"/": YES_IN_HEADER, "/p": (200, LINK, ""), "/l.xml": FREE}
    stranger.answers = {"/robots.txt": YES_IN_ROBOTS}
    for _ in range(2):  # the licence of one page is no less said since the other one has none
        ran = optouts._hegui("optouts", "fetch", *urls, "--store", optouts.store)
        assert [optouts.says(url) for url in urls] == ["yes"] * 3
        assert "taken_back" not in ran.err
    assert f"written to {optouts.store}: 0, known before: 5" in ran.out
    site.answers["/"], stranger.answers = (200, {}, ""), {}
    ran = optouts._hegui("optouts", "fetch", *urls, "--store", optouts.store)
    assert "note: 2 rows, taken_back: " in ran.err
    assert f"written to {optouts.store}: 2, known before: 3" in ran.out
    assert [optouts.says(url) for url in urls] == ["yes", "unknown", "yes"]


MOVED = "GET https://example.com/a HTTP/1.1\n\nHTTP/1.1 301 Moved\nLocation: /b\n{first}\nHTTP/1.1 200 OK\nContent-Type: text/html\n{last}\n<p>{page}"
FREE_TO_MINE = '<meta name="tdm-reservation" content="0">'


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (MOVED.format(first="", last="Content-Usage: train-ai=y\n", page=FREE_TO_MINE), {"/a unknown", "/b allow"}),
        (MOVED.format(first="", last="", page=""), {"/a unknown", "/b unknown"}),
        (MOVED.format(first="Content-Usage: ((\n", last="Content-Usage: train-ai=y\n", page="<!--"), {"/a unknown", "/b unknown"}),
        # A page that was not read says nothing new.
        (MOVED.format(first="", last="", page="").replace("/b", "http://other.example/"), {"/a unknown", "/b allow"}),
        ("GET https://example.com/a HTTP/1.1\n", {"/a unknown", "/b allow"}),
    ],
)  # fmt: skip
def test_each_address_of_a_message_keeps_its_own_yes_only(optouts, after, said):
    before = MOVED.format(first="Content-Usage: train-ai=y\n", last="Content-Usage: train-ai=y\n", page=FREE_TO_MINE)
    optouts.take("page.http", before)
    optouts.take("page.http", after)
    assert {
        f"{path} {json.loads(optouts.run('lookup', f'https://example.com{path}', '--format', 'json'))['training']}"
        for path in ("/a", "/b")
    } == said
    optouts.take("page.http", after)
    assert "taken_back" not in optouts.err


def test_a_message_for_another_page_takes_nothing_back(optouts):
    optouts.take("page.http", PAGE + "Content-Usage: train-ai=y\n")
    optouts.take("page.http", PAGE.replace("com/ ", "com/other "), "--url", "https://example.com/p")
    assert optouts.says("https://example.com/") == "yes"


@pytest.mark.parametrize("end", [1_700_000_000, ["2020-01-01T00:00:00Z"], "soon"])
def test_the_end_that_an_issuer_breaks_ends_its_own_yes_alone(optouts, end):
    def lines(**more: object) -> str:
        others = declared("did:example:other", "search=y")
        return json.dumps({**json.loads(declared("did:example:author", "train-ai=y")), **more}) + "\n" + others

    optouts.take("d.jsonl", lines(validUntil="2099-01-01T00:00:00Z"))
    assert optouts.says(ISCC) == "yes"
    optouts.take("d.jsonl", lines(validUntil=end))
    assert optouts.says(ISCC) == "unknown"
    assert "time_invalid: " in optouts.err
    assert "note: 1 row, taken_back: " in optouts.err
    optouts.take("d.jsonl", declared("did:example:author", "train-ai=n"))
    optouts.take("d.jsonl", lines(validUntil=end))
    assert optouts.says(ISCC) == "no"
