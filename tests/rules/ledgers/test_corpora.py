"""The corpus ledger: counted per dataset version, judged once it is released and every source has passed that moment."""

from hegui.rules.core import Outcome
from hegui.rules.ledgers.corpora import CorpusSum
from tests.rules.ledgers.telling import POLICY, At, outcomes, told

NOW_MS = 1_780_000_000_000
GOOD = {"records": 50_000, "human": 4_000, "human_passed": 3_840, "technical": 5_000, "technical_passed": 4_900}
RULE = "TRN019"


def part(released_at_ms: int | None = None, **counts: int) -> CorpusSum:
    return CorpusSum(
        tenant="default",
        service="crawler",
        dataset="d",
        last_ms=NOW_MS,
        counts=counts,
        released_at_ms=released_at_ms,
    )


def test_nothing_is_judged_before_the_release() -> None:
    assert outcomes(told(part(records=10)), NOW_MS) == {}
    assert told(part(records=10)).wake_ms(NOW_MS, POLICY) is None


def test_the_release_is_judged_once_every_source_has_passed_it() -> None:
    state = told(part(**GOOD), part(released_at_ms=NOW_MS))
    assert outcomes(state, NOW_MS - 1) == {}
    assert state.wake_ms(NOW_MS - 1, POLICY) == NOW_MS
    assert outcomes(state, NOW_MS) == {RULE: Outcome.PASS}
    assert state.wake_ms(NOW_MS, POLICY) is None


def test_one_sample_too_few_fails_and_the_missing_one_mends_it() -> None:
    state = told((At(upto=9), part(**{**GOOD, "human": 3_999})), part(released_at_ms=NOW_MS))
    assert outcomes(state, NOW_MS) == {RULE: Outcome.FAIL}
    assert outcomes(state.step(At(1, 4096, 4097), part(human=1, human_passed=1)), NOW_MS) == {RULE: Outcome.PASS}


def test_the_first_release_counts_and_releases_are_told_in_any_order() -> None:
    one = told(part(released_at_ms=NOW_MS), part(released_at_ms=NOW_MS + 5))
    other = told(part(released_at_ms=NOW_MS + 5), part(released_at_ms=NOW_MS))
    assert one.released_at_ms == other.released_at_ms == NOW_MS
    assert one.step(At(), part(released_at_ms=NOW_MS + 9)) is one


def test_a_block_read_twice_counts_once() -> None:
    state = told((At(upto=9), part(**GOOD)), (At(upto=9), part(**GOOD)))
    assert state.counts() == GOOD


def test_a_merged_sum_holds_both() -> None:
    merged = part(records=1, human=1).merged(part(released_at_ms=NOW_MS, records=2))
    assert merged.counts == {"records": 3, "human": 1}
    assert merged.released_at_ms == NOW_MS


def test_a_version_may_lack_what_was_lost() -> None:
    assert told(part(records=10)).may_lack(NOW_MS, POLICY)
    assert told(part(records=10)).standing() == ()
