"""`hegui simulate`."""

from __future__ import annotations

import asyncio
import sys
import time
from itertools import islice
from pathlib import Path

import click
import msgspec

from hegui.rules.events import GenerationEnvelope
from hegui.streams import simulated_cases, simulation
from hegui.streams.commands.options import config_option, settings_from
from hegui.streams.settings import Settings


@click.command()
@config_option
@click.option("--rate", type=click.FloatRange(min=0.1), default=200.0, show_default=True, help="Events a second.")
@click.option("--seconds", type=click.FloatRange(min=0), help="How long; without it, until stopped.")
@click.option("--faults", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share of faulty events.")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same events but for the times.")
@click.option(
    "--output",
    type=click.File("wb"),
    help="Write JSON lines to this file (-: standard output) instead of Kafka; needs --count.",
)
@click.option("--count", type=click.IntRange(min=1), help="How many events to write with --output.")
def command(
    config_file: Path | None,
    rate: float,
    seconds: float | None,
    faults: float,
    seed: int,
    output: click.utils.LazyFile | None,
    count: int | None,
) -> None:
    """Send synthetic events that match the example policy: mostly sound ones, and faults of every family."""
    if output is not None:
        if count is None:
            raise click.UsageError("--output needs --count")
        now_ms = time.time_ns() // 1_000_000
        for event in islice(simulation.traffic(lambda: now_ms, seed=seed, faults=faults), count):
            output.write(simulation.encode(event) + b"\n")
        return
    settings = settings_from(config_file)
    try:
        sent = asyncio.run(send(settings, rate=rate, seconds=seconds, faults=faults, seed=seed))
    except KeyboardInterrupt:
        return
    click.echo(f"sent {sent} events", err=True)


async def send(
    settings: Settings,
    *,
    rate: float,
    seconds: float | None,
    faults: float,
    seed: int,
    stop: asyncio.Event | None = None,
) -> int:
    """Send events at a rate, and the opt-outs, notices and suspensions that the faults run into; return how many events were sent."""
    from hegui.streams.broker import producer, start_with_retry

    client = producer(settings.kafka)
    await start_with_retry(client, "simulator", settings.kafka)
    sent = of_cases = 0
    try:
        now_ms = time.time_ns() // 1_000_000
        if settings.topics.optouts:
            for record in simulation.opt_outs(now_ms):
                key = f"{record.scheme}|{record.subject}|{record.source}|simulated".encode()
                await client.send_and_wait(settings.topics.optouts, msgspec.json.encode(record), key=key)
        if settings.topics.notices:
            for notice in simulation.notices(now_ms):
                key = f"{notice.scheme}|{notice.subject}|simulated".encode()
                await client.send_and_wait(settings.topics.notices, msgspec.json.encode(notice), key=key)
        if settings.topics.suspensions:
            for suspension in simulation.suspensions(now_ms):
                value = msgspec.json.encode(suspension)
                await client.send_and_wait(settings.topics.suspensions, value, key=suspension.record_key())
        topics = [topic.name for topic in settings.topics.inputs]
        started = time.monotonic()
        for event in simulation.traffic(
            lambda: time.time_ns() // 1_000_000, seed=seed, faults=faults, run=f"sim{now_ms:x}"
        ):
            elapsed = time.monotonic() - started
            if (seconds is not None and elapsed >= seconds) or (stop is not None and stop.is_set()):
                break
            topic = topics[0] if isinstance(event, GenerationEnvelope) else topics[-1]
            await client.send(topic, simulation.encode(event))
            sent += 1
            if sent % 100 == 0:
                for case in simulated_cases.cases(sent // 100, time.time_ns() // 1_000_000, f"sim{now_ms:x}"):
                    await client.send(topics[-1], simulation.encode(case))
                    of_cases += 1
            if sent % 1000 == 0:
                # One record in a thousand is broken: dead letters are part of the picture.
                await client.send(topic, b'{"broken":')
            ahead = sent / rate - elapsed
            if ahead > 0.01:
                await asyncio.sleep(ahead)
    finally:
        await client.stop()
    if sys.stderr.isatty():
        click.echo("simulator stopped", err=True)
    return sent + of_cases
