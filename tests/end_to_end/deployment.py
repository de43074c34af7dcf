"""Our own files as an operator would deploy them, with the few values replaced that a test cannot wait for or must own.

Every replacement stands in this file, in the functions `policy`, `settings`, `prometheus` and `alertmanager`. A text to be
replaced that is no longer there fails the test: the files have changed and so must this list.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.servers import web
from tests.servers.alertmanager import AlertmanagerServer
from tests.servers.ports import free_port
from tests.servers.process import wait_until
from tests.servers.prometheus import PrometheusServer
from tests.servers.spawn import spawn
from tests.servers.webhook import WebhookReceiver

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "streams" / "examples"
DASHBOARDS = ROOT / "dashboards"
HEGUI = Path(sys.executable).with_name("hegui")
RUNBOOK_BASE: str = yaml.safe_load((DASHBOARDS / "prometheus" / "prometheus.yml").read_text("utf-8"))["global"][
    "external_labels"
]["runbook_base"]
RECEIVERS = ("pager", "ticket", "report", "deadman")
START_S = 90.0
STOP_S = 30.0


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, f"{old!r} is not in the file any more"
        text = text.replace(old, new)
    return text


def policy(folder: Path) -> Path:
    """The example policy, with one rule in the sandbox and a waiver that holds whatever day it is."""
    day, now = timedelta(days=1), datetime.now(UTC)
    file = folder / "policy.yaml"
    text = replaced(
        (EXAMPLES / "policy.yaml").read_text("utf-8"),
        ("override: {} ", "override: {LBL002: {stage: sandbox}} "),
        ("valid_from: 2026-11-01T00:00:00+08:00", f"valid_from: {(now - day).isoformat()}"),
        ("valid_to: 2027-03-01T00:00:00+08:00", f"valid_to: {(now + day).isoformat()}"),
    )
    file.write_text(text, "utf-8")
    return file


def settings(folder: Path, bootstrap: str, ports: tuple[int, int, int], alertmanager_url: str) -> Path:
    """The example settings beside the policy, with addresses of this run, an issue that closes in seconds and a sweep that begins in one."""
    file = folder / "hegui.toml"
    pages = f'pages_url = "{RUNBOOK_BASE}/rules/pages"'
    text = replaced(
        (EXAMPLES / "hegui.toml").read_text("utf-8"),
        ("localhost:9092", bootstrap),
        ("port = 9464", f"port = {ports[0]}"),
        ("state_port = 9465", f"state_port = {ports[1]}"),
        ("sweep_port = 9466", f"sweep_port = {ports[2]}"),
        ("quiet_seconds = 900 ", f"update_seconds = 1\n{pages}\nquiet_seconds = 4 "),
    )
    text += "\n[sweep]\nbatch_seconds = 1\n"
    text += f'\n[evaluator]\ntick_seconds = 0.5\n\n[alerts]\nalertmanager_url = "{alertmanager_url}"\n'
    file.write_text(text, "utf-8")
    return file


def prometheus(evaluator: int, state: int, sweeper: int, alertmanager: str) -> PrometheusServer:
    """Prometheus on our configuration and rules. Replaced: the targets, and what would take minutes."""
    ours = DASHBOARDS / "prometheus"
    # Prometheus takes an alert for sent even when it does not know an Alertmanager yet, and repeats it after a minute.
    options = ["--rules.alert.resend-delay=5s"]
    text = replaced((ours / "prometheus.yml").read_text("utf-8"), (": 15s", ": 1s"))
    server = PrometheusServer(text, options=options)
    for rules in ("recording.yml", "alerts_daemon.yml"):
        shutil.copy(ours / rules, server.folder)
    # An issue alert goes on for ten minutes after its issue is closed.
    text = replaced((ours / "alerts_rules.yml").read_text("utf-8"), ("keep_firing_for: 10m", "keep_firing_for: 2s"))
    (server.folder / "alerts_rules.yml").write_text(text, "utf-8")
    ports = {"evaluator": evaluator, "state": state, "sweeper": sweeper}
    targets = {role: f"127.0.0.1:{port}" for role, port in ports.items()} | {"alertmanager": alertmanager}
    (server.folder / "targets").mkdir()
    for file in (ours / "targets").iterdir():
        (server.folder / "targets" / file.name).write_text(json.dumps([{"targets": [targets[file.stem]]}]), "utf-8")
    return server


def alertmanager(hooks: dict[str, WebhookReceiver]) -> AlertmanagerServer:
    """Alertmanager on our routes. Replaced: the receivers' addresses, one server each, and the waits before a page.

    `group_wait` delays the first page of a group (10 s for the pager), `group_interval` the news that it is resolved (5 min).
    """
    text = replaced(
        (DASHBOARDS / "alertmanager" / "alertmanager.yml").read_text("utf-8"),
        *((f"http://receiver:9095/{name}", hooks[name].url + name) for name in RECEIVERS),
        ("group_wait: 30s", "group_wait: 0s"),
        ("group_wait: 10s", "group_wait: 0s"),
        ("group_interval: 5m", "group_interval: 1s"),
    )
    return AlertmanagerServer(text)


def hegui(*arguments: str | Path, deadline_s: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [HEGUI, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=deadline_s,
    )


class Daemon:
    """`hegui run`: the evaluator, the state agents and the sweeper as children of one command."""

    def __init__(self, folder: Path, config: Path, ports: tuple[int, int, int]) -> None:
        self.log_path = folder / "hegui.log"
        self._urls = [f"http://127.0.0.1:{port}" for port in ports]
        command = [str(HEGUI), "run", "--config", str(config)]
        self._process = spawn(command, log=self.log_path, folder=folder)

    def wait_ready(self) -> None:
        """Wait until all roles are ready; an early end is an error with the log's last lines."""

        def ready() -> bool:
            assert self._process.poll() is None, (
                f"hegui run ended with {self._process.returncode}\n{self.log()[-3000:]}"
            )
            return all(web.is_ok(f"{url}/readyz") for url in self._urls)

        try:
            wait_until(ready, START_S, "hegui ready")
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log()[-3000:]}") from None

    def total(self, name: str) -> float:
        """The sum of a metric over its labels and all roles."""
        found: list[Any] = []
        for url in self._urls:
            text = web.request("GET", f"{url}/metrics")[1].decode()
            found += [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return sum(sample.value for sample in found if sample.name == name)

    def stop(self) -> int | None:
        """SIGTERM to the command alone; return its exit code, None when it had to be killed after half a minute."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)  # its children too: it leads a session of its own
            self._process.wait()
            return None

    def log(self) -> str:
        return self.log_path.read_text("utf-8", "replace")


def free_ports() -> tuple[int, int, int]:
    return free_port(), free_port(), free_port()
