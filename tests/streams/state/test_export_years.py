"""Accounts of past legal years: forgotten in portions, over crashes and replays, with their gauges and issues."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hegui.rules.core import Outcome
from hegui.rules.engine import rule_set_hash
from hegui.rules.exports import Account, account_key
from hegui.streams.observations import partition_of
from hegui.streams.state.contents import LedgerContent, contents
from hegui.streams.state.export_table import ACCOUNT, PERSON
from hegui.streams.state.exports import PORTION
from tests.streams.example import BOOK, POLICY
from tests.streams.state.export_ledgers import ENTITY, PARTITIONS, Ledgers, day, ms

PARTITION = partition_of(account_key(Account("default", "example-group", ENTITY, 2026)).encode(), PARTITIONS)
LAST_2026 = ms("2026-12-31T23:59:59+08:00")
FIRST_2027 = ms("2027-01-01T00:00:00+08:00")
LONG_AGO = day("2026-03-01")
YEARS_LATER = ms("2030-01-01T00:00:00+08:00")
"""When 2026 is no longer among the four years that are kept."""


def exported(entries=3, year=2026, at_ms=LAST_2026, **how):
    """Ledgers with so many entries of two persons each."""
    ledgers = Ledgers(**how)
    for n in range(entries):
        ledgers.tell([2 * n, 2 * n + 1], year=year, at_ms=at_ms, watermark_ms=at_ms)
    return ledgers


def keys(ledgers, prefix=PERSON):
    return [key for key in ledgers.table if key.startswith(prefix)]


def tick(ledgers, at_ms=YEARS_LATER, times=1):
    return [finding for _ in range(times) for finding in ledgers.step(PARTITION, at_ms)]


def years(ledgers):
    return {account.state.account.year for account in ledgers.keeper.exports.accounts()}


def test_an_account_is_kept_for_three_years_after_its_own():
    ledgers = exported()
    tick(ledgers, YEARS_LATER - 1, times=3)
    assert (years(ledgers), len(keys(ledgers))) == ({2026}, 3)
    tick(ledgers)
    assert years(ledgers) == set()
    assert len(keys(ledgers)) == 3  # deleted from the next observation on
    tick(ledgers)
    assert keys(ledgers) == keys(ledgers, ACCOUNT) == []


def test_the_policy_says_how_many_years():
    ledgers = exported(policy=msgspec.structs.replace(POLICY, export_years_kept=2))
    tick(ledgers, FIRST_2027)
    assert years(ledgers) == {2026}
    tick(ledgers, ms("2028-01-01T00:00:00+08:00"), times=2)
    assert (years(ledgers), keys(ledgers)) == (set(), [])


def test_neither_a_watermark_nor_a_broker_alone_makes_years_pass():
    ledgers = exported()
    keeper, step = ledgers.keeper, ledgers.keeper.step
    keeper.step = lambda partition, offset, _, observation: step(partition, offset, LAST_2026, observation)
    tick(ledgers)
    assert years(ledgers) == {2026}


def test_entries_are_deleted_in_portions_the_account_first():
    ledgers = exported(entries=2 * PORTION)
    tick(ledgers, times=2)
    assert (len(keys(ledgers, ACCOUNT)), len(keys(ledgers))) == (0, PORTION + 1)
    assert not [one for one in contents(ledgers.table) if isinstance(one, LedgerContent)]
    tick(ledgers)
    assert len(keys(ledgers)) == 1
    tick(ledgers)
    assert keys(ledgers) == []


def test_gauges_vanish_and_other_years_stay():
    ledgers = exported()
    ledgers.tell([1], year=2029, at_ms=YEARS_LATER - 1, watermark_ms=YEARS_LATER - 1, uncounted={"no_subject": 1})
    tick(ledgers, times=2)
    assert (ledgers.subjects(year="2026"), ledgers.subjects(year="2029")) == ([None, None], [1, 0])
    assert ledgers.gauge("export_new_subjects", entity=ENTITY, year="2026", kind="ordinary") is None
    assert ledgers.gauge("export_uncounted_events", entity=ENTITY, year="2029", problem="no_subject") == 1
    assert (years(ledgers), len(keys(ledgers))) == ({2029}, 1)


def test_the_issue_of_a_year_that_is_forgotten_closes():
    ledgers = Ledgers()
    ledgers.tell((), [1], at_ms=LAST_2026, watermark_ms=LAST_2026)
    assert ledgers.open() == {("LOC012", ENTITY)}
    (finding,) = tick(ledgers)
    assert (finding["activity_name"], finding["compliance"]["control"]) == ("Close", "LOC012")
    assert ledgers.open() == set()
    assert ledgers.gauge("ledger_outcome", entity=ENTITY, rule="LOC012", outcome="fail") is None


def test_the_issue_of_a_later_year_stays_open():
    ledgers = Ledgers()
    ledgers.tell((), [1], at_ms=LAST_2026, watermark_ms=LAST_2026)
    ledgers.tell((), [1], year=2029, at_ms=YEARS_LATER - 1, watermark_ms=YEARS_LATER - 1)
    assert ledgers.open_years() == {("LOC012", ENTITY, "2026"), ("LOC012", ENTITY, "2029")}
    assert {finding["activity_name"] for finding in tick(ledgers, times=2)} == {"Close"}
    assert ledgers.open_years() == {("LOC012", ENTITY, "2029")}


def test_exports_of_a_forgotten_year_are_left_out_and_counted():
    ledgers = exported()
    tick(ledgers, times=2)
    ledgers.tell([7], at_ms=LAST_2026, watermark_ms=YEARS_LATER)
    assert (years(ledgers), keys(ledgers)) == (set(), [])
    assert ledgers.metrics.registry.get_sample_value("compliance_exports_forgotten_total") == 1


def test_an_account_whose_exports_have_no_trusted_time_is_as_old_as_the_last_of_them():
    ledgers = Ledgers()
    ledgers.tell(year=0, at_ms=LAST_2026, watermark_ms=LAST_2026, uncounted={"time_not_trusted": 2})
    tick(ledgers, YEARS_LATER - 1)
    assert years(ledgers) == {0}
    tick(ledgers, times=2)
    assert (years(ledgers), keys(ledgers, ACCOUNT)) == (set(), [])
    ledgers.tell(year=0, at_ms=YEARS_LATER, watermark_ms=YEARS_LATER, uncounted={"time_not_trusted": 1})
    assert years(ledgers) == {0}


def test_a_policy_that_keeps_more_years_again_spares_what_lives():
    ledgers = exported(entries=2 * PORTION)
    tick(ledgers, times=2)
    assert len(keys(ledgers)) == PORTION + 1
    more = msgspec.structs.replace(POLICY, export_years_kept=9)
    ledgers.keeper.use(more, BOOK, BOOK, rule_set_hash(BOOK))
    # The observation of the change still deletes a portion: at its beginning no account lives.
    ledgers.tell([10**6], at_ms=LAST_2026, watermark_ms=YEARS_LATER)
    left = keys(ledgers)
    tick(ledgers, times=3)
    assert keys(ledgers) == left
    assert ledgers.subjects() == [1, 0]


@pytest.mark.parametrize("survives", range(0, PORTION + 2, 17))
def test_a_process_that_dies_between_portions_leaves_the_rest_to_the_next(survives):
    ledgers = exported(entries=PORTION + 5)
    tick(ledgers)
    ledgers = ledgers.dies(survives, watermark_ms=YEARS_LATER, at_ms=YEARS_LATER, year=2030)
    assert years(ledgers) - {2030} == (set() if survives else {2026})
    tick(ledgers, times=4)
    assert (years(ledgers) - {2030}, keys(ledgers)) == (set(), [])
    assert ledgers.subjects() == [None, None]


STEPS = st.one_of(
    st.tuples(st.just("tell"), st.sampled_from(range(2025, 2031)), st.integers(0, 40)),
    st.tuples(st.just("pass"), st.sampled_from([LAST_2026, FIRST_2027, YEARS_LATER, YEARS_LATER + 366 * 86_400_000])),
    st.tuples(st.just("die"), st.integers(0, 8)),
    st.tuples(st.just("restart")),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_whatever_dies_the_years_that_are_kept_equal_the_reference(schedule):
    ledgers, now_ms, wanted = Ledgers(), LAST_2026, {}
    for name, *given_values in schedule:
        if name == "tell":
            year, person = given_values
            ledgers.tell([person], year=year, at_ms=now_ms, watermark_ms=now_ms)
            wanted.setdefault(year, set()).add(person)
        elif name == "pass":
            now_ms = max(now_ms, *given_values)
            tick(ledgers, now_ms)
        elif name == "die":
            ledgers = ledgers.dies(given_values[0], watermark_ms=now_ms, at_ms=now_ms, year=0)
        else:
            ledgers = ledgers.again(ledgers.offset)
        first = 2023 + (now_ms >= FIRST_2027) + 3 * (now_ms >= YEARS_LATER) + (now_ms > YEARS_LATER)
        wanted = {year: persons for year, persons in wanted.items() if year >= first}
    tick(ledgers, now_ms, times=3)
    for made in (ledgers, ledgers.again(ledgers.offset)):
        found = {a.state.account.year: len(a.ordinary) for a in made.keeper.exports.accounts()}
        found.pop(0, None)
        assert found == {year: len(persons) for year, persons in wanted.items()}
    stored = sum(len(ledgers.table[key]) for key in keys(ledgers))
    assert stored == 32 * sum(map(len, wanted.values()))


def test_each_legal_year_has_an_issue_of_its_own():
    ledgers = Ledgers()
    first = ledgers.tell((), [1], at_ms=LAST_2026, watermark_ms=LAST_2026)
    second = ledgers.tell((), [1], year=2027, at_ms=FIRST_2027, watermark_ms=FIRST_2027)
    told = [(f["activity_name"], f["compliance"]["control"], f["unmapped"]["evidence"]["year"]) for f in first + second]
    assert told == [("Create", "LOC012", 2026), ("Create", "LOC012", 2027)]
    assert len({f["finding_info"]["uid"] for f in first + second}) == 2
    assert {f["resources"][0]["uid"] for f in first + second} == {ENTITY}
    labels = {"service": ENTITY, "rule": "LOC012"}
    assert ledgers.gauge("open_issues", **labels) == 2
    # The alert on an open issue asks for the latest failure: the old year must not make it look old.
    assert ledgers.gauge("issue_last_failure_timestamp_seconds", **labels) == FIRST_2027 / 1000
    assert ledgers.gauge("issue_info", **labels, finding=second[0]["finding_info"]["uid"], sample="") == 1


def test_a_warning_ends_with_its_year_and_does_not_hide_that_of_the_next():
    ledgers = Ledgers()
    ledgers.tell(range(80_000), at_ms=LAST_2026, watermark_ms=LAST_2026, day=LONG_AGO)
    assert ledgers.open_years() == {("LOC013", ENTITY, "2026")}
    assert step(ledgers, "2026") == 0.8
    assert [f["activity_name"] for f in tick(ledgers, FIRST_2027)] == ["Close"]
    assert (ledgers.open(), step(ledgers, "2026")) == (set(), None)
    (warned,) = ledgers.tell(range(90_000), year=2027, at_ms=FIRST_2027, watermark_ms=FIRST_2027, day=LONG_AGO)
    assert (warned["activity_name"], warned["unmapped"]["evidence"]["percent"]) == ("Create", 90)
    assert step(ledgers, "2027") == 0.9


def step(ledgers, year, limit="100000"):
    return ledgers.gauge("export_limit_step_ratio", entity=ENTITY, year=year, limit=limit)


def test_what_is_undecided_in_a_year_that_is_over_makes_no_ticket_any_more():
    ledgers = Ledgers()
    ledgers.tell([1], at_ms=LAST_2026, watermark_ms=LAST_2026, uncounted={"no_subject": 1})
    undecided = {"entity": ENTITY, "rule": "LOC011", "outcome": "inconclusive"}
    assert ledgers.gauge("ledger_outcome", **undecided) == 1
    tick(ledgers, FIRST_2027)
    assert ledgers.gauge("ledger_outcome", **undecided) is None
    assert ledgers.gauge("export_uncounted_events", entity=ENTITY, year="2026", problem="no_subject") == 1
    ledgers.tell([1], year=2027, at_ms=FIRST_2027, watermark_ms=FIRST_2027, uncounted={"no_subject": 1})
    assert ledgers.gauge("ledger_outcome", **undecided) == 1


def test_a_failure_of_a_year_that_is_over_is_shown_beside_what_is_said_of_the_running_one():
    ledgers = Ledgers()
    ledgers.tell((), [1], at_ms=LAST_2026, watermark_ms=LAST_2026)
    for uncounted, outcomes in ({}, {"fail"}), ({"no_subject": 1}, {"fail", "inconclusive"}):
        ledgers.tell([1], year=2027, at_ms=FIRST_2027, watermark_ms=FIRST_2027, uncounted=uncounted)
        shown = {o for o in Outcome if ledgers.gauge("ledger_outcome", entity=ENTITY, rule="LOC012", outcome=o)}
        assert shown == outcomes


def test_the_issue_of_a_rule_that_is_switched_off_closes_and_so_after_a_restart():
    for restarted in (False, True):
        ledgers = Ledgers()
        ledgers.tell((), range(10_000), at_ms=LAST_2026, watermark_ms=LAST_2026)
        assert ledgers.open() == {("LOC011", ENTITY)}
        if restarted:
            ledgers = ledgers.again(ledgers.offset)
        fewer = tuple(rule for rule in BOOK if rule.id != "LOC011")
        ledgers.keeper.use(POLICY, fewer, BOOK, rule_set_hash(fewer))
        (finding,) = tick(ledgers, LAST_2026)
        assert (finding["activity_name"], finding["compliance"]["control"]) == ("Close", "LOC011")
        assert ledgers.open() == set()


def test_an_issue_without_year_that_was_stored_before_gives_way_to_that_of_its_year():
    ledgers = Ledgers()
    ledgers.tell((), [1], at_ms=LAST_2026, watermark_ms=LAST_2026)
    (key,) = [key for key in ledgers.table if b"|LOC012|" in key]
    old = {**msgspec.json.decode(ledgers.table.pop(key)), "service": ENTITY}
    del old["evidence"], old["reason"]
    ledgers.table[key.partition(b"/")[0]] = msgspec.json.encode(old)
    after = ledgers.again(ledgers.offset)
    assert after.open() == {("LOC012", ENTITY)}
    told = {(f["activity_name"], f["resources"][0]["uid"]) for f in tick(after, LAST_2026)}
    assert told == {("Close", ENTITY), ("Create", ENTITY)}
    assert after.open_years() == {("LOC012", ENTITY, "2026")}
