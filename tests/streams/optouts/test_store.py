"""The file of opt-outs: what is written twice stands there once; what is no news; counts of an import."""

import msgspec
import pytest

from hegui.rules.facts import OptOut
from hegui.streams.errors import SettingsError
from hegui.streams.optouts import report
from hegui.streams.optouts.normal_form import record_key, statement
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.report import Report, Row
from hegui.streams.optouts.store import FileStore, TopicStore, default_file, news, statements
from hegui.streams.settings import load_settings
from tests.streams.optouts.texts import AT_MS


def no(domain: str, value: str = "deny", at_ms: int = AT_MS, **more) -> OptOut:
    return statement("domain", domain, value, at_ms, source="s", **more)


def test_a_statement_stands_once_however_often_it_is_written(tmp_path):
    store = FileStore(tmp_path / "new" / "optouts.jsonl")
    assert statements(store) == {}
    assert store.write([no("example.com"), no("example.org"), no("example.com")]) == (2, 1)
    assert store.write([no("example.com"), no("example.com", "allow", AT_MS + 1)]) == (1, 1)
    found = statements(store)
    assert [record.subject for record in found.values()] == ["example.com", "example.org", "example.com"]
    assert all(record_key(record) == key for key, record in found.items())


def test_a_last_line_without_its_end_is_ended(tmp_path):
    file = tmp_path / "optouts.jsonl"
    file.write_bytes(msgspec.json.encode(no("example.com")))
    assert FileStore(file).write([no("example.org")]) == (1, 0)
    assert len(statements(FileStore(file))) == 2


@pytest.mark.parametrize("line", [b"{", b'{"scheme":"planet"}', b"\xff", b"7"])
def test_a_line_that_is_no_opt_out_is_told(tmp_path, line):
    file = tmp_path / "optouts.jsonl"
    file.write_bytes(msgspec.json.encode(no("example.com")) + b"\n\n" + line + b"\n")
    with pytest.raises(SettingsError, match=r"line 3 is no opt-out; correct or remove it"):
        statements(FileStore(file))
    with pytest.raises(SettingsError):
        FileStore(file).write([])
    assert file.read_bytes().endswith(line + b"\n")


def test_only_news_is_written_of_what_was_read_again(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write(
        [
            no("example.com"),
            no("example.org"),
            no("example.net", valid_to_ms=AT_MS + 9),
            no("example.com", "allow", AT_MS - 1),
        ]
    )
    later = [
        no("example.com", at_ms=AT_MS + 1),
        no("example.org", "allow", AT_MS + 1),
        no("example.net", at_ms=AT_MS + 1),
        no("example.edu"),
    ]
    assert [record.subject for record in news(store, later)] == ["example.org", "example.net", "example.edu"]


def usage(path: str, value: str, at_ms: int, category: str = "train", scheme: str = "url_prefix") -> OptOut:
    return statement(scheme, "example.com" + path, value, at_ms, source="content-usage", category=category)


def readings(tmp_path, *texts: list[tuple[str, str]]) -> list[int]:
    """Read a text once a day; return how much was written each time."""
    store = FileStore(tmp_path / "optouts.jsonl")
    return [
        store.write(news(store, [usage(path, value, AT_MS + day) for path, value in text])).new
        for day, text in enumerate(texts)
    ]


NO, EXCEPT = ("/", "deny"), ("/b/", "allow")


def test_when_an_exception_leaves_a_text_the_refusal_is_news_once(tmp_path):
    assert readings(tmp_path, [NO, EXCEPT], [NO, EXCEPT], [NO], [NO], [NO, EXCEPT], [NO, EXCEPT]) == [2, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("before", "after", "written"),
    [
        ([NO, EXCEPT], [NO, ("/b/", "unknown")], ["/b/"]),
        ([NO, ("/b/", "unknown")], [NO], ["/"]),
        ([NO, EXCEPT], [NO, EXCEPT, ("/c/", "allow")], ["/c/"]),
        ([NO, EXCEPT, ("/c/", "allow"), ("/d/", "deny")], [NO, EXCEPT, ("/d/", "deny")], ["/", "/b/"]),
        ([("/", "allow"), EXCEPT], [NO, EXCEPT], ["/", "/b/"]),
        ([NO, ("/a/", "deny"), ("/a/b/", "allow")], [NO, ("/a/", "deny")], ["/a/"]),
        ([NO, ("/b/", "deny")], [NO], []),
        ([NO, EXCEPT], [EXCEPT], []),
        ([EXCEPT], [("/c/", "deny")], ["/c/"]),
        ([("/a/", "deny"), EXCEPT], [("/a/", "deny")], []),
    ],
)
def test_what_else_is_news_of_a_text_with_paths(tmp_path, before, after, written):
    readings(tmp_path, before)
    found = news(FileStore(tmp_path / "optouts.jsonl"), [usage(path, value, AT_MS + 1) for path, value in after])
    assert [record.subject.removeprefix("example.com") for record in found] == written


def test_other_sources_sites_and_uses_are_looked_at_by_themselves(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write(
        [
            usage("/", "deny", AT_MS),
            statement("url_prefix", "example.com/b/", "allow", AT_MS, source="rsl"),
            statement("url_prefix", "example.com:8080/b/", "allow", AT_MS, source="content-usage"),
            usage("/b/", "allow", AT_MS, "search"),
        ]
    )
    assert news(store, [usage("/", "deny", AT_MS + 1)]) == []
    store.write([usage("/b/", "allow", AT_MS, scheme="url")])
    assert len(news(store, [usage("/", "deny", AT_MS + 1)])) == 1


def test_news_is_what_was_not_said_by_then(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write([no("example.com"), no("example.com", "allow", AT_MS + 10)])
    assert len(news(store, [no("example.com", at_ms=AT_MS - 1)])) == 1
    assert news(store, [no("example.com", at_ms=AT_MS + 9)]) == []
    assert len(news(store, [no("example.com", at_ms=AT_MS + 10)])) == 1
    both = [no("example.com", at_ms=AT_MS + 20), no("example.com", at_ms=AT_MS + 21)]
    assert news(store, both) == both[:1]


def test_of_two_words_in_one_text_the_no_is_compared(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    for day in range(2):
        both = [no("example.com", value, AT_MS + day) for value in ("deny", "allow")]
        assert len(news(store, both)) == len(news(store, both[::-1])) == (0 if day else 2)
        store.write(both)


def test_a_statement_that_has_ended_is_no_last_word(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write([no("example.com"), no("example.com", "allow", AT_MS + 1, valid_to_ms=AT_MS + 5)])
    assert news(store, [no("example.com", at_ms=AT_MS + 5)]) == []
    assert len(news(store, [no("example.com", at_ms=AT_MS + 4)])) == 1


def test_a_record_that_has_no_address_is_no_exception(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write(
        [
            msgspec.structs.replace(usage(path, value, AT_MS), subject="exa mple.com" + path)
            for path, value in (NO, EXCEPT)
        ]
    )
    again = msgspec.structs.replace(usage("/", "deny", AT_MS + 1), subject="exa mple.com/")
    assert news(store, [again]) == []


def test_without_a_file_the_state_folder_of_the_user_is_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_file() == tmp_path / "hegui" / "optouts.jsonl"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_file() == tmp_path / ".local" / "state" / "hegui" / "optouts.jsonl"


def test_settings_without_a_topic_of_opt_outs_are_told():
    settings = load_settings(None, {"HEGUI_KAFKA__BOOTSTRAP_SERVERS": "localhost:9092", "HEGUI_TOPICS__OPTOUTS": ""})
    with pytest.raises(SettingsError, match=r"topics.optouts is empty; name a topic, or use --store FILE"):
        TopicStore(settings)


def test_a_report_counts_and_tells(monkeypatch):
    monkeypatch.setattr(report, "MAX_SHOWN", 1)
    monkeypatch.setattr(report, "REMEMBERED", 2)
    rows: list[Row] = []
    counts = Report(AT_MS, rows.append)
    found = [
        no("example.com"), no("example.com"), Remark(2, "no_subject"), Remark(3, "no_subject"), Remark(4, "narrowed"),
        no("example.org", "allow", AT_MS + 1), no("example.net"), no("example.com"),
    ]  # fmt: skip
    passed = list(counts.add("list.csv", found))
    assert [record.subject for record in passed] == ["example.com", "example.org", "example.net", "example.com"]
    assert (counts.taken, counts.repeated, counts.refused) == ({"deny": 3, "allow": 1}, 1, 2)
    assert [(row.name, row.remark.line) for row in rows] == [("list.csv", 2), ("list.csv", 3)]
    assert list(counts.lines()) == [
        "refused  list.csv:2: no_subject: it has no subject",
        "refused  1 more; --refused FILE writes them all",
        "refused: 2 rows, no_subject: it has no subject",
        "note: 1 row, narrowed: a path that ends inside a name covers whole names only",
        "note: 1 row, time_ahead: its time lies ahead; it counts from then on",
    ]
    assert str(Row("a", Remark(0, "syntax"))) == "a: syntax: it cannot be read as its format"
