"""Reads JSON lines from files, standard input or a topic, with a progress bar on a terminal when it takes long."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from hegui.streams.settings import Settings


def read_lines(files: Sequence[str]) -> Iterator[bytes]:
    """Yield the lines of files; `-` is standard input."""
    sizes = [Path(name).stat().st_size for name in files if name != "-"]
    show = sys.stderr.isatty() and sum(sizes) > 5_000_000
    with click.progressbar(length=max(1, sum(sizes)), label="reading", file=sys.stderr, hidden=not show) as bar:
        for name in files:
            if name == "-":
                yield from sys.stdin.buffer
                continue
            with Path(name).open("rb") as file:
                for line in file:
                    yield line
                    bar.update(len(line))


def read_topic(settings: Settings, topic: str, limit: int) -> list[tuple[bytes, list[tuple[str, bytes]]]]:
    """Return value and headers of the latest records of a topic, at most `limit`; tombstones are left out."""

    async def work() -> list[tuple[bytes, list[tuple[str, bytes]]]]:
        from aiokafka import TopicPartition

        from hegui.streams.broker import admin, reader, start_with_retry

        client = admin(settings.kafka)
        await start_with_retry(client, "admin", settings.kafka)
        described = await client.describe_topics([topic])
        await client.close()
        partitions = [TopicPartition(topic, p["partition"]) for p in described[0]["partitions"]]
        if not partitions:
            raise click.UsageError(f"{topic!r} is neither a file nor a topic of {settings.kafka.bootstrap_servers}")
        consumer = reader(settings.kafka)
        await start_with_retry(consumer, "reader")
        found: list[tuple[bytes, list[tuple[str, bytes]]]] = []
        try:
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            beginnings = await consumer.beginning_offsets(partitions)
            share = -(-limit // len(partitions))
            for partition in partitions:
                consumer.seek(partition, max(beginnings[partition], ends[partition] - share))
            while any([await consumer.position(p) < ends[p] for p in partitions]):
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    found += [(record.value, list(record.headers)) for record in records if record.value is not None]
        finally:
            await consumer.stop()
        return found[:limit]

    return asyncio.run(work())
