"""Violations: one record per failing event, with uids that depend on identity alone."""

from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import NOT_APPLICABLE, Outcome, Result, fail, inconclusive
from hegui.rules.engine import Deviation
from hegui.rules.evidence import reference
from hegui.rules.violations import RuleResult, Violation, identity_uid, result_uid, violation
from tests.rules.builders import a_rule

RULE = a_rule("LBL901", basis=(law.DEEP_SYNTHESIS_ART_17, law.LABELLING_MEASURES_ART_4))
FAILED: Deviation = (RULE, fail("always fails", number=1))
IDENTITIES = st.tuples(*[st.text(st.sampled_from("a|\x00\x01é\ud800"), max_size=4)] * 3)


def made(*deviations: Deviation, **changes: Any) -> Violation:
    settings: dict[str, Any] = {
        "tenant": "default",
        "source": "/svc",
        "event_id": "e-1",
        "revision": 0,
        "at_ms": BASE_AT_MS,
        "service": "svc",
        "rule_set": "abc",
        "policy": "v7",
        "facts": {"optouts": {"0": 3}},
    }
    return violation(deviations=list(deviations), **{**settings, **changes})


@settings(max_examples=300, deadline=None)
@given(IDENTITIES, IDENTITIES)
def test_two_identities_never_share_a_uid(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assume(one != other)
    assert identity_uid(*one) != identity_uid(*other)
    assert result_uid("LBL001", *one) != result_uid("LBL001", *other)


@settings(max_examples=100, deadline=None)
@given(IDENTITIES)
def test_uids_are_the_same_whenever_they_are_made_and_differ_by_rule(one: tuple[str, str, str]) -> None:
    assert identity_uid(*one) == identity_uid(*one)
    uids = {identity_uid(*one), result_uid("LBL001", *one), result_uid("LBL002", *one)}
    assert len(uids) == 3
    assert all(len(uid) == 32 and set(uid) <= set("0123456789abcdef") for uid in uids)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b", "c"), ("ab", "", "c")),
        (("a|b", "c", "d"), ("a", "b|c", "d")),
        (("", "a", "b"), ("a", "", "b")),
        (("é", "a", "b"), ("e\u0301", "a", "b")),
    ],
)
def test_parts_that_join_to_one_text_are_told_apart(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert identity_uid(*one) != identity_uid(*other)


def test_uids_stay_what_they_are_from_release_to_release() -> None:
    assert identity_uid("default", "/svc", "e-1") == "02911d3e0ba81e59c8b52d0d78edb792"
    assert result_uid("LBL001", "default", "/svc", "e-1") == "93b6f928a7a89c48facddd637f815091"


def test_a_record_holds_what_is_worth_recording_and_no_more() -> None:
    others = [(RULE, result) for result in (NOT_APPLICABLE, inconclusive("x"), Result(Outcome.PASS))]
    waived = (a_rule("LBL902"), Result(Outcome.WAIVED, "r", {}, "w-1"))
    raised = (a_rule("LBL903"), Result(Outcome.ERROR, "the rule raised ValueError"))
    results = made(*others, FAILED, waived, raised).results
    assert [(r.rule, str(r.outcome), r.waiver) for r in results] == [
        ("LBL901", "fail", None),
        ("LBL902", "waived", "w-1"),
        ("LBL903", "error", None),
    ]
    assert results[0] == RuleResult(
        uid=result_uid("LBL901", "default", "/svc", "e-1"),
        rule="LBL901",
        outcome=Outcome.FAIL,
        severity="high",
        stage="stable",
        clauses=("Deep Synthesis Provisions art. 17", "Labelling Measures art. 4"),
        reason="always fails",
        evidence={"number": 1},
    )


def test_a_result_names_the_clauses_of_the_events_day() -> None:
    before = made(FAILED, at_ms=law.LABELLING_MEASURES_ART_4.in_force_from_ms - 1)
    assert before.results[0].clauses == ("Deep Synthesis Provisions art. 17",)


def test_a_revision_has_the_uids_of_the_first_so_that_it_replaces_it() -> None:
    first, second = made(FAILED), made(FAILED, revision=1, at_ms=BASE_AT_MS + 1)
    assert first.uid == second.uid
    assert first.results[0].uid == second.results[0].uid
    assert (first.revision, second.revision) == (0, 1)


def test_a_correcting_revision_is_a_record_without_results() -> None:
    assert made(revision=2).results == ()
    assert made(revision=2).uid == made(FAILED).uid


def test_position_policy_rules_and_facts_say_how_to_judge_again() -> None:
    record = made(FAILED, position=("events", 3, 17))
    assert (record.topic, record.partition, record.offset) == ("events", 3, 17)
    assert (record.rule_set, record.policy, record.facts) == ("abc", "v7", {"optouts": {"0": 3}})
    assert (made().topic, made().partition, made().offset) == (None, None, None)


@pytest.mark.parametrize("part", ["tenant", "source", "event_id"])
def test_an_identity_that_may_name_a_person_is_hashed_but_the_uid_is_not_changed(part: str) -> None:
    person = "/users/13800138000"
    record = made(FAILED, **{part: person})
    assert getattr(record, part.removeprefix("event_")) == reference(person)
    identity = {"tenant": "default", "source": "/svc", "event_id": "e-1", part: person}
    assert record.uid == identity_uid(*identity.values())


def test_a_record_is_the_same_after_being_stored_and_read() -> None:
    record = made(FAILED, position=("events", 3, 17))
    assert msgspec.json.decode(msgspec.json.encode(record), type=Violation) == record
