"""Fact tables: intervals, replacement, tombstones; opt-outs and filings as of an event's time."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hegui.rules.cases import BASE_AT_MS, BASE_POLICY, PERSON
from hegui.rules.events import IngestEvent
from hegui.rules.facts import MAX_REGIONS, Facts, FactStatus, FactTable, Filing, Notice, OptOut, Snapshot, loaded
from hegui.rules.opt_out.opt001_user_opt_out_ignored import user_opt_out_ignored
from hegui.rules.policy import Entity, ModelFiling, Policy, PolicyError, Service, check_policy

AT = 1_000


def deny(at_ms: int, until_ms: int | None = None, **changes: str) -> OptOut:
    return OptOut("user", changes.pop("subject", "u"), "deny", at_ms, until_ms, **changes)


def allow(at_ms: int, until_ms: int | None = None, **changes: str) -> OptOut:
    return replace(deny(at_ms, until_ms, **changes), value="allow")


def facts(*records: OptOut, at_ms: int = AT, policy: Policy = BASE_POLICY) -> Facts:
    return Facts(Snapshot(policy, loaded(records)), at_ms, "default", None)


@pytest.mark.parametrize(("at_ms", "found"), [(99, False), (100, True), (199, True), (200, False), (0, False)])
def test_an_interval_holds_from_its_start_to_before_its_end(at_ms: int, found: bool) -> None:
    table = loaded([deny(100, 200)])
    assert bool(table.at(("user", "u"), at_ms)) is found


def test_an_interval_without_end_holds_for_ever() -> None:
    record = deny(100)
    assert loaded([record]).at(("user", "u"), 2**53) == (record,)


def test_records_that_hold_are_told_oldest_first_whatever_the_order_of_arrival() -> None:
    records = [deny(300), deny(100), deny(200), deny(50, 60)]
    assert [record.observed_at_ms for record in loaded(records).at(("user", "u"), 250)] == [100, 200]


def test_a_record_replaces_that_of_its_record_key_even_under_another_subject() -> None:
    table: FactTable[OptOut] = FactTable()
    table.put(b"1", deny(100))
    table.put(b"2", deny(150))
    table.put(b"1", deny(200, subject="v"))
    assert [r.observed_at_ms for r in table.at(("user", "u"), AT)] == [150]
    assert [r.observed_at_ms for r in table.at(("user", "v"), AT)] == [200]
    assert len(table) == 2


def test_a_tombstone_removes_and_a_second_one_does_nothing() -> None:
    table = loaded([deny(100)])
    for _ in range(2):
        table.put(b"0", None)
        assert table.at(("user", "u"), AT) == ()
        assert len(table) == 0


def test_an_equal_record_under_another_record_key_stays_when_the_first_is_removed() -> None:
    record = deny(100)
    table = loaded([record, replace(record)])
    table.put(b"0", None)
    assert len(table) == 1
    assert table.at(("user", "u"), AT) == (record,)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"1", b"2", b"3"]),
            st.none()
            | st.builds(deny, st.integers(0, 20), st.none() | st.integers(0, 20), subject=st.sampled_from("uv")),
        )
    ),
    st.integers(0, 20),
)
def test_a_table_is_what_the_last_record_of_each_key_says(puts: list[tuple[bytes, OptOut | None]], at_ms: int) -> None:
    table: FactTable[OptOut] = FactTable()
    last: dict[bytes, OptOut] = {}
    for key, record in puts:
        for _ in range(2):
            table.put(key, record)
        last.pop(key, None)
        if record is not None:
            last[key] = record
    assert len(table) == len(last)
    for subject in "uv":
        held = [
            r
            for r in last.values()
            if r.subject == subject and r.observed_at_ms <= at_ms and (r.valid_to_ms is None or at_ms < r.valid_to_ms)
        ]
        assert list(table.at(("user", subject), at_ms)) == sorted(held, key=lambda r: r.observed_at_ms)


@pytest.mark.parametrize(
    ("records", "refused"),
    [
        ([], False),
        ([deny(100)], True),
        ([allow(100)], False),
        ([deny(100), allow(200)], False),
        ([allow(200), deny(100)], False),
        ([allow(100), deny(200)], True),
        ([deny(AT)], True),
        ([deny(AT + 1)], False),
        ([deny(100), allow(AT + 1)], True),
        ([deny(100, source="a"), allow(200, source="b")], True),
        ([allow(200, source="a"), deny(100, source="b")], True),
        ([deny(100, source="a"), allow(200, source="b"), allow(300, source="a")], False),
        ([deny(100, 200)], False),
        ([deny(100), allow(200, 300)], True),
        ([allow(100), deny(200, 300)], False),
        ([deny(100, subject="v")], False),
    ],
)
def test_the_latest_word_of_each_source_counts_and_any_refusal_wins(records: list[OptOut], refused: bool) -> None:
    found = facts(*records).opted_out("user", "u")
    assert (found is not None) is refused
    assert found is None or found.value == "deny"


def test_the_scheme_belongs_to_the_key() -> None:
    assert facts(deny(100)).opted_out("work", "u") is None


@pytest.mark.parametrize(
    ("records", "refused"),
    [
        ([deny(AT - 101)], True),
        ([deny(AT - 100)], True),
        ([deny(AT - 99)], False),
        ([deny(AT - 500), allow(AT - 50)], False),
        ([deny(AT - 500, AT - 50)], False),
        ([deny(AT - 500), deny(AT - 50)], True),
        ([allow(AT - 500), deny(AT - 50)], False),
    ],
    ids=[
        "before the grace time",
        "at its first millisecond",
        "within it",
        "allowed again within it",
        "ended within it",
        "said again within it",
        "allowed before, refused within it",
    ],
)
def test_a_grace_time_only_ever_tolerates(records: list[OptOut], refused: bool) -> None:
    assert (facts(*records).opted_out("user", "u", grace_ms=100) is not None) is refused


@settings(max_examples=100, deadline=None)
@given(st.lists(st.builds(deny, st.integers(0, AT)) | st.builds(allow, st.integers(0, AT), st.none()), max_size=4))
def test_no_grace_time_makes_a_use_worse(records: list[OptOut]) -> None:
    strict = facts(*records).opted_out("user", "u")
    assert strict is not None or facts(*records).opted_out("user", "u", grace_ms=300) is None


def test_a_user_who_allowed_again_within_the_grace_time_is_not_held_against_the_service() -> None:
    key = "k1:" + "00" * 32
    records = [OptOut("user", key, "deny", 1), OptOut("user", key, "allow", BASE_AT_MS - 1000)]
    found = facts(*records, at_ms=BASE_AT_MS, policy=replace(BASE_POLICY, opt_out_grace_seconds=60))
    event = IngestEvent(service="pipeline", source_type="user_input", user_key=key)
    assert user_opt_out_ignored.check(event, found).outcome == "pass"


def filings(*filed: dict, topic: tuple[Filing, ...] = ()) -> Snapshot:
    listed = msgspec.convert([{"model": "m", "number": "n-1", **each} for each in filed], tuple[ModelFiling, ...])
    return Snapshot(Policy(version="v", filings=listed), None, loaded(topic))


JAN, FEB, MAR = "2026-01-01T00:00:00+08:00", "2026-02-01T00:00:00+08:00", "2026-03-01T00:00:00+08:00"
JAN_MS, FEB_MS, MAR_MS = 1_767_196_800_000, 1_769_875_200_000, 1_772_294_400_000


@pytest.mark.parametrize(("at_ms", "found"), [(JAN_MS - 1, False), (JAN_MS, True), (FEB_MS - 1, True), (FEB_MS, False)])
def test_a_filing_of_the_policy_holds_in_its_interval(at_ms: int, found: bool) -> None:
    snapshot = filings({"valid_from": JAN, "valid_to": FEB})
    assert (Facts(snapshot, at_ms, "default", None).filing("m") is not None) is found


def test_one_number_may_be_filed_withdrawn_and_filed_again() -> None:
    snapshot = filings({"valid_from": JAN, "valid_to": FEB}, {"valid_from": MAR})
    found = [Facts(snapshot, at_ms, "default", None).filing("m") is not None for at_ms in (JAN_MS, FEB_MS, MAR_MS)]
    assert found == [True, False, True]


def test_filings_of_the_topic_count_beside_those_of_the_policy() -> None:
    snapshot = filings({"valid_from": FEB}, topic=(Filing("m", "n-0", 0), Filing("other", "n-2", 0)))
    numbers = [Facts(snapshot, at_ms, "default", None).filing(m).number for m, at_ms in [("m", 0), ("m", FEB_MS)]]
    assert numbers == ["n-0", "n-1"]
    assert Facts(snapshot, 0, "default", None).filing("unfiled") is None


@pytest.mark.parametrize(
    ("policy", "status", "expected"),
    [
        (BASE_POLICY, FactStatus.UNDECLARED, "ready"),
        (BASE_POLICY, FactStatus.LOADING, "loading"),
        (Policy(version="v"), FactStatus.UNDECLARED, "undeclared"),
        (Policy(version="v"), FactStatus.READY, "ready"),
    ],
)
def test_filings_of_the_policy_are_enough_where_no_topic_is_declared(
    policy: Policy, status: FactStatus, expected: str
) -> None:
    others = dict.fromkeys(("optouts", "notices", "waivers", "sources", "suspensions"), "undeclared")
    assert Snapshot(policy, None, FactTable(status)).status() == {**others, "filings": expected}


def test_every_table_tells_its_own_status() -> None:
    expected = {
        "optouts": "ready",
        "filings": "undeclared",
        "notices": "loading",
        "waivers": "ready",
        "sources": "loading",
        "suspensions": "ready",
    }
    tables = [FactTable(FactStatus(status)) for status in expected.values()]
    assert Snapshot(Policy(version="v"), *tables).status() == expected


def test_positions_name_only_the_tables_that_were_read() -> None:
    optouts = loaded([deny(1)])
    assert Snapshot(BASE_POLICY, optouts).positions() == {}
    optouts.positions = {2: 7, 0: 5}
    assert Snapshot(BASE_POLICY, optouts).positions() == {"optouts": {"0": 5, "2": 7}}


def test_positions_of_every_table_stand_under_its_name() -> None:
    names = ("optouts", "filings", "notices", "waivers", "sources", "suspensions")
    tables = [loaded(()) for _ in names]
    for number, table in enumerate(tables):
        table.positions = {0: number}
    found = Snapshot(BASE_POLICY, *tables).positions()
    assert found == {name: {"0": n} for n, name in enumerate(names)}


HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("notices", "found"),
    [
        ([], None),
        ([Notice("work", "w", BASE_AT_MS - HOUR_MS)], "w"),
        ([Notice("work", "w", BASE_AT_MS - HOUR_MS + 1)], None),
        ([Notice("work", "w", BASE_AT_MS + 1)], None),
        ([Notice("work", "v", 1)], None),
        ([Notice("holder", "w", 1)], None),
        ([Notice("work", "w", 1, BASE_AT_MS)], None),
        ([Notice("work", "w", 1, BASE_AT_MS + 1)], "w"),
        ([Notice("work", "w", 1, 2), Notice("work", "w", 3)], "w"),
        ([Notice("work", "w", BASE_AT_MS), Notice("work", "w", 3)], "w"),
    ],
    ids=[
        "none",
        "as old as the grace time",
        "within the grace time",
        "not yet received",
        "of another work",
        "of another kind",
        "settled at that moment",
        "settled a millisecond later",
        "settled and received again",
        "an old one beside a new one",
    ],
)
def test_an_open_notice_counts_after_the_grace_time(notices: list[Notice], found: str | None) -> None:
    snapshot = Snapshot(replace(BASE_POLICY, notice_grace_hours=1), notices=loaded(notices))
    notice = Facts(snapshot, BASE_AT_MS, "default", None).notice("work", "w")
    assert (None if notice is None else notice.subject) == found


def test_numbers_of_filings_are_those_in_force() -> None:
    snapshot = filings({"valid_from": FEB}, {"valid_from": JAN, "valid_to": FEB, "number": "n-2"})
    snapshot.filings.put(b"1", Filing("m", "n-0", 0))
    assert Facts(snapshot, FEB_MS, "default", None).filing_numbers("m") == ("n-1", "n-0")
    assert Facts(snapshot, FEB_MS - 1, "default", None).filing_numbers("m") == ("n-2", "n-0")
    assert Facts(snapshot, FEB_MS, "default", None).filing_numbers("unfiled") == ()


def test_regions_of_events_are_remembered_up_to_a_number() -> None:
    asked = facts()
    for number in range(MAX_REGIONS + 2):
        assert asked.in_mainland(f"cn-{number}")
        assert not asked.in_mainland(f"us-{number}")
    assert len(asked.snapshot.regions) == MAX_REGIONS
    assert all(known == name.startswith("cn") for name, known in asked.snapshot.regions.items())


TEST = {"model": "m", "model_version": "1"}
ZONE = {"zone": "z", "version": "1"}


@pytest.mark.parametrize(
    "parts",
    [
        {"model_tests": [TEST, {**TEST, "model_version": "2"}]},
        {"model_tests": [{**TEST, "human": {"tested": 2, "passed": 2}}]},
        {"zone_lists": [ZONE, {**ZONE, "zone": "y"}]},
        {"filings": [{"model": "m", "number": "n", "valid_from": JAN, "valid_to": FEB}]},
        {"filings": [{"model": "m", "number": "n", "valid_from": JAN}]},
        {
            "entities": [
                {
                    "name": "e",
                    "export_mechanisms": [
                        {"kind": "certification", "reference": "r", "valid_from": JAN, "valid_to": FEB},
                        {"kind": "certification", "reference": "s", "valid_from": FEB, "valid_to": MAR},
                    ],
                }
            ]
        },
    ],
)
def test_facts_of_the_policy_that_agree_are_taken(parts: dict[str, Any]) -> None:
    check_policy(msgspec.convert({"version": "v", "rules": {"select": []}, **parts}, Policy), ())


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (
            {"model_tests": [{**TEST, kind: {"tested": 1, "passed": 2}}]},
            f"model_tests: m 1: {kind} passed 2 of 1; correct one",
        )
        for kind in ("human", "keywords", "classifier", "should_refuse", "should_not_refuse")
    ]
    + [
        ({"model_tests": [TEST, TEST]}, "model_tests: 'm/1' stands twice; keep one"),
        ({"zone_lists": [ZONE, {**ZONE, "version": "2"}]}, "zone_lists: 'z' stands twice; keep one"),
        (
            {"filings": [{"model": "m", "number": "n", "valid_from": JAN, "valid_to": JAN}]},
            "filings: m n ends before it begins; set valid_to after valid_from",
        ),
    ],
)
def test_facts_of_the_policy_that_cannot_be_are_refused(parts: dict[str, Any], sentence: str) -> None:
    policy = msgspec.convert({"version": "v", "rules": {"select": []}, **parts}, Policy)
    with pytest.raises(PolicyError, match=f"^{re.escape(sentence)}$"):
        check_policy(policy, ())


@pytest.mark.parametrize(
    ("service", "asked", "found"),
    [
        (None, None, None),
        (None, "e", "e"),
        (Service(name="s", team="t"), None, None),
        (Service(name="s", team="t", entity="e"), None, "e"),
        (Service(name="s", team="t", entity="e"), "f", "f"),
        (Service(name="s", team="t", entity="e"), "nobody", None),
        (Service(name="s", team="t", entity="gone"), None, None),
    ],
)
def test_the_entity_is_the_named_one_else_that_of_the_service(
    service: Service | None, asked: str | None, found: str | None
) -> None:
    policy = Policy(version="v", entities=(Entity(name="e"), Entity(name="f")))
    entity = Facts(Snapshot(policy), AT, "default", service).entity(asked)
    assert (entity.name if entity else None) == found


def test_the_earliest_statement_under_each_key_of_users_is_known() -> None:
    table = loaded(
        [
            OptOut("user", PERSON, "deny", 20),
            OptOut("user", PERSON, "unknown", 10),
            OptOut("user", PERSON, "deny", 30),
            OptOut("user", PERSON.replace("k1:", "k2:"), "allow", 40),
            OptOut("user", "somebody", "deny", 1),
            OptOut("work", PERSON.replace("k1:", "k3:"), "deny", 1),
        ]
    )
    assert table.user_keys == {"k1": 10, "k2": 40}
    table.put(b"1", None)
    assert table.user_keys == {"k1": 10, "k2": 40}  # what is gone counts: the key was in use
    assert FactTable[OptOut]().user_keys == {}
