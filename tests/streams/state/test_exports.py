"""The export ledgers of the state agents: counts, issues, gauges, what stays over restarts, and crashes at every moment."""

from collections import defaultdict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hegui.rules.core import Outcome
from hegui.rules.engine import rule_set_hash
from hegui.rules.exports import Account, Exported, account_key, exported
from hegui.rules.facts import Facts
from hegui.rules.issues import Timing
from hegui.rules.observations import ExportSum, Observation
from hegui.streams.errors import StateVersionError
from hegui.streams.observations import Source
from hegui.streams.observations import partition_of as keyed
from hegui.streams.state.app import read_observation
from hegui.streams.state.contents import IssueContent, contents
from hegui.streams.state.export_table import read_accounts
from tests.streams.example import BOOK, POLICY, engine, envelope
from tests.streams.state.export_ledgers import AT_MS, ENTITY, PARTITIONS, Ledgers, day, hashes, ms, with_mechanism
from tests.streams.test_end_to_end import SOURCES, World, _small_blocks, play, steps  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("_small_blocks")
LONG_AGO = day("2026-03-01")


def test_the_hundred_thousandth_person_opens_the_issue_and_no_one_before():
    ledgers = Ledgers()
    assert ledgers.tell(range(79_999), day=LONG_AGO) == []
    (near,) = ledgers.tell([79_999], day=LONG_AGO)
    assert (near["compliance"]["control"], near["resources"][0]["uid"]) == ("LOC013", ENTITY)
    ledgers.tell(range(99_999), day=LONG_AGO)
    assert ledgers.open() == {("LOC013", ENTITY)}
    findings = ledgers.tell([99_999], day=LONG_AGO)
    assert {(f["activity_name"], f["compliance"]["control"]) for f in findings} == {
        ("Create", "LOC012"),
        ("Close", "LOC013"),
    }
    assert ledgers.open() == {("LOC012", ENTITY)}
    assert ledgers.subjects() == [100_000, 0]
    assert ledgers.gauge("open_issues", service=ENTITY, rule="LOC012") == 1


def test_the_first_person_whose_information_is_sensitive_opens_it_too():
    ledgers = Ledgers()
    ledgers.tell((), [1], day=LONG_AGO)
    assert ledgers.open() == {("LOC012", ENTITY)}
    ledgers.tell((), range(9_999), day=LONG_AGO)
    assert ledgers.open() == {("LOC012", ENTITY), ("LOC013", ENTITY)}
    ledgers.tell((), [9_999], day=LONG_AGO)
    assert ledgers.open() == {("LOC011", ENTITY)}


def test_the_issue_closes_when_the_mechanism_stands_in_the_policy_although_nothing_more_is_exported():
    ledgers = Ledgers()
    ledgers.tell((), [1])
    policy = with_mechanism("standard_contract")
    ledgers.keeper.use(policy, BOOK, BOOK, rule_set_hash(BOOK))
    (finding,) = ledgers.tick()
    assert (finding["activity_name"], finding["status"]) == ("Close", "Resolved")
    assert ledgers.open() == set()
    assert ledgers.gauge("open_issues", service=ENTITY, rule="LOC012") is None


def test_a_mechanism_that_ended_before_the_last_export_does_not_count():
    ended = with_mechanism("standard_contract", valid_to="2026-06-01T00:00:00+08:00")
    ledgers = Ledgers(policy=ended)
    ledgers.tell((), [1], at_ms=ms("2026-05-31T23:59:59+08:00"), watermark_ms=ms("2026-05-31T23:59:59+08:00"))
    assert ledgers.open() == set()
    ledgers.tell((), [1], at_ms=ms("2026-06-01T00:00:00+08:00"))
    assert ledgers.open() == {("LOC012", ENTITY)}


def test_the_year_turns_and_a_late_export_counts_in_its_own_year():
    ledgers = Ledgers()
    ledgers.tell(range(5), year=2026, at_ms=ms("2026-12-31T23:59:59+08:00"))
    ledgers.tell(range(3), year=2027, at_ms=ms("2027-01-01T00:00:00+08:00"))
    ledgers.tell([7], year=2026, at_ms=ms("2026-12-31T23:59:58+08:00"), watermark_ms=ms("2027-01-02T00:00:00+08:00"))
    assert (ledgers.subjects(year="2026"), ledgers.subjects(year="2027")) == ([6, 0], [3, 0])


def test_a_late_export_that_breaks_last_years_limit_is_told():
    ledgers = Ledgers()
    ledgers.tell(range(3), year=2027, at_ms=ms("2027-01-01T00:00:00+08:00"))
    ledgers.tell(
        (), [1], year=2026, at_ms=ms("2026-12-31T23:59:59+08:00"), watermark_ms=ms("2027-01-02T00:00:00+08:00")
    )
    (issue,) = ledgers.keeper.open()
    assert (issue.rule, issue.last_failure_ms) == ("LOC012", ms("2026-12-31T23:59:59+08:00"))


def test_what_cannot_be_counted_shows_and_leaves_the_rules_undecided():
    ledgers = Ledgers()
    ledgers.tell([1], uncounted={"no_subject": 2})
    assert ledgers.gauge("export_uncounted_events", entity=ENTITY, year="2026", problem="no_subject") == 2
    for rule in ("LOC011", "LOC012"):
        assert ledgers.gauge("ledger_outcome", entity=ENTITY, rule=rule, outcome="inconclusive") == 1
    assert ledgers.open() == set()


def test_the_unknown_does_not_close_an_issue():
    ledgers = Ledgers(policy=with_mechanism("standard_contract", valid_from="2026-11-01T00:00:00+08:00"))
    ledgers.tell(range(100_000), at_ms=ms("2026-10-01T00:00:00+08:00"), watermark_ms=ms("2026-10-01T00:00:00+08:00"))
    assert ledgers.open() == {("LOC012", ENTITY)}
    ledgers.keeper.use(msgspec.structs.replace(POLICY, entities=()), BOOK, BOOK, rule_set_hash(BOOK))
    ledgers.tick(ms("2026-10-01T00:00:01+08:00"))
    assert ledgers.open() == {("LOC012", ENTITY)}


def test_a_restart_brings_everything_back_and_tells_nothing_again():
    before = Ledgers()
    before.tell(range(10), [3, 4], uncounted={"no_subject": 1})
    after = Ledgers(before.table)
    assert after.subjects() == [10, 2]
    assert after.open() == before.open() == {("LOC012", ENTITY)}
    assert after.tick() == []
    assert after.tell(range(5), [3]) == []
    assert after.subjects() == [10, 2]


def test_a_partition_that_moves_away_takes_its_gauges_with_it():
    ledgers = Ledgers()
    ledgers.tell(range(10), uncounted={"no_subject": 1})
    ledgers.keeper.hide(range(PARTITIONS))
    names = (
        "compliance_export_subjects",
        "compliance_export_new_subjects",
        "compliance_export_uncounted_events",
        "compliance_ledger_outcome",
    )
    samples = [s for family in ledgers.metrics.registry.collect() if family.name in names for s in family.samples]
    assert samples == []
    ledgers.keeper.load(ledgers.table, range(PARTITIONS))
    assert ledgers.subjects() == [10, 0]
    elsewhere = Ledgers(ledgers.table, owned=())
    assert elsewhere.subjects() == [None, None]


def test_persons_stand_in_the_table_as_hashes_of_32_bytes_and_in_nothing_else():
    ledgers = Ledgers()
    findings = ledgers.tell((), [0xABCDEF])
    assert findings
    (persons,) = [value for key, value in ledgers.table.items() if key.startswith(b"\x01p")]
    assert persons == bytes.fromhex(hashes([0xABCDEF])[0])
    told = msgspec.json.encode(findings) + b"".join(ledgers.table.values())
    assert hashes([0xABCDEF])[0].encode() not in told
    assert "abcdef" not in str([s for f in ledgers.metrics.registry.collect() for s in f.samples])


@pytest.mark.parametrize("what", ["account", "issue"])
def test_what_a_newer_version_wrote_is_not_touched(what):
    ledgers = Ledgers()
    ledgers.tell((), [1])
    prefix = {"account": b"\x01a", "issue": b"\x01i"}[what]
    (key,) = [key for key in ledgers.table if key.startswith(prefix)]
    ledgers.table[key] = msgspec.json.encode({**msgspec.json.decode(ledgers.table[key]), "version": 9})
    with pytest.raises(StateVersionError, match="run a newer hegui"):
        Ledgers(ledgers.table)


def test_what_the_table_holds_is_told_without_persons():
    ledgers = Ledgers()
    ledgers.tell(range(3), [0xABCDEF], uncounted={"no_subject": 2})
    found = msgspec.to_builtins(contents(ledgers.table))
    assert [one["kind"] for one in found] == ["export_ledger", "issue", "progress"]
    ledger, issue, progress = found
    assert {k: ledger[k] for k in ("entity", "controller", "year", "ordinary", "sensitive", "uncounted")} == {
        "entity": ENTITY,
        "controller": "example-group",
        "year": 2026,
        "ordinary": 3,
        "sensitive": 1,
        "uncounted": {"no_subject": 2},
    }
    assert (issue["rule"], issue["service"], issue["status"], issue["failures"]) == (
        "LOC012",
        f"{ENTITY}/2026",
        "open",
        1,
    )
    assert progress["last_offset"] == ledgers.offset
    assert "abcdef" not in str(found)


EXPORTING = ["LOC002", "LOC003", "LOC009", "LOC005", "exported", "chat", "inconclusive", "unkeyed"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(EXPORTING), min_size=10, max_size=60), st.lists(steps, max_size=40))
def test_whatever_dies_the_ledgers_equal_the_reference_to_the_person(kinds, schedule):
    world = play(World(kinds, rules=BOOK), schedule)
    snapshot = engine().snapshot
    persons, uncounted = defaultdict(lambda: ({}, {})), defaultdict(lambda: defaultdict(int))
    for envelope_ in [envelope(kind, n) for p in range(SOURCES) for n, kind in enumerate(kinds[p::SOURCES])]:
        at_ms = round(envelope_.time.timestamp() * 1000)
        service = snapshot.services.get(("default", envelope_.data.service))
        found = exported(envelope_.data, Facts(snapshot, at_ms, "default", service), True)
        if found is None:
            continue
        days = persons[found.account][found.sensitive]
        for one in map(bytes.fromhex, found.persons):
            days[one] = min(found.day, days.get(one, found.day))
        if found.problem is not None:
            uncounted[found.account][found.problem] += 1
    assert days_of(world.keeper.exports.accounts()) == dict(persons)
    assert {a.state.account: a.state.uncounted() for a in world.keeper.exports.accounts() if a.state.marks} == uncounted
    stored = {key: value for table in world.tables.values() for key, value in table.items()}
    assert days_of(read_accounts(stored).values()) == dict(persons)
    failing = {issue.rule for issue in world.keeper.open() if issue.service.startswith(ENTITY + "/")}
    assert failing == ({"LOC012"} if any(s for _, s in persons.values()) else set())
    assert Outcome.ERROR not in {key[3] for key in world_outcomes(world)}


def days_of(accounts):
    """Account to the persons of both kinds with their days."""
    return {a.state.account: (a.ordinary.days, a.sensitive.days) for a in accounts}


def world_outcomes(world):
    gauge = world.keeper.exports._metrics.ledger_outcome
    return [tuple(s.labels.values()) for family in gauge.collect() for s in family.samples]


def test_each_step_to_a_limit_is_told_at_once_with_what_the_rule_showed():
    ledgers = Ledgers(timing=Timing(quiet_ms=10**12, update_ms=3_600_000))
    told = []
    for persons in (80_000, 85_000, 90_000, 94_999, 95_000, 99_999):
        told += ledgers.tell(range(persons), day=LONG_AGO, at_ms=AT_MS + persons)
    assert [(f["activity_name"], f["unmapped"]["evidence"]) for f in told] == [
        (activity, {"entity": ENTITY, "year": 2026, "persons": persons, "percent": percent, "limit": 100_000})
        for activity, persons, percent in (("Create", 80_000, 80), ("Update", 90_000, 90), ("Update", 95_000, 95))
    ]
    assert {f["finding_info"]["uid"] for f in told} == {told[0]["finding_info"]["uid"]}
    assert told[0]["compliance"]["status_detail"] == "a limit of the year is near"
    assert told[0]["resources"][0] == {"uid": ENTITY, "name": ENTITY, "type": "legal entity"}
    assert ledgers.gauge("export_limit_step_ratio", entity=ENTITY, year="2026", limit="100000") == 0.95
    (issue,) = [one for one in contents(ledgers.table) if isinstance(one, IssueContent)]
    assert (issue.reason, issue.evidence["percent"]) == ("a limit of the year is near", 95)


@pytest.mark.parametrize(
    ("ordinary", "sensitive", "rule", "limit"),
    [
        (100_000, 0, "LOC012", 100_000),
        (0, 1, "LOC012", 1),
        (0, 10_000, "LOC011", 10_000),
        (1_000_000, 0, "LOC011", 1_000_000),
    ],
)
def test_the_finding_names_year_counts_and_limit(ordinary, sensitive, rule, limit):
    ledgers = Ledgers()
    told = ledgers.tell(range(ordinary), range(sensitive), day=LONG_AGO)
    (finding,) = [f for f in told if f["compliance"]["control"] == rule]
    counts = {"ordinary": ordinary, "sensitive": sensitive, "limit": limit}
    assert finding["unmapped"]["evidence"] == {"entity": ENTITY, "year": 2026, **counts}


def test_the_step_vanishes_with_the_partition_and_with_the_limit():
    ledgers = Ledgers(policy=with_mechanism("standard_contract"))
    ledgers.tell((), range(9_500), day=LONG_AGO)
    limits = {limit: {"entity": ENTITY, "year": "2026", "limit": limit} for limit in ("10000", "100000")}
    assert ledgers.gauge("export_limit_step_ratio", **limits["10000"]) == 0.95
    ledgers.keeper.hide(range(PARTITIONS))
    assert ledgers.gauge("export_limit_step_ratio", **limits["10000"]) is None
    ledgers.keeper.load(ledgers.table, range(PARTITIONS))
    ledgers.tick()
    assert ledgers.gauge("export_limit_step_ratio", **limits["10000"]) == 0.95
    ledgers.tell((), range(10_000), day=LONG_AGO)
    assert ledgers.gauge("export_limit_step_ratio", **limits["10000"]) is None
    ledgers = Ledgers()
    ledgers.tell(range(99_000), day=LONG_AGO)
    assert ledgers.gauge("export_limit_step_ratio", **limits["100000"]) == 0.95
    ledgers.tell(range(100_000), range(8_000), day=LONG_AGO)
    assert ledgers.gauge("export_limit_step_ratio", **limits["100000"]) is None
    assert ledgers.gauge("export_limit_step_ratio", **limits["10000"]) == 0.8


def test_the_highest_step_is_shown_whichever_limit_it_is_of():
    ledgers = Ledgers()
    ledgers.tell(range(95_000), range(8_000), day=LONG_AGO)
    shown = {
        limit: ledgers.gauge("export_limit_step_ratio", entity=ENTITY, year="2026", limit=limit)
        for limit in ("10000", "100000")
    }
    assert shown == {"10000": None, "100000": 0.95}
    ledgers.tell((), range(9_500), day=LONG_AGO)
    assert ledgers.gauge("export_limit_step_ratio", entity=ENTITY, year="2026", limit="10000") == 0.95


def test_persons_of_a_late_export_stand_in_the_finding():
    ledgers = Ledgers()
    ledgers.tell((), [1], day=LONG_AGO)
    (finding,) = ledgers.tell((), [2], day=LONG_AGO)
    assert (finding["activity_name"], finding["unmapped"]["evidence"]["sensitive"]) == ("Update", 2)


def test_a_change_of_controller_within_a_year_shows_both_counts():
    ledgers = Ledgers()
    ledgers.tell(range(5))
    ledgers.tell(range(3), controller="new-group")
    shown = [
        ledgers.gauge("export_subjects", controller=controller, entity=ENTITY, year="2026", kind="ordinary")
        for controller in ("example-group", "new-group")
    ]
    assert shown == [5, 3]


def test_two_accounts_of_an_entity_and_year_share_an_issue_that_the_worse_one_holds_open():
    twins = [name for name in map(str, range(99)) if partition_of(name) == partition_of("example-group")]
    ledgers = Ledgers()
    ledgers.tell((), [1], day=LONG_AGO)
    for _ in range(2):
        ledgers.tell([1], controller=twins[0], day=LONG_AGO)
        assert ledgers.open() == {("LOC012", ENTITY)}
    assert {issue.episode for issue in ledgers.keeper.open()} == {1}


def partition_of(controller):
    return keyed(account_key(Account("default", controller, ENTITY, 2026)).encode(), PARTITIONS)


def test_ledgers_that_were_counted_by_tenant_are_refused_and_not_taken_for_those_of_the_entity():
    ledgers = Ledgers()
    ledgers.tell((), [1])
    (key,) = [key for key in ledgers.table if key.startswith(b"\x01a")]
    state = msgspec.json.decode(ledgers.table[key])
    assert state["account"][0] == "default"
    state["account"][0] = "brand-b"
    ledgers.table[key] = msgspec.json.encode(state)
    with pytest.raises(StateVersionError, match=r"tenant brand-b alone; rebuild the ledgers from the topics"):
        Ledgers(ledgers.table)
    sum_ = ExportSum(Account("brand-b", "group", ENTITY, 2026), AT_MS, hashes([1]))
    told = msgspec.json.encode(Observation("t", 0, 0, 0, 1, AT_MS, exports=(sum_,), group="g", version=3))
    with pytest.raises(StateVersionError, match=r"tenant brand-b alone; update the evaluators and rebuild"):
        read_observation(told, "g")


def test_what_the_evaluator_tells_dates_what_could_not_be_counted():
    account = Account("default", "group", ENTITY, 2026)
    source = Source("t", 0, 0, 0)
    source.exported(Exported(account, False, hashes([1]), None, LONG_AGO), AT_MS)
    assert [sum_.uncounted_ms for sum_ in source.take_exports()] == [None]
    for at_ms, problem in ((AT_MS + 5, "no_subject"), (AT_MS, "no_subject"), (AT_MS + 9, None)):
        source.exported(Exported(account, False, () if problem else hashes([2]), problem, LONG_AGO), at_ms)
    assert [(s.uncounted, s.uncounted_ms, s.last_ms) for s in source.take_exports()] == [
        ({"no_subject": 2}, AT_MS + 5, AT_MS + 9)
    ]
