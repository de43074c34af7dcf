"""From runs to the table, RESULTS.md and results.json."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from xml.etree import ElementTree as ET

import msgspec

from tests.bench.load import FAULTS, PARTITIONS, Traffic
from tests.bench.runner import Engine, Run
from tests.bench.synthetic_rules import named
from tests.servers import kafka_jars

TARGET = 12.0
"""The evaluator's least multiple of the Faust agent with the real book and the default client, per CPU-second."""
HERE = Path(__file__).parent
PACKAGES = ("aiokafka", "confluent-kafka", "faust-streaming", "mode-streaming", "msgspec", "uvloop", "cramjam")


class Row(msgspec.Struct, frozen=True):
    """One line of results.json; medians over the rounds."""

    engine: str
    rules: int
    events_per_s: float
    events_per_cpu_s: float
    spread_cpu: tuple[float, float]
    """Least and most events per CPU-second of the rounds."""
    rounds: int
    events: int
    to_faust: float
    """Events per CPU-second over those of faust-agent with the same rules (the real book for what has none)."""
    to_drain: float


def _rules(engine: Engine) -> int:
    return len(named(engine.book)) if engine.book else 0


def rows(runs: Sequence[Run], engines: Sequence[Engine]) -> list[Row]:
    of = {engine: [run for run in runs if run.engine == engine.label] for engine in engines}
    per_cpu = {engine: median(run.per_cpu_second for run in found) for engine, found in of.items()}
    faust = {engine.book: found for engine, found in of.items() if engine.name == "faust-agent"}
    drain = next(found for engine, found in of.items() if engine.name == "aiokafka-drain")

    def ratio(found: Sequence[Run], peer: Sequence[Run]) -> float:
        # Round by round: what else the machine does at the time slows both.
        return median(one.per_cpu_second / other.per_cpu_second for one, other in zip(found, peer, strict=True))

    return [
        Row(
            engine=engine.name,
            rules=_rules(engine),
            events_per_s=round(median(run.per_second for run in found)),
            events_per_cpu_s=round(per_cpu[engine]),
            spread_cpu=(round(min(r.per_cpu_second for r in found)), round(max(r.per_cpu_second for r in found))),
            rounds=len(found),
            events=found[0].events,
            to_faust=round(ratio(found, faust[engine.book or "real"]), 2),
            to_drain=round(ratio(found, drain), 3),
        )
        for engine, found in of.items()
    ]


def table(found: Sequence[Row]) -> str:
    lines = [
        "| engine | rules | events | events/s | events per CPU-second (spread) | to faust-agent | to aiokafka-drain |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.engine} | {r.rules or '-'} | {r.events:,} | {r.events_per_s:,.0f} | {r.events_per_cpu_s:,.0f} "
        f"({r.spread_cpu[0]:,.0f}-{r.spread_cpu[1]:,.0f}) | {r.to_faust:.1f}x | {r.to_drain:.2f}x |"
        for r in found
    ]
    return "\n".join(lines)


def missed(found: Sequence[Row]) -> list[str]:
    """Return a sentence for each target that is missed."""
    return [
        f"MISSED: {row.engine} with {row.rules} rules is {row.to_faust:.1f}x faust-agent per CPU-second, wanted {TARGET:g}x"
        for row in found
        if row.engine == "hegui-aiokafka" and row.rules == len(named("real")) and row.to_faust < TARGET
    ]


def rules_met(traffic: Traffic, book: str) -> float:
    """Return how many rules are called for an event, on average."""
    from hegui.rules.core import Outcome

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "optouts.jsonl"
        traffic.write_opt_outs(file)
        judged = traffic.judged(named(book), file)
    excluded = Outcome.NOT_APPLICABLE
    return mean(sum(result.outcome is not excluded for result in one.results.values()) for one in judged)


def _kafka_version() -> str:
    root = ET.parse(Path(kafka_jars.__file__).with_name("pom.xml")).getroot()
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    found = root.find(".//m:dependency/m:version", space)
    return str(found.text) if found is not None else "unknown"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def write(
    found: Sequence[Row], runs: Sequence[Run], traffic: Traffic, options: argparse.Namespace, arguments: Sequence[str]
) -> None:
    """Write RESULTS.md and results.json beside this file."""
    (HERE / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    books = ", ".join(f"{rules_met(traffic, book):.1f} of {len(named(book))}" for book in ("real", "200"))
    rounds = "\n".join(
        f"| {run.engine} | {run.events:,} | {run.seconds:.2f} | {run.cpu_seconds:.2f} | {run.violations:,} |"
        for run in runs
    )
    text = f"""# Benchmark: evaluator, Faust agent, raw drain

Written by `python -m tests.bench.run {shlex.join(arguments)}`. Two shared, noisy cores: read the medians and the ratios, which
come from one run, not the absolute rates.

{table(found)}

Target: the evaluator on aiokafka at least {TARGET:g}x faust-agent per CPU-second, with the real book:
{"; ".join(missed(found)) or "met"}.

## What was measured

* Apache Kafka {_kafka_version()} (KRaft, one broker) on the same machine; topic of {PARTITIONS} partitions, records of
  {traffic.mean_bytes:,.0f} bytes on average, not compressed, batches of 64 kB, LogAppendTime; {FAULTS:.0%} faulty events of all kinds in turn.
* Every engine is a process of its own on a new group with the topic full. CPU: user and system of the process (all threads),
  less what it had used when ready (evaluator and drain: before their clients start; Faust: partitions assigned). Time: first event
  judged to committed end of all partitions; offsets are committed once a second, so that waiting for the last commit (0.5 to
  2 s) is in events/s: it is a lower bound, far too low for the drain and for `--quick`. CPU-seconds do not have this fault.
* `hegui-aiokafka`, `hegui-librdkafka`: the role `evaluator` of `hegui run` on each client, all of it: violations, observations,
  metrics, facts feed, offsets.
* `faust-agent`: the idiomatic agent, events one by one, Faust's own loop and settings: raw records, the same decoder and rules,
  violations sent, at least once; no sums and no metrics. `faust-tuned`: the same with uvloop, polls of 500 and
  `cython_optimizations`; `faust-take`: tuned, up to 1,000 events at a time.
* `aiokafka-drain`: getmany with the evaluator's fetch settings, uvloop, commits; no decoding. `librdkafka-drain`: poll and
  consume with the evaluator's fetch settings, commits; no decoding.
* Rules that apply to an event, on average: {books} (decided or inconclusive).
* Ratios are per CPU-second, and to faust-agent with the same rules: of each round, then the median of the rounds.
* In every run the violations on the broker were counted and equal to the reference (offline, same rules).

Machine: {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}; Python {platform.python_version()};
{packages}.

## Runs

| engine | events | seconds | CPU seconds | violations |
|---|---|---|---|---|
{rounds}
"""
    (HERE / "RESULTS.md").write_text(text, "utf-8")
