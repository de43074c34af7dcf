"""The demo: embedded broker, daemon and simulator for a minute, on real parts; what it shows is read from /metrics and Kafka.

For the first part faults of every family are sent; then the cause is "mended", only sound events follow, and issues whose rule
passes again close.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from hegui.rules.catalog import FAMILIES, find_rules
from hegui.streams.broker import admin, reader, start_with_retry
from hegui.streams.settings import Settings, load_settings
from hegui.streams.topics import create_topics

EXAMPLES = Path(__file__).parent / "examples"

FAULTS = 0.1
"""Share of faulty events in the first part. There are over ninety kinds: in a run of usual length each comes several times."""

Metrics = dict[str, list[tuple[dict[str, str], float]]]
"""Sample name to labels and value."""


class Seen:
    """What the demo has seen so far."""

    def __init__(self) -> None:
        self.findings: dict[str, dict[str, Any]] = {}
        self.activities: dict[str, int] = {}
        self.latest: list[dict[str, Any]] = []
        self.metrics: Metrics = {}
        self.sent = 0
        self.mended = False
        self.started = time.monotonic()
        self.urls: list[str] = []

    def outcomes(self) -> dict[str, dict[str, int]]:
        """Return rule to outcome to count."""
        found: dict[str, dict[str, int]] = {}
        for labels, value in self.metrics.get("compliance_evaluations_total", []):
            found.setdefault(labels["rule"], {})[labels["outcome"]] = int(value)
        return found

    def total(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        return sum(value for _, value in self.metrics.get(name, []))

    def families(self) -> set[str]:
        """Return the families with a finding."""
        return {kind for made in self.findings.values() for kind in made["finding_info"]["types"]}


def demo_settings(folder: Path, bootstrap: str, ports: tuple[int, int, int]) -> tuple[Settings, Path]:
    """Write the demo's settings file; topics carry the prefix `demo.`, so that a broker of your own stays as it is."""
    file = folder / "demo.toml"
    run = f"{time.time_ns() // 1_000_000_000:x}"
    names = (
        "violations",
        "observations",
        "findings",
        "dead_letters",
        "coverage_gaps",
        "optouts",
        "filings",
        "notices",
        "waivers",
        "sources",
        "suspensions",
    )
    topics = "\n".join(f'{name} = "demo.{run}.{name.replace("_", "-")}"' for name in names)
    file.write_text(
        f"""policy_file = "{(EXAMPLES / "policy.yaml").as_posix()}"
[kafka]
bootstrap_servers = "{bootstrap}"
group_id = "demo-{run}"
session_timeout_seconds = 10
[topics]
inputs = [
    {{ name = "demo.{run}.generation", partitions = 2 }},
    {{ name = "demo.{run}.ingest", partitions = 2 }},
]
state_partitions = 2
output_partitions = 1
{topics}
[evaluator]
tick_seconds = 0.5
[issues]
quiet_seconds = 8
update_seconds = 5
[http]
port = {ports[0]}
state_port = {ports[1]}
sweep_port = {ports[2]}
[log]
level = "warning"
""",
        "utf-8",
    )
    return load_settings(file, {}), file


@contextmanager
def daemon(file: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `hegui run` as a child; end it gracefully."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEGUI_")}
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "hegui.streams", "run", "--config", str(file)],
            stderr=output,
            stdout=output,
            env=environment,
        )
        try:
            yield child
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
                try:
                    child.wait(30)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()


async def run_demo(
    settings: Settings, seen: Seen, *, rate: float, faulty_seconds: float, seconds: float | None, stop: asyncio.Event
) -> None:
    """Send traffic and watch until `seconds` are over (None: until `stop`)."""
    from hegui.streams.commands.simulate import send

    client = admin(settings.kafka)
    await start_with_retry(client, "admin")
    await create_topics(client, settings)
    await client.close()
    await _ready(seen.urls, stop)
    seen.started = time.monotonic()
    watching = [asyncio.ensure_future(_watch_findings(settings, seen)), asyncio.ensure_future(_watch_metrics(seen))]
    try:
        seen.sent += await send(settings, rate=rate, seconds=faulty_seconds, faults=FAULTS, seed=1, stop=stop)
        seen.mended = True
        rest = None if seconds is None else max(0.0, seconds - faulty_seconds)
        seen.sent += await send(settings, rate=rate, seconds=rest, faults=0.0, seed=2, stop=stop)
        await _judged(seen, stop)
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)


async def _judged(seen: Seen, stop: asyncio.Event) -> None:
    """Wait until the metrics show that all was judged, and a second more for the findings; ten seconds at most."""
    deadline = time.monotonic() + 9
    while not stop.is_set() and time.monotonic() < deadline:
        if seen.total("compliance_events_total") >= seen.sent:
            break
        await asyncio.sleep(0.2)
    await asyncio.sleep(1)


async def _ready(urls: list[str], stop: asyncio.Event) -> None:
    deadline = time.monotonic() + 60
    for url in urls:
        while not stop.is_set():
            with suppress(OSError):
                await asyncio.to_thread(_get, url + "/readyz")
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url}/readyz was not ready within 60 s")
            await asyncio.sleep(0.2)


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own port on this machine
        return str(answer.read().decode())


async def _watch_metrics(seen: Seen) -> None:
    while True:
        found: Metrics = {}
        for url in seen.urls:
            with suppress(OSError):
                for family in text_string_to_metric_families(await asyncio.to_thread(_get, url + "/metrics")):
                    for sample in family.samples:
                        found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
        seen.metrics = found
        await asyncio.sleep(0.5)


async def _watch_findings(settings: Settings, seen: Seen) -> None:
    consumer = reader(settings.kafka)
    consumer.subscribe([settings.topics.findings])
    await start_with_retry(consumer, "demo")
    try:
        async for record in consumer:
            made = msgspec.json.decode(record.value)
            uid = made["finding_info"]["uid"]
            activity = made["activity_name"]
            seen.findings[uid] = made
            seen.activities[activity] = seen.activities.get(activity, 0) + 1
            if activity != "Update":
                seen.latest = [*seen.latest[-5:], made]
    finally:
        await consumer.stop()


def screen(seen: Seen) -> Any:
    """Return what a terminal shows: progress, outcomes by family, the latest findings with their legal basis."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    elapsed = time.monotonic() - seen.started
    events = seen.total("compliance_events_total")
    head = Text(
        f"{elapsed:4.0f} s   {events:,.0f} events judged   {events / max(elapsed, 1):,.0f}/s   lag {seen.total('compliance_consumer_lag_records'):,.0f}"
        f"   open issues {seen.total('compliance_open_issues'):.0f}   dead letters {seen.total('compliance_dead_letters_total'):.0f}"
        f"   {'cause mended: issues close' if seen.mended else 'faults of every family'}"
    )
    table = Table(box=None, header_style="bold")
    columns = ("family", "rules", "failing", "pass", "fail", "waived", "inconclusive")
    for column in columns:
        table.add_column(column, justify="left" if column == "family" else "right")
    outcomes = seen.outcomes()
    for family, prefix in FAMILIES.items():
        rules = [outcomes.get(rule.id, {}) for rule in find_rules() if rule.id.startswith(prefix)]
        counts = [sum(of_rule.get(name, 0) for of_rule in rules) for name in columns[3:]]
        failing = sum(bool(of_rule.get("fail")) for of_rule in rules)
        row = [str(len(rules)), str(failing), *(f"{count:,}" for count in counts)]
        table.add_row(family, *row, style="red" if failing else None)
    latest = Table(box=None, header_style="bold")
    for column in ("finding", "service", "rule", "legal basis"):
        latest.add_column(column)
    for made in seen.latest:
        info, basis = made["finding_info"], "; ".join(made["compliance"]["requirements"])
        latest.add_row(
            f"{made['activity_name']} {info['uid'][:8]}",
            made["resources"][0]["name"],
            made["compliance"]["control"],
            basis,
        )
    return Group(head, "", table, "", latest)


def summary(seen: Seen, echo: Callable[[str], None]) -> bool:
    """Print the summary; return whether every family had a finding and everything sent was judged."""
    events, letters = seen.total("compliance_events_total"), seen.total("compliance_dead_letters_total")
    echo(
        f"\n{seen.sent:,} events sent, {events:,.0f} judged, {letters:.0f} dead letters, lag {seen.total('compliance_consumer_lag_records'):.0f}"
    )
    echo("findings: " + ", ".join(f"{n} {activity.lower()}" for activity, n in sorted(seen.activities.items())))
    for family in FAMILIES:
        echo(f"\n{family}")
        for made in sorted(seen.findings.values(), key=lambda m: str(m["compliance"]["control"])):
            if family not in made["finding_info"]["types"]:
                continue
            unmapped, control = made["unmapped"], made["compliance"]["control"]
            count = f"{unmapped['failures']} failed" + (f", {unmapped['waived']} waived" if unmapped["waived"] else "")
            echo(
                f"  {control} {made['status']:10} {made['resources'][0]['name']:14} {count:20} {made['finding_info']['title']}"
            )
            echo(f"         [{'; '.join(made['compliance']['requirements'])}]")
    missing = FAMILIES.keys() - seen.families()
    if missing:
        echo(f"\nno finding in: {', '.join(sorted(missing))}")
    if events < seen.sent:
        echo(f"\n{seen.sent - events:.0f} events were not judged in time")
    return not missing and events >= seen.sent
