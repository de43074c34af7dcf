"""`hegui state`: what people read of the ledgers."""

from pathlib import Path

import pytest

from hegui.streams.state import contents
from tests.streams.state.export_ledgers import AT_MS, Ledgers, day, ms

EXAMPLE_POLICY = Path(__file__).parents[3] / "streams" / "examples" / "policy.yaml"


@pytest.fixture
def show(hegui, monkeypatch, tmp_path):
    def run(table, policy=None):
        async def read_table(_):
            return table

        monkeypatch.setattr(contents, "read_table", read_table)
        settings = tmp_path / "hegui.toml"
        named = f'policy_file = "{policy}"\n' if policy else ""
        settings.write_text(named + '[kafka]\nbootstrap_servers = "localhost:9"\n', "utf-8")
        ran = hegui("state", "show", "--config", settings)
        assert ran.code == 0, ran.err
        return [line.strip() for line in (ran.err + ran.out).splitlines()]

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


SETTLEMENT = """
export_settlements:
  - entity: example-company
    year: 2026
    up_to: 2026-03-0{day}T12:00:00+08:00
    ordinary: 1200
    reference: memo-1
"""


@pytest.mark.parametrize(("of_day", "open_ones"), [(1, ""), (2, ""), (0, "; later ones are open")])
def test_what_the_policy_settles_is_printed_beside_the_count(show, tmp_path, of_day, open_ones):
    ledgers = Ledgers()
    then = ms("2026-03-01T12:00:00+08:00")
    ledgers.tell([1], at_ms=AT_MS, uncounted={"no_subject": 1}, uncounted_ms=then)
    policy, text = tmp_path / "policy.yaml", EXAMPLE_POLICY.read_text("utf-8")
    day_text = f"2026-03-0{of_day}" if of_day else "2026-02-28"
    policy.write_text(text + SETTLEMENT.replace("2026-03-0{day}", day_text), "utf-8")
    assert (
        f"settled by the policy up to {day_text}T12:00:00+08:00: 1,200 ordinary and 0 sensitive to be added{open_ones}"
    ) in show(ledgers.table, policy)


def test_what_the_policy_adds_is_printed_with_the_ledger_of_the_present_controller_alone(show, tmp_path):
    ledgers = Ledgers()
    ledgers.tell([1], at_ms=AT_MS, controller="old-group")
    ledgers.tell([1], at_ms=AT_MS)
    policy = tmp_path / "policy.yaml"
    policy.write_text(EXAMPLE_POLICY.read_text("utf-8") + SETTLEMENT.format(day=1), "utf-8")
    told = [line.split(": ")[-1] for line in show(ledgers.table, policy) if line.startswith("settled by the policy")]
    assert told == ["1,200 ordinary and 0 sensitive to be added", "0 ordinary and 0 sensitive to be added"]


def test_a_policy_that_cannot_be_read_leaves_the_ledgers_readable(show, tmp_path):
    lines = show(Ledgers().table, tmp_path / "gone.yaml")
    assert lines[0].endswith("what it settles of exports that could not be counted is left out")
    assert lines[1].startswith("0 export ledgers")
