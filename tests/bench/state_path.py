"""`python -m tests.bench.state_path [--events N] [--rounds R] [--keys K] [--quick]`: the evaluator with the state agents behind it.

First the path: the evaluator alone on events without exports (the stateless path), alone with exports among them, and together with
the state agents, in turn over several rounds. Then recovery: how long a state process takes to read its table back. Writes STATE.md
and state.json beside this file. Exit code 1 when a ledger is not exact.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.bench import state_report
from tests.bench.runner import RunError
from tests.bench.state_engines import PathRun, StatePath
from tests.bench.state_load import Exports
from tests.bench.state_recovery import TABLES, Recovered, recover
from tests.servers.kafka import KafkaServer

KINDS = ("stateless", "exports", "exports and state")


async def measure(
    options: argparse.Namespace, folder: Path, bootstrap: str
) -> tuple[list[PathRun], list[Recovered], Exports]:
    """Fill the topics and measure in rounds."""
    traffic = Exports(options.share)
    runs: list[PathRun] = []
    async with StatePath(bootstrap, folder, traffic) as path:
        await path.fill(options.events)
        await path.run("exports and state", warm_up=True)  # the broker's first group
        for number in range(options.rounds):
            for kind in KINDS[number % 3 :] + KINDS[: number % 3]:
                found = await path.run(kind)
                runs.append(found)
                print(
                    f"round {number + 1}: {kind:18} {found.per_second:9,.0f} events/s {found.per_cpu_second:9,.0f} per CPU-second",
                    flush=True,
                )
    recovered: list[Recovered] = []
    for number in range(options.recoveries):
        for table in TABLES:
            one = await recover(bootstrap, folder, table, options.keys)
            recovered.append(one)
            print(
                f"round {number + 1}: {table:28} {one.entries:9,} entries: recovered in {one.seconds:.1f} s", flush=True
            )
    return runs, recovered, traffic


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.state_path", description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=300_000, help="events of a run")
    parser.add_argument("--share", type=float, default=0.1, help="share of events that are exports of a person")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recoveries", type=int, default=2, help="rounds of the recovery")
    parser.add_argument("--keys", type=int, default=1_000_000, help="persons in the table that is recovered")
    parser.add_argument(
        "--quick", action="store_true", help="60,000 events, one round, 100,000 persons; writes nothing"
    )
    options = parser.parse_args()
    if min(options.events, options.rounds, options.recoveries, options.keys) < 1:
        parser.error("--events, --rounds, --recoveries and --keys are at least 1")
    if options.quick:
        options.events, options.rounds, options.recoveries, options.keys = 60_000, 1, 1, 100_000
    with tempfile.TemporaryDirectory(prefix="hegui-bench-") as folder, KafkaServer() as kafka:
        try:
            runs, recovered, traffic = asyncio.run(measure(options, Path(folder), kafka.bootstrap))
        except RunError as error:
            print(f"FAILED: {error}", file=sys.stderr)
            return 1
    rows = state_report.rows(runs, KINDS), state_report.recoveries(recovered)
    print(state_report.tables(*rows))
    if not options.quick:
        state_report.write(*rows, traffic, options, sys.argv[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
