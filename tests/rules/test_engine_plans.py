"""Groups and plans: finite names, one plan per kind of event, counts by subtraction; and the hash of the rules."""

from collections import Counter
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS, BASE_GENERATION, BASE_POLICY
from hegui.rules.catalog import find_rules
from hegui.rules.core import PASS, Outcome, Result, Rule, fail, inconclusive
from hegui.rules.engine import Engine, Group, Plan, rule_set_hash
from hegui.rules.events import Event, GenerationEvent
from hegui.rules.facts import Snapshot
from hegui.rules.guards import GUARDS
from hegui.rules.policy import Policy, Service
from tests.rules.builders import a_rule, an_engine, evaluated, failing
from tests.rules.strategies import of_type

SERVICES = (Service(name="svc", team="t"), Service(name="svc", team="t", tenant="a"), Service(name="b", team="t"))


@pytest.mark.parametrize(
    ("tenant", "service", "names"),
    [
        ("default", "svc", ("default", "svc")),
        ("a", "svc", ("a", "svc")),
        ("a", "b", ("a", "other")),
        ("default", "unheard-of", ("default", "other")),
        ("unheard-of", "svc", ("other", "other")),
        ("other", "svc", ("other", "other")),
        ("a", "other", ("a", "other")),
    ],
)
def test_names_that_the_policy_does_not_list_become_other(tenant: str, service: str, names: tuple[str, str]) -> None:
    engine = Engine((), Snapshot(Policy(version="v", services=SERVICES)))
    group = engine.group(tenant, service)
    assert (group.tenant, group.label) == names
    assert (group.service is None) == (group.label == "other")


def test_the_groups_are_all_names_that_results_and_labels_can_have() -> None:
    engine = Engine((), Snapshot(Policy(version="v", services=SERVICES)))
    listed = {(group.tenant, group.label) for group in engine.groups()}
    assert listed == {
        ("default", "svc"),
        ("default", "b"),
        ("default", "other"),
        ("a", "svc"),
        ("a", "other"),
        ("other", "other"),
    }
    assert len(listed) == len(list(engine.groups()))


def test_an_unknown_tenant_lands_in_other_even_without_any_service() -> None:
    assert Engine((), Snapshot(Policy(version="v"))).group("x", "y").tenant == "other"


def plans_of(group: Group) -> list[Plan]:
    return [plan for eras in group.plans.values() for plans in eras.values() for plan in plans.values()]


def test_events_of_one_kind_share_one_plan() -> None:
    engine = an_engine(*find_rules())
    events = [replace(BASE_GENERATION, user_key=f"k1:{n:064x}", log_region=f"cn-{n}") for n in range(50)]
    plans = {evaluated(engine, event, BASE_AT_MS + n)[0] for n, event in enumerate(events)}
    assert len(plans) == 1
    assert len(plans_of(engine.group("default", "svc"))) == 1


def test_services_eras_and_trust_have_plans_of_their_own() -> None:
    engine = an_engine(a_rule())
    old_ms = law.LABELLING_MEASURES_ART_4.in_force_from_ms - 1
    other = replace(BASE_GENERATION, service="unheard-of")
    plans = [
        evaluated(engine, BASE_GENERATION)[0],
        evaluated(engine, BASE_GENERATION, old_ms)[0],
        evaluated(engine, BASE_GENERATION, trusted=False)[0],
        evaluated(engine, other)[0],
    ]
    assert len(set(plans)) == 4
    assert [evaluated(engine, BASE_GENERATION, old_ms - 1)[0], evaluated(engine, other)[0]] == [plans[1], plans[3]]


@settings(max_examples=15, deadline=None)
@given(st.lists(of_type(GenerationEvent, service=st.sampled_from(["svc", "x", "y"])), max_size=40))
def test_plans_are_bounded_by_the_values_of_the_guards(events: list[Event]) -> None:
    engine = an_engine(*find_rules())
    for event in events:
        evaluated(engine, event)
    keys = {GUARDS[GenerationEvent].key(event) for event in events}
    made = sum(len(plans_of(group)) for group in engine.groups())
    assert made <= 2 * len(keys)
    assert made <= 2 * prod(len(values) + 1 for values in GUARDS[GenerationEvent].values.values())


def test_what_is_known_of_plans_is_bounded_too_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hegui.rules.engine.MAX_PLANS", 3)
    engine = an_engine(a_rule())
    era = engine.era(BASE_AT_MS)
    kinds = [replace(BASE_GENERATION, deep_synthesis_category=category) for category in range(6)]
    for met, event in enumerate(kinds, 1):
        plan = engine.meet("default", event, BASE_AT_MS, era)
        assert plan.group is engine.group("default", "svc")
        assert len(engine.known_plans(era)) == (met - 1) % 3 + 1
    engine.meet("default", replace(BASE_GENERATION, service="unheard-of"), BASE_AT_MS, era)
    engine.meet("default", kinds[-1], BASE_AT_MS, era, reused=True)
    assert len(engine.known_plans(era)) == 3


def by_category(event: GenerationEvent, facts: object) -> Result:
    category = event.deep_synthesis_category
    return (PASS, fail("one"), inconclusive("two"), Result(Outcome.NOT_APPLICABLE))[(category or 0) % 4]


BOOK = (
    a_rule("LBL901", by_category),
    a_rule("LBL902", failing, when={"modality": {"video"}}),
    a_rule("LBL903", by_category, when={"exported": {True}}),
    a_rule("LBL904", needs=("filings",)),
    a_rule("LBL905", by_category, basis=(law.DEEP_SYNTHESIS_ART_17,)),
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            of_type(GenerationEvent, service=st.sampled_from(["svc", "x"])),
            st.sampled_from([0, law.DEEP_SYNTHESIS_ART_17.in_force_from_ms, BASE_AT_MS]),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_counting_by_subtraction_gives_the_same_numbers_as_counting(events: list[tuple[Event, int, bool]]) -> None:
    engine = Engine(BOOK, Snapshot(BASE_POLICY))
    one_by_one: Counter[tuple[str, Outcome]] = Counter()
    met: Counter[Plan] = Counter()
    deviated: Counter[tuple[Plan, Rule, Outcome]] = Counter()
    for event, at_ms, trusted in events:
        plan, deviations = evaluated(engine, event, at_ms, trusted=trusted)
        one_by_one.update((rule, result.outcome) for rule, result in plan.outcomes(deviations).items())
        met[plan] += 1
        deviated.update((plan, rule, result.outcome) for rule, result in deviations)
    counted: Counter[tuple[str, Outcome]] = Counter()
    for plan, times in met.items():
        for _, rule in plan.calls:
            counted[rule.id, Outcome.PASS] += times - sum(deviated[plan, rule, outcome] for outcome in Outcome)
        counted.update({(rule.id, Outcome.NOT_APPLICABLE): times for rule in plan.not_applicable})
        counted.update({(rule.id, Outcome.INCONCLUSIVE): times for rule, _ in plan.inconclusive})
    for (_, rule, outcome), times in deviated.items():
        counted[rule.id, outcome] += times
    assert +counted == +one_by_one
    assert sum(counted.values()) == len(BOOK) * len(events)


def _changed_source() -> Rule:
    scope = {"PASS": PASS, "__name__": "x"}
    exec("def check(event, facts):\n    return PASS if event else None\n", scope)
    return a_rule("LBL901", scope["check"])


@pytest.mark.parametrize(
    "changed",
    [
        a_rule("LBL902"),
        a_rule(severity="low"),
        a_rule(stage="sandbox"),
        a_rule(basis=(law.LABELLING_MEASURES_ART_5,)),
        a_rule(basis=(law.LABELLING_MEASURES_ART_4, law.LABELLING_MEASURES_ART_5)),
        a_rule(basis=(replace(law.LABELLING_MEASURES_ART_4, in_force_from="2025-09-02"),)),
        _changed_source(),
    ],
    ids=["id", "severity", "stage", "clause", "more clauses", "date", "source"],
)
def test_the_hash_of_the_rules_changes_with_what_a_rule_is(changed: Rule) -> None:
    before = rule_set_hash([a_rule()])
    assert rule_set_hash([changed]) != before
    assert rule_set_hash([a_rule(), changed]) != before
    assert len(before) == 16


def test_the_hash_of_the_rules_is_the_same_for_the_same_rules() -> None:
    assert rule_set_hash([a_rule(), a_rule("LBL902")]) == rule_set_hash([a_rule(), a_rule("LBL902")])
    engine = an_engine(a_rule("LBL902"), a_rule())
    assert engine.rule_set == rule_set_hash([a_rule(), a_rule("LBL902")])
