"""The sweep's look-up says of a record what OPT001 and OPT003 would say of it; removals are closed by the event that names them."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from hegui.rules.case_events import NoticeEvent
from hegui.rules.cases import BASE_INGEST, PERSON, case_event, case_snapshot
from hegui.rules.core import Outcome
from hegui.rules.events import NoticeEnvelope
from hegui.rules.evidence import Code, safe
from hegui.rules.facts import Facts, OptOut, Snapshot, loaded
from hegui.rules.ledgers.recording import case_update
from hegui.rules.ledgers.removals import REMOVAL_SOURCE, removal, removal_id
from hegui.rules.opt_out.opt001_user_opt_out_ignored import user_opt_out_ignored
from hegui.rules.opt_out.opt003_registered_refusal_ingested import registered_refusal_ingested
from hegui.rules.policy import Policy
from hegui.rules.refusals import refusal_of
from tests.rules.ledgers.telling import outcomes, told

AT_MS = 1_785_556_800_000
CASES = [
    (rule, case)
    for rule in (user_opt_out_ignored, registered_refusal_ingested)
    for case in rule.cases
    # Grace, and what an unknown wish comes to, are the rules' and not the sweep's; nor is the law of the record's day.
    if case.at is None
    and case.given.get("optouts", ()) is not None
    and not {"opt_out_grace_seconds", "opt_out_unknown"} & case.given.keys()
]


@pytest.mark.parametrize(("rule", "case"), CASES, ids=[f"{rule.id} {case.name}" for rule, case in CASES])
def test_the_look_up_finds_a_refusal_where_the_rules_fail(rule, case) -> None:
    facts = Facts(case_snapshot(case), AT_MS, "default", None)
    found = refusal_of(case_event(rule, case), facts)
    assert (found is not None) == (case.outcome is Outcome.FAIL)
    assert found is None or found.value == "deny"


def test_both_rules_have_such_cases_of_either_kind() -> None:
    assert {(rule.id, case.outcome is Outcome.FAIL) for rule, case in CASES} == {
        (rule, fails) for rule in ("OPT001", "OPT003") for fails in (True, False)
    }


@pytest.mark.parametrize("source_type", ["licensed", "commercial", "self_built", None])
def test_other_kinds_of_sources_are_covered_by_nothing(source_type) -> None:
    event = replace(BASE_INGEST, source_type=source_type, url="https://example.com/", user_key=PERSON)
    optouts = loaded([OptOut("domain", "example.com", "deny", 1), OptOut("user", PERSON, "deny", 1)])
    assert refusal_of(event, Facts(Snapshot(Policy(version="v"), optouts), AT_MS, "default", None)) is None


STATEMENT = OptOut("url_prefix", "Example.com/a", "deny", AT_MS, source="list")


def test_a_young_refusal_of_a_user_is_tolerated_as_by_the_rule_and_one_of_a_holder_is_not() -> None:
    person = replace(BASE_INGEST, source_type="user_input", user_key=PERSON)
    page = replace(BASE_INGEST, source_type="crawl", url="https://example.com/")
    optouts = loaded([OptOut("domain", "example.com", "deny", AT_MS), OptOut("user", PERSON, "deny", AT_MS)])

    def refused(event, after_ms, grace_ms) -> bool:
        facts = Facts(Snapshot(Policy(version="v"), optouts), AT_MS + after_ms, "default", None)
        return refusal_of(event, facts, grace_ms=grace_ms) is not None

    assert [refused(person, after, 10) for after in (0, 9, 10)] == [False, False, True]
    assert refused(person, 0, 0)
    assert refused(page, 0, 10)


def test_a_removal_is_named_by_what_a_source_says_of_a_subject_from_when_on() -> None:
    name = removal_id(STATEMENT)
    assert name == removal_id(replace(STATEMENT, subject="example.com/a", valid_to_ms=AT_MS + 1, evidence="x"))
    others = [{"subject": "example.com/b"}, {"source": "other"}, {"category": "mine"}, {"observed_at_ms": 1}]
    assert len({name, *(removal_id(replace(STATEMENT, **other)) for other in others)}) == 5
    # It stands in evidence as it is, whatever it looks like.
    for n in range(2000):
        name = removal_id(replace(STATEMENT, observed_at_ms=n))
        assert safe(Code(name)) == name


def test_the_event_that_names_a_removal_closes_it_and_the_sweep_does_not_open_it_again() -> None:
    policy = Policy(version="v")
    open_ = removal(STATEMENT, "default", "svc")
    state = told(open_)
    due_ms = AT_MS + policy.notice_grace_hours * 3_600_000
    assert state.wake_ms(AT_MS, policy) == due_ms + 1
    assert outcomes(state, AT_MS, policy)["OPT010"] is Outcome.FAIL
    assert outcomes(state, due_ms + 1, policy)["OPT010"] is Outcome.FAIL
    done = NoticeEnvelope(
        id=removal_id(STATEMENT),
        source=REMOVAL_SOURCE,
        time=datetime.fromtimestamp(AT_MS / 1000, UTC),
        specversion="1.0",
        revision=1,
        data=NoticeEvent(service="svc", handled_at_ms=AT_MS),
    )
    (closing,) = case_update(done, Facts(Snapshot(policy), AT_MS, "default", None), AT_MS, AT_MS)
    assert closing.name == open_.name
    state = told(open_, closing, open_)
    assert state.kind == "removal"
    assert outcomes(state, AT_MS, policy)["OPT010"] is Outcome.PASS
