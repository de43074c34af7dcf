"""`hegui optouts` without a broker: a file of JSON lines in its place."""

import json
import os
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hegui.streams.commands import optouts
from hegui.streams.optouts import importing
from hegui.streams.optouts.store import FileStore
from tests.streams.optouts.texts import PERSON

DATA = Path(__file__).parents[2] / "data" / "optouts"
FILES = sorted(DATA.iterdir())
CSV = "scheme,subject,value,observed_at\n"


@pytest.fixture(autouse=True)
def no_broker(monkeypatch, tmp_path):
    monkeypatch.delenv("HEGUI_KAFKA__BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def taken(hegui, tmp_path):
    """Takes a list in and returns the options that name the store."""

    def take(text: str, name: str = "list.csv", *options: str) -> list[str]:
        (tmp_path / name).write_text(text)
        store = ["--store", str(tmp_path / "store.jsonl")]
        hegui("optouts", "import", tmp_path / name, *store, *options)
        return store

    return take


def test_the_examples_of_every_format_are_taken_and_looked_up(hegui, tmp_path):
    ran = hegui("optouts", "import", *FILES)
    assert ran.code == 0, ran.err
    assert "rows refused: 0" in ran.out
    assert str(tmp_path / "state" / "hegui" / "optouts.jsonl") in ran.out
    again = hegui("optouts", "import", *FILES)
    assert "optouts.jsonl: 0, known before: " in again.out
    found = hegui("optouts", "lookup", "https://example.com/a/b")
    assert found.code == 0
    assert found.out.startswith("training: no, as of ")
    assert "url_prefix example.com/a/b  press-council, since 2026-10-31T16:00:00+00:00: decides  [no. 18]" in found.out


@pytest.mark.parametrize(
    ("subject", "word"),
    [
        ("https://example.com/press/x", "yes"),
        ("https://example.com/private/x", "no"),
        ("https://www.example.com/", "unknown"),
        ("https://example.org/gallery/1", "no"),
        ("https://example.org/open/1", "unknown"),
        ("https://example.org/closed", "no"),
        ("https://example.org/pictures/2.jpg", "no"),
        ("https://example.net/articles/1", "no"),
        ("https://example.net/archive/1", "no"),
        ("https://example.net/free/1", "unknown"),
        ("https://open.example.com/", "yes"),
        ("https://例子.example/", "no"),
        ("isbn:978-7-302-51184-7", "no"),
        ("doi:10.1000/xyz.182", "no"),
        ("iscc:AAAWN77F727NXSUS", "no"),
        ("holder:SOME PRESS", "no"),
        ("ab" * 32, "no"),
        ("k1:80c919a042a72fe4c5500dd315989ec4b333a3428b38d24b8ef9c4f484e59cee", "no"),
        ("nothing.example", "unknown"),
    ],
)
def test_what_the_examples_come_to(hegui, subject, word):
    hegui("optouts", "import", *FILES)
    assert hegui("optouts", "lookup", subject).out.startswith(f"training: {word}, ")


def test_every_format_is_among_the_examples(hegui):
    from hegui.streams.optouts.formats import FORMATS, format_of

    # A page alone and one JSON document are shown as parts of the others.
    assert {format_of(file.name) for file in FILES} == set(FORMATS) - {"html", "json"}


def test_refused_rows_are_told_without_their_subject_and_end_with_exit_code_1(hegui, tmp_path):
    (tmp_path / "list.csv").write_text(
        CSV
        + "domain,,deny,\nuser,somebody@example.com,deny,\ndomain,example.com,deny,2026-11-01T00:00:00\ndomain,example.org,deny,\n"
    )
    ran = hegui(
        "optouts", "import", tmp_path / "list.csv", "--refused", tmp_path / "refused.jsonl", "--store", tmp_path / "s"
    )
    assert ran.code == 1
    assert "1 statement: 1 deny; repeated in the text: 0" in ran.out
    assert "rows refused: 3" in ran.out
    assert "refused  list.csv:2: no_subject: it has no subject" in ran.err
    assert "refused: 1 row, time_without_offset" in ran.err
    assert "somebody" not in ran.out + ran.err
    refused = [json.loads(line) for line in (tmp_path / "refused.jsonl").read_text().splitlines()]
    assert [(each["line"], each["reason"]) for each in refused] == [
        (2, "no_subject"),
        (3, "user_not_hashed"),
        (4, "time_without_offset"),
    ]
    assert "somebody" not in (tmp_path / "refused.jsonl").read_text()


def test_a_row_without_time_counts_from_the_files_own(hegui, tmp_path):
    file = tmp_path / "list.csv"
    file.write_text(CSV + "domain,example.com,deny,\n")
    os.utime(file, (1_790_000_000, 1_790_000_000))
    store = ["--store", str(tmp_path / "s")]
    hegui("optouts", "import", file, *store)
    assert "unknown" in hegui("optouts", "lookup", "example.com", *store, "--at", "2026-09-21T14:13:19Z").out
    assert "training: no" in hegui("optouts", "lookup", "example.com", *store, "--at", "2026-09-21T14:13:20Z").out
    hegui("optouts", "import", file, *store, "--observed-at", "2026-09-01T00:00:00Z")
    assert "training: no" in hegui("optouts", "lookup", "example.com", *store, "--at", "2026-09-21T14:13:19Z").out


def at(file: Path, seconds: int, text: str) -> Path:
    file.write_text(text)
    os.utime(file, (seconds, seconds))
    return file


def test_a_list_downloaded_anew_is_no_news_but_for_what_changed(hegui, tmp_path):
    store = ["--store", str(tmp_path / "s")]
    file, rows = tmp_path / "list.csv", CSV + "domain,example.com,deny,\ndomain,example.org,deny,\n"
    assert "s: 2, known before: 0" in hegui("optouts", "import", at(file, 1_790_000_000, rows), *store).out
    for day in (1, 2):
        later = at(file, 1_790_000_000 + day * 86_400, rows)
        assert "s: 0, known before: 2" in hegui("optouts", "import", later, *store).out
    changed = at(file, 1_790_400_000, rows.replace("org,deny", "org,unknown") + "domain,example.net,deny,\n")
    assert "s: 2, known before: 1" in hegui("optouts", "import", changed, *store).out
    assert "training: unknown" in hegui("optouts", "lookup", "example.org", *store).out
    assert "since 2026-09-21" in hegui("optouts", "lookup", "example.com", *store).out


def test_long_lists_without_times_are_compared_in_portions(hegui, tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "MAX_HELD", 2)
    store = ["--store", str(tmp_path / "s")]
    rows = CSV + "".join(f"domain,{name}.example,deny,{time}\n" for name, time in zip("abcdef", ["", "", "2026-11-01T00:00:00Z", "", "", ""], strict=True))  # fmt: skip
    for seconds, told in ((1_790_000_000, "s: 6, known before: 0"), (1_790_000_001, "s: 0, known before: 6")):
        assert told in hegui("optouts", "import", at(tmp_path / "list.csv", seconds, rows), *store).out


def test_a_text_whose_exception_is_gone_is_written_anew(hegui, tmp_path):
    store = ["--store", str(tmp_path / "s")]
    head = "User-agent: *\nContent-Usage: train-ai=n\n"
    file = at(tmp_path / "example.com.robots.txt", 1_790_000_000, head + "Content-Usage: /b/ train-ai=y\n")
    hegui("optouts", "import", file, *store)
    assert "s: 2, known before: 0" in hegui("optouts", "import", at(file, 1_790_000_001, head), *store).out
    assert "s: 0, known before: 1" in hegui("optouts", "import", at(file, 1_790_000_002, head), *store).out


def test_lists_that_name_no_source_are_one_each(hegui, tmp_path):
    one, two = (
        at(tmp_path / name, seconds, f"scheme,subject,value\ndomain,example.com,{value}\n")
        for name, seconds, value in (("one.csv", 1_790_000_000, "deny"), ("two.csv", 1_790_000_001, "allow"))
    )
    hegui("optouts", "import", one, two, "--store", tmp_path / "s")
    found = hegui("optouts", "lookup", "example.com", "--store", tmp_path / "s").out
    assert found.startswith("training: no")
    assert "two.csv@" in found
    hegui("optouts", "import", one, two, "--store", tmp_path / "t", "--source", "press")
    assert hegui("optouts", "lookup", "example.com", "--store", tmp_path / "t").out.startswith("training: yes")


def test_what_has_the_source_that_is_left_out_keeps_it_when_given_out(hegui, tmp_path):
    (tmp_path / "s").write_text('{"scheme":"domain","subject":"example.com","value":"deny","observed_at_ms":1}\n')
    (tmp_path / "again.jsonl").write_text(hegui("optouts", "export", "--store", tmp_path / "s").out)
    hegui("optouts", "import", tmp_path / "again.jsonl", "--store", tmp_path / "t")
    assert "registry, since" in hegui("optouts", "lookup", "example.com", "--store", tmp_path / "t").out


def test_a_robots_txt_is_of_the_named_site_and_for_the_named_crawlers(hegui, tmp_path):
    file = tmp_path / "robots.txt"
    file.write_text("User-agent: OurBot\nDisallow: /ours/\n\nUser-agent: *\nDisallow: /all/\n")
    store = ["--store", str(tmp_path / "s")]
    assert "robots.txt: no_address" in hegui("optouts", "import", file, *store).err
    assert hegui("optouts", "import", file, *store, "--url", "https://example.com", "--agent", "OurBot").code == 0
    assert "training: no" in hegui("optouts", "lookup", "example.com/ours/1", *store).out
    assert "training: unknown" in hegui("optouts", "lookup", "example.com/all/1", *store).out


def test_what_is_said_to_crawlers_of_ai_by_name_is_told_and_taken_when_asked_for(hegui, tmp_path):
    file = tmp_path / "example.com.robots.txt"
    file.write_text("User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n\nUser-agent: *\nAllow: /\n")
    store = ["--store", str(tmp_path / "s")]
    ran = hegui("optouts", "import", file, *store)
    assert (ran.code, "rows refused: 0" in ran.out) == (0, True)
    assert "note: 2 rows, named_agents: refuses crawlers of AI by their names" in ran.err
    assert "(ccbot, gptbot)" in ran.err
    assert "training: unknown" in hegui("optouts", "lookup", "example.com/a", *store).out
    ran = hegui("optouts", "import", file, *store, "--ai-agents")
    assert "named_agents" not in ran.err
    assert "training: no" in hegui("optouts", "lookup", "example.com/a", *store).out


def test_lookup_as_json_holds_every_statement(hegui, taken):
    store = taken(CSV + f"domain,example.com,deny,2026-11-01T00:00:00Z\nuser,{PERSON},deny,2026-11-01T00:00:00Z\n")
    found = json.loads(hegui("optouts", "lookup", "https://www.example.com/", *store, "--format", "json").out)
    assert (found["training"], found["statements"][0]["part"]) == ("deny", "decides")
    assert found["statements"][0]["statement"]["subject"] == "example.com"
    shown = hegui("optouts", "lookup", PERSON, *store).out
    assert "training: no" in shown
    assert PERSON not in shown


def test_lookup_tells_when_only_the_host_of_an_address_could_be_read(hegui, taken):
    store = taken(CSV + "domain,example.com,deny,2026-11-01T00:00:00Z\n")
    found = hegui("optouts", "lookup", "https://example.com:99999/", *store)
    assert found.code == 0
    assert found.out.startswith("training: no")
    assert "the address cannot be read but for its host" in found.out
    assert hegui("optouts", "lookup", "https://example.org:99999/", *store).code == 2


def test_nothing_known_is_said_so(hegui, tmp_path):
    ran = hegui("optouts", "lookup", "example.com", "--store", tmp_path / "none")
    assert (ran.code, "nothing is said about it" in ran.out) == (0, True)


def test_stats_count(hegui, taken):
    store = taken(
        CSV
        + "domain,example.com,deny,2026-11-01T00:00:00Z\nwork,isbn:9787302511847,allow,2026-11-01T00:00:00Z\ndomain,example.org,deny,2026-11-01T00:00:00Z\n"
    )
    lines = [line.split() for line in hegui("optouts", "stats", *store).out.splitlines()]
    assert lines[0][-2:] == ["3", "statements"]
    assert ["scheme", "domain", "2"] in lines
    assert ["value", "allow", "1"] in lines
    assert ["use", "train", "3"] in lines
    assert [(title, name.partition("@")[0], n) for title, name, n in lines if title == "source"] == [
        ("source", "list.csv", "3")
    ]


def test_what_is_given_out_can_be_taken_in_again(hegui, taken, tmp_path):
    store = taken((DATA / "register.csv").read_text("utf-8"))
    out = hegui("optouts", "export", *store).out
    (tmp_path / "again.jsonl").write_text(out)
    other = ["--store", str(tmp_path / "other.jsonl")]
    assert hegui("optouts", "import", tmp_path / "again.jsonl", *other).code == 0
    assert sorted(hegui("optouts", "export", *other).out.splitlines()) == sorted(out.splitlines())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["import", "LICENSE"], "LICENSE tells no format by its name; give one with --format"),
        (
            ["lookup", "ftp://example.com/"],
            "the subject cannot be looked up: the subject has not the form of its scheme",
        ),
        (["lookup", "isbn:123"], "the subject cannot be looked up"),
        (["lookup", "example.com", "--at", "2026-11-01"], "its time has no offset from UTC"),
        (["import", "README.md", "--format", "csv", "--observed-at", "now"], "its time cannot be read"),
        (["fetch", "ftp://example.com/"], "is no web address; write it as https://example.com/"),
        (["fetch", "https://exa mple.com/"], "is no web address"),
        (["fetch", "///example.com"], "is no web address"),
    ],
)
def test_mistakes_are_told_with_exit_code_2(hegui, words, sentence):
    root = Path(__file__).parents[3]
    ran = hegui("optouts", *[str(root / word) if (root / word).is_file() else word for word in words])
    assert (ran.code, sentence in ran.err) == (2, True), ran.err


def test_a_store_that_is_none_is_told(hegui, tmp_path):
    (tmp_path / "s").write_text("hello\n")
    ran = hegui("optouts", "stats", "--store", tmp_path / "s")
    assert ran.code == 2
    assert "line 1 is no opt-out" in ran.err


def test_check_takes_the_store(hegui, taken):
    store = taken(CSV + "url_prefix,https://example.com/a/,deny,2026-01-01T00:00:00Z\n")
    event = {
        "specversion": "1.0", "type": "hegui.ingest.v1", "source": "s", "id": "1", "time": "2026-11-20T10:00:00+08:00",
        "data": {"service": "nobody", "source_type": "crawl", "url": "https://example.com/%61/b"},
    }  # fmt: skip
    ran = hegui("check", "-", "--format", "json", "--optouts", store[1], stdin=json.dumps(event).encode())
    assert json.loads(ran.out)["outcomes"]["OPT003"] == "fail"


def test_a_site_that_cannot_be_read_ends_with_exit_code_1(hegui, tmp_path):
    ran = hegui("optouts", "fetch", "http://127.0.0.1:1/", "--store", tmp_path / "s", "--timeout", "5")
    assert ran.code == 1
    assert "not read  robots.txt of 127.0.0.1:1: no answer (ClientConnectorError)" in ran.err


@pytest.mark.parametrize("url", ["//127.0.0.1:1", "127.0.0.1:1/?u=http://x/"])
def test_a_site_may_be_named_without_scheme(hegui, tmp_path, url):
    ran = hegui("optouts", "fetch", url, "--store", tmp_path / "s", "--timeout", "5")
    assert (ran.code, ran.err.count("not read  ")) == (1, 3), ran.err


def test_a_copy_of_a_file_is_the_same_statement(hegui, tmp_path):
    store = ["--store", str(tmp_path / "s")]
    for name in ("a.jsonl", "b.jsonl"):
        shutil.copy(DATA / "works.jsonl", tmp_path / name)
        ran = hegui("optouts", "import", tmp_path / name, *store)
    assert "s: 0, known before: 5" in ran.out


class _Site(BaseHTTPRequestHandler):
    """A site that refuses training in its robots.txt, and says so otherwise on its page, with a link that is broken if asked so."""

    broken = False

    def do_GET(self) -> None:
        said = {
            "/robots.txt": b"User-agent: *\nContent-Usage: train-ai=n\n",
            "/": b"<meta name=robots content=noai>",
        }.get(self.path)
        self.send_response(404 if said is None else 200)
        self.send_header("Content-Type", "text/html" if self.path == "/" else "text/plain")
        if self.broken:
            self.send_header("Link", '<http://[x>; rel="license"; type="application/rsl+xml"')
        self.end_headers()
        self.wfile.write(said or b"")

    def log_message(self, *_: object) -> None:
        pass


def test_a_site_is_read_and_read_again(hegui, tmp_path):
    store = ["--store", str(tmp_path / "s")]
    with ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        first = hegui("optouts", "fetch", url, *store)
        again = hegui("optouts", "fetch", url, *store)
        server.shutdown()
    assert (first.code, again.code) == (0, 0), first.err
    assert "2 statements: 2 deny" in first.out
    assert "s: 2, known before: 0" in first.out
    assert "s: 0, known before: 2" in again.out
    assert "content-usage" in hegui("optouts", "lookup", url + "a", *store).out


class _Broken(_Site):
    broken = True


@pytest.fixture
def urls():
    hosts = {"127.0.0.1": _Site, "127.0.0.2": _Broken}  # two owners
    servers = [ThreadingHTTPServer((host, 0), kind) for host, kind in hosts.items()]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [f"http://{host}:{server.server_port}/" for host, server in zip(hosts, servers, strict=True)]
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_broken_link_of_one_site_costs_no_other_one(hegui, tmp_path, urls):
    store = ["--store", str(tmp_path / "s")]
    ran = hegui("optouts", "fetch", *urls, *store)
    assert (ran.code, "refused: 1 row, link_invalid" in ran.err) == (1, True), ran.err
    assert "s: 4, known before: 0" in ran.out
    assert all("training: no" in hegui("optouts", "lookup", url, *store).out for url in urls)


def test_many_sites_are_written_in_portions(hegui, tmp_path, monkeypatch, urls):
    monkeypatch.setattr(optouts, "MAX_SITES", 1)
    written: list[int] = []
    write = FileStore.write

    def counted(store, records):
        taken = write(store, records)
        written.append(taken.new)
        return taken

    monkeypatch.setattr(FileStore, "write", counted)
    ran = hegui("optouts", "fetch", *urls, "http://127.0.0.3:1/", "--store", tmp_path / "s")
    assert written == [2, 2, 0]
    assert "s: 4, known before: 0" in ran.out


def test_a_broken_redirect_in_a_message_costs_no_other_file(hegui, tmp_path):
    (tmp_path / "list.csv").write_text(CSV + "domain,example.com,deny,\n")
    (tmp_path / "a.http").write_text(
        "GET https://example.org/ HTTP/1.1\n\nHTTP/1.1 301 Moved\nLocation: http://[bad/\n\nHTTP/1.1 200 OK\nX-Robots-Tag: noai\n\n"
    )
    ran = hegui("optouts", "import", tmp_path / "list.csv", tmp_path / "a.http", "--store", tmp_path / "s")
    assert (ran.code, "s: 1, known before: 0" in ran.out) == (1, True), ran.err
    assert "a.http:6: other_site" in ran.err
