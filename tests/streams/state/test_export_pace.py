"""The pace of the export ledgers: daily counts over restarts and older tables, the forecast and its issue, what is shown."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hegui.rules.exports import DAY_MS, Account
from hegui.streams.commands.pace import pace
from hegui.streams.state.contents import LedgerContent, contents
from hegui.streams.state.export_table import account_place, persons_key, read_accounts
from tests.streams.state.export_ledgers import ENTITY, Ledgers, day, hashes, ms

ACCOUNT = Account("default", "example-group", ENTITY, 2026)
START = day("2026-08-01")


def noon(of_day):
    return ms("1970-01-01T12:00:00+08:00") + of_day * DAY_MS


def days(ledgers):
    (account,) = ledgers.keeper.exports.accounts()
    return account.ordinary.by_day


def new(ledgers, kind="ordinary"):
    return ledgers.gauge("export_new_subjects", entity=ENTITY, year="2026", kind=kind)


def grow(ledgers, daily, first=START, over=10):
    """Export so many new persons on each of some days."""
    for n in range(over):
        at_ms = noon(first + n)
        ledgers.tell(range(n * daily, (n + 1) * daily), at_ms=at_ms, watermark_ms=at_ms, day=first + n)


def test_the_forecast_opens_an_issue_far_below_the_limit_and_closes_it_when_the_growth_ends():
    ledgers = Ledgers()
    grow(ledgers, 2_000, over=19)  # 38,000, and 62,000 in the next 31 days
    assert ledgers.open() == set()
    grow(ledgers, 2_000, over=21)  # 42,000, and 58,000 in the next 29 days
    assert ledgers.open() == {("LOC015", ENTITY)}
    assert ledgers.tick(noon(START + 20)) == []
    findings = ledgers.tick(noon(START + 21))
    assert [(f["activity_name"], f["compliance"]["control"]) for f in findings] == [("Close", "LOC015")]
    assert ledgers.open() == set()


def test_a_forecast_does_not_look_beyond_the_year():
    ledgers = Ledgers()
    grow(ledgers, 2_000, first=day("2026-11-20"), over=42)
    assert ledgers.open() == {("LOC013", ENTITY)}


def test_the_pace_is_shown_and_goes_down_with_the_days_although_nobody_exports():
    ledgers = Ledgers()
    grow(ledgers, 100)
    assert new(ledgers) == 700
    ledgers.tick(noon(START + 11))
    assert new(ledgers) == 500
    ledgers.tick(noon(START + 30))
    assert (new(ledgers), ledgers.subjects()) == (0, [1000, 0])


def test_days_are_those_of_before_after_a_restart():
    before = Ledgers()
    grow(before, 10)
    before.tell([3, 500], at_ms=noon(START + 9), day=START - 2)
    after = Ledgers(before.table)
    assert days(after) == {n: m for n, m in days(before).items() if m} != {}
    assert new(after) == new(before)
    assert days(after)[START - 2] == 2 and days(after)[START] == 9


def old_form(table):
    """The table as it was before keys of persons named a day."""
    return {key[:29] if key.startswith(b"\x01p") else key: value for key, value in table.items()}


def test_persons_stored_before_there_were_days_count_in_the_year_and_not_in_the_pace():
    before = Ledgers()
    before.tell(range(50), [1], day=START)
    after = Ledgers(old_form(before.table))
    assert after.subjects() == [50, 1]
    assert (new(after), new(after, "sensitive")) == (0, 0)
    after.tell(range(60), [1], day=START + 1, at_ms=noon(START + 1))
    again = Ledgers(after.table)
    assert again.subjects() == [60, 1]
    (account,) = again.keeper.exports.accounts()
    assert account.ordinary.by_day == {0: 50, START + 1: 10}
    (ledger,) = [one for one in contents(again.table) if isinstance(one, LedgerContent)]
    assert (ledger.ordinary, ledger.sensitive) == (60, 1)


def test_a_person_who_moved_to_an_earlier_day_counts_once_in_what_is_told():
    ledgers = Ledgers()
    ledgers.tell([1], day=START + 3, at_ms=noon(START + 3), watermark_ms=noon(START + 3))
    ledgers.tell([1], day=START, at_ms=noon(START + 3), watermark_ms=noon(START + 3))
    assert sum(key.startswith(b"\x01p") for key in ledgers.table) == 2
    (ledger,) = [one for one in contents(ledgers.table) if isinstance(one, LedgerContent)]
    assert (ledger.ordinary, ledger.new_ordinary_7_days, ledger.as_of_ms) == (1, 1, noon(START + 3))


def test_sums_of_one_account_and_day_in_one_observation_share_an_entry():
    place = account_place(1, ACCOUNT)
    ledgers = Ledgers()
    ledgers.tell([1, 2], day=START)
    (key,) = [key for key in ledgers.table if key.startswith(b"\x01p")]
    assert key[:2] + key[4:] == persons_key(place, sensitive=False, offset=1, day=START)[:2] + key[4:]
    assert ledgers.table[key] == b"".join(map(bytes.fromhex, hashes([1, 2])))


TOLD = st.tuples(st.integers(0, 12), st.integers(START, START + 9), st.booleans(), st.sampled_from([None, 0, 1, 2, 3]))


@settings(max_examples=200, deadline=None)
@given(st.lists(TOLD, max_size=40))
def test_whatever_dies_daily_counts_equal_the_reference(told):
    """Observations in any order of days; `survives` table writes are stored, the process dies, and all is read again."""
    ledgers = Ledgers()
    wanted = ({}, {})
    for person, on, sensitive, survives in told:
        one = {"sensitive": [person]} if sensitive else {"ordinary": [person]}
        if survives is not None:
            ledgers = ledgers.dies(survives, **one, day=on)
        ledgers.tell(**one, day=on)
        wanted[sensitive][person] = min(on, wanted[sensitive].get(person, on))
    for accounts in (ledgers.keeper.exports.accounts(), read_accounts(ledgers.table).values()):
        for account in accounts:
            found = (account.ordinary.days, account.sensitive.days)
            assert found == tuple(
                {bytes.fromhex(hashes([person])[0]): on for person, on in kind.items()} for kind in wanted
            )


def content(**changes):
    given_values = {
        "tenant": "default",
        "controller": "group",
        "entity": ENTITY,
        "year": 2026,
        "ordinary": 0,
        "sensitive": 0,
        "uncounted": {},
        "uncounted_until_ms": 0,
        "last_export_ms": noon(START),
        "as_of_ms": noon(START),
        "new_ordinary_7_days": 0,
        "new_sensitive_7_days": 0,
    }
    return LedgerContent(**{**given_values, **changes})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ordinary": 5_000}, []),
        ({"ordinary": 40_000, "new_ordinary_7_days": 14_000}, ["ordinary: 14,000 new in 7 days, 100,000 in 30 days"]),
        ({"ordinary": 99_000, "new_ordinary_7_days": 14_000}, ["ordinary: 14,000 new in 7 days, 100,000 in 1 day"]),
        (
            {"ordinary": 300_000, "new_ordinary_7_days": 1_400, "sensitive": 9, "new_sensitive_7_days": 9},
            [
                "ordinary: 1,400 new in 7 days, 1,000,000 not within the year",
                "sensitive: 9 new in 7 days, 10,000 not within the year",
            ],
        ),
        ({"ordinary": 1_000_000, "new_ordinary_7_days": 7}, ["ordinary: 7 new in 7 days"]),
    ],
)
def test_the_days_left_are_told(changes, told):
    assert list(pace(content(**changes))) == told
