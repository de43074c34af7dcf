"""Detection delay under load: from the append of an event to the append of its violation, both by the broker's clock.

A process of its own writes events at an even pace, at a share of the rate at which the same evaluator drained a full topic just before. All
share the machine, so that the shares are higher loads than their numbers say. What comes in the first two seconds of a step warms up.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from hegui.rules.violations import Violation
from tests.bench.runner import ROOT, Engine, RunError, Runner, _end
from tests.servers.spawn import spawn

SHARES = (0.25, 0.5, 0.75)
WARM_UP_MS = 2000


class Delay(msgspec.Struct, frozen=True):
    engine: str
    share: float
    """Of the rate of the drain."""
    events_per_s: float
    """What the generator reached."""
    violations: int
    p50_ms: float
    p99_ms: float
    p999_ms: float


async def stamp_at_append(bootstrap: str, topic: str) -> None:
    """Let the broker date the records of a topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    given = ConfigResource(ConfigResourceType.TOPIC, topic, {"message.timestamp.type": "LogAppendTime"})
    await admin.alter_configs([given])
    await admin.close()


async def _read(bootstrap: str, topic: str, starts: dict[TopicPartition, int]) -> list[tuple[int, int, int, bytes]]:
    """Return partition, offset, time and value of the records of a topic from the given positions on."""
    reader = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    await reader.start()
    found = []
    try:
        reader.assign(list(starts))
        for partition, offset in starts.items():
            reader.seek(partition, offset)
        ends = await reader.end_offsets(list(starts))
        while any([await reader.position(p) < end for p, end in ends.items()]):
            for records in (await reader.getmany(timeout_ms=200, max_records=5000)).values():
                found += [(r.partition, r.offset, r.timestamp, r.value) for r in records]
    finally:
        await reader.stop()
    return found


def percentile(ordered: list[int], share: float) -> float:
    return float(ordered[min(len(ordered) - 1, int(share * len(ordered)))])


async def delays(
    runner: Runner, bootstrap: str, folder: Path, engine: Engine, full: float, seconds: float
) -> list[Delay]:
    """Measure one engine at all shares of `full`, events per second.

    Raises:
        RunError: the engine failed, or did not come to the end.
    """
    topic = f"bench.delay.{engine.name}"
    group = f"bench-delay-{engine.name}"
    settings = await runner.settings(topic, group)
    await stamp_at_append(bootstrap, settings.topics.violations)
    log = folder / f"{group}.log"
    command = [sys.executable, "-m", engine.module, str(folder / f"{group}.toml"), engine.book, *engine.arguments]
    process = spawn(command, log=log, folder=ROOT)
    made = []
    try:
        # Joining the group and the first second of judging are not what is measured.
        await _generate(bootstrap, topic, min(2000.0, full * SHARES[0]), 3.0, first=0)
        await runner.reached(process, group, await runner.ends(topic), log)
        for number, share in enumerate(SHARES, 1):
            before = await runner.ends(topic)
            results = await runner.ends(settings.topics.violations)
            rate = await _generate(bootstrap, topic, full * share, seconds, first=number * 10**9)
            await runner.reached(process, group, await runner.ends(topic), log)
            made.append(
                await _measured(bootstrap, topic, settings.topics.violations, before, results, engine, share, rate)
            )
    finally:
        await asyncio.to_thread(_end, process)
    return made


async def _generate(bootstrap: str, topic: str, rate: float, seconds: float, *, first: int) -> float:
    """Write events at a pace; return the events per second that were reached."""
    command = ["-m", "tests.bench.generator", bootstrap, topic, str(rate), str(seconds), str(first)]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    if process.returncode:
        raise RunError("the generator failed")
    return float(told)


async def _measured(
    bootstrap: str,
    topic: str,
    violations: str,
    before: dict[TopicPartition, int],
    results: dict[TopicPartition, int],
    engine: Engine,
    share: float,
    rate: float,
) -> Delay:
    appended: dict[tuple[int, int], int] = {}
    first_ms = None
    for partition, offset, at_ms, _ in await _read(bootstrap, topic, before):
        appended[partition, offset] = at_ms
        first_ms = at_ms if first_ms is None else min(first_ms, at_ms)
    decode = msgspec.json.Decoder(Violation).decode
    found = []
    for _, _, at_ms, value in await _read(bootstrap, violations, results):
        made = decode(value)
        event_ms = appended.get((made.partition or 0, made.offset or 0)) if made.topic == topic else None
        if event_ms is not None and first_ms is not None and event_ms >= first_ms + WARM_UP_MS:
            found.append(at_ms - event_ms)
    if not found:
        raise RunError(f"{engine.label} found nothing at {share:.0%} of its load: let the steps last longer")
    found.sort()
    return Delay(
        engine.name,
        share,
        round(rate),
        len(found),
        percentile(found, 0.5),
        percentile(found, 0.99),
        percentile(found, 0.999),
    )
