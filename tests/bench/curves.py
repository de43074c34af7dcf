"""`python -m tests.bench.curves [--rounds R] [--client aiokafka|librdkafka]`: what the evaluator costs against what grows, on Apache Kafka.

Rules, size of an event, partitions, share of faulty events, opt-outs; memory against opt-outs and distinct persons; detection delay under load; start.
Writes CURVES.md, curves.json and the plots beside this file. Exit code 1 when a cost grows faster than what it is measured against.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median

import msgspec

from hegui.rules.catalog import find_rules
from hegui.rules.events import IngestEvent
from hegui.streams.broker import reader
from hegui.streams.optout_index.folder import Folder
from hegui.streams.optout_index.layout import SNAPSHOT
from hegui.streams.optout_index.log_identity import identity_of
from hegui.streams.settings import Settings
from hegui.streams.simulation import encode
from tests.bench import curves_page
from tests.bench.delay import Delay, delays
from tests.bench.load import Traffic, fill, send_opt_outs
from tests.bench.optout_entries import declare, make
from tests.bench.runner import ROOT, Engine, Run, RunError, Runner
from tests.servers.kafka import KafkaServer

ENGINE = "tests.bench.hegui_engine"
RULES = (1, 5, 20, 50, len(find_rules()), 150, 200)
BYTES = (500, 1000, 3000, 10_000, 30_000)
PARTITIONS = (1, 2, 4, 8, 16, 64)
FAULTS = (0.0, 0.01, 0.02, 0.05, 0.2, 0.5, 1.0)
OPTOUTS = (0, 100_000, 1_000_000, 10_000_000, 100_000_000)
PERSONS = (10_000, 100_000, 300_000, 1_000_000)
FULL = 600_000
"""Events of the drain that says what a full load is."""
CLIENTS = ("aiokafka", "librdkafka")


class Sized(Traffic):
    """The benchmark's events at another size: the small ones alone, or all with a text that no rule knows."""

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 1000:
            self.envelopes = [envelope for envelope in self.envelopes if len(encode(envelope)) <= size + 50]
        self._halves = [self._cut(self._padded(encode(e), size), e.id) for e in self.envelopes]

    @staticmethod
    def _padded(value: bytes, size: int) -> bytes:
        missing = size - len(value) - len(b',"note":""')
        return value if size <= 1000 or missing <= 0 else value[:-2] + b',"note":"' + b"x" * missing + b'"}}'


class Crawled(Traffic):
    """Crawled records alone, ten of each site: each asks for its page and the hash of its content, and nobody spoke of either."""

    def __init__(self) -> None:
        super().__init__(templates=20_000, faults=0.0)
        made = [e for e in self.envelopes if isinstance(e.data, IngestEvent) and e.data.url and e.data.content_sha256]
        self.envelopes = [
            msgspec.structs.replace(
                e, data=msgspec.structs.replace(e.data, url=f"https://www.host-{n // 10}.example/{n}")
            )
            for n, e in enumerate(made)
        ]
        self._halves = [self._cut(encode(e), e.id) for e in self.envelopes]


class Point(msgspec.Struct, frozen=True):
    """One measured place of a curve; medians over the rounds."""

    curve: str
    at: float
    events: int
    microseconds: float
    """CPU time of an event."""
    spread: tuple[float, float]
    events_per_s: float
    peak_mib: float
    ready_s: float
    """From the start of the process until policy, rules and facts are loaded."""


class Case(msgspec.Struct, frozen=True):
    curve: str
    at: float
    topic: str
    events: int
    book: str = "real"
    optouts: int | None = None
    """Entries of the snapshot on disk; None: no folder."""


def cases(scale: float, most_optouts: int) -> tuple[list[Case], dict[str, Traffic]]:
    """Return what to measure, and topic to its events."""
    plain = Traffic()
    traffic: dict[str, Traffic] = {"bench.curve": plain}
    made = [Case("rules", n, "bench.curve", round(150_000 * scale), str(n)) for n in RULES]
    for size in BYTES:
        topic = f"bench.curve.bytes.{size}"
        traffic[topic] = Sized(size)
        made.append(Case("bytes", round(traffic[topic].mean_bytes), topic, round(min(150_000, 4e8 / size) * scale)))
    for count in PARTITIONS:
        topic = f"bench.curve.partitions.{count}"
        traffic[topic] = plain
        made.append(Case("partitions", count, topic, round(150_000 * scale)))
    for share in FAULTS:
        topic = f"bench.curve.faults.{share}"
        traffic[topic] = Traffic(faults=share)
        made.append(Case("faults", share, topic, round((150_000 if share < 0.3 else 60_000) * scale)))
    traffic["bench.curve.crawled"] = Crawled()
    made += [
        Case("optouts", count, "bench.curve.crawled", round(150_000 * scale), optouts=count)
        for count in OPTOUTS
        if count <= most_optouts
    ]
    return made, traffic


async def snapshots(folder: Path, counts: Iterable[int], settings: Settings, covered: int) -> dict[int, str]:
    """Make a snapshot of so many opt-outs each; return their number to the lines of settings that name its folder.

    Each says that it is of the topic's log, of which it covers `covered` records.
    """
    client = reader(settings.kafka)
    await client.start()
    try:
        log = await identity_of(client, settings.topics.optouts)
    finally:
        await client.stop()
    found = {}
    for count in counts:
        parent = folder / f"optouts-{count}"
        found[count] = f'[facts]\noptouts_folder = "{parent}"\n'
        parent.mkdir(exist_ok=True)
        mine = Folder(parent, settings.topics.optouts).path / SNAPSHOT
        if count and not mine.exists():
            print(f"making {count:,} opt-outs", flush=True)
            make(parent, count, settings.topics.optouts)
        if count:
            declare(mine, log, {0: covered})
    return found


async def measure(
    options: argparse.Namespace, folder: Path, bootstrap: str
) -> tuple[list[Point], list[Delay], list[Run]]:
    """Fill the topics, measure all cases in rounds, then the delays of both clients."""
    todo, traffic = cases(options.scale, options.most_optouts)
    if options.delays_only:
        todo = []
    runs: dict[int, list[Run]] = {number: [] for number in range(len(todo))}
    full: list[Run] = []
    found: list[Delay] = []
    async with Runner(bootstrap, folder) as runner:
        for topic, events in {case.topic: case.events for case in todo}.items():
            count = next((round(case.at) for case in todo if case.topic == topic and case.curve == "partitions"), 4)
            runner.partitions[topic] = count
            await runner.settings(topic, "loader")
            await fill(bootstrap, topic, traffic[topic].values(events), count)
        loader = await runner.settings("bench.curve", "loader")
        await send_opt_outs(loader, traffic["bench.curve"])
        kept = options.snapshots or folder
        counts = [case.optouts for case in todo if case.optouts is not None]
        known = await snapshots(kept, counts, loader, len(traffic["bench.curve"].opt_outs))
        for round_ in range(options.rounds):
            for number, case in enumerate(todo):
                runner.more = "" if case.optouts is None else known[case.optouts]
                run = await runner.run(Engine(options.client, case.book, ENGINE, (options.client,)), case.topic, None)
                runs[number].append(run)
                print(
                    f"round {round_ + 1}: {case.curve:10} {case.at:8g} {run.cpu_seconds / run.events * 1e6:7.2f} us",
                    flush=True,
                )
        runner.more = ""
        await runner.settings("bench.full", "loader")
        await fill(bootstrap, "bench.full", traffic["bench.curve"].values(round(FULL * options.scale)))
        for client in CLIENTS:
            engine = Engine(client, "real", ENGINE, (client,))
            drained = [await runner.run(engine, "bench.full", None) for _ in range(3)]
            full += drained
            rate = median(run.per_second for run in drained)
            found += await delays(runner, bootstrap, folder, engine, rate, options.seconds)
            print(*found[-3:], sep="\n", flush=True)
    return [_point(case, runs[number]) for number, case in enumerate(todo)], found, full


def _point(case: Case, runs: list[Run]) -> Point:
    costs = [run.cpu_seconds / run.events * 1e6 for run in runs]
    return Point(
        case.curve,
        case.at,
        case.events,
        round(median(costs), 2),
        (round(min(costs), 2), round(max(costs), 2)),
        round(median(run.per_second for run in runs)),
        round(max(run.peak_mib for run in runs)),
        round(median(run.ready_seconds for run in runs), 2),
    )


def ledger_memory() -> list[tuple[int, float]]:
    """Return distinct persons to the bytes that each takes in a ledger, each number in a process of its own."""
    code = """
import resource, sys
from hegui.rules.export_accounts import AccountState, ExportAccount
from hegui.rules.exports import Account
from hegui.rules.observations import ExportSum, Observation
from hashlib import sha256
of = Account("default", "c", "e", 2026)
ledger, count = ExportAccount(AccountState(of)), int(sys.argv[1])
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
before = resident()
for first in range(0, count, 5000):
    persons = tuple(sha256(b"%d" % n).hexdigest() for n in range(first, min(first + 5000, count)))
    ledger.step(Observation("t", 0, 0, 0, 1, 0), ExportSum(of, 0, ordinary=persons))
assert len(ledger.ordinary) == count
print((resident() - before) / count)
"""
    found = []
    for persons in PERSONS:
        done = subprocess.run(
            [sys.executable, "-c", code, str(persons)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        found.append((persons, round(float(done.stdout), 1)))
    return found


def excessive(points: list[Point]) -> Iterator[str]:
    """Yield a sentence for each step of a curve where the cost grows faster than what it is measured against."""
    for curve in ("rules", "bytes", "partitions", "faults", "optouts"):
        line = [(point.at, point.microseconds) for point in points if point.curve == curve]
        for (before, cheap), (after, dear) in pairwise(line):
            if before and dear / cheap > 1.25 * after / before:
                yield f"SUPER-LINEAR: {curve} {before:g} to {after:g} costs {cheap} to {dear} us an event"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.curves", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--client", choices=CLIENTS, default="aiokafka")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the numbers of events")
    parser.add_argument("--seconds", type=float, default=12.0, help="length of each step of the delays")
    parser.add_argument("--delays-only", action="store_true", help="only the delays and the start; writes nothing")
    parser.add_argument(
        "--most-optouts", type=int, default=10_000_000, help="the most entries of the curve of opt-outs"
    )
    parser.add_argument(
        "--snapshots", type=Path, help="keep the snapshots of opt-outs here, and use those that are here"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hegui-curves-") as folder, KafkaServer() as kafka:
        try:
            points, found, full = asyncio.run(measure(options, Path(folder), kafka.bootstrap))
        except RunError as error:
            print(f"FAILED: {error}", file=sys.stderr)
            return 1
    if options.delays_only:
        return 0
    problems = list(excessive(points))
    curves_page.write(points, found, full, ledger_memory(), problems, sys.argv[1:])
    print("\n".join(problems or ["nothing grows faster than linear"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
