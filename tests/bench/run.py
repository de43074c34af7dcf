"""`python -m tests.bench.run [--events N] [--rounds R] [--quick]`: the evaluator on each client beside its peers and raw drains.

Same broker, same events, engines in turn over several rounds; writes RESULTS.md and results.json. Exit code 1 when the evaluator
fell behind what it reached before, or when an engine sent other violations than the reference.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.bench import report
from tests.bench.load import Traffic, fill, send_opt_outs
from tests.bench.peer_judge import PeerJudge
from tests.bench.runner import Engine, Run, RunError, Runner
from tests.servers.kafka import KafkaServer

HEGUI = "tests.bench.hegui_engine"
FAUST = "tests.bench.faust_engine"
DRAIN = "tests.bench.drain_engine"
LIBRDKAFKA = ("librdkafka",)
ENGINES = (
    Engine("hegui-aiokafka", "real", HEGUI),
    Engine("hegui-librdkafka", "real", HEGUI, LIBRDKAFKA),
    Engine("hegui-exactly-once", "real", HEGUI, ("librdkafka", "exactly_once")),
    Engine("hegui-aiokafka-two", "real", HEGUI, processes=2),
    Engine("hegui-librdkafka-two", "real", HEGUI, LIBRDKAFKA, processes=2),
    Engine("faust-agent", "real", FAUST, ("agent",), slow=True),
    Engine("faust-take", "real", FAUST, ("take",), slow=True),
    Engine("quix", "real", "tests.bench.quix_engine", environment=".venv-quix"),
    Engine("bytewax", "real", "tests.bench.bytewax_engine", commits=False),
    Engine("librdkafka-loop", "inlined", "tests.bench.loop_engine"),
    Engine("aiokafka-drain", "", DRAIN),
    Engine("librdkafka-drain", "", DRAIN, LIBRDKAFKA),
)
SANITY_EVENTS = 4000


async def measure(options: argparse.Namespace, traffic: Traffic, folder: Path, bootstrap: str) -> list[Run]:
    """Fill the topics, check every engine on few events, then measure in rounds."""
    engines = [e for e in ENGINES if not options.only or e.label in options.only]
    opt_outs = folder / "optouts.jsonl"
    traffic.write_opt_outs(opt_outs)
    sizes = {"bench.sanity": SANITY_EVENTS, "bench.events": options.events, "bench.events.short": options.slow_events}
    runs: list[Run] = []
    async with Runner(bootstrap, folder) as runner:
        for topic, count in sizes.items():
            settings = await runner.settings(topic, "loader")
            await fill(bootstrap, topic, traffic.values(count))
            if sum((await runner.ends(topic)).values()) != count:
                raise RunError(f"{topic} does not hold {count} records")
            print(f"loaded {count} events into {topic}", flush=True)
        await send_opt_outs(settings, traffic)

        judged = {
            book: traffic.expected(PeerJudge(settings, book, opt_outs)) for book in {e.book for e in engines if e.book}
        }

        async def run(engine: Engine, topic: str) -> Run:
            expected = traffic.violations(sizes[topic], judged[engine.book]) if engine.book else None
            return await runner.run(engine, topic, expected)

        for engine in engines:
            found = await run(engine, "bench.sanity")
            print(f"checked {engine.label}: {found.violations} violations", flush=True)
        for number in range(options.rounds):
            turned = engines[number % len(engines) :] + engines[: number % len(engines)]
            for engine in turned:
                found = await run(engine, "bench.events.short" if engine.slow else "bench.events")
                runs.append(found)
                print(
                    f"round {number + 1}: {engine.label:20} {found.per_second:9,.0f} events/s {found.per_cpu_second:9,.0f} per CPU-second {found.peak_mib:5,.0f} MiB",
                    flush=True,
                )
    return runs


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.run", description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=900_000, help="events for all engines but Faust")
    parser.add_argument("--slow-events", type=int, default=60_000, help="events for Faust")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="120,000 events, Faust 30,000")
    parser.add_argument(
        "--only", action="append", help="measure only this engine, as 'hegui-aiokafka real'; writes nothing"
    )
    options = parser.parse_args()
    if options.quick:
        options.events, options.slow_events = 120_000, 30_000
    traffic = Traffic()
    # Two processes of a group begin with a half each, as with the broker's default of 3 s; the clock starts with the first event judged.
    waiting = {"group.initial.rebalance.delay.ms": 1000}
    with tempfile.TemporaryDirectory(prefix="hegui-bench-") as folder, KafkaServer(waiting) as kafka:
        try:
            runs = asyncio.run(measure(options, traffic, Path(folder), kafka.bootstrap))
        except RunError as error:
            print(f"FAILED: {error}", file=sys.stderr)
            return 1
    if options.only:
        return 0
    rows = report.rows(runs, ENGINES)
    print(report.table(rows))
    print(report.targets_table(report.verdicts(runs, ENGINES)))
    report.write(runs, ENGINES, traffic, options, sys.argv[1:])
    failed = report.failed(rows)
    for sentence in failed:
        print(sentence)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
