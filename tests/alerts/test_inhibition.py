"""Which alerts hold back which, asked of a real Alertmanager. A missing Alertmanager fails."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from tests.alerts.rule_files import DASHBOARDS

Labels = dict[str, str]

ISSUE = {"tenant": "t", "service": "s", "rule": "LBL001"}
CRITICAL_ISSUE = {"alertname": "ComplianceIssueOpen", "severity": "critical", **ISSUE}
EVALUATOR_ABSENT = {"alertname": "ComplianceEvaluatorAbsent", "severity": "critical", "job": "hegui-evaluator"}
FACTS_NOT_READY = {"alertname": "ComplianceFactsNotReady", "severity": "high", "fact": "optouts"}
SILENT = {"alertname": "ComplianceServiceSilent", "severity": "medium", "service": "s"}
INCONCLUSIVE = {"alertname": "ComplianceInconclusiveRatioHigh", "severity": "medium", "service": "s"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")
    assert program, "alertmanager is not installed"
    storage: Path = tmp_path_factory.mktemp("alertmanager")
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={DASHBOARDS / 'alertmanager' / 'alertmanager.yml'}",
        f"--storage.path={storage}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--cluster.listen-address=",
    ]
    with (storage / "log").open("w") as log, subprocess.Popen(command, stderr=log, stdout=log) as process:
        for _ in range(100):
            try:
                urlopen(f"{url}/-/ready", timeout=1).close()
                break
            except URLError:
                assert process.poll() is None, (storage / "log").read_text()
                time.sleep(0.1)
        yield url
        process.terminate()


def send(url: str, alerts: list[Labels], ends_at: str | None = None) -> None:
    body = [{"labels": labels} | ({"endsAt": ends_at} if ends_at else {}) for labels in alerts]
    request = Request(f"{url}/api/v2/alerts", json.dumps(body).encode(), {"Content-Type": "application/json"})
    urlopen(request, timeout=5).close()


def held_back(url: str, target: Labels) -> bool:
    with urlopen(f"{url}/api/v2/alerts", timeout=5) as answer:
        states = [alert["status"]["inhibitedBy"] for alert in json.load(answer) if alert["labels"] == target]
    assert len(states) == 1
    return bool(states[0])


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (CRITICAL_ISSUE, {**CRITICAL_ISSUE, "severity": "high"}, True),
        (CRITICAL_ISSUE, {**CRITICAL_ISSUE, "severity": "high", "rule": "LBL002"}, False),
        (CRITICAL_ISSUE, {**CRITICAL_ISSUE, "severity": "high", "tenant": "u"}, False),
        (CRITICAL_ISSUE, {"alertname": "ComplianceIssueOpenBacklog", "severity": "medium", **ISSUE}, True),
        (CRITICAL_ISSUE, {"alertname": "ComplianceDeadLetters", "severity": "medium", "topic": "events"}, False),
        (EVALUATOR_ABSENT, {"alertname": "ComplianceTargetDown", "severity": "high", "job": "hegui-evaluator"}, True),
        (EVALUATOR_ABSENT, {"alertname": "ComplianceTargetDown", "severity": "high", "job": "hegui-state"}, False),
        (EVALUATOR_ABSENT, {"alertname": "ComplianceDeadLetters", "severity": "medium", "topic": "events"}, False),
        (EVALUATOR_ABSENT, SILENT, True),
        (EVALUATOR_ABSENT, INCONCLUSIVE, True),
        (EVALUATOR_ABSENT, {**CRITICAL_ISSUE, "severity": "high"}, False),
        ({**EVALUATOR_ABSENT, "alertname": "ComplianceStateAbsent", "job": "hegui-state"}, SILENT, False),
        (FACTS_NOT_READY, INCONCLUSIVE, True),
        (FACTS_NOT_READY, SILENT, False),
    ],
)
def test_inhibition(alertmanager: str, source: Labels, target: Labels, expected: bool) -> None:
    send(alertmanager, [source, target])
    assert held_back(alertmanager, target) is expected
    send(alertmanager, [source, target], ends_at="2020-01-01T00:00:00Z")
