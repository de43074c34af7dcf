"""Writes events at an even pace to a topic, for the delay under load: `python -m tests.bench.generator BOOTSTRAP TOPIC RATE SECONDS FIRST`.

`FIRST` is the number of the first event: an identity must not come again with another time.
"""

from __future__ import annotations

import itertools
import sys
import time

from confluent_kafka import Producer

from tests.bench.load import PARTITIONS, Traffic

STEP_S = 0.005


def main(bootstrap: str, topic: str, rate: str, seconds: str, first: str) -> int:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1, "batch.size": 64 * 1024, "acks": 1})
    values = Traffic().values(10**12, int(first))
    partitions = itertools.cycle(range(PARTITIONS))
    begun, sent, total = time.monotonic(), 0, round(float(rate) * float(seconds))
    while sent < total:
        due = min(total, round(float(rate) * (time.monotonic() - begun)))
        for value in itertools.islice(values, due - sent):
            while True:
                try:
                    producer.produce(topic, value, partition=next(partitions))
                    break
                except BufferError:
                    producer.poll(0.01)
        sent = due
        producer.poll(0)
        time.sleep(STEP_S)
    producer.flush()
    print(sent / (time.monotonic() - begun))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
