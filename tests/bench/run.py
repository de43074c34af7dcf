"""`python -m tests.bench.run [--events N] [--rounds R] [--quick]`: the evaluator on each client beside a Faust agent and raw drains.

Same broker, same events, engines in turn over several rounds; writes RESULTS.md and results.json. Exit code 1 when the evaluator
is not fast enough, or when an engine sent other violations than the reference.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.bench import report
from tests.bench.load import Traffic, fill, send_opt_outs
from tests.bench.runner import Engine, Run, RunError, Runner
from tests.bench.synthetic_rules import named
from tests.servers.kafka import KafkaServer

HEGUI = "tests.bench.hegui_engine"
FAUST = "tests.bench.faust_engine"
DRAIN = "tests.bench.drain_engine"
ENGINES = (
    Engine("hegui-aiokafka", "real", HEGUI),
    Engine("hegui-librdkafka", "real", HEGUI, ("librdkafka",)),
    Engine("faust-agent", "real", FAUST, ("agent",), slow=True),
    Engine("hegui-aiokafka", "200", HEGUI),
    Engine("hegui-librdkafka", "200", HEGUI, ("librdkafka",)),
    Engine("faust-agent", "200", FAUST, ("agent",), slow=True),
    Engine("faust-tuned", "real", FAUST, ("tuned",), slow=True),
    Engine("faust-take", "real", FAUST, ("take",), slow=True),
    Engine("aiokafka-drain", "", DRAIN),
    Engine("librdkafka-drain", "", DRAIN, ("librdkafka",)),
)
SANITY_EVENTS = 4000


async def measure(options: argparse.Namespace, traffic: Traffic, folder: Path, bootstrap: str) -> list[Run]:
    """Fill the topics, check every engine on few events, then measure in rounds."""
    engines = [e for e in ENGINES if not options.only or e.label in options.only]
    opt_outs = folder / "optouts.jsonl"
    traffic.write_opt_outs(opt_outs)
    judged = {book: traffic.judged(named(book), opt_outs) for book in {e.book for e in engines if e.book}}
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
                    f"round {number + 1}: {engine.label:20} {found.per_second:9,.0f} events/s {found.per_cpu_second:9,.0f} per CPU-second",
                    flush=True,
                )
    return runs


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.run", description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=600_000, help="events for the evaluator and the drain")
    parser.add_argument("--slow-events", type=int, default=60_000, help="events for Faust")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="120,000 events, Faust 30,000")
    parser.add_argument(
        "--only", action="append", help="measure only this engine, as 'hegui-aiokafka real'; writes nothing"
    )
    options = parser.parse_args()
    if options.quick:
        options.events, options.slow_events = 120_000, 30_000
    traffic = Traffic()
    with tempfile.TemporaryDirectory(prefix="hegui-bench-") as folder, KafkaServer() as kafka:
        try:
            runs = asyncio.run(measure(options, traffic, Path(folder), kafka.bootstrap))
        except RunError as error:
            print(f"FAILED: {error}", file=sys.stderr)
            return 1
    if options.only:
        return 0
    rows = report.rows(runs, ENGINES)
    print(report.table(rows))
    report.write(rows, runs, traffic, options, sys.argv[1:])
    missed = report.missed(rows)
    for sentence in missed or ["all targets are met"]:
        print(sentence)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
