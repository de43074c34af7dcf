"""Issues whose failures were corrected, waived, too many to name, or counted anew."""

import pytest

from hegui.rules.observations import MAX_UIDS
from tests.rules.story import Story, fails, opened


def test_an_event_that_fails_again_opens_an_episode_that_names_it() -> None:
    story = opened(100)
    story.tell(corrected=("at-100",))
    assert story.tell(**fails(3_000, "at-100")) == ["create"]
    assert story.issue is not None
    assert story.issue.samples == ("at-100",)


def test_an_issue_closes_when_all_that_failed_was_corrected() -> None:
    story = opened(100, block=0)
    story.tell(**fails(200, "b"), at_ms=500)
    assert story.tell(corrected=("b", "never-failed")) == []
    assert story.issue is not None
    assert story.issue.uncorrected == ("at-100",)
    assert story.tell(corrected=("at-100",)) == ["close"]
    assert story.tell(corrected=("at-100",)) == []


def test_a_failure_corrected_before_anybody_was_told_leaves_nothing_open() -> None:
    story = Story()
    story.tell(failures=1, first_failure_ms=100, last_failure_ms=100, corrected=("a",))
    assert story.issue is None or story.issue.status == "closed"


@pytest.mark.parametrize("blocks", [1, 2])
def test_too_many_failures_to_name_are_closed_by_quiet_only(blocks: int) -> None:
    story = Story()
    for block in range(blocks):
        uids = tuple(f"{block}-{n}" for n in range(MAX_UIDS + 1 if blocks == 1 else MAX_UIDS // 2 + 1))
        story.tell(**fails(100, *uids))
    assert story.issue is not None
    assert story.issue.uncorrected is None
    assert story.tell(corrected=tuple(f"{b}-{n}" for b in range(blocks) for n in range(MAX_UIDS))) == []
    story.tell(**fails(200, "one-more"))
    assert story.issue.uncorrected is None
    assert story.tell(last_pass_ms=5_000, watermark_ms=5_000) == ["close"]


def test_an_issue_with_waived_failures_only_is_suppressed() -> None:
    story = Story()
    waived = {"waived": 1, "failed": ("w",), "first_failure_ms": 100, "last_failure_ms": 100}
    assert story.tell(**waived) == ["create"]
    assert story.issue is not None
    assert (story.issue.status, story.issue.failures, story.issue.waived) == ("suppressed", 0, 1)
    assert story.tell(**fails(200), at_ms=200) == ["update"]
    assert story.issue.status == "open"
    assert story.tell(last_pass_ms=5_000, watermark_ms=5_000) == ["close"]


def test_an_issue_whose_failures_are_waived_on_a_second_look_becomes_suppressed() -> None:
    story = opened(100, block=0)
    again = {"waived": 1, "failed": ("at-100",), "first_failure_ms": 100, "last_failure_ms": 100}
    assert story.tell(**again, block=0, upto=2, at_ms=200) == ["update"]
    assert story.issue is not None
    assert story.issue.status == "suppressed"


def test_old_news_changes_nothing() -> None:
    story = opened(100, block=3)
    before = story.issue
    assert story.tell(**fails(100, "a", "b"), block=2, watermark_ms=90_000, at_ms=90_000) == []
    assert story.issue is before


@pytest.mark.parametrize("recounted", [0, 1])
def test_after_a_lower_recount_of_a_closed_issue_the_next_failure_still_opens(recounted: int) -> None:
    story = opened(100, block=0)
    uids = ("a", "b", "c")
    story.tell(**fails(100, *uids), block=0, upto=2, watermark_ms=100)
    story.tell(**fails(100, *uids, last_pass_ms=2_000), block=0, upto=3, watermark_ms=2_000)
    assert story.issue is not None
    assert story.issue.status == "closed"
    story.tell(failures=recounted, failed=uids[:recounted], block=0, upto=4)
    assert story.tell(**fails(5_000, "new"), watermark_ms=5_000) == ["create"]
