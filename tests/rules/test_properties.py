"""Whatever an event and the facts hold: the engine answers for every rule, and no content stands in an answer."""

import dataclasses
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hegui.rules.cases import BASE_AT_MS, GOOD_LABEL
from hegui.rules.catalog import find_rules
from hegui.rules.core import Outcome, Rule
from hegui.rules.engine import Engine
from hegui.rules.events import Event, GenerationEvent, IngestEvent
from hegui.rules.facts import FactStatus, FactTable, Filing, Notice, OptOut, Snapshot, loaded
from hegui.rules.fields_read import fields_read
from hegui.rules.guards import GUARDS
from hegui.rules.policy import Entity, ModelFiling, ModelTest, Policy, Service, ZoneList
from hegui.rules.violations import violation
from tests.rules.builders import evaluated
from tests.rules.strategies import WEIRD, of_type

RULES = find_rules()
IDS = {on: {rule.id for rule in RULES if rule.on is on} for on in (GenerationEvent, IngestEvent)}
ANY_TIME = {rule.id for rule in RULES if rule.any_time}
"""Rules about the event itself: they judge whatever its time is."""
FIRST_LAW_MS = min(rule.in_force_from_ms for rule in RULES if not rule.any_time)
YEAR_9990_MS = 253_086_422_400_000

MARKERS = (
    "我 想 知道 张三 的 病历",
    "zhang.san@example.com",
    "13800138000",
    "11010519491231002X",
    "https://example.com/chat?user=zhang&q=secret",
)
MARKED = st.one_of(
    st.sampled_from(MARKERS),
    st.builds("{} {}".format, st.sampled_from(MARKERS), st.sampled_from(MARKERS)),
    st.builds(
        lambda key, marker: json.dumps({**json.loads(GOOD_LABEL), key: marker}),
        st.sampled_from([*json.loads(GOOD_LABEL), "Name"]),
        st.sampled_from(MARKERS),
    ),
    st.sampled_from(MARKERS).map('{{"AIGC":{{"Label":"{}"}}}}'.format),
    st.sampled_from(MARKERS).map("https://{}/".format),
)
"""Free-form text that always holds a marker; some of it shaped as the rules expect it."""


ENTITIES = st.none() | st.sampled_from(["company", "company", "nobody"])
REGISTERED = of_type(Service, tenant=st.just("default"), entity=ENTITIES)
POLICIES = st.builds(
    Policy,
    version=st.just("v"),
    services=st.tuples(
        REGISTERED.map(lambda service: replace(service, name="svc")),
        REGISTERED.map(lambda service: replace(service, name="pipeline")),
    ),
    entities=st.tuples(of_type(Entity, name=st.just("company"))),
    filings=st.lists(of_type(ModelFiling), max_size=1).map(tuple),
    model_tests=st.lists(of_type(ModelTest), max_size=2).map(tuple),
    zone_lists=st.lists(of_type(ZoneList), max_size=2).map(tuple),
    opt_out_grace_seconds=st.integers(0, 10**9),
    opt_out_unknown=st.sampled_from(["pass", "inconclusive", "fail"]),
    notice_grace_hours=st.integers(0, 10**6),
    evidence_grace_minutes=st.integers(0, 10**6),
    similarity_percent=st.integers(1, 100),
    training_switch_clicks=st.integers(1, 10),
    mainland_regions=st.sampled_from([(), ("cn",), ("", "é")]),
)
"""Arbitrary policies over the services and entities that events name, checked or not."""


ANY_STATUS = st.sampled_from(FactStatus)


def snapshots(
    text: st.SearchStrategy[str] = WEIRD, status: st.SearchStrategy[FactStatus] = ANY_STATUS
) -> st.SearchStrategy[Snapshot]:
    """Return a strategy of arbitrary facts, in any state of readiness."""
    records = [st.lists(of_type(record, text=text), max_size=3) for record in (OptOut, Filing, Notice)]

    def table(records: list[Any], status: FactStatus) -> FactTable[Any]:
        made: FactTable[Any] = loaded(records)
        made.status = status
        return made

    return st.builds(Snapshot, POLICIES, *(st.builds(table, of_kind, status) for of_kind in records))


SERVICES = st.sampled_from(["svc", "pipeline", "svc", "pipeline", "unheard-of"])
EVENTS: st.SearchStrategy[Event] = of_type(GenerationEvent, service=SERVICES) | of_type(IngestEvent, service=SERVICES)
TIMES = st.integers(0, YEAR_9990_MS) | st.sampled_from([BASE_AT_MS, *(rule.in_force_from_ms for rule in RULES)])
BIG = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=200, deadline=None, suppress_health_check=BIG)
@given(snapshots(), EVENTS, TIMES, st.booleans(), st.booleans())
def test_the_engine_answers_for_exactly_the_rules_of_the_type_and_no_rule_raises(
    snapshot: Snapshot, event: Event, at_ms: int, trusted: bool, reused: bool
) -> None:
    plan, deviations = evaluated(Engine(RULES, snapshot), event, at_ms, trusted=trusted, reused=reused)
    results = plan.outcomes(deviations)
    assert results.keys() == IDS[type(event)]
    assert {rule_id: r.reason for rule_id, r in results.items() if r.outcome is Outcome.ERROR} == {}
    for result in results.values():
        assert (result.outcome in {Outcome.PASS, Outcome.NOT_APPLICABLE}) == (not result.reason)
    if not trusted:
        of_law = {result.outcome for rule_id, result in results.items() if rule_id not in ANY_TIME}
        assert of_law <= {Outcome.NOT_APPLICABLE, Outcome.INCONCLUSIVE}


@settings(max_examples=40, deadline=None, suppress_health_check=BIG)
@given(snapshots(), EVENTS, st.integers(0, FIRST_LAW_MS - 1))
def test_before_the_first_law_only_the_event_itself_is_judged(snapshot: Snapshot, event: Event, at_ms: int) -> None:
    plan, deviations = evaluated(Engine(RULES, snapshot), event, at_ms)
    results = plan.outcomes(deviations)
    assert {rule_id for rule_id, r in results.items() if r.outcome is not Outcome.NOT_APPLICABLE} <= ANY_TIME
    clocks = {"EVT002", "EVT005"} & results.keys()
    assert [results[rule_id].outcome for rule_id in clocks] == [Outcome.PASS]


@settings(max_examples=40, deadline=None, suppress_health_check=BIG)
@given(snapshots(), EVENTS, TIMES, st.booleans(), st.booleans())
def test_clock_and_identity_are_judged_of_every_event(
    snapshot: Snapshot, event: Event, at_ms: int, trusted: bool, reused: bool
) -> None:
    plan, deviations = evaluated(Engine(RULES, snapshot), event, at_ms, trusted=trusted, reused=reused)
    results = plan.outcomes(deviations)
    clock, identity = ("EVT002", "EVT004") if isinstance(event, GenerationEvent) else ("EVT005", "EVT006")
    assert results[clock].outcome is (Outcome.PASS if trusted else Outcome.FAIL)
    assert results[identity].outcome is (Outcome.FAIL if reused else Outcome.PASS)


@settings(max_examples=50, deadline=None, suppress_health_check=BIG)
@given(snapshots(), EVENTS, TIMES)
def test_the_same_event_and_facts_give_the_same_answers(snapshot: Snapshot, event: Event, at_ms: int) -> None:
    copy = msgspec.json.decode(msgspec.json.encode(event), type=type(event))
    answers = []
    for each in (event, copy):
        plan, deviations = evaluated(Engine(RULES, snapshot), each, at_ms)
        answers.append(plan.outcomes(deviations))
    assert answers[0] == answers[1]


PLAIN = [dataclasses.replace(rule, screen=None, depends=None) for rule in RULES]
"""The same rules, each called for every event."""


@settings(max_examples=100, deadline=None, suppress_health_check=BIG)
@given(snapshots(), st.lists(st.tuples(EVENTS, TIMES), min_size=1, max_size=6))
def test_screens_and_kept_answers_change_no_answer(snapshot: Snapshot, events: list[tuple[Event, int]]) -> None:
    engine, plain = Engine(RULES, snapshot), Engine(PLAIN, snapshot)
    for event, at_ms in [*events, *events]:
        quick, slow = (evaluated(each, event, at_ms) for each in (engine, plain))
        assert quick[0].outcomes(quick[1]) == slow[0].outcomes(slow[1])


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in RULES if rule.depends is not None])
def test_a_rule_that_depends_on_one_field_reads_no_other(rule: Rule) -> None:
    guards = set(GUARDS[rule.on].of_event) & set(rule.when)
    assert {name.partition(".")[0] for name in set(fields_read(rule)) - guards} == {rule.depends}


def assert_no_content(text: str) -> None:
    for marker in MARKERS:
        assert marker not in text
        assert marker.partition(" ")[0] not in text


MARKED_EVENTS: st.SearchStrategy[Any] = st.one_of(
    of_type(GenerationEvent, text=MARKED, service=SERVICES | MARKED, deep_synthesis_category=st.integers(1, 5)),
    of_type(IngestEvent, text=MARKED, service=SERVICES | MARKED),
)


@settings(max_examples=200, deadline=None, suppress_health_check=BIG)
@given(snapshots(MARKED, st.just(FactStatus.READY)), MARKED_EVENTS, MARKED, MARKED, MARKED)
def test_no_content_and_no_identifier_stands_in_a_result(
    snapshot: Snapshot, event: Event, tenant: str, source: str, event_id: str
) -> None:
    engine = Engine(RULES, snapshot)
    for known in (tenant, "default"):
        plan, deviations = evaluated(engine, event, BASE_AT_MS, tenant=known)
        record = violation(
            tenant=known,
            source=source,
            event_id=event_id,
            revision=0,
            at_ms=BASE_AT_MS,
            service=plan.group.label,
            deviations=deviations,
            rule_set=engine.rule_set,
            policy=snapshot.policy.version,
            facts=snapshot.positions(),
        )
        assert_no_content(json.dumps(msgspec.to_builtins(record), ensure_ascii=False))
        assert_no_content(msgspec.json.encode(record).decode())
        for result in plan.outcomes(deviations).values():
            assert_no_content(f"{result.reason} {result.evidence}")
