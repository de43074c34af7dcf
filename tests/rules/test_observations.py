"""`count`: sums of one block replace each other, later blocks add, what was counted before is old news."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hegui.rules.observations import BLOCK_OFFSETS, Mark, Observation, Sum, count
from tests.rules.recorder import BLOCK, Judged, Recorder


def seen(block: int, start: int, upto: int) -> Observation:
    return Observation("t", 3, block, start, upto, watermark_ms=0)


def failures(number: int, waived: int = 0) -> Sum:
    return Sum("default", "LBL001", "svc", failures=number, waived=waived)


FIRST = Mark(0, 0, 10, 0, 0, 3, 1)


@pytest.mark.parametrize(
    ("mark", "observation", "sum_", "total"),
    [
        (None, seen(0, 0, 10), failures(3, 1), (3, 1)),
        (None, seen(5, 5 * BLOCK_OFFSETS, 5 * BLOCK_OFFSETS + 1), failures(1), (1, 0)),
        (FIRST, seen(0, 0, 20), failures(5, 1), (5, 1)),
        (FIRST, seen(0, 0, 10), failures(3, 1), (3, 1)),
        (FIRST, seen(0, 0, 20), failures(2, 0), (2, 0)),
        (FIRST, seen(1, 4096, 4100), failures(2, 2), (5, 3)),
        (FIRST, seen(7, 7 * 4096, 7 * 4096 + 1), failures(1), (4, 1)),
        (Mark(1, 4096, 4100, 3, 1, 2, 2), seen(1, 4096, 4200), failures(4, 2), (7, 3)),
        (FIRST, seen(0, 10, 20), failures(2, 2), (5, 3)),
        (FIRST, seen(0, 15, 20), failures(2, 2), (5, 3)),
    ],
    ids=[
        "the first",
        "the first, in a later block",
        "same block, further",
        "same block, again",
        "same block, counted anew and lower",
        "next block adds",
        "a block far on adds",
        "same block after a closed one",
        "start cut off up to where we were",
        "start cut off beyond where we were",
    ],
)
def test_count(mark: Mark | None, observation: Observation, sum_: Sum, total: tuple[int, int]) -> None:
    after = count(mark, observation, sum_)
    assert after is not None
    assert after.total == total
    assert (after.block, after.upto) == (observation.block, observation.upto)
    assert count(after, observation, sum_) == after


@pytest.mark.parametrize(
    "observation",
    [seen(1, 4096, 4099), seen(0, 0, 4096), seen(0, 0, 1), seen(1, 4000, 4200)],
    ids=["earlier upto", "closed block", "both", "from before the block was cut"],
)
def test_what_was_counted_before_is_old_news(observation: Observation) -> None:
    assert count(Mark(1, 4096, 4100, 3, 1, 2, 2), observation, failures(9)) is None


def test_failures_after_a_cut_off_start_are_counted_beside_those_before_it() -> None:
    mark = count(Mark(0, 0, 10, 0, 0, 2, 0), seen(0, 10, 20), failures(1))
    assert mark is not None
    again = count(mark, seen(0, 10, 30), failures(2))
    assert again is not None
    assert again.total == (4, 0)


def test_the_source_is_the_partition() -> None:
    assert seen(0, 0, 1).source == "t/3"


KINDS = st.sampled_from(["pass", "fail", "waive"])
EVENTS = st.lists(st.builds(Judged, KINDS, st.integers(0, 1000)), max_size=3 * BLOCK + 1)


@settings(max_examples=300, deadline=None)
@given(EVENTS, st.data())
def test_events_judged_again_from_any_block_start_count_once(events: list[Judged], data: st.DataObject) -> None:
    mark, process, reached = None, Recorder(0, events), 0
    for _ in range(data.draw(st.integers(1, 8))):
        for observation in process.read(data.draw(st.integers(0, BLOCK + 2))):
            mark = count(mark, observation, observation.sums[0]) or mark
            reached = max(reached, observation.upto)
        if data.draw(st.booleans()):
            start = data.draw(st.integers(0, process.position // BLOCK)) * BLOCK
            process = Recorder(0, events, start)
    kinds = [event.kind for event in events[:reached]]
    assert (mark.total if mark else (0, 0)) == (kinds.count("fail"), kinds.count("waive"))
