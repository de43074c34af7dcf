"""Samples of a dataset version: a record counts once, with the last word about it."""

from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hegui.rules.ledgers.samples import (
    SampleSet,
    SampleState,
    last_word,
    packed,
    record_of,
    sampled,
    united,
    unpacked,
    word,
)
from tests.rules.ledgers.telling import POLICY, At, told

ONE, OTHER = record_of("t", "s", "1"), record_of("t", "s", "2")
passes = st.sampled_from((None, False, True))
words = st.builds(word, st.integers(0, 2**40), passes, passes)


@pytest.mark.parametrize(
    ("human", "technical", "counts"),
    [
        (None, None, {}),
        (True, None, {"human": 1, "human_passed": 1}),
        (False, True, {"human": 1, "technical": 1, "technical_passed": 1}),
        (None, False, {"technical": 1}),
    ],
)
def test_what_an_inspection_counts_as(human: bool | None, technical: bool | None, counts: dict[str, int]) -> None:
    for revision in (0, 7, 2**31, 2**60):
        assert sampled(word(revision, human, technical)) == counts


def test_the_highest_revision_that_says_something_counts_and_of_one_that_says_both_the_failure() -> None:
    assert sampled(last_word(word(0, False, None), word(1, True, None))) == {"human": 1, "human_passed": 1}
    assert sampled(last_word(word(1, True, None), word(0, False, None))) == {"human": 1, "human_passed": 1}
    assert sampled(last_word(word(1, True, None), word(1, False, None))) == {"human": 1}
    both = last_word(word(0, False, None), word(1, None, True))
    assert sampled(both) == {"human": 1, "technical": 1, "technical_passed": 1}


@given(st.lists(st.tuples(st.sampled_from((ONE, OTHER)), words), max_size=8), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_matters(pairs: list[tuple[bytes, int]], random: Random) -> None:
    shuffled = [*pairs, *pairs[: len(pairs) // 2]]
    random.shuffle(shuffled)
    assert united(shuffled) == united(pairs)
    assert unpacked(packed(united(pairs))) == united(pairs)


def portion(*given_: tuple[bytes, int]) -> SampleSet:
    return SampleSet(tenant="t", service="crawler", dataset="d", portion="events/0|1", words=packed(united(given_)))


def test_a_portion_is_the_same_whatever_the_order_in_which_it_is_told() -> None:
    parts = [portion((ONE, word(0, True, None))), portion((ONE, word(1, False, None))), portion((OTHER, 5))]
    states = {told(*order) for order in permutations(parts)}
    assert len(states) == 1
    (state,) = states
    assert state == told(parts[0].merged(parts[1]).merged(parts[2]))
    assert state.step(At(), parts[0]) is state


def test_a_portion_lies_with_its_dataset_version_and_is_forgotten_with_it() -> None:
    entry = portion((ONE, 4))
    state = told(entry)
    assert isinstance(state, SampleState)
    assert (state.place, entry.place, entry.name) == ("t|crawler", "t|crawler", "d|events/0|1")
    assert (state.subject, state.over_ms(POLICY), state.judgement(1, POLICY)) == ("sha256:d", None, None)
