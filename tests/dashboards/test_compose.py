"""The compose file and the image: pinned, closed to the outside, without rights, and with the files the other tests use."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from hegui.streams.settings import load_settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {"topics", "evaluator", "state", "sweeper", "simulator"}
ONE_SHOT = {"topics"}
CONDITIONS = ["service_started", "service_healthy", "service_completed_successfully"]

# The part of the Compose specification that the file uses; a key outside it is a slip or needs a line here.
STRINGS = {"type": "array", "items": {"type": "string"}}
SERVICE_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["image", "restart", "security_opt", "logging"],
    "properties": {
        "image": {"type": "string"},
        "build": {"type": "string"},
        "command": STRINGS,
        "profiles": STRINGS,
        "user": {"type": "string", "pattern": r"^\d+:\d+$"},
        "read_only": {"type": "boolean"},
        "tmpfs": STRINGS,
        "cap_drop": STRINGS,
        "security_opt": STRINGS,
        "restart": {"type": "string", "pattern": r"^(unless-stopped|on-failure:\d+)$"},
        "stop_grace_period": {"type": "string", "pattern": r"^\d+s$"},
        "ports": STRINGS,
        "volumes": STRINGS,
        "environment": {"type": "object", "additionalProperties": {"type": ["string", "integer"]}},
        "logging": {"type": "object", "required": ["driver", "options"]},
        "healthcheck": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "test": STRINGS,
                "disable": {"type": "boolean"},
                "retries": {"type": "integer"},
                **{key: {"type": "string", "pattern": r"^\d+s$"} for key in ("interval", "timeout", "start_period")},
            },
        },
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["condition"],
                "additionalProperties": False,
                "properties": {"condition": {"enum": CONDITIONS}},
            },
        },
    },
}


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Return host path by container path, named volumes left out."""
    pairs = [volume.split(":") for volume in service.get("volumes", [])]
    return {inside: host for host, inside, *_ in pairs if host.startswith(".")}


@pytest.mark.parametrize("name", SERVICES)
def test_service_keeps_to_the_specification(name: str) -> None:
    jsonschema.validate(SERVICES[name], SERVICE_SCHEMA)
    assert "no-new-privileges:true" in SERVICES[name]["security_opt"]


def test_file_has_no_stray_parts() -> None:
    assert {key for key in COMPOSE if not key.startswith("x-")} == {"name", "services", "volumes"}
    named = {v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", []) if not v.startswith(".")}
    assert named == set(COMPOSE["volumes"])
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert profiles == {"simulator": ["demo"], "receiver": ["demo"]}


@pytest.mark.parametrize("name", SERVICES)
def test_image_is_pinned(name: str) -> None:
    if name in OURS:
        assert SERVICES[name]["image"] == "hegui:local"
        assert SERVICES[name]["build"] == "."
    else:
        assert re.search(r":v?\d+(\.\d+)*$", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_on_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_mounted_files_exist_and_are_read_only(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        if volume.startswith("."):
            assert volume.endswith(":ro"), volume
            assert (ROOT / volume.split(":")[0]).exists(), volume


@pytest.mark.parametrize("name", sorted(OURS))
def test_daemon_container_has_no_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["user"].split(":")[0] not in {"0", "root"}
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    config = service["command"][service["command"].index("--config") + 1]
    assert config in mounts(service)


@pytest.mark.parametrize("name", SERVICES)
def test_dependencies_can_become_true(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "test" in SERVICES[other]["healthcheck"]
        else:
            assert other in ONE_SHOT


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT - {"simulator", "receiver"}))
def test_service_is_watched(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_settings_in_the_environment_are_known() -> None:
    for name in sorted(OURS):
        environment = {key: str(value) for key, value in SERVICES[name]["environment"].items()}
        settings = load_settings(None, environment)
        assert settings.kafka.bootstrap_servers == "kafka:19092"


def test_containers_run_the_files_the_other_tests_check() -> None:
    assert mounts(SERVICES["prometheus"]) == {"/etc/prometheus": "./dashboards/prometheus"}
    assert "--config.file=/etc/prometheus/prometheus.yml" in SERVICES["prometheus"]["command"]
    assert mounts(SERVICES["alertmanager"]) == {"/etc/alertmanager": "./dashboards/alertmanager"}
    assert "--config.file=/etc/alertmanager/alertmanager.yml" in SERVICES["alertmanager"]["command"]
    assert mounts(SERVICES["grafana"])["/var/lib/grafana/dashboards"] == "./dashboards/grafana"


def test_prometheus_finds_the_services() -> None:
    for path in (ROOT / "dashboards" / "prometheus" / "targets").glob("*.json"):
        for target in [target for group in json.loads(path.read_text("utf-8")) for target in group["targets"]]:
            host, port = target.split(":")
            assert host == path.stem
            assert f"127.0.0.1:{port}:{port}" in SERVICES[host]["ports"]


def test_alertmanager_keeps_its_memory_longer_than_the_longest_repeat() -> None:
    config = yaml.safe_load((ROOT / "dashboards" / "alertmanager" / "alertmanager.yml").read_text("utf-8"))
    days = max(
        int(route["repeat_interval"][:-1])
        for route in config["route"]["routes"]
        if route.get("repeat_interval", "").endswith("d")
    )
    retention = next(c for c in SERVICES["alertmanager"]["command"] if c.startswith("--data.retention="))
    assert int(retention.removesuffix("h").partition("=")[2]) > 24 * days


def test_image_is_pinned_and_runs_without_rights() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    images = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert len(images) == 2, "build tools stay behind"
    assert set(images) == {"python:3.11-slim-bookworm"}
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert SERVICES["evaluator"]["user"] == "10001:10001"
    assert "HEALTHCHECK" in text
    assert "/livez" in text
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        allowed = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        assert all(f"!{source}" in allowed for source in line.split())
