"""The alert rules, their promtool tests, and where Alertmanager sends what. A missing promtool or amtool fails."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hegui.streams.metrics import METRIC_NAMES
from tests.alerts.rule_files import (
    ALERTS,
    DASHBOARDS,
    PROMETHEUS,
    PROMETHEUS_OWN,
    RECORDED,
    RULE_FILES,
    RULES,
    metrics_in,
    read_yaml,
)

ALERTMANAGER = DASHBOARDS / "alertmanager" / "alertmanager.yml"
PROMTOOL_TESTS = sorted(Path(__file__).parent.glob("*.test.yml"))
SEVERITIES = {"critical", "high", "medium", "low", "none"}
JOINED_SEVERITY = {"ComplianceIssueOpen"}  # its severity is the rule's, joined in the expression


def run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=120)


def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    config = run("promtool", "check", "config", "prometheus.yml", cwd=PROMETHEUS)
    assert config.returncode == 0, config.stdout + config.stderr
    rules = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES, cwd=PROMETHEUS)
    assert rules.returncode == 0, rules.stdout + rules.stderr


def test_prometheus_loads_every_rule_file() -> None:
    config = read_yaml(PROMETHEUS / "prometheus.yml")
    assert sorted(config["rule_files"]) == sorted(RULE_FILES)
    assert {scrape["job_name"] for scrape in config["scrape_configs"]} == {
        "hegui-evaluator",
        "hegui-state",
        "hegui-sweeper",
    }
    dropped = config["alerting"]["alert_relabel_configs"][0]
    assert dropped["action"] == "labeldrop"
    assert set(dropped["regex"].split("|")) == set(config["global"]["external_labels"])


def test_promtool_tests_pass() -> None:
    assert PROMTOOL_TESTS
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda file: run("promtool", "test", "rules", file), PROMTOOL_TESTS)
        for file, done in zip(PROMTOOL_TESTS, results, strict=True):
            assert done.returncode == 0, f"{file.name}\n{done.stdout}{done.stderr}"


def test_every_alert_is_seen_firing_and_seen_quiet() -> None:
    expectations = [
        (expected["alertname"], bool(expected["exp_alerts"]))
        for file in PROMTOOL_TESTS
        for test in read_yaml(file)["tests"]
        for expected in test.get("alert_rule_test", [])
    ]
    firing = {name for name, fires in expectations if fires}
    quiet = {name for name, fires in expectations if not fires}
    assert firing == set(ALERTS)
    assert quiet == set(ALERTS) - {"Watchdog"}


def test_promtool_tests_load_every_rule_file() -> None:
    for file in PROMTOOL_TESTS:
        loaded = {(file.parent / name).resolve() for name in read_yaml(file)["rule_files"]}
        assert loaded == {PROMETHEUS / name for name in RULE_FILES}, file.name


@pytest.mark.parametrize("name", ALERTS)
def test_alert_tells_what_to_do(name: str) -> None:
    alert = ALERTS[name]
    annotations = alert["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert annotations["runbook_url"].startswith("{{ $externalLabels.runbook_base }}/")
    assert annotations["dashboard_url"].startswith("{{ $externalLabels.dashboard_base }}/d/hegui-")
    severity = alert.get("labels", {}).get("severity")
    if name in JOINED_SEVERITY:
        assert severity is None
    elif "{{" not in severity:
        assert severity in SEVERITIES
    assert name == "Watchdog" or name.startswith("Compliance")


@pytest.mark.parametrize("name", [*ALERTS, "ComplianceTestPage"])
def test_alert_has_a_runbook(name: str) -> None:
    text = (DASHBOARDS / "runbooks" / f"{name}.md").read_text("utf-8")
    assert text.startswith(f"# {name}\n")
    assert all(heading in text for heading in ("## What it means", "## What to do", "## When it resolves"))
    assert "\n2. " in text or name == "ComplianceTestPage"


def test_every_runbook_belongs_to_an_alert() -> None:
    assert {page.stem for page in (DASHBOARDS / "runbooks").glob("*.md")} == {*ALERTS, "ComplianceTestPage"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or f"{rule['record']}")
def test_rule_reads_known_metrics_only(rule: dict[str, Any]) -> None:
    assert metrics_in(rule["expr"]) <= METRIC_NAMES | RECORDED | PROMETHEUS_OWN


def test_alertmanager_takes_the_configuration() -> None:
    done = run("amtool", "check-config", ALERTMANAGER)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": "ComplianceIssueOpen", "severity": "critical", "service": "draw", "rule": "LBL001"}, "pager"),
        ({"alertname": "ComplianceIssueOpen", "severity": "high"}, "pager"),
        ({"alertname": "ComplianceIssueOpen", "severity": "medium"}, "ticket"),
        ({"alertname": "ComplianceIssueOpen", "severity": "low"}, "report"),
        ({"alertname": "ComplianceIssueOpenBacklog", "severity": "medium"}, "ticket"),
        ({"alertname": "ComplianceCoverageGap", "severity": "critical"}, "pager"),
        ({"alertname": "ComplianceTestPage", "severity": "critical"}, "pager"),
        ({"alertname": "Watchdog", "severity": "none"}, "deadman"),
        ({"alertname": "SomethingElse"}, "ticket"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value.values()),
)
def test_alert_goes_to(labels: dict[str, str], receiver: str) -> None:
    options = [f"--config.file={ALERTMANAGER}", f"--verify.receivers={receiver}"]
    done = run("amtool", "config", "routes", "test", *options, *(f"{key}={value}" for key, value in labels.items()))
    assert done.returncode == 0, done.stdout + done.stderr


def test_inhibition_names_alerts_that_exist() -> None:
    config = read_yaml(ALERTMANAGER)
    named = set()
    for rule in config["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            label, _, value = matcher.partition("=")
            if label.strip() == "alertname":
                named |= set(value.lstrip("~ ").strip('"').split("|"))
    assert named
    assert named <= set(ALERTS)


def test_only_low_severity_sleeps_and_the_nights_are_those_of_shanghai() -> None:
    config = read_yaml(ALERTMANAGER)
    muted = [route["receiver"] for route in config["route"]["routes"] if "mute_time_intervals" in route]
    assert muted == ["report"]
    zones = [part["location"] for interval in config["time_intervals"] for part in interval["time_intervals"]]
    assert zones == ["Asia/Shanghai"]
