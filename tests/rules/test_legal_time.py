"""Legal days and calendar months in Asia/Shanghai."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hegui.rules.calendar import add_months
from hegui.rules.law import SHANGHAI, Clause, all_clauses, legal_day_ms


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-01-15T08:30:00+08:00", 6, "2026-07-15T08:30:00+08:00"),
        ("2026-08-31T12:00:00+08:00", 6, "2027-02-28T12:00:00+08:00"),
        ("2027-08-31T12:00:00+08:00", 6, "2028-02-29T12:00:00+08:00"),
        ("2027-08-30T12:00:00+08:00", 6, "2028-02-29T12:00:00+08:00"),
        ("2028-02-29T12:00:00+08:00", 12, "2029-02-28T12:00:00+08:00"),
        ("2028-02-29T12:00:00+08:00", 48, "2032-02-29T12:00:00+08:00"),
        ("2096-02-29T12:00:00+08:00", 48, "2100-02-28T12:00:00+08:00"),
        ("2026-03-31T00:00:00+08:00", 1, "2026-04-30T00:00:00+08:00"),
        ("2026-12-31T23:59:59.999+08:00", 6, "2027-06-30T23:59:59.999+08:00"),
        ("2026-12-01T00:00:00+08:00", 1, "2027-01-01T00:00:00+08:00"),
        ("2026-07-01T00:00:00+08:00", 6, "2027-01-01T00:00:00+08:00"),
        ("2026-06-30T23:59:59.999+08:00", 6, "2026-12-30T23:59:59.999+08:00"),
        ("2026-06-30T16:00:00+00:00", 6, "2026-12-31T16:00:00+00:00"),
        ("2026-08-30T16:00:00+00:00", 6, "2027-02-27T16:00:00+00:00"),
        ("2026-01-15T00:00:00+08:00", 0, "2026-01-15T00:00:00+08:00"),
        ("2026-01-15T00:00:00+08:00", -1, "2025-12-15T00:00:00+08:00"),
    ],
)
def test_months_are_calendar_months_of_shanghai(start: str, months: int, end: str) -> None:
    assert add_months(ms(start), months) == ms(end)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, ms("2900-01-01T00:00:00+08:00")), st.integers(0, 240))
def test_the_day_stays_or_becomes_the_last_of_its_month(at_ms: int, months: int) -> None:
    start, end = (datetime.fromtimestamp(each / 1000, SHANGHAI) for each in (at_ms, add_months(at_ms, months)))
    assert (end.year * 12 + end.month) - (start.year * 12 + start.month) == months
    assert end.day == start.day or (
        end.day < start.day and datetime.fromtimestamp(add_months(at_ms, months) / 1000 + 86_400, SHANGHAI).day == 1
    )
    assert add_months(at_ms, months) <= add_months(at_ms, months + 1)
    assert (add_months(at_ms, months) - at_ms) % 86_400_000 == 0


def test_a_legal_day_begins_at_midnight_in_shanghai() -> None:
    assert legal_day_ms("2025-09-01") == ms("2025-08-31T16:00:00+00:00")


@pytest.mark.parametrize("clause", [pytest.param(clause, id=clause.id) for clause in all_clauses()])
def test_every_clause_is_in_force_from_its_first_millisecond(clause: Clause) -> None:
    assert clause.in_force_from_ms == legal_day_ms(clause.in_force_from)
    assert not clause.in_force_at(clause.in_force_from_ms - 1)
    assert clause.in_force_at(clause.in_force_from_ms)


def test_clauses_have_names_of_their_own() -> None:
    ids = [clause.id for clause in all_clauses()]
    assert len(ids) == len(set(ids))
