"""Deadlines: cases by their highest revision, overdue by event time alone, kept so that nothing opens them anew."""

from itertools import permutations

import pytest
from msgspec.structs import replace

from hegui.rules.core import Outcome
from hegui.rules.ledgers.deadlines import KEPT_MS, SHOWN_MS, CaseUpdate
from hegui.rules.policy import Policy
from hegui.rules.registry import OTHER, Service
from tests.rules.ledgers.telling import At, outcomes, told

HOUR_MS = 3_600_000
OPENED_MS = 1_780_000_000_000
POLICY = Policy(version="v", services=(Service(name="svc", team="t", complaint_answer_hours=48),))
RULES = {"complaint": ("MOD010", 48), "incident": ("MOD009", 24), "notice": ("CPR003", 72)}


def case(
    kind: str = "complaint", revision: int = 0, done_ms: int | None = None, opened_ms: int = OPENED_MS
) -> CaseUpdate:
    return CaseUpdate(
        tenant="default",
        service="svc",
        kind=kind,
        case="c",
        revision=revision,
        opened_ms=opened_ms,
        done_ms=done_ms,
    )


def outcome(state, at_ms: int, kind: str) -> Outcome:
    return outcomes(state, at_ms, POLICY)[RULES[kind][0]]


@pytest.mark.parametrize("kind", RULES)
def test_a_deadline_passes_by_event_time_although_nothing_arrives(kind: str) -> None:
    state, due_ms = told(case(kind)), OPENED_MS + RULES[kind][1] * HOUR_MS
    assert outcome(state, due_ms, kind) is Outcome.PASS
    assert state.wake_ms(OPENED_MS, POLICY) == due_ms + 1
    assert outcome(state, due_ms + 1, kind) is Outcome.FAIL
    assert state.wake_ms(due_ms + 1, POLICY) is None
    assert state.over_ms(POLICY) is None


@pytest.mark.parametrize("kind", RULES)
def test_what_was_done_in_time_passes_for_good(kind: str) -> None:
    due_ms = OPENED_MS + RULES[kind][1] * HOUR_MS
    state = told(case(kind), case(kind, 1, due_ms))
    assert outcome(state, due_ms + 1, kind) is Outcome.PASS
    assert outcome(state, due_ms + 10**10, kind) is Outcome.PASS
    assert state.over_ms(POLICY) == due_ms + KEPT_MS


@pytest.mark.parametrize("kind", RULES)
def test_what_was_done_late_is_shown_for_an_hour(kind: str) -> None:
    done_ms = OPENED_MS + RULES[kind][1] * HOUR_MS + 1
    state = told(case(kind, 1, done_ms))
    assert outcome(state, done_ms + SHOWN_MS, kind) is Outcome.FAIL
    assert state.wake_ms(done_ms, POLICY) == done_ms + SHOWN_MS + 1
    assert outcome(state, done_ms + SHOWN_MS + 1, kind) is Outcome.PASS


def test_the_highest_revision_counts_whatever_the_order() -> None:
    updates = [
        case(),
        case(revision=1, done_ms=OPENED_MS + 5),
        case(revision=2),
        case(revision=3, done_ms=OPENED_MS + 9),
    ]
    states = {told(*order) for order in permutations(updates)}
    assert len(states) == 1
    assert states.pop().done_ms == OPENED_MS + 9


def test_no_revision_moves_the_clock_on_and_an_earlier_beginning_counts() -> None:
    touched = case(revision=1, opened_ms=OPENED_MS + 47 * HOUR_MS)
    late = case(revision=2, opened_ms=OPENED_MS + 50 * HOUR_MS, done_ms=OPENED_MS + 50 * HOUR_MS)
    for order in permutations([case(), touched, late]):
        state = told(*order)
        assert state.opened_ms == OPENED_MS
        assert outcome(state, OPENED_MS + 50 * HOUR_MS, "complaint") is Outcome.FAIL
    assert told(case(), case(opened_ms=OPENED_MS - 5)).opened_ms == OPENED_MS - 5
    assert case().merged(touched).opened_ms == touched.merged(case()).opened_ms == OPENED_MS


def test_two_contents_of_one_revision_leave_the_case_open_whatever_the_order() -> None:
    open_, done = case(revision=1), case(revision=1, done_ms=OPENED_MS + 1)
    assert told(open_, done) == told(done, open_)
    assert told(open_, done).done_ms is None
    assert open_.merged(done) == done.merged(open_) == open_


def test_what_is_known_already_changes_nothing() -> None:
    state = told(case(revision=2, done_ms=5))
    assert state.step(At(), case(revision=2, done_ms=5)) is state
    assert state.step(At(), case()) is state


def test_a_service_that_publishes_no_limit_leaves_its_complaints_undecided() -> None:
    policy = Policy(version="v")
    state = told(case())
    assert outcomes(state, OPENED_MS + 10**10, policy)["MOD010"] is Outcome.INCONCLUSIVE
    assert state.wake_ms(OPENED_MS, policy) is None


def test_a_word_that_was_lost_leaves_no_case_undecided() -> None:
    assert not told(case()).may_lack(OPENED_MS, POLICY)


def test_a_case_before_its_time_is_judged_as_of_its_beginning() -> None:
    judgement = told(case()).judgement(0, POLICY)
    assert judgement is not None
    assert judgement.at_ms == OPENED_MS


@pytest.mark.parametrize("kind", [*RULES, "removal"])
@pytest.mark.parametrize("done_ms", [None, OPENED_MS + 5])
def test_the_first_word_of_a_case_may_come_too_late_unless_it_is_open(kind: str, done_ms: int | None) -> None:
    late_ms = None if done_ms is None else done_ms + KEPT_MS
    assert told(case(kind, done_ms=done_ms)).late_ms(POLICY) == late_ms
    assert told(case(kind, done_ms=OPENED_MS - 5)).over_ms(POLICY) == OPENED_MS + KEPT_MS


def test_a_case_finds_its_answer_whatever_service_it_names_and_keeps_one_that_the_policy_knows() -> None:
    asked, moved, misnamed, answered = (
        replace(case(revision=n, done_ms=OPENED_MS + 5 if n == 3 else None), service=service, named=n)
        for n, service in enumerate(("old", "new", OTHER, OTHER))
    )
    assert len({(one.place, one.name) for one in (asked, moved, misnamed, answered)}) == 1
    for order in permutations((asked, moved, misnamed)):
        state = told(*order)
        assert (state.service, state.subject, state.revision, state.done_ms) == ("new", "new", 2, None)
    for order in permutations((asked, moved, misnamed, answered)):
        assert told(*order) == told(asked, moved, misnamed, answered)
        assert told(order[0].merged(order[1]).merged(order[2]).merged(order[3])).done_ms == OPENED_MS + 5
    assert told(misnamed, answered).service == OTHER
