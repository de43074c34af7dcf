"""The source ledger: strictly more than 5 %, before and after collection, over blocks and replays; condemned until assessed anew."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hegui.rules.core import Outcome
from hegui.rules.evidence import reference
from hegui.rules.ledgers.sources import SourceSum, over_five_percent
from hegui.rules.policy import Policy
from tests.rules.ledgers.telling import POLICY, At, outcomes, told

SOURCE = reference("mirror-1")
NOW_MS = 1_780_000_000_000
RULE = "TRN018"


def seen(sampled: int, illegal: int, at_ms: int = NOW_MS) -> SourceSum:
    return SourceSum(tenant="default", source=SOURCE, last_ms=at_ms, sampled=sampled, illegal=illegal)


def assessed(sampled: int, illegal: int, at_ms: int) -> SourceSum:
    return SourceSum(
        tenant="default",
        source=SOURCE,
        last_ms=at_ms,
        assessed_at_ms=at_ms,
        assessed=sampled,
        assessed_illegal=illegal,
    )


@pytest.mark.parametrize(
    ("sampled", "illegal", "over"),
    [(20, 1, False), (20, 2, True), (1000, 50, False), (1000, 51, True), (0, 0, False), (399, 20, True)],
)
def test_five_percent_is_not_over_five_percent(sampled: int, illegal: int, over: bool) -> None:
    assert over_five_percent(sampled, illegal) is over


@pytest.mark.parametrize(
    ("sampled", "illegal", "outcome"),
    [
        (399, 399, Outcome.INCONCLUSIVE),
        (400, 20, Outcome.PASS),
        (400, 21, Outcome.FAIL),
        (1_000_000, 50_000, Outcome.PASS),
        (1_000_000, 50_001, Outcome.FAIL),
    ],
)
def test_the_ledger_is_exact_at_the_threshold(sampled: int, illegal: int, outcome: Outcome) -> None:
    assert outcomes(told(seen(sampled, illegal)), NOW_MS) == {RULE: outcome}


def test_a_block_replaces_what_it_told_before_and_the_next_one_adds() -> None:
    state = told((At(upto=5), seen(300, 10)), (At(upto=9), seen(500, 20)), (At(1, 4096, 5000), seen(500, 31)))
    ledger = state.judgement(NOW_MS, POLICY).ledger
    assert (ledger.sampled, ledger.illegal) == (1000, 51)


def test_what_was_told_already_changes_nothing() -> None:
    first, second = (At(0, 0, 9), seen(500, 20)), (At(1, 4096, 5000), seen(500, 31))
    state = told(first, second)
    assert state.step(*first) is state
    assert state.step(*second) is state
    assert state.step(At(1, 4096, 4999), seen(400, 31)) is state


def test_partitions_of_the_input_add_up() -> None:
    state = told((At(source="a/0"), seen(200, 10)), (At(source="a/1"), seen(200, 11)))
    assert outcomes(state, NOW_MS) == {RULE: Outcome.FAIL}


def test_the_assessment_before_collection_counts_too() -> None:
    assert outcomes(told(assessed(1000, 51, NOW_MS)), NOW_MS) == {RULE: Outcome.FAIL}
    assert outcomes(told(assessed(1000, 50, NOW_MS)), NOW_MS) == {RULE: Outcome.PASS}


def test_the_latest_assessment_counts_in_whichever_order_they_come() -> None:
    old, new = assessed(1000, 51, NOW_MS - 1), assessed(1000, 0, NOW_MS)
    for order in ((old, new), (new, old)):
        assert outcomes(told(*order), NOW_MS) == {RULE: Outcome.PASS}


def test_of_two_assessments_of_one_moment_the_worse_counts() -> None:
    good, bad = assessed(1000, 0, NOW_MS), assessed(1000, 51, NOW_MS)
    assert told(good, bad) == told(bad, good)
    assert good.merged(bad) == bad.merged(good)


def condemned():
    state = told(seen(400, 21))
    return state.conclude(outcomes(state, NOW_MS), NOW_MS, POLICY)


def test_the_verdict_is_a_fact_from_the_moment_of_the_record_that_broke_the_limit() -> None:
    conclusion = condemned()
    (fact,) = conclusion.facts
    assert (fact.source, fact.condemned_at_ms, fact.cleared_at_ms, fact.episode) == (SOURCE, NOW_MS, None, 1)
    again = conclusion.state.conclude(outcomes(conclusion.state, NOW_MS), NOW_MS, POLICY)
    assert again.facts == () and again.state is conclusion.state
    assert conclusion.state.standing() == (fact,)
    assert told(seen(400, 20)).standing() == ()


def test_records_taken_against_the_rule_do_not_dilute_the_source() -> None:
    state = condemned().state.step(At(1, 4096, 9000), seen(100_000, 0, NOW_MS + 1))
    assert outcomes(state, NOW_MS + 1) == {RULE: Outcome.FAIL}


def test_a_later_assessment_that_passed_clears_it_and_counting_begins_anew() -> None:
    state = condemned().state.step(At(1, 4096, 9000), assessed(500, 5, NOW_MS + 7))
    found = outcomes(state, NOW_MS + 7)
    assert found == {RULE: Outcome.PASS}
    cleared = state.conclude(found, NOW_MS + 7, POLICY)
    (fact,) = cleared.facts
    assert (fact.condemned_at_ms, fact.cleared_at_ms) == (NOW_MS, NOW_MS + 7)
    assert cleared.state.judgement(NOW_MS, POLICY).ledger.sampled == 0
    later = cleared.state.step(At(2, 8192, 9000), seen(400, 21, NOW_MS + 9))
    second = later.conclude(outcomes(later, NOW_MS + 9), NOW_MS + 9, POLICY)
    assert [fact.episode for fact in second.facts] == [2]


def test_a_bad_assessment_and_a_later_good_one_clear_it_whenever_they_are_told() -> None:
    bad, good = assessed(1000, 51, NOW_MS - 100), assessed(1000, 0, NOW_MS - 50)
    state = told(replace(bad, last_ms=NOW_MS))
    condemned_ = state.conclude(outcomes(state, NOW_MS), NOW_MS, POLICY).state
    after = condemned_.step(At(1, 4096, 9000), replace(good, last_ms=NOW_MS + 1))
    assert outcomes(after, NOW_MS + 1) == {RULE: Outcome.PASS}
    assert outcomes(told(good, bad), NOW_MS) == {RULE: Outcome.PASS}


@pytest.mark.parametrize(
    "assessment", [assessed(399, 0, NOW_MS + 1), assessed(1000, 51, NOW_MS + 1), assessed(1000, 0, NOW_MS)]
)
def test_what_does_not_clear_it(assessment: SourceSum) -> None:
    state = condemned().state.step(At(1, 4096, 9000), assessment)
    assert outcomes(state, NOW_MS + 1) == {RULE: Outcome.FAIL}


def test_without_a_rule_nothing_is_condemned_and_nothing_is_cleared() -> None:
    state = told(seen(400, 400))
    assert state.conclude({}, NOW_MS, POLICY).facts == ()
    held = condemned().state
    assert held.conclude({}, NOW_MS, POLICY).state is held
    assert held.conclude({RULE: Outcome.ERROR}, NOW_MS, POLICY).state is held


def test_the_policy_sets_the_smallest_sample() -> None:
    policy = Policy(version="v", source_min_sample=20)
    assert outcomes(told(seen(20, 2)), NOW_MS, policy) == {RULE: Outcome.FAIL}


BLOCKS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4096), st.integers(0, 200)), min_size=1, max_size=12)


@given(BLOCKS, st.lists(st.integers(0, 30), max_size=20))
def test_whatever_is_told_again_the_totals_are_those_of_the_latest_word_on_each_block(blocks, repeated) -> None:
    # An evaluator goes forward block by block; after a restart it repeats some of it from where it had committed.
    forward = sorted((At(block, block * 4096, block * 4096 + upto), upto) for block, upto, _ in blocks)
    entries = [(at, seen(size, size // 20)) for at, size in forward]
    state = told(*entries)
    for index in repeated:
        state = state.step(*entries[index % len(entries)])
    latest = {at.block: entry for at, entry in entries}
    ledger = state.judgement(NOW_MS, POLICY).ledger
    assert ledger.sampled == sum(entry.sampled for entry in latest.values())
    assert ledger.illegal == sum(entry.illegal for entry in latest.values())


def test_merging_two_sums_of_a_block_adds_them() -> None:
    merged = seen(10, 1, NOW_MS).merged(seen(5, 2, NOW_MS + 1))
    assert (merged.sampled, merged.illegal, merged.last_ms) == (15, 3, NOW_MS + 1)
    assert replace(merged, sampled=0, illegal=0) == seen(0, 0, NOW_MS + 1)
