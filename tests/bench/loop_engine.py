"""The least that does some of the work: confluent-kafka's poll and consume, the whole event decoded, twenty inlined rules, commits.

The evaluator's fetch settings. Violations are sent and acknowledged before their offsets are committed, once a second. No sums, no
metrics, no facts feed, no dead letters, no care at rebalances.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING

from hegui.streams.decoders import decode_cloudevents
from hegui.streams.drivers.librdkafka_clients import group_consumer, producer
from hegui.streams.settings import load_settings
from tests.bench.inlined import Suspicion
from tests.bench.marks import mark
from tests.bench.peer_judge import PeerJudge

_DAY_MS = 86_400_000


def main(config: str, book: str) -> int:
    settings = load_settings(Path(config))
    judge = PeerJudge(settings, book, Path(config).with_name("optouts.jsonl"))
    suspected = Suspicion(judge.engine.snapshot).suspected
    oldest_ms = -round(settings.evaluator.max_age_days * _DAY_MS)
    newest_ms = round(settings.evaluator.max_future_seconds * 1000)
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    consumer = group_consumer(settings.kafka, lambda error: print(error.name()))
    sending = producer(settings.kafka, lambda error: print(error.name()))

    def begin(_: Any, partitions: list[Any]) -> None:
        for partition in partitions:
            partition.offset = OFFSET_BEGINNING
        consumer.assign(partitions)

    consumer.subscribe([topic.name for topic in settings.topics.inputs], on_assign=begin)
    violations, limit = settings.topics.violations, settings.evaluator.max_batch_records - 1
    seen, next_commit, pending = False, 0.0, False
    mark("ready")
    while not stop:
        first = consumer.poll(0.1)
        batch = [] if first is None else [first, *consumer.consume(limit, 0)]
        for message in batch:
            if message.error() is not None:
                continue
            if not seen:
                seen = True
                mark("first")
            (envelope,) = decode_cloudevents(message.value(), message.headers() or ())
            at_ms = int(envelope.time.timestamp() * 1000)
            if suspected(envelope.tenant, envelope.data, at_ms):
                trusted = oldest_ms <= at_ms - message.timestamp()[1] <= newest_ms
                place = (message.topic(), message.partition(), message.offset())
                if (made := judge.judge(envelope, at_ms, trusted, place)) is not None:
                    sending.produce(violations, made.value, made.key, headers=made.headers)
        if batch:
            pending = True
            sending.poll(0)
        now = time.monotonic()
        if pending and now >= next_commit:
            next_commit = now + settings.evaluator.commit_seconds
            sending.flush()
            at = [place for place in consumer.position(consumer.assignment()) if place.offset >= 0]
            if at:
                consumer.commit(offsets=at, asynchronous=False)
            pending = False
    consumer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
