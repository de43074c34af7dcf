"""One run of everything real, in acts: events on Apache Kafka, `hegui run`, our Prometheus rules, our routes, a pager.

`scene` starts all parts, `alarm` is the time of the faults up to the page, `relief` is after the cause was mended, `curtain` is
after SIGTERM. Each act waits for its conditions and returns what was seen; the tests judge it, in any order.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.end_to_end.boards import Answer, ask
from tests.end_to_end.deployment import (
    RECEIVERS,
    Daemon,
    alertmanager,
    free_ports,
    hegui,
    policy,
    prometheus,
    settings,
)
from tests.end_to_end.topics import Read, read_all, uncommitted
from tests.end_to_end.traffic import Traffic
from tests.servers.kafka import KafkaServer
from tests.servers.process import wait_until
from tests.servers.prometheus import PrometheusServer
from tests.servers.webhook import WebhookReceiver

WAIT_S = 60.0
GENERATION, INGEST = "compliance.generation.v1", "compliance.ingest.v1"
OPTOUTS = "compliance.optouts.v1"
FINDINGS = "compliance.findings.v1"
VIOLATIONS = "compliance.violations.v1"
DEAD_LETTERS = "compliance.dead-letters.v1"


class Scene(NamedTuple):
    """The parts."""

    kafka: KafkaServer
    config: Path
    created: str
    daemon: Daemon
    prometheus: PrometheusServer
    hooks: dict[str, WebhookReceiver]
    traffic: Traffic

    def read(self, topic: str) -> list[Read]:
        return read_all(self.kafka.bootstrap, topic)


class Alarm(NamedTuple):
    """What was seen while faults were coming in."""

    page: dict[str, Any]
    ingest_page: dict[str, Any]
    removal_page: dict[str, Any]
    trial: dict[str, Any]
    trial_said: str
    open_issues: list[dict[str, Any]]
    suppressed: list[dict[str, Any]]
    answers: dict[str, Answer]
    rules: list[dict[str, Any]]
    alerts: list[dict[str, Any]]
    violations: list[Read]


class Relief(NamedTuple):
    """What was seen after the cause was mended."""

    resolved: dict[str, Any]
    ingest_resolved: dict[str, Any]
    removal_resolved: dict[str, Any]
    findings: list[Read]


class Curtain(NamedTuple):
    """What was left after SIGTERM."""

    exit_code: int | None
    seconds: float
    judged: float
    behind: dict[str, dict[int, int]]
    violations: list[Read]
    dead_letters: list[Read]


@pytest.fixture(scope="package")
def scene(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("page")
    ports = free_ports()
    hooks = {name: WebhookReceiver() for name in RECEIVERS}
    pager = alertmanager(hooks)
    watcher = prometheus(*ports, pager.address)
    traffic = Traffic(kafka.bootstrap, GENERATION, INGEST, OPTOUTS)
    policy(folder)
    config = settings(folder, kafka.bootstrap, ports, pager.url)
    with hooks["pager"], hooks["ticket"], hooks["report"], hooks["deadman"], pager, watcher:
        created = hegui("topics", "create", "--config", config)
        assert created.returncode == 0, created.stderr
        daemon = Daemon(folder, config, ports)
        try:
            daemon.wait_ready()
            # Prometheus looks for its targets every five seconds, and what is counted before that no rate shows.
            watcher.wait_for('up{job=~"hegui-.+"} == 1', lambda found: len(found) == len(ports), WAIT_S)
            yield Scene(kafka, config, created.stdout, daemon, watcher, hooks, traffic)
        finally:
            traffic.finish()
            daemon.stop()


def about(rule: str, status: str, name: str = "ComplianceIssueOpen") -> Callable[[Any], bool]:
    """Tell whether a webhook body speaks of a rule."""

    def holds(body: dict[str, Any]) -> bool:
        labels = body["commonLabels"]
        return body["status"] == status and labels["alertname"] == name and labels.get("rule", "") == rule

    return holds


def _settled_alerts(server: PrometheusServer) -> list[dict[str, Any]]:
    """The alerts, once their texts find the series of the other rule groups (after one evaluation), or as they are by then."""
    alerts: list[dict[str, Any]] = []

    def settled() -> bool:
        alerts[:] = server.alerts()
        return "unknown" not in str([alert["annotations"] for alert in alerts])

    with suppress(TimeoutError):
        wait_until(settled, 10, "texts of the alerts")
    return alerts


@pytest.fixture(scope="package")
def alarm(scene: Scene) -> Alarm:
    scene.traffic.start()
    pager = scene.hooks["pager"]
    page = pager.wait_for(about("LBL001", "firing"), WAIT_S)
    ingest_page = pager.wait_for(about("TRN001", "firing"), WAIT_S)
    removal_page = pager.wait_for(about("OPT010", "firing"), WAIT_S)
    # The two issues that must not page are there too, in the same Prometheus.
    open_issues = scene.prometheus.wait_for("compliance_open_issues", lambda found: len(found) == 4, WAIT_S)
    suppressed = scene.prometheus.wait_for("compliance_suppressed_issues", bool, WAIT_S)
    trial = hegui("alerts", "test", "--config", scene.config)
    assert trial.returncode == 0, trial.stderr
    test_page = pager.wait_for(about("", "firing", "ComplianceTestPage"), WAIT_S)
    answers = ask(scene.prometheus, 30)
    rules = [rule for group in scene.prometheus.api("rules")["groups"] for rule in group["rules"]]
    alerts = _settled_alerts(scene.prometheus)
    violations = scene.read(VIOLATIONS)
    return Alarm(
        page,
        ingest_page,
        removal_page,
        test_page,
        trial.stdout,
        open_issues,
        suppressed,
        answers,
        rules,
        alerts,
        violations,
    )


@pytest.fixture(scope="package")
def relief(scene: Scene, alarm: Alarm) -> Relief:
    scene.traffic.mend()
    resolved = scene.hooks["pager"].wait_for(about("LBL001", "resolved"), WAIT_S)
    ingest_resolved = scene.hooks["pager"].wait_for(about("TRN001", "resolved"), WAIT_S)
    removal_resolved = scene.hooks["pager"].wait_for(about("OPT010", "resolved"), WAIT_S)

    def closed() -> bool:
        latest = {read.key: read.json()["activity_name"] for read in scene.read(FINDINGS)}
        return set(latest.values()) == {"Close"}

    wait_until(closed, WAIT_S, "all issues closed")
    scene.prometheus.wait_for("compliance_open_issues or compliance_suppressed_issues", lambda found: not found, WAIT_S)
    return Relief(resolved, ingest_resolved, removal_resolved, scene.read(FINDINGS))


@pytest.fixture(scope="package")
def curtain(scene: Scene, relief: Relief) -> Curtain:
    scene.traffic.finish()

    def judged() -> bool:
        return scene.daemon.total("compliance_events_total") >= scene.traffic.events

    wait_until(judged, WAIT_S, f"{scene.traffic.events} events judged")
    total = scene.daemon.total("compliance_events_total")
    start = time.monotonic()
    code = scene.daemon.stop()
    seconds = time.monotonic() - start
    behind = {topic: uncommitted(scene.kafka.bootstrap, "hegui", topic) for topic in (GENERATION, INGEST)}
    return Curtain(code, seconds, total, behind, scene.read(VIOLATIONS), scene.read(DEAD_LETTERS))
