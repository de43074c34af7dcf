"""One issue through its life: opened, updated, closed by quiet, opened again. Times are small; blocks are told by hand."""

import pytest

from hegui.rules.issues import SAMPLES, Issue, issue_key
from tests.rules.story import Story, fails, opened


def test_a_key_that_never_failed_has_no_issue() -> None:
    story = Story()
    assert story.tell(last_pass_ms=100) == []
    assert story.issue is None


def test_the_first_failure_opens_the_first_episode() -> None:
    issue = opened(100, at_ms=7).issue
    assert issue is not None
    assert (issue.status, issue.episode, issue.failures, issue.waived) == ("open", 1, 1, 0)
    assert (issue.first_failure_ms, issue.last_failure_ms, issue.reported_at_ms) == (100, 100, 7)
    assert issue.samples == issue.uncorrected == ("at-100",)
    assert not issue.unreported
    assert issue.key == issue_key("default", "LBL001", "svc") == "default|LBL001|svc"


def test_updates_are_held_back_for_a_while_and_then_sent_once() -> None:
    story = opened(at_ms=0)
    assert story.tell(**fails(200), at_ms=50) == []
    assert story.tell(**fails(300), at_ms=99) == []
    assert story.tell(**fails(400), at_ms=100) == ["update"]
    assert story.reports[-1].issue.failures == 4
    assert story.tell(last_pass_ms=401, at_ms=300) == []


def test_a_held_back_update_is_sent_when_time_passes() -> None:
    story = opened(at_ms=0)
    story.tell(**fails(200), at_ms=50)
    assert story.wait(0, 99) == []
    assert story.wait(0, 100) == ["update"]
    assert story.wait(0, 1_000) == []


def test_failures_widen_the_times_and_the_latest_samples_are_kept() -> None:
    story = opened(500)
    story.tell(**fails(300, *(f"u{n}" for n in range(SAMPLES))), at_ms=200)
    issue = story.issue
    assert issue is not None
    assert (issue.first_failure_ms, issue.last_failure_ms) == (300, 500)
    assert issue.samples == tuple(f"u{n}" for n in range(SAMPLES))
    story.tell(**fails(700, "u9", "last"))
    assert story.issue is not None
    assert story.issue.samples == (*(f"u{n}" for n in range(1, SAMPLES)), "last")


@pytest.mark.parametrize(
    ("passed_ms", "watermark_ms", "closes"),
    [
        (101, 1_100, True),
        (101, 1_099, False),
        (100, 9_000, False),
        (99, 9_000, False),
        (0, 9_000, False),
        (1_100, 1_100, True),
    ],
)
def test_an_issue_closes_after_a_quiet_period_in_which_the_rule_passed(
    passed_ms: int, watermark_ms: int, closes: bool
) -> None:
    story = opened(100)
    reports = story.tell(last_pass_ms=passed_ms, watermark_ms=watermark_ms)
    assert (reports == ["close"]) is closes
    assert story.issue is not None
    assert (story.issue.status == "closed") is closes


def test_time_alone_closes_an_issue_whose_rule_had_passed() -> None:
    story = opened(100)
    story.tell(last_pass_ms=101)
    assert story.wait(1_099, 0) == []
    assert story.wait(1_100, 5) == ["close"]
    assert story.reports[-1].issue.failures == 1
    assert story.reports[-1].at_ms == 5
    assert story.wait(9_999, 9_999) == []


def test_a_quiet_partition_does_not_close_an_issue_while_another_is_behind() -> None:
    story = opened(100)
    assert story.tell(partition=1, last_pass_ms=5_000, watermark_ms=200) == []
    assert story.tell(**fails(250, "late"), block=0, upto=2) == []


def test_a_failure_found_late_counts_from_when_it_was_seen() -> None:
    story = Story()
    story.tell(**fails(100), watermark_ms=50_000)
    assert story.tell(last_pass_ms=50_001, watermark_ms=50_999) == []
    assert story.tell(last_pass_ms=50_999, watermark_ms=51_000) == ["close"]


def test_a_failure_within_the_quiet_period_begins_it_anew() -> None:
    story = opened(100)
    story.tell(last_pass_ms=900, watermark_ms=1_000)
    story.tell(**fails(1_050), watermark_ms=1_050, last_pass_ms=1_051)
    assert story.wait(2_049, 0) == []
    assert story.wait(2_050, 0) == ["close"]


def test_a_failure_from_the_future_keeps_the_issue_open_until_time_gets_there() -> None:
    story = opened(100)
    story.tell(**fails(60_000), watermark_ms=200)
    assert story.tell(last_pass_ms=3_000, watermark_ms=3_000) == []
    assert story.tell(last_pass_ms=60_001, watermark_ms=60_999) == []
    assert story.wait(61_000, 0) == ["close"]


def test_a_closed_issue_sleeps_until_the_next_failure_opens_the_next_episode() -> None:
    story = opened(100)
    story.tell(last_pass_ms=2_000, watermark_ms=2_000)
    assert story.tell(last_pass_ms=3_000, watermark_ms=3_000) == []
    first = story.reports[0].issue
    assert story.tell(**fails(4_000, "new"), watermark_ms=4_000, at_ms=9) == ["create"]
    issue = story.issue
    assert issue is not None
    assert (issue.episode, issue.failures, issue.status) == (2, 1, "open")
    assert (issue.first_failure_ms, issue.last_failure_ms) == (4_000, 4_000)
    assert issue.samples == issue.uncorrected == ("new",)
    assert issue.finding_uid != first.finding_uid


def test_an_episode_may_end_and_the_next_begin_within_one_block() -> None:
    story = opened(100, block=1)
    story.tell(**fails(100, last_pass_ms=2_000), block=1, upto=2, watermark_ms=2_000)
    cumulative = {"failures": 2, "failed": ("at-100", "new"), "first_failure_ms": 100, "last_failure_ms": 3_000}
    assert story.tell(**cumulative, block=1, upto=3, watermark_ms=3_000) == ["create"]
    issue = story.issue
    assert issue is not None
    assert (issue.episode, issue.failures, issue.samples, issue.uncorrected) == (2, 1, ("new",), ("new",))
    assert (issue.first_failure_ms, issue.last_failure_ms) == (3_000, 3_000)


def test_the_finding_uid_is_that_of_key_and_episode() -> None:
    issue = Issue("default", "LBL001", "svc")
    assert issue.finding_uid == Issue("default", "LBL001", "svc", last_pass_ms=9).finding_uid
    assert len(issue.finding_uid) == 32
    others = [Issue("a", "LBL001", "svc"), Issue("default", "LBL002", "svc"), Issue("default", "LBL001", "b")]
    others.append(Issue("default", "LBL001", "svc", episode=2))
    assert len({issue.finding_uid, *(other.finding_uid for other in others)}) == 5
