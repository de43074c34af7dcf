"""The same work on bytewax, one worker: a Kafka source, whole batches judged by `flat_map_batch`, a Kafka sink for violations.

bytewax commits no offsets: its progress is kept in a recovery store of its own, which is off here (its best setting). So it does less,
and the runner waits for the end of the topic instead of a commit. Batches of 4,000 and the evaluator's fetch settings.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.testing import cluster_main

from hegui.streams.drivers.librdkafka_clients import FETCH_OPTIONS
from hegui.streams.settings import load_settings
from tests.bench.marks import mark
from tests.bench.peer_judge import PeerJudge

BATCH = 4000


def main(config: str, book: str) -> int:
    settings = load_settings(Path(config))
    judge = PeerJudge(settings, book, Path(config).with_name("optouts.jsonl"))
    (source,) = settings.topics.inputs
    brokers = [settings.kafka.bootstrap_servers]
    first = [True]

    def judged(messages: list[Any]) -> list[KafkaSinkMessage[bytes, bytes]]:
        if first:
            first.clear()
            mark("first")
        found = []
        for message in messages:
            made = judge(
                message.value,
                message.headers,
                message.timestamp[1],
                message.topic,
                message.partition,
                message.offset,
            )
            if made is not None:
                found.append(KafkaSinkMessage(made.key, made.value, headers=made.headers))
        return found

    flow = Dataflow("bench")
    fetching = {name: str(value) for name, value in FETCH_OPTIONS.items()}
    # Without tail it stops at the end of the topic.
    events = op.input("events", flow, KafkaSource(brokers, [source.name], False, add_config=fetching, batch_size=BATCH))
    violations = op.flat_map_batch("judge", events, judged)
    sending = {"enable.idempotence": "true", "acks": "all", "linger.ms": "2"}
    op.output("violations", violations, KafkaSink(brokers, settings.topics.violations, add_config=sending))
    mark("ready")
    cluster_main(flow, [], 0)
    mark("done")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
