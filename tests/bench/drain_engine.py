"""The least a consumer can do: fetch, count, commit once a second. The evaluator's fetch settings, no decoding; aiokafka with uvloop."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Any

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


def drain_librdkafka(settings: Settings) -> None:
    from confluent_kafka import OFFSET_BEGINNING, Message

    from hegui.streams.drivers.librdkafka_clients import group_consumer as librdkafka_consumer

    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    consumer = librdkafka_consumer(settings.kafka, lambda error: print(error.name()))

    def begin(_: Any, partitions: list[Any]) -> None:
        for partition in partitions:
            partition.offset = OFFSET_BEGINNING
        consumer.assign(partitions)

    consumer.subscribe([topic.name for topic in settings.topics.inputs], on_assign=begin)
    mark("ready")
    seen, next_commit, pending = 0, 0.0, False
    while not stop:
        first = consumer.poll(0.1)
        batch = [] if first is None else [first, *consumer.consume(settings.evaluator.max_batch_records - 1, 0)]
        if batch:
            if not seen:
                mark("first")
            seen += len(batch) - sum(error is not None for error in map(Message.error, batch))
            pending = True
        now = time.monotonic()
        if pending and now >= next_commit:
            next_commit = now + settings.evaluator.commit_seconds
            at = [place for place in consumer.position(consumer.assignment()) if place.offset >= 0]
            if at:
                consumer.commit(offsets=at, asynchronous=False)
            pending = False
    consumer.close()


def main(config: str, _: str, client: str = "aiokafka") -> int:
    settings = load_settings(Path(config))
    if client == "librdkafka":
        drain_librdkafka(settings)
    else:
        uvloop.run(drain(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
