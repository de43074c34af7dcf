"""The file of opt-outs: what is written twice stands there once; counts of an import."""

import msgspec
import pytest

from hegui.rules.facts import OptOut
from hegui.streams.errors import SettingsError
from hegui.streams.optouts import report
from hegui.streams.optouts.normal_form import record_key, statement
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.report import Report, Row
from hegui.streams.optouts.store import FileStore, TopicStore, default_file, statements
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
