"""The least an aiokafka consumer can do: fetch, count, commit once a second. uvloop, the evaluator's fetch settings, no decoding."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

import uvloop

from hegui.streams.broker import group_consumer
from hegui.streams.settings import Settings, load_settings
from tests.bench.marks import mark


async def drain(settings: Settings) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    consumer = group_consumer(settings.kafka)
    consumer._auto_offset_reset = "earliest"  # a new group; the evaluator seeks by itself
    consumer.subscribe([topic.name for topic in settings.topics.inputs])
    mark("ready")
    await consumer.start()
    seen, next_commit, pending = 0, 0.0, False
    try:
        while not stop.is_set():
            batch = await consumer.getmany(timeout_ms=100, max_records=settings.evaluator.max_batch_records)
            if batch:
                if not seen:
                    mark("first")
                seen += sum(map(len, batch.values()))
                pending = True
            now = time.monotonic()
            if pending and now >= next_commit:
                next_commit = now + settings.evaluator.commit_seconds
                await consumer.commit()
                pending = False
    finally:
        await consumer.stop()


def main(config: str, _: str) -> int:
    settings = load_settings(Path(config))
    uvloop.run(drain(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
