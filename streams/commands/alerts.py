"""`hegui alerts`."""

from __future__ import annotations

import getpass
import http.client
import socket
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import msgspec

from hegui.streams.commands.options import config_option
from hegui.streams.errors import SettingsError
from hegui.streams.settings import load_settings


@click.group()
def command() -> None:
    """Try the way to the person on call."""


@command.command()
@config_option
@click.option(
    "--severity",
    type=click.Choice(["critical", "high", "medium", "low"]),
    default="critical",
    show_default=True,
    help="Which route to try.",
)
@click.option(
    "--minutes", type=click.IntRange(1, 60), default=5, show_default=True, help="After how long it resolves by itself."
)
def test(config_file: Path | None, severity: str, minutes: int) -> None:
    """Send a test page to Alertmanager: the same routing, grouping and receivers as a real one."""
    url = load_settings(config_file).alerts.alertmanager_url.rstrip("/") + "/api/v2/alerts"
    now = datetime.now(UTC)
    alert = {
        "labels": {"alertname": "ComplianceTestPage", "severity": severity, "service": "hegui", "tenant": "default"},
        "annotations": {
            "summary": "Test page of hegui: nothing is wrong",
            "runbook_url": "dashboards/runbooks/ComplianceTestPage.md",
            "description": f"Sent by {getpass.getuser()} on {socket.gethostname()}. It resolves by itself in {minutes} min.",
        },
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=minutes)).isoformat(),
    }
    headers = {"Content-Type": "application/json"}
    try:
        request = urllib.request.Request(url, msgspec.json.encode([alert]), headers)  # noqa: S310 - the operator's own address
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - as above
            pass
    except urllib.error.HTTPError as error:
        raise SettingsError(
            f"alerts.alertmanager_url {url} answered {error.code}; check that it is an Alertmanager"
        ) from None
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SettingsError(
            f"alerts.alertmanager_url {url} cannot be reached ({reason}); correct it or start Alertmanager"
        ) from None
    click.echo(
        f"sent ComplianceTestPage with severity {severity} to {url}; the receiver should have it after group_wait"
    )
