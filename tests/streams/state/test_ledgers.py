"""The ledgers of the state agents: deadlines that pass although nothing arrives, verdicts, gauges, restarts, crashes at every moment."""

from collections import defaultdict

import hypothesis
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from hegui.rules.core import Outcome
from hegui.rules.engine import rule_set_hash
from hegui.rules.evidence import reference
from hegui.rules.fact_tables import CondemnedSource, OptOut, Suspension
from hegui.rules.issues import Timing
from hegui.rules.ledgers.abuse import AbuseState, AbusiveInput, AbusiveInputs
from hegui.rules.ledgers.corpora import CorpusState, CorpusSum
from hegui.rules.ledgers.coverage import CoverageSum
from hegui.rules.ledgers.deadlines import KEPT_MS, SHOWN_MS, CaseUpdate
from hegui.rules.ledgers.labels import NumberUse, ProduceIdUse
from hegui.rules.ledgers.removals import removal
from hegui.rules.ledgers.samples import SampleSet, packed, record_of, word
from hegui.rules.ledgers.sessions import PAUSE_MS, TWO_HOURS_MS, SessionUse
from hegui.rules.ledgers.sources import SourceState, SourceSum
from hegui.rules.observations import NO_TIME, Observation
from hegui.streams.errors import StateVersionError
from hegui.streams.metrics import StateMetrics
from hegui.streams.observations import partition_of
from hegui.streams.state.app import Refused, read_observation
from hegui.streams.state.contents import contents
from hegui.streams.state.issues import IssueKeeper
from hegui.streams.state.ledger_partition import MAX_DUE
from hegui.streams.state.ledgers import LEDGER, PORTION, ledger_place
from tests.streams import example, test_end_to_end
from tests.streams.example import BOOK, POLICY, engine, envelope
from tests.streams.state.ledger_conclusions import finding_faults, refused_inputs, source_faults, user_faults
from tests.streams.state.ledger_events import KINDS, comparable, folded, portion
from tests.streams.test_end_to_end import SOURCES, World, _small_blocks, play, steps  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("_small_blocks")
PARTITIONS = 4
NOW_MS = 1_795_140_000_000
HOUR_MS = 3_600_000
SOURCE = reference("mirror-1")
KINDS_OF_FACTS = {"sources": CondemnedSource, "suspensions": Suspension}


class Ledgers:
    """A keeper, its table, the facts it made, and a log of observations."""

    def __init__(self, table=None, owned=range(PARTITIONS), policy=POLICY):
        self.metrics = StateMetrics(CollectorRegistry())
        self.keeper = IssueKeeper(PARTITIONS, Timing(quiet_ms=10**12, update_ms=0), self.metrics, version="0")
        self.keeper.use(policy, BOOK, BOOK, rule_set_hash(BOOK))
        self.table = {} if table is None else table
        self.facts, self.retracted = [], []
        self.offset = 0
        self.keeper.load(self.table, owned)

    def tell(self, *entries, watermark_ms=NOW_MS, block=None):
        """Tell entries, each in its partition and in a block of its own; return the findings."""
        return [f for entry in entries for f in self._step(entry.place, watermark_ms, (entry,), block)]

    def _step(self, place, watermark_ms, entries=(), block=None):
        return self.step(partition_of(place.encode(), PARTITIONS), watermark_ms, entries, block)

    def step(self, partition, watermark_ms, entries=(), block=None):
        self.offset += 1
        at = self.offset if block is None else block
        observation = Observation("events", 0, at, at * 8, at * 8 + 8, watermark_ms, (), (), entries)
        step = self.keeper.step(partition, self.offset, NOW_MS + self.offset, observation)
        for key, value in step.writes.items():
            if value is None:
                self.table.pop(key, None)
            else:
                self.table[key] = value
        self.facts += [
            msgspec.json.decode(value, type=KINDS_OF_FACTS[fact]) for fact, _, value in step.facts if value is not None
        ]
        self.retracted += [key for _, key, value in step.facts if value is None]
        return [msgspec.json.decode(value) for _, value, _ in step.findings]

    def tick(self, watermark_ms=NOW_MS):
        return [f for partition in range(PARTITIONS) for f in self.step(partition, watermark_ms)]

    def open(self):
        return {(issue.rule, issue.service) for issue in self.keeper.open()}

    def gauge(self, name, **labels):
        return self.metrics.registry.get_sample_value(f"compliance_{name}", labels)

    def states(self):
        return sum(key.startswith(LEDGER) for key in self.table)


def source(sampled=0, illegal=0, at_ms=NOW_MS, name=SOURCE, **assessed):
    return SourceSum(tenant="default", source=name, last_ms=at_ms, sampled=sampled, illegal=illegal, **assessed)


def complaint(case="c-1", opened_ms=NOW_MS, done_ms=None, revision=0, service="chat-assistant", kind="complaint"):
    return CaseUpdate(
        tenant="default",
        service=service,
        kind=kind,
        case=case,
        revision=revision,
        opened_ms=opened_ms,
        done_ms=done_ms,
    )


def use(first_ms, last_ms, session="s", reminders=(), told=True):
    minutes = tuple((at, at) for at in range(first_ms, last_ms + 1, 120_000))
    return SessionUse(
        tenant="default",
        service="companion-app",
        session=session,
        stretches=minutes,
        reminders=reminders,
        told=told,
    )


def number_used(number, content, at_ms, event):
    return ProduceIdUse(
        tenant="default",
        service="image-studio",
        produce_id=number,
        uses=(NumberUse(at_ms, content, event),),
        last_ms=at_ms,
    )


HOURS = next(service.complaint_answer_hours for service in POLICY.services if service.name == "chat-assistant")


# -- deadlines


def test_a_deadline_passes_although_nothing_arrives_and_not_a_millisecond_before():
    ledgers = Ledgers()
    due_ms = NOW_MS + HOURS * HOUR_MS
    ledgers.tell(complaint())
    assert ledgers.tick(due_ms) == []
    (finding,) = ledgers.tick(due_ms + 1)
    assert (finding["activity_name"], finding["compliance"]["control"]) == ("Create", "MOD010")
    assert finding["finding_info"]["first_seen_time"] == due_ms + 1
    assert ledgers.open() == {("MOD010", "chat-assistant")}
    assert ledgers.gauge("open_issues", tenant="default", service="chat-assistant", rule="MOD010") == 1


def test_a_deadline_that_was_met_is_silent_and_the_issue_of_one_that_was_not_closes_after_an_hour():
    ledgers = Ledgers()
    due_ms = NOW_MS + HOURS * HOUR_MS
    ledgers.tell(complaint(), complaint(revision=1, done_ms=due_ms), complaint("late"))
    ledgers.tick(due_ms + 5)
    assert ledgers.open() == {("MOD010", "chat-assistant")}
    ledgers.tell(complaint("late", revision=1, done_ms=due_ms + 5), watermark_ms=due_ms + 5)
    assert {f["activity_name"] for f in ledgers.tick(due_ms + 5 + SHOWN_MS)} <= {"Update"}
    assert ledgers.open() == {("MOD010", "chat-assistant")}
    (finding,) = ledgers.tick(due_ms + 6 + SHOWN_MS)
    assert finding["activity_name"] == "Close"


def test_a_sweep_opens_an_issue_at_once_says_nothing_of_time_and_its_deadline_is_that_of_a_notice():
    ledgers = Ledgers()
    ledgers.tick(NOW_MS)
    case = removal(OptOut("work", "w", "deny", NOW_MS - 5), "default", "crawler")
    (finding,) = ledgers.tell(case, case, watermark_ms=NO_TIME)
    assert finding["compliance"]["control"] == "OPT010"
    assert finding["message"] == (
        "crawler: Records were ingested before the opt-out that covers them, and must leave the next dataset version"
    )
    assert {progress.watermark_ms for progress in ledgers.keeper.progress.values()} == {NOW_MS}
    assert all(len(progress.watermarks) == 1 for progress in ledgers.keeper.progress.values())
    of = {"tenant": "default", "service": "crawler", "kind": "removal"}
    assert ledgers.gauge("open_cases", **of) == 1
    due_ms = NOW_MS - 5 + POLICY.notice_grace_hours * HOUR_MS
    assert ledgers.gauge("next_deadline_timestamp_seconds", **of) == due_ms / 1000
    (closed,) = ledgers.tell(replace(case, revision=1, done_ms=NOW_MS))
    assert closed["activity_name"] == "Close"
    assert ledgers.tell(case) == []
    assert ledgers.open() == set()


@pytest.mark.parametrize("days", [1, 191, 4000])
def test_an_opt_out_of_long_ago_opens_its_case_and_issue(days):
    ledgers = Ledgers()
    ledgers.tick(NOW_MS)
    case = removal(OptOut("work", "w", "deny", NOW_MS - days * 24 * HOUR_MS), "default", "crawler")
    (finding,) = ledgers.tell(case, watermark_ms=NO_TIME)
    assert finding["compliance"]["control"] == "OPT010"
    assert ledgers.gauge("open_cases", tenant="default", service="crawler", kind="removal") == 1
    assert ledgers.gauge("ledger_late_entries_total", ledger="case") == 0
    ledgers.tell(replace(case, revision=1, done_ms=NOW_MS))
    assert ledgers.open() == set()
    ledgers.tick(NOW_MS + KEPT_MS + 1)
    ledgers.tell(replace(case, revision=1, done_ms=NOW_MS), watermark_ms=NOW_MS + KEPT_MS + 1)
    assert (ledgers.open(), ledgers.gauge("ledger_late_entries_total", ledger="case")) == (set(), 1)


def test_an_issue_stays_open_while_one_of_its_cases_is_overdue():
    ledgers = Ledgers()
    ledgers.tell(complaint("a"), complaint("b", opened_ms=NOW_MS + 1))
    late_ms = NOW_MS + (HOURS + 1) * HOUR_MS
    ledgers.tick(late_ms)
    assert (
        ledgers.gauge("ledger_outcome", tenant="default", entity="chat-assistant", rule="MOD010", outcome="fail") == 2
    )
    ledgers.tell(complaint("a", done_ms=late_ms, revision=1), watermark_ms=late_ms)
    ledgers.tick(late_ms + SHOWN_MS + 1)
    assert ledgers.open() == {("MOD010", "chat-assistant")}
    assert (
        ledgers.gauge("ledger_outcome", tenant="default", entity="chat-assistant", rule="MOD010", outcome="fail") == 1
    )


def test_open_deadlines_show_with_the_oldest_and_vanish_when_dealt_with():
    ledgers = Ledgers()
    labels = {"tenant": "default", "service": "chat-assistant", "kind": "complaint"}
    ledgers.tell(complaint("a"), complaint("b", opened_ms=NOW_MS - 7000))
    assert ledgers.gauge("open_cases", **labels) == 2
    assert ledgers.gauge("oldest_open_case_timestamp_seconds", **labels) == (NOW_MS - 7000) / 1000
    assert ledgers.gauge("next_deadline_timestamp_seconds", **labels) == (NOW_MS - 7000) / 1000 + HOURS * 3600
    assert ledgers.gauge("next_deadline_timestamp_seconds", **labels) == (NOW_MS - 7000) / 1000 + HOURS * 3600
    ledgers.tell(complaint("b", revision=1, opened_ms=NOW_MS - 7000, done_ms=NOW_MS))
    assert ledgers.gauge("oldest_open_case_timestamp_seconds", **labels) == NOW_MS / 1000
    ledgers.tell(complaint("a", revision=1, done_ms=NOW_MS))
    for name in ("open_cases", "oldest_open_case_timestamp_seconds", "next_deadline_timestamp_seconds"):
        assert ledgers.gauge(name, **labels) is None


def test_a_case_that_is_overdue_does_not_hide_the_next_deadline():
    ledgers = Ledgers()
    labels = {"tenant": "default", "service": "chat-assistant", "kind": "complaint"}
    ledgers.tell(complaint("a"), complaint("b", opened_ms=NOW_MS + HOUR_MS))
    ledgers.tick(NOW_MS + HOURS * HOUR_MS + 1)
    assert ledgers.gauge("next_deadline_timestamp_seconds", **labels) == (NOW_MS + HOUR_MS) / 1000 + HOURS * 3600


def test_time_waits_for_every_partition_of_the_inputs_and_for_no_other_source():
    ledgers = Ledgers()
    ledgers.keeper.inputs = {"events": 2}
    late_ms = NOW_MS + (HOURS + 1) * HOUR_MS
    ledgers.tell(complaint(opened_ms=NOW_MS), watermark_ms=late_ms)
    assert ledgers.tick(late_ms) == [], "partition 1 was not heard of yet"
    partition = partition_of(complaint().place.encode(), PARTITIONS)
    ledgers.keeper.step(partition, 100, NOW_MS, Observation("gone", 0, 0, 0, 8, NOW_MS))
    ledgers.keeper.step(partition, 101, NOW_MS, Observation("events", 1, 0, 0, 8, late_ms))
    ledgers.tick(late_ms)
    assert ledgers.open() == {("MOD010", "chat-assistant")}, "a topic that is no input any more holds nothing"


def test_the_slowest_source_holds_the_clock():
    ledgers = Ledgers()
    ledgers.tell(complaint())
    partition = partition_of(complaint().place.encode(), PARTITIONS)
    slow = Observation("events", 1, 0, 0, 8, NOW_MS)
    ledgers.keeper.step(partition, 100, NOW_MS, slow)
    ledgers.tick(NOW_MS + (HOURS + 1) * HOUR_MS)
    assert ledgers.open() == set()


def test_a_case_that_was_forgotten_is_not_opened_anew_by_an_event_that_is_read_again():
    ledgers = Ledgers()
    ledgers.tell(complaint(revision=1, done_ms=NOW_MS))
    over_ms = NOW_MS + KEPT_MS
    ledgers.tick(over_ms)
    assert ledgers.states() == 0
    ledgers.tell(complaint(revision=1, done_ms=NOW_MS), watermark_ms=over_ms)
    assert ledgers.states() == 0
    assert ledgers.gauge("ledger_late_entries_total", ledger="case") == 1


@pytest.mark.parametrize("answered_as", ["image-studio", "other"])
def test_an_answer_that_names_another_service_closes_the_case(answered_as):
    ledgers = Ledgers()
    late_ms = NOW_MS + (HOURS + 1) * HOUR_MS
    ledgers.tell(complaint(), watermark_ms=late_ms)
    assert ledgers.open() == {("MOD010", "chat-assistant")}
    ledgers.tell(complaint(service=answered_as, revision=1, done_ms=late_ms), watermark_ms=late_ms)
    ledgers.tick(late_ms + SHOWN_MS + 1)
    assert ledgers.open() == set()
    for kept in ("chat-assistant", "image-studio", "other"):
        assert ledgers.gauge("open_cases", tenant="default", service=kept, kind="complaint") is None


def test_an_open_case_is_judged_however_old_it_is():
    ledgers = Ledgers()
    ledgers.tick(NOW_MS)
    ledgers.tell(complaint(opened_ms=NOW_MS - KEPT_MS - 1))
    assert ledgers.open() == {("MOD010", "chat-assistant")}
    assert ledgers.gauge("ledger_late_entries_total", ledger="case") == 0


def test_a_case_that_an_older_version_kept_by_service_is_refused():
    table = dict(everything().table)
    key = ledger_place(partition_of(complaint().place.encode(), PARTITIONS), CaseUpdate, complaint().place, "c-1")
    table[key[:-1] + bytes([key[-1] ^ 1])] = table.pop(key)
    with pytest.raises(StateVersionError, match="rebuild the state"):
        Ledgers(table)


def test_the_deadline_of_a_new_policy_counts_at_once():
    ledgers = Ledgers()
    ledgers.tell(complaint(), watermark_ms=NOW_MS + 2 * HOUR_MS)
    services = tuple(replace(s, complaint_answer_hours=1) if s.name == "chat-assistant" else s for s in POLICY.services)
    ledgers.keeper.use(replace(POLICY, services=services), BOOK, BOOK, rule_set_hash(BOOK))
    (finding,) = ledgers.tick(NOW_MS + 2 * HOUR_MS)
    assert finding["compliance"]["control"] == "MOD010"


# -- sources and users: verdicts that become facts


def test_a_source_is_condemned_with_the_record_that_breaks_the_limit_and_told_once():
    ledgers = Ledgers()
    assert ledgers.tell(source(400, 20)) == []
    assert ledgers.facts == []
    (finding,) = ledgers.tell(source(20, 2))
    assert (finding["compliance"]["control"], finding["resources"][0]["uid"]) == ("TRN018", SOURCE)
    (fact,) = ledgers.facts
    assert (fact.source, fact.condemned_at_ms) == (SOURCE, NOW_MS)
    ledgers.tell(source(100_000, 0))
    assert len(ledgers.facts) == 1
    assert ledgers.open() == {("TRN018", SOURCE)}


def test_condemned_sources_share_one_series_and_their_names_stand_in_none():
    ledgers = Ledgers()
    for number in range(20):
        ledgers.tell(source(400, 21, name=reference(f"site-{number}")))
    assert ledgers.gauge("condemned_sources", tenant="default") == 20
    assert ledgers.gauge("open_issues", tenant="default", service="other", rule="TRN018") == 20
    ledgers.tell(
        source(name=reference("site-3"), assessed_at_ms=NOW_MS + 1, assessed=400, assessed_illegal=0, at_ms=NOW_MS + 1)
    )
    assert ledgers.gauge("open_issues", tenant="default", service="other", rule="TRN018") == 19
    assert ledgers.gauge("condemned_sources", tenant="default") == 19
    assert [fact.cleared_at_ms for fact in ledgers.facts][-1] == NOW_MS + 1
    exposed = str([s for family in ledgers.metrics.registry.collect() for s in family.samples])
    assert "sha256:" not in exposed
    (info,) = [
        s for family in ledgers.metrics.registry.collect() for s in family.samples if s.name.endswith("issue_info")
    ]
    assert info.labels["service"] == "other"


def test_a_suspension_is_a_fact_with_its_interval():
    ledgers = Ledgers()
    inputs = tuple(AbusiveInput(NOW_MS + n, n, f"e{n}") for n in range(3))
    ledgers.tell(AbusiveInputs(tenant="default", service="chat-assistant", user="k1:" + "a" * 64, inputs=inputs))
    (fact,) = ledgers.facts
    assert (fact.from_ms, fact.to_ms) == (NOW_MS + 2, NOW_MS + 2 + 24 * HOUR_MS)
    ledgers.tick(NOW_MS + 2 + KEPT_MS)
    assert ledgers.retracted == [fact.record_key()]
    assert ledgers.states() == 0
    assert "a" * 64 not in str([s for family in ledgers.metrics.registry.collect() for s in family.samples])


def test_a_suspension_whose_input_was_taken_back_is_removed_from_its_topic():
    ledgers = Ledgers()
    entry = AbusiveInputs(tenant="default", service="chat-assistant", user="k1:" + "a" * 64, inputs=())
    inputs = tuple(AbusiveInput(NOW_MS + n, n, f"e{n}") for n in range(3))
    ledgers.tell(replace(entry, inputs=inputs))
    (fact,) = ledgers.facts
    ledgers.tell(replace(entry, inputs=(AbusiveInput(NOW_MS + 1, 1, "e1", 1, refused=False),)))
    assert ledgers.retracted == [fact.record_key()]
    assert len(ledgers.facts) == 1
    ledgers.tell(replace(entry, inputs=inputs))
    assert len(ledgers.facts) == 1, "what is read again does not bring it back"
    stranger = replace(entry, user="k1:" + "b" * 64, inputs=(AbusiveInput(NOW_MS, 1, "e9", 1, refused=False),))
    ledgers.tell(stranger)
    assert ledgers.states() == 1
    assert ledgers.gauge("ledger_late_entries_total", ledger="abuse") == 0


# -- sessions and corpora


def test_two_hours_without_a_reminder_open_the_issue_and_the_end_of_the_session_closes_it():
    ledgers = Ledgers()
    ledgers.tell(use(NOW_MS, NOW_MS + TWO_HOURS_MS), watermark_ms=NOW_MS + TWO_HOURS_MS)
    assert ledgers.open() == set()
    last_ms = NOW_MS + TWO_HOURS_MS + 240_000
    ledgers.tell(use(NOW_MS + TWO_HOURS_MS, last_ms), watermark_ms=last_ms)
    assert ledgers.open() == {("CMP002", "companion-app")}
    assert ledgers.gauge("sessions", tenant="default", service="companion-app") == 1
    assert ledgers.tick(last_ms + 10 * 60_000) == []
    (finding,) = ledgers.tick(last_ms + 10 * 60_000 + 1)
    assert finding["activity_name"] == "Close"
    assert ledgers.states() == 0
    assert ledgers.gauge("sessions", tenant="default", service="companion-app") is None


def test_use_ahead_of_the_slowest_source_is_judged_when_that_has_come_so_far():
    ledgers = Ledgers()
    ledgers.tell(use(NOW_MS, NOW_MS + TWO_HOURS_MS + 240_000), watermark_ms=NOW_MS)
    first_over_ms = NOW_MS + TWO_HOURS_MS + 120_000
    assert ledgers.tick(NOW_MS + TWO_HOURS_MS) == []
    assert ledgers.tick(first_over_ms + PAUSE_MS - 1) == []
    assert len(ledgers.tick(first_over_ms + PAUSE_MS)) == 1


def test_use_that_began_and_ended_while_nothing_was_told_is_found_all_the_same():
    """An outage: the backlog and the clock, which is long past the end of the session, come in one tick."""
    ledgers = Ledgers()
    live_ms, end_ms = NOW_MS + TWO_HOURS_MS - 300_000, NOW_MS + TWO_HOURS_MS + 1_200_000
    ledgers.tell(use(NOW_MS, live_ms), watermark_ms=live_ms)
    ledgers.tell(use(live_ms, end_ms), watermark_ms=live_ms)
    found = ledgers.tick(end_ms + HOUR_MS)
    assert [f["activity_name"] for f in found] == ["Create", "Close"]
    assert found[0]["finding_info"]["first_seen_time"] == NOW_MS + TWO_HOURS_MS + 60_000  # the first output over it
    assert (ledgers.open(), ledgers.states()) == (set(), 0)


def test_a_session_that_comes_back_does_not_tell_its_old_violation_again():
    ledgers = Ledgers()
    end_ms = NOW_MS + TWO_HOURS_MS + 1_200_000
    first = use(NOW_MS, end_ms)
    ledgers.tell(first, watermark_ms=NOW_MS, block=1)
    assert [f["activity_name"] for f in ledgers.tick(end_ms + HOUR_MS)] == ["Create", "Close"]
    back = first.merged(use(end_ms + 2 * HOUR_MS, end_ms + 2 * HOUR_MS))
    assert ledgers.tell(back, watermark_ms=end_ms + HOUR_MS, block=1) == []
    assert ledgers.tick(end_ms + 2 * HOUR_MS) == []
    assert ledgers.states() == 1
    assert ledgers.gauge("ledger_late_entries_total", ledger="session") == 0, "nothing of it came late"


def test_a_case_that_was_dealt_with_too_late_is_found_though_time_jumps_over_it():
    ledgers = Ledgers()
    done_ms = NOW_MS + (HOURS + 1) * HOUR_MS
    ledgers.tell(complaint(revision=1, done_ms=done_ms))
    found = ledgers.tick(done_ms + 48 * HOUR_MS)
    assert [f["activity_name"] for f in found] == ["Create", "Close"]


def test_a_late_entry_is_counted_once_however_often_its_block_is_told():
    ledgers = Ledgers()
    ledgers.tick(NOW_MS + HOUR_MS)
    for minutes in (0, 2, 4):
        ledgers.tell(use(NOW_MS, NOW_MS + minutes * 60_000), watermark_ms=NOW_MS + HOUR_MS, block=7)
    ledgers.tell(use(NOW_MS, NOW_MS), watermark_ms=NOW_MS + HOUR_MS, block=6)
    assert ledgers.gauge("ledger_late_entries_total", ledger="session") == 1
    ledgers.tell(use(NOW_MS, NOW_MS), watermark_ms=NOW_MS + HOUR_MS, block=8)
    assert ledgers.gauge("ledger_late_entries_total", ledger="session") == 2


MINUTE_MS = 60_000
batches = st.lists(st.integers(1, 40), min_size=1, max_size=12)
happened = st.lists(
    st.tuples(
        st.sampled_from((*(0, 1, 2, 3, 4, 5) * 12, 12)),  # minutes since the event before; the pause is ten
        st.sampled_from((*("use",) * 40, "reminded", "opened", "answered", "number", "content")),
        st.sampled_from((*(0,) * 9, 1)),
    ),
    min_size=60,
    max_size=160,
)


def entries_of(history):
    """Events in the order of their time, each with what the evaluator makes of it."""
    at_ms, opened, told = NOW_MS, {}, []
    for number, (minutes, kind, which) in enumerate(history):
        at_ms += minutes * MINUTE_MS
        if kind in {"use", "reminded"}:
            reminders = (at_ms,) if kind == "reminded" else ()
            entry = use(at_ms, at_ms, session=f"s{which}", reminders=reminders)
        elif kind == "opened" or not opened:
            entry = complaint(f"c{number}", opened_ms=at_ms - 20 * MINUTE_MS)
            opened[which] = entry
        elif kind == "answered":
            entry = replace(opened.popitem()[1], revision=1, done_ms=at_ms)
        else:
            entry = number_used(f"n{which}", "a" if kind == "number" else "b", at_ms, f"e{number}")
        told.append((at_ms, entry))
    return told


def findings_of(told, sizes):
    """Tell events in batches of some sizes, over and over; return what was found, in order."""
    services = tuple(replace(s, complaint_answer_hours=1) for s in POLICY.services)
    ledgers = Ledgers(policy=replace(POLICY, services=services))
    found, first, reached_ms, turn = [], 0, NOW_MS - 1, 0
    while first < len(told):
        size = sizes[turn % len(sizes)]
        turn += 1
        made = {}
        for _, entry in told[first : first + size]:
            key = (type(entry), entry.name)
            made[key] = made[key].merged(entry) if key in made else entry
        found += ledgers.tell(*made.values(), watermark_ms=reached_ms)
        reached_ms = max(at for at, _ in told[first : first + size])
        found += ledgers.tick(reached_ms)
        first += size
    found += ledgers.tick(reached_ms + 3 * 24 * HOUR_MS)
    kept = ("Create", "Close")
    return [
        (f["compliance"]["control"], f["finding_info"]["uid"], f["activity_name"])
        for f in found
        if f["activity_name"] in kept
    ]


@settings(max_examples=40, deadline=None)
@given(happened, batches)
@hypothesis.example(
    [(0, "reminded", 0), *[(3, "use", 0)] * 39, (5, "use", 0), (0, "reminded", 0)], [50]
)  # just in time
def test_how_many_events_come_in_one_tick_does_not_change_what_is_found(history, sizes):
    told = entries_of(history)
    one_by_one, at_once = findings_of(told, [1]), findings_of(told, sizes)
    of_clocks = [one for one in one_by_one if one[0] != "LBL029"]
    assert sorted(of_clocks) == sorted(one for one in at_once if one[0] != "LBL029")
    # A number that is used again while its fault shows makes the fault last: told at once, it may be one episode instead of two.
    assert {one[0] for one in one_by_one} == {one[0] for one in at_once}


@pytest.mark.parametrize("size", [1, 30, 130, 200, 661])
def test_three_hours_of_use_are_found_in_ticks_of_any_size(size):
    told = [(NOW_MS + n * MINUTE_MS, use(NOW_MS + n * MINUTE_MS, NOW_MS + n * MINUTE_MS)) for n in range(181)]
    found = [(rule, activity) for rule, _, activity in findings_of(told, [size])]
    assert found == [("CMP002", "Create"), ("CMP002", "Close")]


def test_an_output_of_a_session_that_is_over_is_late_and_counted():
    ledgers = Ledgers()
    ledgers.tick(NOW_MS + HOUR_MS)
    ledgers.tell(use(NOW_MS, NOW_MS), watermark_ms=NOW_MS + HOUR_MS)
    assert ledgers.gauge("ledger_late_entries_total", ledger="session") == 1
    assert ledgers.states() == 0


def test_sessions_that_are_not_named_leave_the_rule_undecided():
    ledgers = Ledgers()
    ledgers.tell(use(NOW_MS, NOW_MS, session=""))
    outcome = {"tenant": "default", "entity": "companion-app", "rule": "CMP002", "outcome": "inconclusive"}
    assert ledgers.gauge("ledger_outcome", **outcome) == 1
    assert ledgers.open() == set()


def test_what_is_unknown_of_one_session_does_not_hold_open_what_another_did():
    ledgers = Ledgers()
    last_ms = NOW_MS + TWO_HOURS_MS + 240_000
    ledgers.tell(use(NOW_MS, last_ms), use(last_ms, last_ms, session=""), watermark_ms=last_ms)
    assert ledgers.open() == {("CMP002", "companion-app")}
    ledgers.tell(use(last_ms + HOUR_MS, last_ms + HOUR_MS, session=""), watermark_ms=last_ms + HOUR_MS)
    assert ledgers.open() == set()


def test_a_failure_that_cannot_be_decided_any_more_stays_open_over_a_restart():
    policy = replace(POLICY, services=tuple(replace(s, complaint_answer_hours=1) for s in POLICY.services))
    ledgers = Ledgers(policy=policy)
    ledgers.tell(complaint(), watermark_ms=NOW_MS + 2 * HOUR_MS)
    unknown = replace(POLICY, services=tuple(replace(s, complaint_answer_hours=None) for s in POLICY.services))
    ledgers.keeper.use(unknown, BOOK, BOOK, rule_set_hash(BOOK))
    ledgers.tick(NOW_MS + 2 * HOUR_MS)
    assert ledgers.open() == {("MOD010", "chat-assistant")}
    after = Ledgers(ledgers.table, policy=unknown)
    after.tick(NOW_MS + 2 * HOUR_MS)
    assert after.open() == {("MOD010", "chat-assistant")}


def test_thousands_of_sessions_end_in_portions():
    ledgers = Ledgers()
    for n in range(500):
        ledgers.tell(use(NOW_MS, NOW_MS, session=f"s{n}"))
    end_ms = NOW_MS + HOUR_MS
    partition = partition_of(use(NOW_MS, NOW_MS).place.encode(), PARTITIONS)
    left = []
    for _ in range(3):
        ledgers.step(partition, end_ms)
        left.append(ledgers.states())
    assert left == [300, 100, 0]


def test_a_release_is_judged_once_every_source_has_passed_it():
    ledgers = Ledgers()
    counts = {"records": 50_000, "human": 3_999, "human_passed": 3_999, "technical": 5_000, "technical_passed": 5_000}
    corpus = CorpusSum(tenant="default", service="crawler", dataset="d", last_ms=NOW_MS, counts=counts)
    released = CorpusSum(tenant="default", service="crawler", dataset="d", last_ms=NOW_MS, released_at_ms=NOW_MS + 5)
    ledgers.tell(corpus, released)
    assert ledgers.gauge("corpus_versions", tenant="default", service="crawler", state="released") == 1
    assert ledgers.open() == set()
    ledgers.tick(NOW_MS + 5)
    assert ledgers.open() == {("TRN019", "sha256:d")}
    assert ledgers.gauge("open_issues", tenant="default", service="other", rule="TRN019") == 1


def samples(first, last, revision=0, block=0, passed=True):
    words = {record_of("default", "s", str(n)): word(revision, passed, passed) for n in range(first, last)}
    return SampleSet(tenant="default", service="crawler", dataset="d", portion=f"events/0|{block}", words=packed(words))


def version(records=0, at_ms=NOW_MS, released_at_ms=None):
    counts = {"records": records} if records else {}
    return CorpusSum(
        tenant="default", service="crawler", dataset="d", last_ms=at_ms, counts=counts, released_at_ms=released_at_ms
    )


def test_records_that_are_inspected_again_and_again_do_not_pass_a_bar():
    """1,000 of 10,000 records, sent four times, or as four revisions."""
    ledgers = Ledgers()
    ledgers.tell(version(10_000), *(samples(0, 1000, revision=n % 3, block=n) for n in range(4)))
    ledgers.tell(version(released_at_ms=NOW_MS))
    (state,) = [state for state in ledgers.keeper.ledgers.states() if isinstance(state, CorpusState)]
    assert state.counts() == {
        "records": 10_000, "human": 1000, "human_passed": 1000, "technical": 1000, "technical_passed": 1000
    }  # fmt: skip
    assert ledgers.open() == {("TRN019", "sha256:d")}
    after = Ledgers(ledgers.table)
    after.tick()
    assert after.open() == {("TRN019", "sha256:d")}
    after.tell(version(), samples(1000, 4000, block=9))
    assert after.open() == set()
    after.tell(version(), samples(0, 200, revision=9, block=11, passed=False))
    assert after.open() == {("TRN019", "sha256:d")}, "the last word counts"
    assert msgspec.to_builtins(contents(after.table))[0]["counts"]["human_passed"] == 3800


def test_samples_that_were_told_by_number_before_still_count():
    ledgers = Ledgers()
    counts = {"records": 4000, "human": 3000, "human_passed": 3000, "technical": 400, "technical_passed": 400}
    ledgers.tell(replace(version(released_at_ms=NOW_MS), counts=counts))
    assert ledgers.open() == {("TRN019", "sha256:d")}
    ledgers.tell(samples(0, 1000, block=3))
    assert ledgers.open() == set()


def test_a_version_that_is_over_goes_with_its_samples_in_portions():
    ledgers = Ledgers()
    ledgers.tell(version(10_000, released_at_ms=NOW_MS), *(samples(n, n + 1, block=n) for n in range(120)))
    assert (ledgers.states(), ledgers.open()) == (121, {("TRN019", "sha256:d")})
    over_ms = NOW_MS + KEPT_MS
    left, found = [], []
    for _ in range(4):
        found += ledgers.step(partition_of(version().place.encode(), PARTITIONS), over_ms)
        left.append(ledgers.states())
    assert left == [71, 21, 0, 0]
    assert [f["activity_name"] for f in found] == ["Close"]
    assert ledgers.gauge("ledger_states", ledger="sample") is None


# -- label coverage


def test_label_coverage_is_a_counter_that_goes_on_over_a_restart():
    covered = CoverageSum(
        tenant="default", service="image-studio", modality="image", label="explicit", outputs={"pass": 7, "fail": 1}
    )
    labels = {"tenant": "default", "service": "image-studio", "modality": "image", "label": "explicit"}
    before = Ledgers()
    before.tell(covered, block=1)
    before.tell(replace(covered, outputs={"pass": 9, "fail": 1}), block=1)
    before.tell(covered, block=2)
    assert before.gauge("label_outputs_total", **labels, outcome="pass") == 16
    after = Ledgers(before.table)
    assert after.gauge("label_outputs_total", **labels, outcome="pass") == 16
    assert after.gauge("label_outputs_total", **labels, outcome="fail") == 2
    after.keeper.hide(range(PARTITIONS))
    assert after.gauge("label_outputs_total", **labels, outcome="pass") is None


# -- restarts, partitions, versions, other deployments


def everything():
    ledgers = Ledgers()
    ledgers.tell(
        source(400, 21),
        complaint(opened_ms=NOW_MS - 10**9),
        use(NOW_MS, NOW_MS + TWO_HOURS_MS + 240_000),
        watermark_ms=NOW_MS + TWO_HOURS_MS + 240_000,
    )
    assert ledgers.open() == {("TRN018", SOURCE), ("MOD010", "chat-assistant"), ("CMP002", "companion-app")}
    return ledgers


def test_a_restart_brings_everything_back_and_tells_nothing_again():
    before = everything()
    after = Ledgers(before.table)
    assert after.open() == before.open()
    assert after.tick(NOW_MS + TWO_HOURS_MS + 240_000) == []
    assert after.facts == before.facts, "what holds on is told again, as it was told"
    after.tick(NOW_MS + TWO_HOURS_MS + 240_000)
    assert after.facts == before.facts
    assert after.gauge("condemned_sources", tenant="default") == 1


def abuse(*numbers, user=1, service="chat-assistant"):
    inputs = tuple(AbusiveInput(NOW_MS + n, n, f"e{n}") for n in numbers)
    return AbusiveInputs(tenant="default", service=service, user=f"k1:{user:064x}", inputs=inputs)


def test_only_facts_that_hold_on_are_told_again():
    before = Ledgers()
    before.tell(source(400, 21), source(400, 20, name=reference("sound")), abuse(1, 2, 3), abuse(1, user=2))
    before.tell(abuse(NOW_MS, NOW_MS + 1, NOW_MS + 2))
    before.tell(source(assessed=400, assessed_illegal=0, assessed_at_ms=NOW_MS + 1))
    condemned, first, second, cleared = before.facts
    assert (condemned.cleared_at_ms, cleared.cleared_at_ms, second.from_ms > first.to_ms) == (None, NOW_MS + 1, True)
    after = Ledgers(before.table)
    after.tick()
    assert after.facts == [second]


def test_a_process_that_takes_over_many_verdicts_tells_them_in_portions():
    before = Ledgers()
    before.tell(*(abuse(1, 2, 3, user=n) for n in range(2 * PORTION + 1)))
    after = Ledgers(before.table)
    told = []
    for _ in range(4):
        after.tick()
        told.append(len(after.facts))
    assert told == [PORTION, 2 * PORTION, 2 * PORTION + 1, 2 * PORTION + 1]
    assert {fact.user for fact in after.facts} == {fact.user for fact in before.facts}


def test_a_verdict_that_is_forgotten_before_it_is_told_again_is_not_told():
    before = Ledgers()
    before.tell(*(abuse(1, 2, 3, user=n) for n in range(PORTION + 1)))
    after = Ledgers(before.table)
    after.tick(NOW_MS + 191 * 24 * HOUR_MS)
    assert len(after.retracted) == PORTION + 1
    assert after.facts == []


def test_a_partition_that_moves_away_takes_its_gauges_with_it():
    ledgers = everything()
    ledgers.keeper.hide(range(PARTITIONS))
    ledgers.keeper.hide(range(PARTITIONS))  # a second rebalance before the first was done
    names = {
        "ledger_states",
        "condemned_sources",
        "sessions",
        "open_cases",
        "ledger_outcome",
        "open_issues",
        "issue_info",
    }
    left = [
        s for f in ledgers.metrics.registry.collect() for s in f.samples if f.name.removeprefix("compliance_") in names
    ]
    assert left == []
    ledgers.keeper.load(ledgers.table, range(PARTITIONS))
    assert ledgers.gauge("ledger_states", ledger="source") == 1
    elsewhere = Ledgers(ledgers.table, owned=())
    assert elsewhere.gauge("ledger_states", ledger="source") is None


def test_an_issue_whose_state_was_forgotten_in_a_crash_closes():
    ledgers = everything()
    end_ms = NOW_MS + TWO_HOURS_MS + HOUR_MS
    place = use(NOW_MS, NOW_MS)
    table = dict(ledgers.table)
    del table[ledger_place(partition_of(place.place.encode(), PARTITIONS), SessionUse, place.place, place.name)]
    after = Ledgers(table)
    findings = after.tick(end_ms)
    assert [f["compliance"]["control"] for f in findings if f["activity_name"] == "Close"] == ["CMP002"]


def test_a_deadline_that_passed_in_an_outage_of_days_is_failing_now():
    ledgers = Ledgers()
    place = partition_of(complaint().place.encode(), PARTITIONS)
    ledgers.step(place, NOW_MS, (complaint(),))
    now_ms = NOW_MS + HOURS * HOUR_MS + 5 * 24 * HOUR_MS
    found = ledgers.step(place, now_ms)
    assert [one["activity_name"] for one in found][:1] == ["Create"]
    assert found[-1]["finding_info"]["last_seen_time"] == now_ms
    failed = ledgers.gauge(
        "issue_last_failure_timestamp_seconds", tenant="default", service="chat-assistant", rule="MOD010"
    )
    assert failed == now_ms / 1000


def test_more_deadlines_than_one_observation_looks_at_make_one_episode():
    ledgers = Ledgers()
    place = partition_of(complaint().place.encode(), PARTITIONS)
    cases = 2 * MAX_DUE + 50
    due_ms = NOW_MS + HOURS * HOUR_MS
    ledgers.step(place, NOW_MS, tuple(complaint(f"c{n}", opened_ms=NOW_MS + n) for n in range(cases)))
    found = ledgers.step(place, due_ms + 10 * HOUR_MS)
    answers = (complaint(f"c{n}", opened_ms=NOW_MS + n, revision=1, done_ms=due_ms + 9 * HOUR_MS) for n in range(cases))
    found += ledgers.step(place, due_ms + 12 * HOUR_MS, tuple(answers))
    for n in range(6):
        found += ledgers.step(place, due_ms + 12 * HOUR_MS + n)
    found += ledgers.step(place, due_ms + 9 * HOUR_MS + SHOWN_MS + HOUR_MS)
    told = [one["activity_name"] for one in found]
    assert (told.count("Create"), told[0]) == (1, "Create")


def test_the_issue_of_a_rule_that_was_switched_off_closes_after_a_restart_too():
    ledgers = Ledgers()
    ledgers.tell(complaint())
    ledgers.tick(NOW_MS + HOURS * HOUR_MS + 1)
    assert ledgers.open() == {("MOD010", "chat-assistant")}
    for left_out, left in (({"MOD010"}, set()), (set(), ledgers.open())):
        again = Ledgers(dict(ledgers.table))
        again.offset = ledgers.offset
        again.keeper.use(POLICY, [rule for rule in BOOK if rule.id not in left_out], BOOK, rule_set_hash(BOOK))
        again.tick(NOW_MS + HOURS * HOUR_MS + 2)
        assert again.open() == left


def test_what_came_in_time_is_not_late_when_its_block_is_read_again():
    ledgers = Ledgers()
    ledgers.tell(use(NOW_MS, NOW_MS + HOUR_MS), watermark_ms=NOW_MS, block=7)
    ledgers.tick(NOW_MS + 5 * HOUR_MS)
    ledgers.tell(use(NOW_MS, NOW_MS + HOUR_MS), watermark_ms=NOW_MS + 5 * HOUR_MS, block=7)
    assert ledgers.gauge("ledger_late_entries_total", ledger="session") == 0
    ledgers.tell(use(NOW_MS, NOW_MS + HOUR_MS), watermark_ms=NOW_MS + 5 * HOUR_MS, block=8)
    assert ledgers.gauge("ledger_late_entries_total", ledger="session") == 1


def test_a_kind_of_state_that_a_newer_version_knows_is_refused_as_such():
    table = {LEDGER + b"\0\0" + b"x" * 16: b'{"ledger": "not known yet", "version": 9}'}
    with pytest.raises(StateVersionError, match="run a newer hegui"):
        Ledgers(table)


def test_what_a_newer_version_wrote_is_not_touched():
    ledgers = everything()
    key = next(key for key in ledgers.table if key.startswith(LEDGER))
    ledgers.table[key] = msgspec.json.encode({**msgspec.json.decode(ledgers.table[key]), "version": 9})
    with pytest.raises(StateVersionError, match="run a newer hegui"):
        Ledgers(ledgers.table)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({}, None), ({"group": ""}, None), ({"group": "another"}, "foreign_group"), ({"block": "x"}, "invalid_data")],
)
def test_observations_of_another_deployment_are_refused(changes, reason):
    value = msgspec.json.encode({**msgspec.to_builtins(Observation("t", 0, 0, 0, 1, 2, group="hegui")), **changes})
    found = read_observation(value, "hegui")
    assert (found.reason if isinstance(found, Refused) else None) == reason
    assert isinstance(read_observation(None, "hegui"), Refused)


def test_an_observation_of_a_newer_evaluator_stops_the_state_agent_though_it_cannot_be_read():
    value = b'{"version": 99, "entries": [{"ledger": "not known yet"}]}'
    with pytest.raises(StateVersionError, match="update the state agents before the evaluators"):
        read_observation(value, "hegui")


def test_what_the_table_holds_is_told_without_identifiers():
    ledgers = everything()
    inputs = (AbusiveInput(NOW_MS, 1, "e"),)
    ledgers.tell(AbusiveInputs(tenant="default", service="chat-assistant", user="k1:" + "a" * 64, inputs=inputs))
    found = msgspec.to_builtins(contents(ledgers.table))
    kinds = {one["kind"] for one in found}
    assert {"source", "case", "count"} <= kinds
    assert {one["ledger"] for one in found if one["kind"] == "count"} == {"session", "abuse"}
    assert "a" * 64 not in str(found)
    told = next(one for one in found if one["kind"] == "source")
    assert (told["source"], told["sampled"], told["illegal"], told["condemned_at_ms"]) == (SOURCE, 400, 21, NOW_MS)


# -- whatever dies


@pytest.fixture(autouse=True, scope="module")
def _kinds():
    with pytest.MonkeyPatch.context() as patch:
        for name, kind in KINDS.items():
            patch.setitem(example.KINDS, name, kind)
        services = tuple(replace(s, label_index=True) for s in POLICY.services)
        policy = replace(POLICY, services=services, source_min_sample=5, label_index_days=300)
        for module in (example, test_end_to_end):  # what the evaluators and the keeper of a `World` take
            patch.setattr(module, "POLICY", policy)
        yield


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=10, max_size=60), st.lists(steps, max_size=40))
def test_whatever_dies_every_ledger_equals_the_reference(kinds, schedule):
    world = play(World(kinds, rules=BOOK), schedule)
    judged = [envelope(kind, n) for p in range(SOURCES) for n, kind in enumerate(kinds[p::SOURCES])]
    events = [(one, round(one.time.timestamp() * 1000)) for one in judged]
    wanted = folded(engine(), events)
    held = {
        ledger_place(partition_of(place.encode(), PARTITIONS), kind, place, name): state
        for (kind, place, name), state in wanted.items()
    }
    found = {key: state for p in world.keeper.ledgers._partitions.values() for key, state in p.states.items()}
    assert {key: comparable(state) for key, state in found.items() if not portion(state)} == {
        key: comparable(state) for key, state in held.items()
    }
    stored = {key for table in world.tables.values() for key in table if key.startswith(LEDGER)}
    assert stored == found.keys()
    failing = {(issue.rule, issue.service) for issue in world.keeper.open() if "level" in issue.marks}
    says = {
        (rule, subject)
        for p in world.keeper.ledgers._partitions.values()
        for (_, rule, subject), c in p.counts.items()
        if c[Outcome.FAIL]
    }
    assert {one for one in failing if one[0][:3] != "LOC"} == says
    assert concluded_faults(world, events) == []


def concluded_faults(world, events):
    """Where what was concluded does not follow from the events: of users, sources and their findings."""
    condemned, suspended = defaultdict(dict), defaultdict(set)
    for fact, _, value in world.facts:
        told = msgspec.json.decode(value, type=KINDS_OF_FACTS[fact])
        if fact == "sources":
            condemned[told.source][told.episode] = told
        else:
            suspended[told.user].add(told)
    judging = engine(rules=BOOK)
    inputs, faults = refused_inputs(judging, events), []
    for state in world.keeper.ledgers.states():
        if isinstance(state, AbuseState):
            faults += user_faults(state, inputs[state.user], suspended[state.user], judging)
        elif isinstance(state, SourceState):
            faults += source_faults(state, condemned[state.source], judging)
    levels = [i for issues in world.keeper.issues.values() for i in issues.values() if "level" in i.marks]
    return [*faults, *finding_faults(levels, world.findings)]
