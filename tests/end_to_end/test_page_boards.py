"""What Prometheus and Grafana show in the run of `acts.py`: our rules and every query of our dashboards on real series."""

import re

import pytest
import yaml

from tests.end_to_end.acts import Alarm
from tests.end_to_end.boards import QUERIES, Query
from tests.end_to_end.deployment import ROOT

pytestmark = pytest.mark.end_to_end
OF_LIBRDKAFKA = "compliance_client_"
"""Series that an evaluator on librdkafka has; the one of this run is on aiokafka. `tests/broker` sees them on a real broker."""


def test_all_rules_of_prometheus_are_healthy(alarm: Alarm) -> None:
    files = ("recording.yml", "alerts_rules.yml", "alerts_daemon.yml")
    texts = [yaml.safe_load((ROOT / "dashboards" / "prometheus" / file).read_text("utf-8")) for file in files]
    assert len(alarm.rules) == sum(len(group["rules"]) for text in texts for group in text["groups"])
    assert [(rule["name"], rule.get("lastError")) for rule in alarm.rules if rule["health"] != "ok"] == []


def test_annotations_expand(alarm: Alarm) -> None:
    texts = [text for alert in alarm.alerts for text in alert["annotations"].values()]
    assert [text for text in texts if re.search(r"error expanding|<no value>|<nil>|\bunknown\b|unassigned", text)] == []


@pytest.mark.parametrize("query", QUERIES, ids=[query.where for query in QUERIES])
def test_query_of_a_dashboard_has_data(query: Query, alarm: Alarm) -> None:
    # None of them is empty here but those of librdkafka: an alert on ourselves fires because of the dead letters, and "... or vector(0)" says 0.
    answer = alarm.answers[query.where]
    assert answer.error is None
    assert answer.has_data or OF_LIBRDKAFKA in query.expr, f"{query.expr}: {answer.results}"
    for label in query.legend:
        assert all(label in result["metric"] for result in answer.results), f"the legend shows {label}"
