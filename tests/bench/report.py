"""From runs to the table, RESULTS.md and results.json."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import subprocess
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple
from xml.etree import ElementTree as ET

import msgspec

from hegui.rules.engine import Engine as RuleEngine
from hegui.rules.facts import Snapshot, loaded
from hegui.streams.policy_file import load_policy
from tests.bench.load import FAULTS, PARTITIONS, Traffic
from tests.bench.policy import POLICY
from tests.bench.runner import Engine, Run
from tests.bench.synthetic_rules import named
from tests.servers import kafka_jars

HERE = Path(__file__).parent
PACKAGES = (
    *("aiokafka", "confluent-kafka", "faust-streaming", "mode-streaming", "bytewax"),
    *("msgspec", "uvloop", "cramjam"),
)
PEERS = ("faust-agent", "faust-take", "quix", "bytewax", "librdkafka-loop", "aiokafka-drain", "librdkafka-drain")


class Target(NamedTuple):
    """The least ratio of an engine to another."""

    engine: str
    peer: str
    least: float
    per_cpu: bool = True
    """Of events per CPU-second; else of events per second."""


TARGETS = (
    Target("hegui-librdkafka", "faust-agent", 25),
    Target("hegui-librdkafka", "quix", 3),
    Target("hegui-librdkafka", "bytewax", 1.5),
    Target("hegui-librdkafka", "librdkafka-loop", 0.8),
    Target("hegui-aiokafka", "faust-agent", 15),
    Target("hegui-aiokafka", "aiokafka-drain", 0.5),
    Target("hegui-aiokafka-two", "hegui-aiokafka", 1.5, per_cpu=False),
    Target("hegui-librdkafka-two", "hegui-librdkafka", 1.5, per_cpu=False),
    Target("hegui-exactly-once", "hegui-librdkafka", 0.85),
)
"""What issue and design ask for."""
FLOORS = {"hegui-aiokafka": 9.0, "hegui-librdkafka": 9.0}
"""Engine to the least multiple of the Faust agent below which the benchmark fails: what was reached, less the noise."""


class Row(msgspec.Struct, frozen=True):
    """One engine in results.json; medians over the rounds."""

    engine: str
    rules: int
    events: int
    rounds: int
    events_per_s: float
    events_per_cpu_s: float
    spread_cpu: tuple[float, float]
    """Least and most events per CPU-second of the rounds."""
    peak_mib: float
    """Most resident memory of any round, all processes together."""
    to: dict[str, tuple[float, float, float]]
    """Peer to ratio of events per CPU-second: of each round, then median, least and most."""


class Verdict(msgspec.Struct, frozen=True):
    """One target in results.json."""

    engine: str
    peer: str
    of: str
    wanted: float
    ratio: float
    spread: tuple[float, float]
    met: bool


Ratios = tuple[float, float, float]


def _ratios(found: Sequence[Run], peer: Sequence[Run], rate: Callable[[Run], float]) -> Ratios:
    # Round by round: what else the machine does at the time slows both.
    of = [rate(one) / rate(other) for one, other in zip(found, peer, strict=True)]
    return (round(median(of), 2), round(min(of), 2), round(max(of), 2))


def _per_cpu(run: Run) -> float:
    return run.per_cpu_second


def _per_second(run: Run) -> float:
    return run.per_second


def by_engine(runs: Sequence[Run], engines: Sequence[Engine]) -> dict[str, list[Run]]:
    return {engine.name: [run for run in runs if run.engine == engine.label] for engine in engines}


def rows(runs: Sequence[Run], engines: Sequence[Engine]) -> list[Row]:
    of = by_engine(runs, engines)
    made = []
    for engine in engines:
        found = of[engine.name]
        rates = [run.per_cpu_second for run in found]
        row = Row(
            engine=engine.name,
            rules=len(named(engine.book)) if engine.book else 0,
            events=found[0].events,
            rounds=len(found),
            events_per_s=round(median(run.per_second for run in found)),
            events_per_cpu_s=round(median(rates)),
            spread_cpu=(round(min(rates)), round(max(rates))),
            peak_mib=round(max(run.peak_mib for run in found)),
            to={peer: _ratios(found, of[peer], _per_cpu) for peer in PEERS if peer in of},
        )
        made.append(row)
    return made


def verdicts(runs: Sequence[Run], engines: Sequence[Engine]) -> list[Verdict]:
    of = by_engine(runs, engines)
    made = []
    for target in TARGETS:
        if target.engine in of and target.peer in of:
            rate = _per_cpu if target.per_cpu else _per_second
            ratio, least, most = _ratios(of[target.engine], of[target.peer], rate)
            kind = "events per CPU-second" if target.per_cpu else "events/s"
            made.append(
                Verdict(target.engine, target.peer, kind, target.least, ratio, (least, most), ratio >= target.least)
            )
    return made


def table(found: Sequence[Row]) -> str:
    lines = [
        "| engine | rules | events | events/s | events per CPU-second (spread) | peak MiB | to faust-agent (spread) | to quix | to bytewax |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in found:
        ratios = " | ".join(
            "{:.2f}x ({:.2f}-{:.2f})".format(*r.to[peer]) for peer in ("faust-agent", "quix", "bytewax")
        )
        lines.append(
            f"| {r.engine} | {r.rules or '-'} | {r.events:,} | {r.events_per_s:,.0f} | {r.events_per_cpu_s:,.0f} "
            f"({r.spread_cpu[0]:,.0f}-{r.spread_cpu[1]:,.0f}) | {r.peak_mib:,.0f} | {ratios} |"
        )
    return "\n".join(lines)


def targets_table(found: Sequence[Verdict]) -> str:
    lines = ["| engine | to | of | wanted | reached (spread) | |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {v.engine} | {v.peer} | {v.of} | {v.wanted:g}x | {v.ratio:.2f}x ({v.spread[0]:.2f}-{v.spread[1]:.2f}) | {'met' if v.met else 'missed'} |"
        for v in found
    ]
    return "\n".join(lines)


def failed(found: Sequence[Row]) -> list[str]:
    """Return a sentence for each engine that fell below what was reached before."""
    return [
        f"FAILED: {row.engine} is {row.to['faust-agent'][0]:.1f}x faust-agent per CPU-second, and was {floor:g}x"
        for row in found
        if (floor := FLOORS.get(row.engine)) is not None and row.to["faust-agent"][0] < floor
    ]


def rules_met(traffic: Traffic, book: str) -> float:
    """Return how many rules can apply to an event, on average."""
    policy, _ = load_policy(POLICY)
    engine = RuleEngine(named(book), Snapshot(policy, loaded(traffic.opt_outs)))
    met = []
    for envelope in traffic.envelopes:
        plan = engine.evaluate(
            engine.group(envelope.tenant, envelope.data.service), envelope.data, int(envelope.time.timestamp() * 1000)
        )[0]
        met.append(len(plan.keys) + len(plan.inconclusive))
    return mean(met)


def _quix_versions() -> str:
    python = HERE.parents[1] / ".venv-quix/bin/python"
    code = 'from importlib.metadata import version as v; print(f\'quixstreams {v("quixstreams")} on confluent-kafka {v("confluent-kafka")}\')'
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _kafka_version() -> str:
    root = ET.parse(Path(kafka_jars.__file__).with_name("pom.xml")).getroot()
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    found = root.find(".//m:dependency/m:version", space)
    return str(found.text) if found is not None else "unknown"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def write(
    runs: Sequence[Run],
    engines: Sequence[Engine],
    traffic: Traffic,
    options: argparse.Namespace,
    arguments: Sequence[str],
) -> None:
    """Write RESULTS.md and results.json beside this file."""
    found, told = rows(runs, engines), verdicts(runs, engines)
    written = msgspec.json.encode({"engines": found, "targets": told})
    (HERE / "results.json").write_bytes(msgspec.json.format(written, indent=2) + b"\n")
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES) + f"; {_quix_versions()}"
    rounds = "\n".join(
        f"| {run.engine} | {run.events:,} | {run.seconds:.2f} | {run.cpu_seconds:.2f} | {run.peak_mib:,.0f} | {run.violations:,} |"
        for run in runs
    )
    text = f"""# Benchmark: the evaluator beside its peers

Written by `{shlex.join(["python", "-m", "tests.bench.run", *arguments])}` (`make bench`). Two shared, noisy cores: read the medians and the ratios, which
come from one run, not the absolute rates.

{table(found)}

## Targets

{targets_table(told)}

Ratios are taken round by round; shown are the median and the spread over {options.rounds} rounds.

## What was measured

* Apache Kafka {_kafka_version()} (KRaft, one broker) on the same machine; topic of {PARTITIONS} partitions, records of
  {traffic.mean_bytes:,.0f} bytes on average, not compressed, batches of 64 kB, LogAppendTime; {FAULTS:.0%} faulty events of all kinds in turn.
* Every engine is a process of its own (`-two`: two of one group) on a new group with the topic full. CPU: user and system of the process
  (all threads), less what it had used when ready (before its clients start; Faust: partitions assigned). Time: first event
  judged to committed end of all partitions; offsets are committed once a second, so that waiting for the last commit (0.5 to
  2 s) is in events/s: it is a lower bound, far too low for the drains and for `--quick`. CPU-seconds do not have this fault.
* The broker waits a second for the members of a new group, so that two processes begin with a half of the partitions each; no engine's clock runs then.
* In every run the violations on the broker were read, and had to be those of the reference: same events, same rules, same outcomes, none twice.
* `hegui-aiokafka`, `hegui-librdkafka`: the role `evaluator` of `hegui run` on each client, all of it: violations, observations,
  metrics, facts feed, identities, offsets. `hegui-exactly-once`: on librdkafka with `delivery = "exactly_once"`.
* All peers use the evaluator's decoder and judge each event with the same rules by the same engine (`peer_judge.py`), send the violations,
  acknowledged by all replicas, and commit once a second. They keep no sums, no metrics and no identities: they do less.
* `faust-agent`: the idiomatic agent, events one by one, Faust's own loop and settings. `faust-take`: uvloop, polls of 500,
  `cython_optimizations`, up to 1,000 events at a time.
* `quix`: Quix Streams with one `apply`, checkpoints once a second, the evaluator's fetch settings.
* `bytewax`: `flat_map_batch` over batches of 4,000, one worker, the evaluator's fetch settings. It **commits nothing** (its recovery store is off).
* `librdkafka-loop`: confluent-kafka's poll and consume in a plain loop, the whole event decoded, 20 rules inlined by hand (`inlined.py`) instead of
  the book, violations sent, commits.
* `aiokafka-drain`: getmany with the evaluator's fetch settings, uvloop, commits; no decoding. `librdkafka-drain`: poll and
  consume with the evaluator's fetch settings, commits; no decoding.
* Rules that can apply to an event, on average: {rules_met(traffic, "real"):.1f} of {len(named("real"))} in the book, {rules_met(traffic, "inlined"):.1f} of 20 in the loop.

Machine: {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}; Python {platform.python_version()};
{packages}.

## Runs

| engine | events | seconds | CPU seconds | peak MiB | violations |
|---|---|---|---|---|---|
{rounds}
"""
    (HERE / "RESULTS.md").write_text(text, "utf-8")
