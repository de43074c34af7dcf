"""Metric names, known series from the start, and labels that stay finite whatever the events say."""

import re
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from hegui.rules.core import Outcome
from hegui.rules.facts import OptOut, loaded
from hegui.streams import simulation
from hegui.streams.metrics import (
    DEAD_LETTER_REASONS,
    METRIC_NAMES,
    SERVICE_OUTCOMES,
    EvaluatorMetrics,
    StateMetrics,
    SweeperMetrics,
    Tallies,
    remove,
)
from tests.streams.example import POLICY, RULES, TOPIC, envelope, evaluator
from tests.streams.fakes import FakeRecord
from tests.streams.optout_index.world import World


def evaluator_metrics():
    metrics = EvaluatorMetrics(CollectorRegistry())
    metrics.initialise(RULES, [TOPIC])
    metrics.describe(POLICY, RULES, "0123456789abcdef")
    return metrics


def shown(metrics, name):
    return {
        sample.labels.get("place", ""): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == name
    }


def test_opt_outs_are_counted_where_they_lie(tmp_path):
    metrics = evaluator_metrics()
    metrics.show_optouts(loaded([OptOut("work", f"w{n}", "deny", 1) for n in range(3)]))
    assert shown(metrics, "compliance_optouts") == {"memory": 3}
    world = World()
    world.send(b"1", OptOut("work", "w", "deny", 1))
    world.read(world.index)
    metrics.show_optouts(world.index)
    assert shown(metrics, "compliance_optouts") == {"snapshot": 0, "memory": 1}
    assert shown(metrics, "compliance_optouts_snapshot_timestamp_seconds") == {"": 0}
    world.snapshot()
    metrics.show_optouts(world.index)
    assert shown(metrics, "compliance_optouts") == {"snapshot": 1, "memory": 0}
    assert shown(metrics, "compliance_optouts_snapshot_timestamp_seconds") == {"": 1}
    world.close()


def state_metrics():
    metrics = StateMetrics(CollectorRegistry())
    metrics.describe(POLICY, RULES, "0123456789abcdef")
    metrics.open_issues.labels("default", "image-studio", "LBL001").set(1)
    return metrics


def sweeper_metrics():
    metrics = SweeperMetrics(CollectorRegistry())
    metrics.describe(POLICY, RULES, "0123456789abcdef")
    metrics.sweep_remaining.labels(TOPIC, "0").set(1)
    metrics.sweep_records.labels(TOPIC).inc()
    return metrics


@pytest.mark.parametrize("make", [evaluator_metrics, state_metrics, sweeper_metrics])
def test_promtool_finds_nothing_to_say_about_the_exposition(make):
    assert shutil.which("promtool"), "install promtool (apt: prometheus): this check never skips"
    body = generate_latest(make().registry)
    found = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, timeout=30)
    assert (found.returncode, found.stdout + found.stderr) == (0, b"")


def test_every_name_has_the_prefix_and_a_base_unit():
    for name in METRIC_NAMES:
        assert re.fullmatch(r"(compliance|process)_[a-z_]+", name)
        assert not re.search(r"_(ms|millis|milliseconds|minutes|kb|percent)(_|$)", name)


def test_the_list_of_names_is_what_all_processes_expose():
    exposed = set()
    for metrics in (evaluator_metrics(), state_metrics(), sweeper_metrics()):
        for family in metrics.registry.collect():
            exposed.add(family.name + ("_total" if family.type == "counter" else ""))
    assert exposed == METRIC_NAMES
    assert {"compliance_events_total", "compliance_open_issues", "compliance_evaluation_seconds"} <= METRIC_NAMES


def test_counters_with_known_labels_start_at_nought():
    registry = evaluator_metrics().registry
    for rule in RULES:
        for outcome in Outcome:
            labels = {"rule": rule.id, "outcome": outcome.value}
            assert registry.get_sample_value("compliance_evaluations_total", labels) == 0
    for reason in DEAD_LETTER_REASONS:
        labels = {"topic": TOPIC, "reason": reason}
        assert registry.get_sample_value("compliance_dead_letters_total", labels) == 0
    assert registry.get_sample_value("compliance_coverage_gap_records_total", {"topic": TOPIC}) == 0


def test_tallies_are_added_once_and_forgotten():
    metrics, tallies = evaluator_metrics(), Tallies()
    tallies.events["generation", "image-studio"] = 5
    tallies.evaluations["image-studio", "LBL001", Outcome.FAIL] = 2
    tallies.evaluations["image-studio", "LBL001", Outcome.PASS] = 3
    tallies.dead_letters[TOPIC, "not_json"] = 1
    tallies.last_event_ms["image-studio"] = 5000
    metrics.add(tallies)
    metrics.add(tallies)
    value = metrics.registry.get_sample_value
    assert value("compliance_events_total", {"stream": "generation", "service": "image-studio"}) == 5
    assert value("compliance_evaluations_total", {"rule": "LBL001", "outcome": "fail"}) == 2
    key = {"service": "image-studio", "rule": "LBL001"}
    assert value("compliance_service_evaluations_total", {**key, "outcome": "fail"}) == 2
    assert value("compliance_service_evaluations_total", {**key, "outcome": "pass"}) is None
    assert value("compliance_dead_letters_total", {"topic": TOPIC, "reason": "not_json"}) == 1
    assert value("compliance_last_event_timestamp_seconds", {"service": "image-studio"}) == 5


def test_a_changed_policy_leaves_no_orphan_series():
    from msgspec.structs import replace

    metrics = evaluator_metrics()
    metrics.describe(replace(POLICY, version="two", services=POLICY.services[:1]), RULES[:1], "f" * 16)
    (info,) = (family for family in metrics.registry.collect() if family.name == "compliance_policy_info")
    assert [sample.labels["version"] for sample in info.samples] == ["two"]
    (services,) = (family for family in metrics.registry.collect() if family.name == "compliance_service_info")
    assert {sample.labels["service"] for sample in services.samples} == {"image-studio", "other"}


def test_removing_a_series_twice_is_no_error():
    gauge = state_metrics().open_issues
    labels = {"tenant": "default", "service": "image-studio", "rule": "LBL001"}
    remove(gauge, labels)
    remove(gauge, labels)
    assert [sample for family in gauge.collect() for sample in family.samples] == []


SERVICES = {service.name for service in POLICY.services} | {"other"}
hostile = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(hostile, hostile, st.binary(max_size=20)), max_size=5))
def test_no_event_can_make_a_label_of_its_own(strangers):
    ours, metrics = evaluator(), evaluator_metrics()
    ours.assign((TOPIC, 0), 0, 0)
    offset = 0
    for service, tenant, junk in strangers:
        event = envelope("LBL001", tenant=tenant)
        plain = simulation.encode(event).replace(b'"image-studio"', _text(service))
        ours.judge({(TOPIC, 0): [FakeRecord(offset, 1, plain), FakeRecord(offset + 1, 1, junk)]})
        offset += 2
    ours.tick({})
    metrics.add(ours.tallies)
    for family in metrics.registry.collect():
        for sample in family.samples:
            assert sample.labels.get("service", "other") in SERVICES
            assert sample.labels.get("tenant", "default") in {"default", "other"}
            assert sample.labels.get("reason", "not_json") in DEAD_LETTER_REASONS
            assert sample.labels.get("topic", TOPIC) == TOPIC


def _text(text: str) -> bytes:
    import msgspec

    return msgspec.json.encode(text)


def test_series_per_service_start_at_nought_for_every_service_of_the_policy():
    # Else the first failure of a service is invisible to increase(): the series is born at 1.
    registry = evaluator_metrics().registry
    for service in ("image-studio", "other"):
        for outcome in SERVICE_OUTCOMES:
            labels = {"service": service, "rule": "LBL001", "outcome": outcome.value}
            assert registry.get_sample_value("compliance_service_evaluations_total", labels) == 0
