"""One issue through its life: opened, updated, closed, opened again. Times are small; blocks are told by hand."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from hegui.rules.issues import SAMPLES, Issue, Report, Timing, advance, issue_key, observe
from hegui.rules.observations import BLOCK_OFFSETS, MAX_UIDS, Observation, Sum

TIMING = Timing(quiet_ms=1_000, update_ms=100)


@dataclass
class Story:
    """Tells an issue one sum after the other; by default each is a block of its own and time does not pass."""

    issue: Issue | None = None
    reports: list[Report] = field(default_factory=list)
    block: int = 0
    watermark_ms: int = 0
    at_ms: int = 0

    def tell(self, *, block: int | None = None, upto: int = 1, partition: int = 0, **sum_: Any) -> list[str]:
        self.block = self.block + 1 if block is None else block
        self.watermark_ms = sum_.pop("watermark_ms", self.watermark_ms)
        self.at_ms = sum_.pop("at_ms", self.at_ms)
        start = self.block * BLOCK_OFFSETS
        observation = Observation("t", partition, self.block, start, start + upto, self.watermark_ms)
        told = Sum("default", "LBL001", "svc", **sum_)
        self.issue, made = observe(
            self.issue, observation, told, watermark_ms=self.watermark_ms, at_ms=self.at_ms, timing=TIMING
        )
        self.reports += made
        return [report.activity for report in made]

    def wait(self, watermark_ms: int, at_ms: int) -> list[str]:
        assert self.issue is not None
        self.issue, made = advance(self.issue, watermark_ms=watermark_ms, at_ms=at_ms, timing=TIMING)
        self.reports += made
        return [report.activity for report in made]


def fails(event_ms: int, *uids: str, **more: Any) -> dict[str, Any]:
    uids = uids or (f"at-{event_ms}",)
    times = {"first_failure_ms": event_ms, "last_failure_ms": event_ms}
    return {"failures": len(uids), "failed": uids, **times, **more}


def opened(event_ms: int = 100, **more: Any) -> Story:
    story = Story()
    assert story.tell(**fails(event_ms, **more)) == ["create"]
    return story


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
        uids = tuple(f"{block}-{n}" for n in range(MAX_UIDS if blocks == 1 else MAX_UIDS // 2 + 1))
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


def test_the_finding_uid_is_that_of_key_and_episode() -> None:
    issue = Issue("default", "LBL001", "svc")
    assert issue.finding_uid == Issue("default", "LBL001", "svc", last_pass_ms=9).finding_uid
    assert len(issue.finding_uid) == 32
    others = [Issue("a", "LBL001", "svc"), Issue("default", "LBL002", "svc"), Issue("default", "LBL001", "b")]
    others.append(Issue("default", "LBL001", "svc", episode=2))
    assert len({issue.finding_uid, *(other.finding_uid for other in others)}) == 5
