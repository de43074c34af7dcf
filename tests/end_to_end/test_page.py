"""One run of everything real: events on Apache Kafka, `hegui run`, our Prometheus rules, our Alertmanager routes, a pager.

The fixtures are the acts: `scene` starts all parts, `alarm` is the time of the faults up to the page, `relief` is after the
cause was mended, `curtain` after SIGTERM. Each waits for its conditions and returns what was seen; the tests judge it.
"""

import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from hegui.rules.catalog import find_rules
from hegui.rules.violations import identity_uid, result_uid
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

from tests.end_to_end.boards import QUERIES, Answer, Query, ask
from tests.end_to_end.deployment import (
    RECEIVERS,
    ROOT,
    RUNBOOK_BASE,
    STOP_S,
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

pytestmark = pytest.mark.end_to_end

WAIT_S = 60.0
GENERATION = "compliance.generation.v1"
FINDINGS = "compliance.findings.v1"
VIOLATIONS = "compliance.violations.v1"
DEAD_LETTERS = "compliance.dead-letters.v1"
ISSUES = {("LBL001", "image-studio"), ("LBL002", "image-studio"), ("MOD001", "chat-assistant")}


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
    findings: list[Read]


class Curtain(NamedTuple):
    """What was left after SIGTERM."""

    exit_code: int | None
    seconds: float
    judged: float
    behind: dict[str, dict[int, int]]
    violations: list[Read]
    dead_letters: list[Read]


@pytest.fixture(scope="module")
def scene(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("page")
    ports = free_ports()
    hooks = {name: WebhookReceiver() for name in RECEIVERS}
    pager = alertmanager(hooks)
    watcher = prometheus(*ports, pager.address)
    traffic = Traffic(kafka.bootstrap, GENERATION)
    policy(folder)
    config = settings(folder, kafka.bootstrap, ports, pager.url)
    with hooks["pager"], hooks["ticket"], hooks["report"], hooks["deadman"], pager, watcher:
        created = hegui("topics", "create", "--config", config)
        assert created.returncode == 0, created.stderr
        daemon = Daemon(folder, config, ports)
        try:
            daemon.wait_ready()
            yield Scene(kafka, config, created.stdout, daemon, watcher, hooks, traffic)
        finally:
            traffic.finish()
            daemon.stop()


def about(rule: str, status: str, name: str = "ComplianceIssueOpen"):  # noqa: ANN201
    """Tell whether a webhook body speaks of a rule."""

    def holds(body: dict[str, Any]) -> bool:
        labels = body["commonLabels"]
        return body["status"] == status and labels["alertname"] == name and labels.get("rule", "") == rule

    return holds


@pytest.fixture(scope="module")
def alarm(scene: Scene) -> Alarm:
    scene.traffic.start()
    pager = scene.hooks["pager"]
    page = pager.wait_for(about("LBL001", "firing"), WAIT_S)
    # The two issues that must not page are there too, in the same Prometheus.
    open_issues = scene.prometheus.wait_for("compliance_open_issues", lambda found: len(found) == 2, WAIT_S)
    suppressed = scene.prometheus.wait_for("compliance_suppressed_issues", bool, WAIT_S)
    trial = hegui("alerts", "test", "--config", scene.config)
    assert trial.returncode == 0, trial.stderr
    test_page = pager.wait_for(about("", "firing", "ComplianceTestPage"), WAIT_S)
    answers = ask(scene.prometheus, 30)
    rules = [rule for group in scene.prometheus.api("rules")["groups"] for rule in group["rules"]]
    alerts = scene.prometheus.alerts()
    violations = scene.read(VIOLATIONS)
    return Alarm(page, test_page, trial.stdout, open_issues, suppressed, answers, rules, alerts, violations)


@pytest.fixture(scope="module")
def relief(scene: Scene, alarm: Alarm) -> Relief:
    scene.traffic.mend()
    resolved = scene.hooks["pager"].wait_for(about("LBL001", "resolved"), WAIT_S)
    scene.prometheus.wait_for("compliance_open_issues or compliance_suppressed_issues", lambda found: not found, WAIT_S)
    return Relief(resolved, scene.read(FINDINGS))


@pytest.fixture(scope="module")
def curtain(scene: Scene, relief: Relief) -> Curtain:
    scene.traffic.finish()

    def judged() -> bool:
        return scene.daemon.total("compliance_events_total") >= scene.traffic.events

    wait_until(judged, WAIT_S, f"{scene.traffic.events} events judged")
    total = scene.daemon.total("compliance_events_total")
    start = time.monotonic()
    code = scene.daemon.stop()
    seconds = time.monotonic() - start
    behind = {topic: uncommitted(scene.kafka.bootstrap, "hegui", topic) for topic in (GENERATION, "compliance.ingest.v1")}
    return Curtain(code, seconds, total, behind, scene.read(VIOLATIONS), scene.read(DEAD_LETTERS))


def results(violations: list[Read]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every violation's results, each with its violation."""
    return [(made, result) for made in (read.json() for read in violations) for result in made["results"]]


def findings_of(relief: Relief, rule: str) -> list[dict[str, Any]]:
    return [found for found in (read.json() for read in relief.findings) if found["compliance"]["control"] == rule]


def in_repository(url: str) -> Path:
    assert url.startswith(RUNBOOK_BASE + "/"), url
    return ROOT / url.removeprefix(RUNBOOK_BASE + "/")


# --- on Kafka --------------------------------------------------------------------------------------------------------


def test_topics_are_created(scene: Scene) -> None:
    made = {line.split()[1] for line in scene.created.splitlines() if line.startswith("created")}
    assert {GENERATION, "compliance.ingest.v1", VIOLATIONS, FINDINGS, DEAD_LETTERS} <= made


def test_every_failing_event_has_its_violation_whatever_its_encoding(scene: Scene, curtain: Curtain) -> None:
    faults = scene.traffic.faults
    assert {sent.encoding for sent in faults if sent.kind == "LBL001"} == {"structured", "binary"}
    wanted = {
        (identity_uid("default", sent.source, sent.id), rule, outcome, sent.at_ms)
        for sent in faults
        for kind, rule, outcome in (("LBL001",) * 2 + ("fail",), ("LBL002",) * 2 + ("fail",), ("waived", "MOD001", "waived"))
        if sent.kind == kind
    }
    found = [(made["uid"], result["rule"], result["outcome"], made["occurred_at_ms"]) for made, result in results(curtain.violations)]
    assert Counter(found) == Counter(wanted)


def test_violations_say_what_failed_and_where(scene: Scene, curtain: Curtain) -> None:
    uids = {result_uid("LBL001", "default", sent.source, sent.id) for sent in scene.traffic.faults if sent.kind == "LBL001"}
    assert {result["uid"] for _, result in results(curtain.violations) if result["rule"] == "LBL001"} == uids
    for read in curtain.violations:
        event = from_binary_event(KafkaMessage(read.headers, None, read.value))
        assert (event.get_type(), event.get_source()) == ("hegui.violation.v1", "hegui")
        assert event.get_id() == read.json()["uid"]
    for made, result in results(curtain.violations):
        assert made["topic"] == GENERATION
        assert result["clauses"]
        assert result["stage"] == ("sandbox" if result["rule"] == "LBL002" else "stable")
        assert result.get("waiver") == ("W-1" if result["rule"] == "MOD001" else None)


def test_findings_are_ocsf_compliance_findings_in_cloudevents(relief: Relief) -> None:
    ids = []
    for read in relief.findings:
        event = from_binary_event(KafkaMessage(read.headers, None, read.value))
        assert (event.get_type(), event.get_source()) == ("hegui.finding.v1", "hegui")
        assert event.get_datacontenttype() == "application/json"
        ids.append(event.get_id())
        found = read.json()
        model = ComplianceFinding(**found)
        assert model.class_uid == 2003
        assert model.type_uid.value == 200300 + model.activity_id.value
        assert read.key == model.finding_info.uid.encode()
        assert set(found) - {"unmapped"} <= set(ComplianceFinding.model_fields), "OCSF knows every field"
        assert in_repository(found["finding_info"]["src_url"]).is_file()
    assert len(set(ids)) == len(ids)


def test_issues_open_once_and_close(relief: Relief) -> None:
    assert {(f.json()["compliance"]["control"], f.json()["resources"][0]["name"]) for f in relief.findings} == ISSUES
    for rule, _ in ISSUES:
        found = findings_of(relief, rule)
        assert len({finding["finding_info"]["uid"] for finding in found}) == 1
        activities = [finding["activity_name"] for finding in found]
        assert activities == ["Create", *["Update"] * (len(found) - 2), "Close"]
        last = found[-1]
        assert (last["status"], last["status_id"]) == ("Resolved", 4)
        assert (last["compliance"]["status"], last["compliance"]["status_id"]) == ("Pass", 1)


def test_the_waived_failure_is_a_suppressed_finding(relief: Relief) -> None:
    found = findings_of(relief, "MOD001")
    assert {finding["status"] for finding in found[:-1]} == {"Suppressed"}
    assert found[-1]["unmapped"]["failures"] == 0 < found[-1]["unmapped"]["waived"]


def test_the_sandbox_failure_is_a_finding(relief: Relief) -> None:
    found = findings_of(relief, "LBL002")
    assert found[0]["status"] == "New"
    assert all("stage:sandbox" in finding["metadata"]["labels"] for finding in found)


def test_counts_of_the_closed_findings(scene: Scene, relief: Relief) -> None:
    sent = Counter(fault.kind for fault in scene.traffic.faults)
    counts = {rule: findings_of(relief, rule)[-1]["unmapped"] for rule, _ in ISSUES}
    assert counts["LBL001"]["failures"] == sent["LBL001"]
    assert counts["LBL002"]["failures"] == sent["LBL002"]
    assert counts["MOD001"]["waived"] == sent["waived"]


def test_broken_records_are_dead_letters(scene: Scene, curtain: Curtain) -> None:
    letters = [read.json() for read in curtain.dead_letters]
    assert len(letters) == scene.traffic.broken > 0
    assert {(letter["topic"], letter["reason"]) for letter in letters} == {(GENERATION, "not_json")}
    assert not any(b"broken" in read.value for read in curtain.dead_letters)


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_has_its_labels(alarm: Alarm) -> None:
    assert alarm.page["receiver"] == "pager"
    (alert,) = alarm.page["alerts"]
    wanted = {
        "alertname": "ComplianceIssueOpen",
        "tenant": "default",
        "service": "image-studio",
        "rule": "LBL001",
        "family": "labelling",
        "severity": "critical",
        "team": "imaging",
    }
    assert alert["labels"] == wanted


def test_the_page_says_what_the_person_on_call_needs(scene: Scene, alarm: Alarm, relief: Relief) -> None:
    (alert,) = alarm.page["alerts"]
    said = alert["annotations"]["description"]
    shown = re.fullmatch(
        r"Owning team: imaging\. Tenant default\. First bad event: (?P<first>[\d :.-]+) \+0000 UTC\. Failures: (?P<failures>\d+)\. "
        r"Rule LBL001 \(labelling\), clause: (?P<clause>.+)\. "
        r"Evidence: finding (?P<finding>[0-9a-f]{32}), sample violation (?P<sample>[0-9a-f]{32})\.",
        said,
    )
    assert shown, said
    first_ms = next(fault.at_ms for fault in scene.traffic.faults if fault.kind == "LBL001")
    shown_ms = datetime.fromisoformat(shown["first"]).replace(tzinfo=UTC).timestamp() * 1000
    assert shown_ms == pytest.approx(first_ms, abs=1.1), "a float of seconds holds a millisecond but for its rounding"
    assert 1 <= int(shown["failures"]) <= len(scene.traffic.faults)
    ours = [result for _, result in results(alarm.violations) if result["rule"] == "LBL001"]
    assert shown["sample"] in {result["uid"] for result in ours}
    assert all(shown["clause"] in result["clauses"] for result in ours)
    assert {found["finding_info"]["uid"] for found in findings_of(relief, "LBL001")} == {shown["finding"]}


def test_the_page_links_to_the_runbook_and_the_dashboard(alarm: Alarm) -> None:
    (alert,) = alarm.page["alerts"]
    runbook = in_repository(alert["annotations"]["runbook_url"])
    assert runbook == ROOT / "rules" / "pages" / "LBL001.md"
    assert runbook.is_file()
    url = alert["annotations"]["dashboard_url"]
    assert url.endswith("/d/hegui-rule?var-tenant=default&var-service=image-studio&var-rule=LBL001")


def test_the_resolved_page_follows(alarm: Alarm, relief: Relief) -> None:
    (alert,), (first,) = relief.resolved["alerts"], alarm.page["alerts"]
    assert alert["status"] == "resolved"
    assert (alert["fingerprint"], alert["labels"]) == (first["fingerprint"], first["labels"])
    assert datetime.fromisoformat(alert["endsAt"]) > datetime.fromisoformat(first["startsAt"])


def test_sandbox_and_waived_failures_never_page(scene: Scene, alarm: Alarm, relief: Relief) -> None:
    assert {result["metric"]["rule"] for result in alarm.open_issues} == {"LBL001", "LBL002"}
    assert [result["metric"]["rule"] for result in alarm.suppressed] == ["MOD001"]
    alerts = [alert for body in scene.hooks["pager"].bodies for alert in body["alerts"]]
    assert {(alert["labels"]["alertname"], alert["labels"].get("rule")) for alert in alerts} == {
        ("ComplianceIssueOpen", "LBL001"),
        ("ComplianceTestPage", None),
    }
    others = [alert for name in RECEIVERS for body in scene.hooks[name].bodies for alert in body["alerts"]]
    assert {alert["labels"].get("rule") for alert in others} == {"LBL001", None}


def test_the_test_page_takes_the_same_way(alarm: Alarm) -> None:
    assert alarm.trial["receiver"] == "pager"
    assert "sent ComplianceTestPage with severity critical" in alarm.trial_said
    (alert,) = alarm.trial["alerts"]
    assert alert["labels"]["severity"] == "critical"
    assert "nothing is wrong" in alert["annotations"]["summary"]


def test_watchdog_and_dead_letters_go_their_own_ways(scene: Scene, relief: Relief) -> None:
    assert scene.hooks["deadman"].wait_for(about("", "firing", "Watchdog"), WAIT_S)["commonLabels"] == {
        "alertname": "Watchdog",
        "severity": "none",
    }
    letters = scene.hooks["ticket"].wait_for(about("", "firing", "ComplianceDeadLetters"), WAIT_S)
    assert letters["commonLabels"]["topic"] == GENERATION


def test_every_link_to_a_runbook_leads_to_a_file(scene: Scene, relief: Relief) -> None:
    alerts = [alert for hook in scene.hooks.values() for body in hook.bodies for alert in body["alerts"]]
    links = {alert["annotations"]["runbook_url"] for alert in alerts if alert["labels"]["alertname"] != "ComplianceTestPage"}
    assert [link for link in links if not in_repository(link).is_file()] == []


# --- Prometheus and Grafana ------------------------------------------------------------------------------------------


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
    # None of them is empty here: an alert on ourselves fires because of the dead letters, and "... or vector(0)" says 0.
    answer = alarm.answers[query.where]
    assert answer.error is None
    assert answer.has_data, f"{query.expr}: {answer.results}"
    for label in query.legend:
        assert all(label in result["metric"] for result in answer.results), f"the legend shows {label}"


# --- the daemon ------------------------------------------------------------------------------------------------------


def test_every_event_was_judged_once(scene: Scene, curtain: Curtain) -> None:
    assert curtain.judged == scene.traffic.events
    assert set(scene.traffic.encodings) == {"structured", "binary"}


def test_sigterm_ends_the_daemon_with_all_committed(scene: Scene, curtain: Curtain) -> None:
    assert curtain.exit_code == 0, scene.daemon.log()[-3000:]
    assert curtain.seconds < STOP_S
    assert curtain.behind == {GENERATION: {}, "compliance.ingest.v1": {}}


def test_the_daemon_logged_no_trouble_and_no_person(scene: Scene, curtain: Curtain, relief: Relief) -> None:
    log = scene.daemon.log()
    assert not re.search(r'Traceback|"level": ?"(error|critical)"', log), log[-3000:]
    person = re.compile(r"k1:[0-9a-f]{8}")
    written = [read.value.decode() for read in (*curtain.violations, *curtain.dead_letters, *relief.findings)]
    assert [text for text in (log, *written) if person.search(text)] == []


def test_every_rule_has_its_page_in_the_repository() -> None:
    assert [rule.id for rule in find_rules() if not (ROOT / "rules" / "pages" / f"{rule.id}.md").is_file()] == []
