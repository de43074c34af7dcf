"""The session clock: two hours of use without a reminder, whatever the order in which outputs are told."""

from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hegui.rules.core import Outcome
from hegui.rules.ledgers.sessions import PAUSE_MS, TWO_HOURS_MS, SessionUse, joined
from hegui.rules.policy import Policy
from tests.rules.ledgers.telling import POLICY, At, outcomes, told

START_MS = 1_795_000_000_000
MINUTE_MS = 60_000
RULE = "CMP002"


def use(*minutes: float, reminders: tuple[float, ...] = (), told_of: bool = True, session: str = "s") -> SessionUse:
    """Outputs at minutes of a session; those of `reminders` came with one."""
    made = None
    for minute in sorted({*minutes, *reminders}):
        at_ms = START_MS + round(minute * MINUTE_MS)
        one = SessionUse(
            tenant="default",
            service="companion-app",
            session=session,
            stretches=((at_ms, at_ms),),
            reminders=(at_ms,) if minute in reminders else (),
            told=told_of,
        )
        made = one if made is None else made.merged(one)
    assert made is not None
    return made


def every(step: float, until: float) -> list[float]:
    return [step * n for n in range(int(until / step) + 1)]


def at(minute: float) -> int:
    return START_MS + round(minute * MINUTE_MS)


@pytest.mark.parametrize(
    ("made", "outcome"),
    [
        (use(*every(1, 120)), Outcome.PASS),
        (use(*every(1, 121)), Outcome.FAIL),
        (use(*every(5, 125)), Outcome.FAIL),
        (use(*every(1, 240), reminders=(120,)), Outcome.PASS),
        (use(*every(1, 241), reminders=(120,)), Outcome.FAIL),
        (use(*every(1, 350), reminders=(119, 239)), Outcome.PASS),
        (use(*every(5, 115), 123, reminders=(123,)), Outcome.PASS),
        (use(*every(1, 130), reminders=(125,)), Outcome.FAIL),
        (use(*every(1, 100), *[111 + m for m in range(100)]), Outcome.PASS),
        (use(*every(1, 100), *[110 + m for m in range(100)]), Outcome.FAIL),
        (use(*every(1, 121), told_of=False), Outcome.INCONCLUSIVE),
        (use(*every(1, 100), told_of=False), Outcome.PASS),
        (use(5, session=""), Outcome.INCONCLUSIVE),
    ],
    ids=[
        "exactly two hours",
        "a minute over",
        "outputs far apart",
        "reminded at two hours",
        "a minute over since the reminder",
        "reminded twice",
        "reminded with the first output after two hours",
        "reminded five minutes too late",
        "a pause that ends the use",
        "a pause that does not",
        "nobody says whether",
        "nobody says whether, and it was short",
        "session not named",
    ],
)
def test_two_hours_of_use_need_a_reminder(made: SessionUse, outcome: Outcome) -> None:
    assert outcomes(told(made), at(1000)) == {RULE: outcome}


def test_time_counts_only_as_far_as_every_source_has_come() -> None:
    state = told(use(*every(1, 130)))
    assert outcomes(state, at(-1)) == {}
    assert outcomes(state, at(120)) == {RULE: Outcome.PASS}
    due_ms = START_MS + TWO_HOURS_MS + PAUSE_MS + 1
    assert state.wake_ms(at(119), POLICY) == due_ms
    assert outcomes(state, due_ms - 1) == {RULE: Outcome.PASS}
    assert outcomes(state, due_ms) == {RULE: Outcome.FAIL}
    assert state.wake_ms(due_ms, POLICY) == state.over_ms(POLICY) == at(140) + 1
    assert state.wake_ms(at(140) + 1, POLICY) is None
    assert state.wake_ms(at(-1), POLICY) == at(0), "use that lies ahead is judged when it begins"


def test_a_reminder_within_a_minute_counts_for_the_output_before_it_however_they_are_told() -> None:
    running = told(use(*every(0.5, 120.5)))
    assert outcomes(running, at(120.5)) == {RULE: Outcome.PASS}, "a reminder may still come in time"
    assert outcomes(running.step(At(), use(121, reminders=(121,))), at(1000)) == {RULE: Outcome.PASS}
    assert outcomes(running, at(121) + 1) == {RULE: Outcome.FAIL}
    assert outcomes(running.step(At(), use(121.5, reminders=(121.5,))), at(1000)) == {RULE: Outcome.FAIL}


def test_use_that_has_ended_is_judged_with_its_end_and_then_forgotten() -> None:
    first, second = every(1, 130), [200 + m for m in range(5)]
    state = told(use(*first, *second, reminders=(7, 202)))
    assert outcomes(state, at(140) + 1) == {RULE: Outcome.FAIL}
    assert state.left(at(140), POLICY) is state
    left = state.left(at(140) + 1, POLICY)
    assert left is not None
    assert (left.stretches[0][0], left.reminders) == (at(200), (at(202),))
    assert outcomes(left, at(204)) == {RULE: Outcome.PASS}
    assert left.left(at(214) + 1, POLICY) is None


def test_use_that_had_ended_when_it_was_told_is_not_taken_in_unless_it_was_known() -> None:
    first, second = use(*every(1, 130)), use(*every(1, 130), *[200 + m for m in range(5)])
    now_ms = at(200)
    assert told(first).admitted(None, now_ms, POLICY) is None
    back = told(second).admitted(None, now_ms, POLICY)
    assert back is not None
    assert back.stretches == ((at(200), at(204)),)
    assert told(second).admitted(back, now_ms, POLICY) == back, "the block tells the use that has ended once more"
    known = told(first)
    assert known.step(At(), second).admitted(known, now_ms, POLICY) == known.step(At(), second), "it is judged first"


def test_the_session_is_over_after_the_pause() -> None:
    assert told(use(0, 5)).over_ms(POLICY) == at(15) + 1
    assert told(use(0, 5)).over_ms(Policy(version="v", session_pause_minutes=30)) == at(35) + 1


def test_outputs_that_name_no_session_take_no_room() -> None:
    state = told(*(use(minute, session="") for minute in range(500)), use(3, session=""))
    assert state.stretches == ((at(499), at(499)),)
    assert use(1, session="").merged(use(2, session="")).stretches == ((at(2), at(2)),)


def test_a_reminder_that_is_told_late_mends_it() -> None:
    state = told(use(*every(1, 130)))
    assert outcomes(state, at(130)) == {RULE: Outcome.FAIL}
    assert outcomes(state.step(At(), use(120, reminders=(120,))), at(130)) == {RULE: Outcome.PASS}


def test_what_is_known_already_changes_nothing() -> None:
    state = told(use(*every(1, 30), reminders=(7,)))
    assert state.step(At(), use(0, 3, 17, reminders=(7,))) is state


def test_whatever_the_order_the_state_is_the_same() -> None:
    parts = [
        use(*every(1, 40)),
        use(*[40.5 + m for m in range(40)], reminders=(60.5,)),
        use(*[81 + m for m in range(60)]),
        use(300),
    ]
    states = {told(*order) for order in permutations(parts)}
    assert len(states) == 1


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**5)), max_size=30))
def test_joined_stretches_are_in_order_apart_and_cover_what_they_were_made_of(given_) -> None:
    stretches = [(first, first + length) for first, length in given_]
    made = joined(stretches, PAUSE_MS)
    assert list(made) == sorted(made)
    assert all(later[0] - earlier[1] > PAUSE_MS for earlier, later in pairwise(made))
    assert all(any(first <= begun and ended <= last for first, last in made) for begun, ended in stretches)
    assert joined(made, PAUSE_MS) == made


def test_a_session_may_lack_what_was_lost_unless_it_began_a_pause_later() -> None:
    state = told(use(0, 5))
    pause = POLICY.session_pause_minutes
    assert state.may_lack(at(-pause), POLICY)
    assert not state.may_lack(at(-pause) - 1, POLICY)
