"""Writes STATE.md and state.json: medians and ratios of the stateful path, and of recoveries."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

import msgspec

from tests.bench.load import PARTITIONS
from tests.bench.state_engines import PathRun
from tests.bench.state_load import Exports
from tests.bench.state_recovery import TABLES, Recovered

HERE = Path(__file__).parent
PACKAGES = ("aiokafka", "faust-streaming", "mode-streaming", "msgspec", "uvloop")


class Row(msgspec.Struct, frozen=True):
    """One kind of run; medians over the rounds."""

    kind: str
    events: int
    events_per_s: float
    events_per_cpu_s: float
    state_cpu_share: float
    """Part of the CPU seconds that the state process used."""
    to_stateless: float
    """Events/s over those of the stateless path in the same round."""
    to_stateless_cpu: float
    """Events per CPU-second over those of the stateless path in the same round."""
    rounds: int


class RecoveryRow(msgspec.Struct, frozen=True):
    """One table; medians over the rounds."""

    table: str
    entries: int
    persons: int
    seconds: float
    least_s: float
    most_s: float
    peak_bytes: int
    rounds: int


def rows(runs: Sequence[PathRun], kinds: Sequence[str]) -> list[Row]:
    of = {kind: [run for run in runs if run.kind == kind] for kind in kinds}
    peer = of["stateless"]
    return [
        Row(
            kind=kind,
            events=found[0].events,
            events_per_s=round(median(run.per_second for run in found)),
            events_per_cpu_s=round(median(run.per_cpu_second for run in found)),
            state_cpu_share=round(median(run.state_cpu_seconds / run.cpu_seconds for run in found), 3),
            to_stateless=round(median(a.per_second / b.per_second for a, b in zip(found, peer, strict=True)), 2),
            to_stateless_cpu=round(
                median(a.per_cpu_second / b.per_cpu_second for a, b in zip(found, peer, strict=True)), 2
            ),
            rounds=len(found),
        )
        for kind, found in of.items()
    ]


def recoveries(recovered: Sequence[Recovered]) -> list[RecoveryRow]:
    made = []
    for table in TABLES:
        found = [one for one in recovered if one.table == table]
        times = [one.seconds for one in found]
        peak = round(median(one.peak_bytes for one in found))
        least, most = round(min(times), 1), round(max(times), 1)
        made.append(
            RecoveryRow(
                table, found[0].entries, found[0].persons, round(median(times), 1), least, most, peak, len(found)
            )
        )
    return made


def tables(path: Sequence[Row], recovery: Sequence[RecoveryRow]) -> str:
    lines = [
        "| run | events | events/s | events per CPU-second | of it state | events/s to stateless | per CPU-second to stateless |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.kind} | {r.events:,} | {r.events_per_s:,.0f} | {r.events_per_cpu_s:,.0f} | {r.state_cpu_share:.0%} "
        f"| {r.to_stateless:.2f}x | {r.to_stateless_cpu:.2f}x |"
        for r in path
    ]
    lines += [
        "",
        "| table | entries | persons | seconds until ready (spread) | largest resident size |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.table} | {r.entries:,} | {r.persons:,} | {r.seconds:.1f} ({r.least_s:.1f}-{r.most_s:.1f}) | {r.peak_bytes / 1e6:,.0f} MB |"
        for r in recovery
    ]
    return "\n".join(lines)


def write(
    path: Sequence[Row],
    recovery: Sequence[RecoveryRow],
    traffic: Exports,
    options: argparse.Namespace,
    arguments: Sequence[str],
) -> None:
    """Write STATE.md and state.json beside this file."""
    found = {"path": path, "recovery": recovery}
    (HERE / "state.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    command = shlex.join(["python", "-m", "tests.bench.state_path", *arguments])
    text = f"""# Benchmark: the state agents behind the evaluator

Written by `{command}`. Two shared, noisy cores: read the medians and the ratios, which come from one run,
not the absolute rates.

{tables(path, recovery)}

## What was measured

* Apache Kafka (KRaft, one broker) on the same machine; an input of {PARTITIONS} partitions, records not compressed, 2% faulty events.
* `stateless`: the role `evaluator` of `hegui run` alone, on the usual events (only a handful of the faults export); it sends its observations, nobody
  reads them. `exports`: the same, {traffic.share:.0%} of the events are exports of one person each, nearly all of them new.
  `exports and state`: the same events, and the role `state` of `hegui run` beside the evaluator.
* Time: first event judged to the committed end of the input, and of the observations told by then. Offsets are committed once a second by
  either process, so that up to two seconds of waiting are in events/s. CPU: both processes.
* After every run with state the ledger was read back from the changelog: to the person what the input names.
* Recovery: from the start of `hegui run --role state` until `/readyz`: process, group, changelog, accounts. All persons lie in one account, and so
  in one partition, which is the worst case. `empty` is the same with nothing to read.
  Afterwards the gauge shows the persons that were written.

Machine: {os.cpu_count()} cores, {platform.system()} {platform.release()}; Python {platform.python_version()}; {packages}.
"""
    (HERE / "STATE.md").write_text(text, "utf-8")
