"""`hegui state`: what people read of the ledgers."""

import pytest

from hegui.streams.state import contents
from tests.streams.state.export_ledgers import AT_MS, Ledgers, day, ms


@pytest.fixture
def show(hegui, monkeypatch, tmp_path):
    def run(table):
        async def read_table(_):
            return table

        monkeypatch.setattr(contents, "read_table", read_table)
        settings = tmp_path / "hegui.toml"
        settings.write_text('[kafka]\nbootstrap_servers = "localhost:9"\n', "utf-8")
        ran = hegui("state", "show", "--config", settings)
        assert ran.code == 0, ran.err
        return [line.strip() for line in ran.out.splitlines()]

    return run


def test_the_limit_that_is_near_and_the_percent_are_printed(show):
    ledgers = Ledgers()
    ledgers.tell(range(90_001), day=day("2026-03-01"))
    lines = show(ledgers.table)
    (ledger,) = [line for line in lines if "controller" in line]
    assert "ordinary 90,001 (90 % of 100,000)  sensitive 0 (0 % of 10,000)" in ledger
    (issue,) = [line for line in lines if line.startswith("LOC013")]
    assert "default/example-company/2026  open" in issue
    shown = lines[lines.index(issue) + 1]
    assert shown == (
        "a limit of the year is near: entity example-company, year 2026, persons 90,001, percent 90, limit 100,000"
    )


def test_a_ledger_over_the_last_limit_says_so(show):
    ledgers = Ledgers()
    ledgers.tell((), range(10_000), day=day("2026-03-01"))
    assert any("sensitive 10,000 (over 10,000)" in line for line in show(ledgers.table))


def test_the_last_export_that_could_not_be_counted_is_dated(show):
    ledgers = Ledgers()
    then = ms("2026-03-01T12:00:00+08:00")
    ledgers.tell([1], at_ms=AT_MS, uncounted={"no_subject": 1_000}, uncounted_ms=then)
    lines = show(ledgers.table)
    at = lines.index("not counted: 1,000 exports, no_subject")
    assert lines[at + 1] == "the last of them at 2026-03-01T12:00:00+08:00"
