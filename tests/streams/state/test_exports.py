"""The export ledgers of the state agents: counts, issues, gauges, what stays over restarts, and crashes at every moment."""

from collections import defaultdict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hegui.rules.core import Outcome
from hegui.rules.engine import rule_set_hash
from hegui.rules.exports import exported
from hegui.rules.facts import Facts
from hegui.rules.policy import Entity
from hegui.streams.errors import StateVersionError
from hegui.streams.state.contents import contents
from hegui.streams.state.export_table import read_accounts
from tests.streams.example import BOOK, POLICY, engine, envelope
from tests.streams.state.export_ledgers import ENTITY, PARTITIONS, Ledgers, day, hashes, ms, with_mechanism
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


def test_entities_of_one_controller_are_counted_together_each_person_once():
    entities = tuple(
        Entity(name=name, controller="group", critical_infrastructure=False, many_persons=False) for name in ("a", "b")
    )
    ledgers = Ledgers(policy=msgspec.structs.replace(with_mechanism("certification"), entities=entities))
    for entity, persons in (("a", range(6_000)), ("b", range(4_000))):
        ledgers.tell((), persons, entity=entity, controller="group")
    assert not {issue for issue in ledgers.open() if issue[0] == "LOC014"}  # the same persons
    ledgers.tell((), range(6_000, 9_999), entity="b", controller="group")
    assert not {issue for issue in ledgers.open() if issue[0] == "LOC014"}
    ledgers.tell((), [9_999], entity="b", controller="group")
    assert {issue for issue in ledgers.open() if issue[0] == "LOC014"} == {("LOC014", "a"), ("LOC014", "b")}


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
    assert (issue["rule"], issue["service"], issue["status"], issue["failures"]) == ("LOC012", ENTITY, "open", 1)
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
    failing = {issue.rule for issue in world.keeper.open() if issue.service == ENTITY}
    assert failing == ({"LOC012"} if any(s for _, s in persons.values()) else set())
    assert Outcome.ERROR not in {key[3] for key in world_outcomes(world)}


def days_of(accounts):
    """Account to the persons of both kinds with their days."""
    return {a.state.account: (a.ordinary.days, a.sensitive.days) for a in accounts}


def world_outcomes(world):
    gauge = world.keeper.exports._metrics.ledger_outcome
    return [tuple(s.labels.values()) for family in gauge.collect() for s in family.samples]
