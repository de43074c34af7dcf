"""The abuse counter: three in a row, five on one legal day; every suspension is told once."""

import functools
from datetime import datetime
from itertools import pairwise, permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hegui.rules.ledgers.abuse import KEPT_MS, MAX_INPUTS, AbuseState, AbusiveInput, AbusiveInputs, suspension_due
from hegui.rules.policy import Policy
from tests.rules.ledgers.telling import POLICY, At, told

DAY_START_MS = round(datetime.fromisoformat("2026-11-25T00:00:00+08:00").timestamp() * 1000)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def inputs(*given_: tuple[int, int]) -> tuple[AbusiveInput, ...]:
    """Inputs by time (milliseconds of the day) and number."""
    return tuple(AbusiveInput(DAY_START_MS + at, number, f"e{at}") for at, number in given_)


def entry(*given_: tuple[int, int]) -> AbusiveInputs:
    return AbusiveInputs(tenant="default", service="svc", user="k1:" + "0" * 64, inputs=inputs(*given_))


@pytest.mark.parametrize(
    ("told_of", "due"),
    [
        ([(1, 5), (2, 6)], []),
        ([(1, 5), (2, 6), (3, 7)], [3]),
        ([(1, 5), (2, 6), (3, 8)], []),
        ([(1, 5), (2, 7), (3, 8), (4, 9)], [4]),
        ([(n, -1) for n in range(1, 5)], []),
        ([(n, -1) for n in range(1, 6)], [5]),
        ([(n, 10 * n) for n in range(1, 6)], [5]),
        ([(n, -1) for n in range(1, 11)], [5]),
        ([(1, -1), (2, 0), (3, 1)], []),
        ([(1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, 5)], [3]),
        ([(DAY_MS - 2, -1), (DAY_MS - 1, -1), (DAY_MS, -1), (DAY_MS + 1, -1), (DAY_MS + 2, -1)], []),
        ([(DAY_MS - 1, 1), (DAY_MS, 2), (DAY_MS + 1, 3)], [DAY_MS + 1]),
    ],
    ids=[
        "two",
        "three in a row",
        "another input between",
        "two, and three in a row",
        "four without numbers",
        "five on one day",
        "five on one day, not in a row",
        "ten on one day",
        "a number after none",
        "six in a row",
        "five over midnight in Shanghai",
        "three in a row over midnight",
    ],
)
def test_when_a_suspension_is_due(told_of: list[tuple[int, int]], due: list[int]) -> None:
    due_ms = suspension_due(inputs(*told_of))
    assert ([] if due_ms is None else [due_ms - DAY_START_MS]) == due


def test_every_suspension_is_told_once() -> None:
    state = told(entry((1, 1), (2, 2), (3, 3)))
    first = state.conclude({}, 0, POLICY)
    (fact,) = first.facts
    assert (fact.service, fact.from_ms, fact.to_ms) == ("svc", DAY_START_MS + 3, DAY_START_MS + 3 + 24 * HOUR_MS)
    assert fact.interval() == (DAY_START_MS + 4, fact.to_ms), (
        "the input that was one too many is not itself served too late"
    )
    assert first.state.conclude({}, 0, POLICY).facts == ()
    assert first.state.step(At(), entry((1, 1), (2, 2))) is first.state


def test_the_policy_says_how_long_it_lasts() -> None:
    policy = Policy(version="v", suspension_hours=1)
    (fact,) = told(entry((1, 1), (2, 2), (3, 3))).conclude({}, 0, policy).facts
    assert fact.to_ms - fact.from_ms == HOUR_MS


def test_the_order_in_which_inputs_are_told_does_not_matter() -> None:
    parts = [entry((n, n)) for n in range(1, 5)]
    assert len({told(*order) for order in permutations(parts)}) == 1


def test_it_is_forgotten_when_neither_input_nor_suspension_can_matter() -> None:
    state = told(entry((0, 1), (1, 2), (2, 3))).conclude({}, 0, POLICY).state
    assert state.subject == "svc"
    assert state.over_ms(POLICY) == DAY_START_MS + 2 + KEPT_MS
    (gone,) = state.retracted()
    assert gone.record_key() == f"default|svc|{state.user}|{DAY_START_MS + 2}".encode()


def conclusions(*parts: AbusiveInputs) -> tuple[AbuseState, list[int]]:
    """Tell parts one after another, concluding after each; return the state and when suspensions were due."""
    state, due = parts[0].begin(), []
    for part in parts:
        conclusion = state.step(At(), part).conclude({}, 0, POLICY)
        state = conclusion.state
        due += [fact.from_ms - DAY_START_MS for fact in conclusion.facts]
    return state, due


def test_a_user_who_goes_on_and_on_is_suspended_once_a_day_and_takes_no_more_room() -> None:
    minute = 60_000
    parts = [entry((n * minute, n)) for n in range(3 * 1440)]
    state, due = conclusions(*parts)
    assert due == [2 * minute, 2 * minute + DAY_MS + 3 * minute, 2 * minute + 2 * (DAY_MS + 3 * minute)]
    assert len(state.inputs) <= MAX_INPUTS
    whole, at_once = conclusions(parts[0].merged(parts[1]).merged(parts[2]).merged(parts[3]))
    assert at_once == [2 * minute] and whole.inputs == ()


def test_what_comes_late_and_lies_in_a_suspension_that_was_told_counts_no_more() -> None:
    state, due = conclusions(entry((5, 1), (6, 2), (7, 3)), entry((1, 9), (2, 10), (3, 11)), entry((5, 1)))
    assert due == [7]
    assert state.inputs == ()


def back(at: int, number: int, revision: int = 1) -> AbusiveInputs:
    """A revision that says that an input was not to be refused."""
    one = AbusiveInput(DAY_START_MS + at, number, f"e{at}", revision, refused=False)
    return AbusiveInputs(tenant="default", service="svc", user="k1:" + "0" * 64, inputs=(one,))


def test_an_event_counts_once_however_often_and_whenever_its_copies_arrive() -> None:
    """The producer's clock is ahead: each copy is dated by the broker."""
    copies = [replace(entry((at, -1)), inputs=(AbusiveInput(DAY_START_MS + at, -1, "e"),)) for at in range(5)]
    for order in (copies, copies[::-1]):
        state, due = conclusions(*order)
        assert (due, len(state.inputs), state.inputs[0].at_ms) == ([], 1, DAY_START_MS)
    assert copies[3].merged(copies[1]).inputs == copies[1].inputs


def test_an_input_that_was_taken_back_counts_no_more_in_whatever_order() -> None:
    parts = [entry((1, 1)), entry((2, 2)), back(2, 2), entry((3, 3))]
    for order in permutations(parts):
        assert suspension_due(told(*order).inputs) is None
        merged = order[0].merged(order[1]).merged(order[2]).merged(order[3])
        assert suspension_due(merged.inputs) is None
    again = told(*parts).step(At(), entry((2, 2)))
    assert again == told(*parts)
    refused_after_all = replace(entry((2, 2)), inputs=(AbusiveInput(DAY_START_MS + 2, 2, "e2", 2),))
    assert suspension_due(again.step(At(), refused_after_all).inputs) == DAY_START_MS + 3


def test_a_suspension_whose_inputs_were_taken_back_is_taken_back_too() -> None:
    state, due = conclusions(entry((1, 1), (2, 2), (3, 3)))
    assert due == [3]
    conclusion = state.step(At(), back(2, 2)).conclude({}, 0, POLICY)
    (gone,) = conclusion.retracted
    assert (gone.record_key(), conclusion.facts) == (f"default|svc|{state.user}|{DAY_START_MS + 3}".encode(), ())
    left = conclusion.state
    assert (left.told, left.until_ms, left.grounds) == ((), 0, ())
    assert left.step(At(), entry((1, 1), (2, 2), (3, 3))).conclude({}, 0, POLICY).facts == ()
    (fact,) = left.step(At(), entry((4, 4), (5, 5))).conclude({}, 0, POLICY).facts
    assert fact.from_ms == DAY_START_MS + 5


def test_a_suspension_that_other_inputs_bear_out_stays() -> None:
    state, _ = conclusions(entry(*[(n, -1) for n in range(1, 5)], (5, 7), (6, 8), (7, 9)))
    assert state.told == (DAY_START_MS + 5,)
    before = told(entry((1, -1), (2, -1), (3, 1), (4, 2), (5, 3))).conclude({}, 0, POLICY).state
    conclusion = before.step(At(), back(1, -1)).conclude({}, 0, POLICY)
    assert (conclusion.retracted, conclusion.state.told) == ((), (DAY_START_MS + 5,))


def test_an_earlier_suspension_goes_on_when_the_later_one_is_taken_back() -> None:
    day = DAY_MS + HOUR_MS
    state, due = conclusions(entry((1, 1), (2, 2), (3, 3)), entry((day, 4), (day + 1, 5), (day + 2, 6)))
    assert due == [3, day + 2]
    left = state.step(At(), back(day, 4)).conclude({}, 0, POLICY).state
    assert (left.told, left.until_ms) == ((DAY_START_MS + 3,), DAY_START_MS + 3 + 24 * HOUR_MS)


def test_a_user_of_whom_nothing_is_known_but_what_was_taken_back_is_not_kept() -> None:
    state = told(back(1, 1))
    assert state.admitted(None, 0, POLICY) is None
    assert state.admitted(state, 0, POLICY) is state
    refused = told(entry((1, 1)))
    assert refused.admitted(None, 0, POLICY) is refused
    assert refused.admitted(None, refused.over_ms(POLICY), POLICY) is None


def test_of_many_inputs_the_latest_are_kept_of_those_that_count_and_of_those_taken_back() -> None:
    times = [(day * DAY_MS + n, -1) for day in range(MAX_INPUTS // 4 + 3) for n in range(4)]
    state, due = conclusions(entry(*times))
    assert due == []
    assert [one.at_ms - DAY_START_MS for one in state.inputs] == [at for at, _ in times][-MAX_INPUTS:]
    state, _ = conclusions(functools.reduce(AbusiveInputs.merged, [back(n, 1) for n in range(MAX_INPUTS + 10)]))
    assert [one.at_ms - DAY_START_MS for one in state.inputs] == [*range(10, MAX_INPUTS + 10)]


@pytest.mark.parametrize("together", [1, 5, 33, 66])
def test_a_second_suspension_of_a_block_follows_however_much_is_told_at_once(together: int) -> None:
    given_ = [(n * 60_000, -1) for n in range(MAX_INPUTS + 10)] + [(3 * DAY_MS + n * 60_000, -1) for n in range(6)]
    portions = [given_[start : start + together] for start in range(0, len(given_), together)]
    merged = [functools.reduce(AbusiveInputs.merged, [entry(one) for one in portion]) for portion in portions]
    _, due = conclusions(*merged)
    assert due == [4 * 60_000, 3 * DAY_MS + 4 * 60_000]


@given(st.lists(st.tuples(st.integers(0, 3 * DAY_MS), st.integers(-1, 50)), max_size=400))
def test_no_more_inputs_are_kept_than_the_latest(given_: list[tuple[int, int]]) -> None:
    if given_:
        state, due = conclusions(*(entry(one) for one in given_))
        assert len(state.inputs) <= MAX_INPUTS
        assert state.last_ms == DAY_START_MS + max(at for at, _ in given_)
        assert all(later - earlier > DAY_MS for earlier, later in pairwise(due))


def test_the_latest_suspension_stands() -> None:
    state = told(entry((1, 1), (2, 2)))
    assert state.standing() == ()
    again = 2 * DAY_MS
    facts = []
    for more in (entry((3, 3)), entry((again, 10), (again + 1, 11), (again + 2, 12))):
        conclusion = state.step(At(), more).conclude({}, 0, POLICY)
        state, facts = conclusion.state, [*facts, *conclusion.facts]
    assert len(facts) == 2
    assert state.standing() == (facts[-1],)


def test_an_input_that_an_older_version_kept_was_refused_and_is_no_revision() -> None:
    old = msgspec.json.decode(b'[5,1,"e"]', type=AbusiveInput)
    assert (old.revision, old.refused) == (0, True)
