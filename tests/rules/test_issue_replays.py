"""Replays change nothing: whatever is told again, in whatever prefix, an issue counts each event once."""

from itertools import dropwhile

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hegui.rules.issues import Issue, Report, Timing, observe
from hegui.rules.observations import Observation
from tests.rules.recorder import BLOCK, Judged, Recorder

NEVER = Timing(quiet_ms=2**50, update_ms=10)
SOON = Timing(quiet_ms=50, update_ms=10)
PARTITIONS = 2
EVENTS = st.lists(
    st.builds(Judged, st.sampled_from(["pass", "fail", "waive"]), st.integers(1, 300)), max_size=3 * BLOCK + 1
)


class Keeper:
    """One issue, and the watermark of each source, as the state agents keep them."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.issue: Issue | None = None
        self.watermarks = dict.fromkeys((f"t/{partition}" for partition in range(PARTITIONS)), 0)
        self.reports: list[Report] = []

    def take(self, observation: Observation, at_ms: int) -> None:
        source = observation.source
        self.watermarks[source] = max(self.watermarks[source], observation.watermark_ms)
        self.issue, made = observe(
            self.issue,
            observation,
            observation.sums[0],
            watermark_ms=min(self.watermarks.values()),
            at_ms=at_ms,
            timing=self.timing,
        )
        self.reports += made


@st.composite
def tellings(draw: st.DrawFn) -> tuple[list[list[Judged]], list[Observation]]:
    """Events of each partition, and what processes that crash and start anew at some block start told of them."""
    events = [draw(EVENTS) for _ in range(PARTITIONS)]
    processes = [Recorder(partition, events[partition]) for partition in range(PARTITIONS)]
    told: list[Observation] = []
    for _ in range(draw(st.integers(1, 12))):
        partition = draw(st.integers(0, PARTITIONS - 1))
        process = processes[partition]
        told += process.read(draw(st.integers(0, BLOCK + 1)))
        if draw(st.integers(0, 3)) == 0:
            start = draw(st.integers(0, process.position // BLOCK)) * BLOCK
            processes[partition] = Recorder(partition, events[partition], start)
    return events, told


@settings(max_examples=200, deadline=None)
@given(tellings())
def test_an_issue_counts_each_event_once_whatever_was_judged_again(
    telling: tuple[list[list[Judged]], list[Observation]],
) -> None:
    events, told = telling
    keeper = Keeper(NEVER)
    reached = dict.fromkeys(range(PARTITIONS), 0)
    for at_ms, observation in enumerate(told):
        keeper.take(observation, at_ms)
        reached[observation.partition] = max(reached[observation.partition], observation.upto)
        unique = [event for partition, upto in reached.items() for event in events[partition][:upto]]
        kinds = [event.kind for event in unique]
        if keeper.issue is None:
            assert kinds.count("fail") == kinds.count("waive") == 0
            continue
        assert (keeper.issue.failures, keeper.issue.waived) == (kinds.count("fail"), kinds.count("waive"))
        assert keeper.issue.status == ("open" if kinds.count("fail") else "suppressed")
        bad = [event.at_ms for event in unique if event.kind != "pass"]
        assert (keeper.issue.first_failure_ms, keeper.issue.last_failure_ms) == (min(bad), max(bad))
        assert [r.activity for r in keeper.reports].count("create") == 1


@settings(max_examples=200, deadline=None)
@given(tellings(), st.data())
def test_observations_read_again_from_anywhere_give_the_same_issue_and_findings(
    telling: tuple[list[list[Judged]], list[Observation]], data: st.DataObject
) -> None:
    # Passes before the first failure are not kept, so they count only when they are told after it.
    told = list(dropwhile(lambda found: not found.sums[0].failed, telling[1]))
    once, again = Keeper(SOON), Keeper(SOON)
    for at_ms, observation in enumerate(told):
        once.take(observation, at_ms * 10)
    at = 0
    for _ in range(data.draw(st.integers(0, 4))):
        upto = data.draw(st.integers(at, len(told)))
        for at_ms in range(at, upto):
            again.take(told[at_ms], at_ms * 10)
        at = data.draw(st.integers(0, upto))
    for at_ms in range(at, len(told)):
        again.take(told[at_ms], at_ms * 10)
    assert again.issue == once.issue
    assert again.reports == once.reports


@settings(max_examples=100, deadline=None)
@given(tellings())
def test_episodes_follow_each_other_and_every_finding_is_opened_before_it_is_closed(
    telling: tuple[list[list[Judged]], list[Observation]],
) -> None:
    keeper = Keeper(SOON)
    for at_ms, observation in enumerate(telling[1]):
        keeper.take(observation, at_ms * 10)
    story = [(report.issue.episode, report.activity) for report in keeper.reports]
    for episode in {episode for episode, _ in story}:
        activities = [activity for number, activity in story if number == episode]
        assert activities[0] == "create"
        assert "close" not in activities[:-1]
        assert activities.count("create") == 1
    assert [episode for episode, _ in story] == sorted(episode for episode, _ in story)
    assert len({report.issue.finding_uid for report in keeper.reports}) == len({episode for episode, _ in story})


@settings(max_examples=50, deadline=None)
@given(tellings())
def test_an_issue_is_the_same_after_being_stored_and_read(
    telling: tuple[list[list[Judged]], list[Observation]],
) -> None:
    stored, kept = Keeper(SOON), Keeper(SOON)
    for at_ms, observation in enumerate(telling[1]):
        kept.take(observation, at_ms)
        stored.take(msgspec.json.decode(msgspec.json.encode(observation), type=Observation), at_ms)
        if stored.issue is not None:
            stored.issue = msgspec.json.decode(msgspec.json.encode(stored.issue), type=Issue)
    assert stored.issue == kept.issue
    assert stored.reports == kept.reports
