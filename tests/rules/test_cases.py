"""Every case of every rule, and what all rules have in common."""

import re
from collections.abc import Callable
from datetime import datetime

import pytest

from hegui.rules.cases import BASE_AT, BASE_AT_MS, BASES, case_event, case_snapshot, judge_case, run_cases
from hegui.rules.catalog import FAMILIES, find_rules
from hegui.rules.core import Case, Outcome, Rule, passes
from hegui.rules.engine import Engine
from hegui.rules.guards import GUARDS
from tests.rules.builders import a_rule, failing, judged

RULES = find_rules()
EVERY_CASE = [pytest.param(rule, case, id=f"{rule.id} {case.name}") for rule in RULES for case in rule.cases]
EVERY_RULE = [pytest.param(rule, id=rule.id) for rule in RULES]


@pytest.mark.parametrize(("rule", "case"), EVERY_CASE)
def test_rule_case(rule: Rule, case: Case) -> None:
    result = judge_case(rule, case)
    assert result.outcome is case.outcome, result.reason


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.PASS, Outcome.NOT_APPLICABLE, Outcome.INCONCLUSIVE])
@pytest.mark.parametrize("rule", EVERY_RULE)
def test_every_rule_shows_each_outcome_it_can_have(rule: Rule, outcome: Outcome) -> None:
    if rule.any_time and outcome is not Outcome.FAIL:  # EVT rules judge every event: some have no way out
        return
    assert outcome in {case.outcome for case in rule.cases}


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_every_rule_has_a_case_of_the_last_second_before_the_law(rule: Rule) -> None:
    if rule.any_time:
        return
    before = [round(datetime.fromisoformat(c.at).timestamp() * 1000) for c in rule.cases if c.at is not None]
    assert rule.in_force_from_ms - 1000 in before


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_a_rule_begins_at_the_millisecond_of_a_clause_that_is_established(rule: Rule) -> None:
    counting = [clause for clause in rule.basis if rule.stage == "sandbox" or clause.confidence != "M"]
    assert rule.in_force_from_ms in {clause.in_force_from_ms for clause in counting}
    if rule.any_time:
        return
    for case in rule.cases:
        event, engine = case_event(rule, case), Engine([rule], case_snapshot(case))
        before = judged(engine, event, rule.in_force_from_ms - 1)[rule.id]
        assert before.outcome is Outcome.NOT_APPLICABLE
    bad = next(case for case in rule.cases if case.outcome is Outcome.FAIL and case.at is None)
    at_start = judged(Engine([rule], case_snapshot(bad)), case_event(rule, bad), rule.in_force_from_ms)[rule.id]
    assert at_start.outcome is not Outcome.NOT_APPLICABLE


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_an_unknown_guard_makes_every_rule_inconclusive(rule: Rule) -> None:
    good = next(case for case in rule.cases if case.outcome is Outcome.FAIL and case.at is None)
    engine = Engine([rule], case_snapshot(good))
    for guard in rule.when:
        # Some ask whether there is any of a group, which is never unknown.
        if guard not in GUARDS[rule.on].of_event or guard in {"unlabelled_request", "annotation"}:
            continue
        unknown = case_event(rule, Case("", Outcome.FAIL, {**good.changes, guard.partition(".")[0]: None}))
        result = judged(engine, unknown)[rule.id]
        assert result.outcome is Outcome.INCONCLUSIVE
        assert guard in str(result.evidence["missing"])


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_docstring_is_a_title_a_reason_and_a_runbook_of_two_or_three_steps(rule: Rule) -> None:
    lines = rule.doc.splitlines()
    assert lines[0].endswith(".")
    assert not lines[1]
    assert rule.title == lines[0][:-1]
    runbook = rule.doc.partition("\nWhen it fires:\n")[2]
    assert re.findall(r"^(\d)\. ", runbook, re.MULTILINE) in (["1", "2"], ["1", "2", "3"])
    assert re.search(r"^Why: \S", rule.doc, re.MULTILINE)


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_chinese_title_is_chinese(rule: Rule) -> None:
    assert re.search(r"[\u4e00-\u9fff]", rule.title_zh)


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_id_family_file_and_function_agree(rule: Rule) -> None:
    assert re.fullmatch(FAMILIES[rule.family] + r"\d{3}", rule.id)
    module = rule.check.__module__
    assert module == f"hegui.rules.{rule.family}.{rule.id.lower()}_{rule.check.__name__}"


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_every_clause_has_source_and_date(rule: Rule) -> None:
    for clause in rule.basis:
        assert clause.source.startswith("https://")
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", clause.in_force_from)
        assert clause.in_force_from_ms > 0
        assert re.search(r"[\u4e00-\u9fff]", clause.instrument_zh)
    assert len({clause.id for clause in rule.basis}) == len(rule.basis)


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_stable_rules_rest_on_more_than_memory(rule: Rule) -> None:
    confidences = {clause.confidence for clause in rule.basis}
    assert confidences - {"M"} if rule.stage == "stable" else rule.stage in {"sandbox", "deprecated"}


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_evidence_of_every_failing_case_is_small_and_flat(rule: Rule) -> None:
    for case in rule.cases:
        if case.outcome is Outcome.FAIL:
            result = judge_case(rule, case)
            assert result.reason
            assert result.evidence
            assert all(isinstance(value, str | int | float | bool | None) for value in result.evidence.values())


def test_ids_are_unique_and_in_order() -> None:
    ids = [rule.id for rule in RULES]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("event", BASES.values(), ids=lambda event: type(event).__name__)
def test_the_base_events_pass_or_lie_outside_every_rule(event: object) -> None:
    engine = Engine([rule for rule in RULES if rule.on is type(event)], case_snapshot(passes("base")))
    outcomes = {result.outcome for result in judged(engine, event).values()}
    assert outcomes and outcomes <= {Outcome.PASS, Outcome.NOT_APPLICABLE}


def test_the_base_time_is_one_instant_in_both_spellings() -> None:
    assert datetime.fromisoformat(BASE_AT).timestamp() * 1000 == BASE_AT_MS


@pytest.mark.parametrize(("check", "wrong"), [(failing, "good"), (None, "bad")])
def test_run_cases_names_the_cases_that_came_out_otherwise(check: Callable | None, wrong: str) -> None:
    assert [case.name for case, _ in run_cases(a_rule("LBL901", check))] == [wrong]
