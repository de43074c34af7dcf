"""From measured points to CURVES.md, curves.json and the plots."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from tests.bench.delay import Delay
from tests.bench.plots import plot
from tests.bench.runner import Run

if TYPE_CHECKING:
    from tests.bench.curves import Point

HERE = Path(__file__).parent
MIDDLE, MOST_P99_MS = 0.5, 50
"""What is wanted at half the load: p99 below so many milliseconds."""
TITLES = {
    "rules": ("Rules in the book", "rules"),
    "bytes": ("Size of an event", "bytes"),
    "partitions": ("Partitions of the topic", "partitions"),
    "faults": ("Share of faulty events", "share"),
    "optouts": ("Opt-outs on disk", "opt-outs"),
}


def _table(points: Sequence[Point]) -> str:
    lines = [
        "| | CPU us an event (spread) | events per CPU-second | events/s | peak MiB |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {p.at:g} | {p.microseconds:.2f} ({p.spread[0]:.2f}-{p.spread[1]:.2f}) | {1e6 / p.microseconds:,.0f} | "
        f"{p.events_per_s:,.0f} | {p.peak_mib:,.0f} |"
        for p in points
    ]
    return "\n".join(lines)


def _told(delay: Delay) -> str:
    if delay.share != MIDDLE:
        return ""
    return "met" if delay.p99_ms < MOST_P99_MS else "missed"


def _delays(found: Sequence[Delay]) -> str:
    lines = [
        "| client | load | events/s | findings | p50 ms | p99 ms | p99.9 ms | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {d.engine} | {d.share:.0%} | {d.events_per_s:,.0f} | {d.violations:,} | {d.p50_ms:.0f} | {d.p99_ms:.0f} | {d.p999_ms:.0f} | {_told(d)} |"
        for d in found
    ]
    return "\n".join(lines)


def _section(curve: str, points: Sequence[Point]) -> str:
    title, unit = TITLES[curve]
    line = [point for point in points if point.curve == curve]
    file = f"curve-{curve}.svg"
    log = curve in {"bytes", "partitions"}
    plot(
        HERE / file,
        title,
        unit,
        "events per CPU-second",
        {"hegui": [(p.at, 1e6 / p.microseconds) for p in line]},
        log_x=log,
        log_y=curve == "bytes",
    )
    return f"## {title}\n\n![{title}]({file})\n\n{_table(line)}\n"


def write(
    points: Sequence[Point],
    found: Sequence[Delay],
    full: Sequence[Run],
    memory: Sequence[tuple[int, float]],
    problems: Sequence[str],
    arguments: Sequence[str],
) -> None:
    """Write the page, the figures and the plots beside this file."""
    figures = {"points": points, "delays": found, "bytes_per_person": memory}
    (HERE / "curves.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
    lines = {
        name: [(d.share * 100, getattr(d, field)) for d in found if d.engine == engine]
        for engine in dict.fromkeys(d.engine for d in found)
        for name, field in ((f"{engine} p50", "p50_ms"), (f"{engine} p99", "p99_ms"))
    }
    plot(HERE / "curve-delay.svg", "Detection delay", "load, percent of the drain", "milliseconds", lines, log_y=True)
    plot(
        HERE / "curve-persons.svg",
        "Memory of an export ledger",
        "distinct persons",
        "MiB",
        {"ledger": [(n, n * each / 2**20) for n, each in memory]},
        log_x=True,
        log_y=True,
    )
    optouts = [point for point in points if point.curve == "optouts"]
    plot(
        HERE / "curve-optouts-memory.svg",
        "Memory of an evaluator",
        "opt-outs",
        "MiB at most",
        {"evaluator": [(point.at, point.peak_mib) for point in optouts]},
    )
    persons = "\n".join(f"| {n:,} | {each:.0f} | {n * each / 2**20:,.0f} |" for n, each in memory)
    starts = "\n".join(
        f"| {client.split()[0]} | {median(r.ready_seconds for r in runs):.2f} | {median(r.first_seconds for r in runs):.2f} |"
        for client in dict.fromkeys(run.engine for run in full)
        if (runs := [run for run in full if run.engine == client])
    )
    starts += "".join(f"\n| with {p.at:,.0f} opt-outs on disk | {p.ready_s:.2f} | |" for p in optouts if p.at)
    curves = "\n".join(_section(curve, points) for curve in TITLES)
    text = f"""# What the evaluator costs, against what grows

Written by `{shlex.join(["python", "-m", "tests.bench.curves", *arguments])}`. Apache Kafka and the evaluator share two noisy cores; CPU time is that of the evaluator's process (all threads). The
events are those of [RESULTS.md](RESULTS.md), 1 kB, 2 % faulty and 4 partitions where nothing else is said. What the figures mean for a deployment:
[sizing](../../streams/sizing.md).

{"; ".join(problems) or "Nothing grows faster than linear"}.

{curves}
Events/s counts the wait for the last commit too (up to 2 s, on topics that take 2 s to drain): read it as a lower bound, and CPU time as the measure.
Events of 500 bytes are the small ones of the traffic alone (with less, rules lack what they need); larger ones than 1 kB carry a text that no rule reads. Rules up to the real book are its first ones,
family by family in turn; above it synthetic ones, of which an event meets a tenth. A faulty event costs more: its rules are called one by one, and its
violation is hashed, encoded and sent.

## Detection delay

From the append of an event to the append of its violation, by the broker's clock (whole milliseconds). The load is a share of the rate at which the same evaluator had drained a full
topic; generator and broker share the two cores too. At half the load 99 of 100 findings are wanted within {MOST_P99_MS} ms.

![Detection delay](curve-delay.svg)

{_delays(found)}

## Memory against opt-outs

The most that was resident in the runs of [Opt-outs on disk](#opt-outs-on-disk): the whole evaluator, the mapped part of the snapshot included, which the evaluators of
a machine share. Crawled records alone, none of them refused.

![Memory of an evaluator](curve-optouts-memory.svg)

## Memory against distinct persons

What the state agents keep in memory for export ledgers; the changelog holds 32 bytes a person beside it.

![Memory of an export ledger](curve-persons.svg)

| distinct persons | bytes a person | MiB |
|---|---|---|
{persons}

## Start

Seconds from the start of the process, medians.

| client | policy, rules and facts loaded | first event judged |
|---|---|---|
{starts}
"""
    (HERE / "CURVES.md").write_text(text, "utf-8")
