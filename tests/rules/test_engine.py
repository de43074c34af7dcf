"""The engine: outcomes, guards, dates, facts and errors. One event, a few made-up rules."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from hegui.rules import engine as engine_module
from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS, BASE_GENERATION, BASE_INGEST, BASE_POLICY
from hegui.rules.catalog import find_rules
from hegui.rules.core import NOT_APPLICABLE, PASS, Outcome, Result, Rule, Situation, fail, fails, inconclusive, passes
from hegui.rules.engine import Engine
from hegui.rules.events import Event, IngestEvent, ModelReference
from hegui.rules.facts import FactStatus, FactTable, Filing, OptOut, Snapshot, loaded
from hegui.rules.law import SHANGHAI
from hegui.rules.policy import Policy, Service, Waiver
from tests.rules.builders import a_rule, an_engine, evaluated, failing, judged, raising, rule_ids, saying

START_MS = law.LABELLING_MEASURES_ART_4.in_force_from_ms
ANSWERS = [
    (PASS, "pass"),
    (fail("no"), "fail"),
    (NOT_APPLICABLE, "not_applicable"),
    (inconclusive("field"), "inconclusive"),
]
ONLY_VIDEO = {"modality": {"video"}}


def outcomes(*rules: Rule, event: Event = BASE_GENERATION, at_ms: int = BASE_AT_MS, **how: bool) -> list[str]:
    return [str(result.outcome) for result in judged(an_engine(*rules), event, at_ms, **how).values()]


def test_the_outcomes_a_rule_can_say_and_those_of_the_engine() -> None:
    rules = [
        a_rule("LBL901"),
        a_rule("LBL902", failing),
        a_rule("LBL903", saying(NOT_APPLICABLE)),
        a_rule("LBL904", saying(inconclusive("field"))),
        a_rule("LBL905", raising),
        a_rule("LBL906", when=ONLY_VIDEO),
    ]
    assert outcomes(*rules) == ["pass", "fail", "not_applicable", "inconclusive", "error", "not_applicable"]


def test_results_are_in_the_order_of_ids_whatever_the_order_of_rules() -> None:
    rules = [a_rule("OPT901", failing), a_rule("AUT901"), a_rule("LBL901", when=ONLY_VIDEO)]
    assert list(judged(an_engine(*rules), BASE_GENERATION)) == ["AUT901", "LBL901", "OPT901"]
    assert rule_ids(an_engine(*rules).rules) == ["AUT901", "LBL901", "OPT901"]


def test_a_rule_judges_events_of_its_type_only() -> None:
    engine = an_engine(a_rule("LBL901"), a_rule("TRN901", on=IngestEvent, cases=(fails("none"), passes("all"))))
    assert list(judged(engine, BASE_GENERATION)) == ["LBL901"]
    assert list(judged(engine, BASE_INGEST)) == ["TRN901"]


def test_an_engine_without_rules_says_nothing() -> None:
    assert judged(an_engine(), BASE_GENERATION) == {}


@pytest.mark.parametrize(
    ("when", "changes", "outcome"),
    [
        ({"modality": {"image"}}, {}, "pass"),
        ({"modality": {"image", "video"}}, {}, "pass"),
        ({"modality": {"video"}}, {}, "not_applicable"),
        ({"modality": {"image"}}, {"modality": None}, "inconclusive"),
        ({"modality": {"video"}, "delivery": {"download"}}, {"delivery": None}, "not_applicable"),
        ({"delivery": {"download"}, "modality": {"video"}}, {"delivery": None}, "not_applicable"),
        ({"delivery": {"download"}, "modality": {"image"}}, {"delivery": None}, "inconclusive"),
        ({"exported": {True}}, {"exported": False}, "not_applicable"),
        ({"exported": {False}}, {"exported": False}, "pass"),
        ({"exported": {True}}, {"exported": None}, "inconclusive"),
        ({"deep_synthesis_category": {1}}, {"deep_synthesis_category": 0}, "not_applicable"),
    ],
)
def test_guards(when: dict, changes: dict, outcome: str) -> None:
    assert outcomes(a_rule(when=when), event=replace(BASE_GENERATION, **changes)) == [outcome]


def test_an_unknown_guard_is_named_and_the_rule_is_not_called() -> None:
    rule = a_rule("LBL901", raising, when={"modality": {"image"}, "delivery": {"copy"}})
    result = judged(an_engine(rule), replace(BASE_GENERATION, modality=None, delivery=None))["LBL901"]
    assert result == inconclusive("modality", "delivery")


def policy_of(**service: object) -> Snapshot:
    return Snapshot(Policy(version="v", services=(Service(name="svc", team="t", **service),)), loaded(()), loaded(()))


@pytest.mark.parametrize(
    ("registered", "claimed", "outcome"),
    [
        ({"public_cn": True}, False, "pass"),
        ({"public_cn": False}, True, "not_applicable"),
        ({}, True, "inconclusive"),
    ],
)
def test_the_registry_decides_what_a_known_service_is(registered: dict, claimed: bool, outcome: str) -> None:
    engine = an_engine(a_rule(when={"public_cn": {True}}), snapshot=policy_of(**registered))
    event = replace(BASE_GENERATION, public_cn=claimed)
    assert judged(engine, event)["LBL901"].outcome == outcome


@pytest.mark.parametrize(("claimed", "outcome"), [(True, "pass"), (False, "not_applicable"), (None, "inconclusive")])
def test_the_word_of_an_unknown_service_counts(claimed: bool | None, outcome: str) -> None:
    event = replace(BASE_GENERATION, service="unheard-of", public_cn=claimed)
    assert outcomes(a_rule(when={"public_cn": {True}}), event=event) == [outcome]


@pytest.mark.parametrize(
    ("at_ms", "outcome"),
    [(0, "not_applicable"), (START_MS - 1, "not_applicable"), (START_MS, "fail"), (START_MS + 1, "fail")],
)
def test_law_begins_at_the_millisecond_in_the_events_time(at_ms: int, outcome: str) -> None:
    assert outcomes(a_rule("LBL901", failing), at_ms=at_ms) == [outcome]


def test_each_rule_has_its_own_date() -> None:
    rules = [
        a_rule("LBL901", failing, basis=(law.PIPL_ART_40,)),
        a_rule("LBL902", failing, basis=(law.DEEP_SYNTHESIS_ART_17,)),
        a_rule("LBL903", failing),
    ]
    seen = [outcomes(*rules, at_ms=rule.in_force_from_ms + shift).count("fail") for rule in rules for shift in (-1, 0)]
    assert seen == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize("at_ms", [0, START_MS - 1, START_MS, BASE_AT_MS])
def test_a_time_that_cannot_be_trusted_decides_nothing(at_ms: int) -> None:
    rules = [
        a_rule("LBL901", failing),
        a_rule("LBL902", when=ONLY_VIDEO),
        a_rule("LBL903", when={"role": {"generator"}}),
    ]
    results = judged(an_engine(*rules), BASE_GENERATION, at_ms, trusted=False)
    assert [str(result.outcome) for result in results.values()] == ["inconclusive", "not_applicable", "inconclusive"]
    assert results["LBL901"].reason == "cannot be decided without a time that agrees with the broker's"


def table(status: FactStatus) -> FactTable:
    return FactTable(status)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(FactStatus.UNDECLARED, "inconclusive"), (FactStatus.LOADING, "inconclusive"), (FactStatus.READY, "fail")],
)
@pytest.mark.parametrize("need", ["optouts", "filings", "notices"])
def test_facts_that_are_not_ready_decide_nothing(need: str, status: FactStatus, outcome: str) -> None:
    snapshot = Snapshot(replace(BASE_POLICY, filings=()), **{need: table(status)})
    result = judged(an_engine(a_rule("LBL901", failing, needs=(need,)), snapshot=snapshot), BASE_GENERATION)["LBL901"]
    assert result.outcome == outcome
    if outcome == "inconclusive":
        assert result.evidence == {"missing": f"the facts {need} ({status})"}


def test_an_excluding_guard_comes_before_facts_that_are_not_ready() -> None:
    engine = an_engine(a_rule(when=ONLY_VIDEO, needs=("optouts",)), snapshot=Snapshot(BASE_POLICY))
    assert judged(engine, BASE_GENERATION)["LBL901"] is NOT_APPLICABLE


def test_an_engine_is_current_until_a_table_becomes_ready() -> None:
    snapshot = Snapshot(BASE_POLICY, FactTable[OptOut](FactStatus.LOADING), FactTable[Filing](FactStatus.READY))
    engine = an_engine(snapshot=snapshot)
    assert engine.is_current()
    snapshot.optouts.status = FactStatus.READY
    assert not engine.is_current()


def test_a_rule_that_raises_is_an_error_without_the_message_and_the_others_run() -> None:
    rules = [a_rule("LBL901", raising), a_rule("LBL902", failing), a_rule("LBL903")]
    results = judged(an_engine(*rules), BASE_GENERATION)
    assert results["LBL901"] == Result(Outcome.ERROR, "the rule raised ValueError")
    assert results["LBL902"].outcome is Outcome.FAIL
    assert results["LBL903"] is PASS


def recursing(event: Event, facts: object) -> Result:
    return recursing(event, facts)


@pytest.mark.parametrize("check", [saying(None), saying("pass"), recursing])
def test_a_rule_that_returns_no_result_or_never_ends_is_an_error(check: object) -> None:
    results = judged(an_engine(a_rule("LBL901", check), a_rule("LBL902", failing)), BASE_GENERATION)
    assert [results["LBL901"].outcome, results["LBL902"].outcome] == [Outcome.ERROR, Outcome.FAIL]


@pytest.mark.parametrize(("answer", "outcome"), ANSWERS)
def test_a_rule_of_the_situation_is_judged_once_for_all_its_events(answer: Result, outcome: str) -> None:
    seen: list[Situation] = []

    def looking(situation: Situation, facts: object) -> Result:
        seen.append(situation)
        return answer

    engine = an_engine(a_rule("LBL901", looking, of=Situation))
    for log_region in ("cn", "us", "sg"):
        assert judged(engine, replace(BASE_GENERATION, log_region=log_region))["LBL901"].outcome == outcome
    (situation,) = seen
    assert situation.service == BASE_POLICY.services[0]
    assert (situation.time_trusted, situation.identity) == (True, "unique")
    assert situation.guards["modality"] == "image"


def test_a_rule_of_the_situation_that_raises_is_an_error_of_every_event() -> None:
    engine = an_engine(a_rule("LBL901", raising, of=Situation), a_rule("LBL902"))
    for _ in range(2):
        results = judged(engine, BASE_GENERATION)
        assert results["LBL901"] == Result(Outcome.ERROR, "the rule raised ValueError")
        assert results["LBL902"] is PASS


@pytest.mark.parametrize("any_time", [False, True])
@pytest.mark.parametrize(("at_ms", "trusted"), [(0, True), (BASE_AT_MS, False)])
def test_a_rule_of_any_time_judges_before_the_law_and_without_trust(any_time: bool, at_ms: int, trusted: bool) -> None:
    said = outcomes(a_rule("LBL901", failing, any_time=any_time), at_ms=at_ms, trusted=trusted)
    assert said == (["fail"] if any_time else ["not_applicable"] if trusted else ["inconclusive"])


def test_a_reused_identity_is_told_to_the_situation_only() -> None:
    seen = []

    def looking(situation: Situation, facts: object) -> Result:
        seen.append((situation.identity, situation.time_trusted))
        return PASS

    book = [a_rule("LBL901", looking, of=Situation, any_time=True), a_rule("LBL902", failing)]
    snapshot = Snapshot(BASE_POLICY)
    for watched in (True, False):
        engine = Engine(book, snapshot, identities_watched=watched)
        for reused in (True, False, True):
            assert judged(engine, BASE_GENERATION, reused=reused)["LBL902"].outcome is Outcome.FAIL
        assert judged(engine, BASE_GENERATION, trusted=False)["LBL902"].outcome is Outcome.INCONCLUSIVE
    assert seen[:3] == [("reused", True), ("unique", True), ("unique", False)]
    assert {identity for identity, _ in seen[3:]} == {"unwatched"}


def test_odd_values_do_not_make_plans_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "MAX_PLANS", 3)
    engine = an_engine(a_rule("LBL901", failing))
    group = engine.group("default", "svc")
    for category in (*range(6), *range(6)):
        result = judged(engine, replace(BASE_GENERATION, deep_synthesis_category=category))["LBL901"]
        assert result.outcome is Outcome.FAIL
        assert all(len(plans) <= 3 for plans in group.plans[type(BASE_GENERATION)].values())


def counting(answer: Result | None) -> tuple[list[object], Callable[[Any, Any], Result]]:
    """Return the values of `modality` that a check was asked about, and the check; None raises."""
    asked: list[object] = []

    def check(event: Any, facts: object) -> Result:
        asked.append(event.modality)
        if answer is None:
            raise ValueError("some content of the event")
        return answer

    return asked, check


@pytest.mark.parametrize(("answer", "outcome"), [*ANSWERS, (Result(Outcome.PASS), "pass"), (None, "error")])
def test_a_rule_that_depends_on_one_field_is_asked_once_for_each_value(answer: Result | None, outcome: str) -> None:
    asked, check = counting(answer)
    engine = an_engine(a_rule("LBL901", check, depends="log_region"), a_rule("LBL902", failing))
    for log_region in ("cn", "us", "cn", None, None, "us"):
        results = judged(engine, replace(BASE_GENERATION, log_region=log_region))
        assert (results["LBL901"].outcome, results["LBL902"].outcome) == (outcome, "fail")
    assert len(asked) == 3
    judged(engine, BASE_GENERATION, START_MS - 1)
    judged(engine, replace(BASE_GENERATION, service="unheard-of"))
    assert len(asked) == 4  # each service has answers of its own; before the law nobody is asked


def test_answers_are_kept_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "MAX_ANSWERS", 3)
    asked, check = counting(fail("no"))
    engine = an_engine(a_rule("LBL901", check, depends="log_region"))
    for number in (0, 1, 2, 2, 3, 3, 0):
        event = replace(BASE_GENERATION, log_region=f"cn-{number}")
        assert judged(engine, event)["LBL901"].outcome is Outcome.FAIL
    (plan,) = {evaluated(engine, BASE_GENERATION)[0]}
    assert all(len(answers.known) <= 3 for answers in plan.answers)
    assert len(asked) == 6


def test_a_kept_answer_is_asked_anew_when_a_filing_begins_or_another_arrives() -> None:
    filings = loaded([Filing("model-x", "n", BASE_AT_MS)])
    rule = next(rule for rule in find_rules() if rule.id == "FIL001")
    assert rule.depends == "model"
    engine = an_engine(rule, snapshot=Snapshot(BASE_POLICY, None, filings))
    event = replace(BASE_GENERATION, model=ModelReference(id="model-x"))
    seen = [judged(engine, event, BASE_AT_MS + ms)["FIL001"].outcome for ms in (-1, 0, -1, 1)]
    assert seen == ["fail", "pass", "fail", "pass"]
    assert engine.is_current()
    filings.put(b"1", Filing("model-y", "n", 0))
    assert not engine.is_current()


@pytest.mark.parametrize(("answer", "outcome"), [*ANSWERS, (None, "error")])
def test_rules_that_share_a_screen_are_called_only_where_it_does_not_pass(answer: Result | None, outcome: str) -> None:
    asked, check = counting(answer)
    looks: list[object] = []

    def screen(event: Any, facts: object) -> bool:
        looks.append(event.modality)
        return event.modality == "image"

    engine = an_engine(a_rule("LBL901", check, screen=screen), a_rule("LBL902", check, screen=screen))
    assert judged(engine, BASE_GENERATION) == {"LBL901": PASS, "LBL902": PASS}
    assert (looks, asked) == (["image"], [])
    results = judged(engine, replace(BASE_GENERATION, modality="video"))
    assert [result.outcome for result in results.values()] == [outcome, outcome]
    assert (looks, asked) == (["image", "video"], ["video", "video"])


def test_a_screen_that_raises_leaves_the_answer_to_the_rules() -> None:
    engine = an_engine(a_rule("LBL901", failing, screen=raising), a_rule("LBL902", screen=raising))
    results = judged(engine, BASE_GENERATION)
    assert [result.outcome for result in results.values()] == [Outcome.FAIL, Outcome.PASS]


def test_waivers_reach_rules_of_every_way_of_judging() -> None:
    book = [
        a_rule("LBL901", failing),
        a_rule("LBL902", failing, depends="model"),
        a_rule("LBL903", failing, screen=lambda event, facts: False),
        a_rule("LBL904", saying(fail("no")), of=Situation),
    ]
    waiver = Waiver(
        id="w-1",
        scope="LBL@default/svc",
        reason="a reason that is long enough",
        ticket="T-1",
        owner="Zhang San",
        approver="Li Si",
        valid_from=datetime(2026, 1, 1, tzinfo=SHANGHAI),
        valid_to=datetime(2026, 9, 1, tzinfo=SHANGHAI),
    )
    engine = an_engine(*book, snapshot=Snapshot(replace(BASE_POLICY, waivers=(waiver,))))
    for at_ms, outcome in ((BASE_AT_MS, Outcome.WAIVED), (BASE_AT_MS + 90 * 86_400_000, Outcome.FAIL)):
        for _ in range(2):
            results = judged(engine, BASE_GENERATION, at_ms)
            assert [result.outcome for result in results.values()] == [outcome] * 4
            assert {result.waiver or result.expired_waiver for result in results.values()} == {"w-1"}


def test_passing_rules_leave_no_trace_but_the_plan() -> None:
    engine = an_engine(a_rule())
    plan, deviations = engine.evaluate(engine.group("default", "svc"), BASE_GENERATION, BASE_AT_MS)
    assert deviations is None
    assert plan.outcomes(()) == {"LBL901": PASS}


def test_a_rule_sees_the_facts_of_its_event() -> None:
    seen = []

    def looking(event: Event, facts: object) -> Result:
        seen.append((facts.at_ms, facts.tenant, facts.service, facts.policy))
        return PASS

    engine = an_engine(a_rule("LBL901", looking))
    evaluated(engine, BASE_GENERATION, START_MS)
    evaluated(engine, replace(BASE_GENERATION, service="unheard-of"), tenant="nobody")
    assert seen == [
        (START_MS, "default", BASE_POLICY.services[0], BASE_POLICY),
        (BASE_AT_MS, "other", None, BASE_POLICY),
    ]
