"""The same work on Quix Streams: bytes in and out, one `apply` that judges, violations to a topic, at least once.

Its best settings: no time alignment, no state; a checkpoint once a second as the others commit; the evaluator's fetch settings (with
librdkafka's default `fetch.queue.backoff.ms` it idles). It runs in an environment of its own: quixstreams wants an older confluent-kafka.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from quixstreams import Application, message_context
from quixstreams.models.serializers import BytesSerializer

from hegui.streams.drivers.librdkafka_clients import FETCH_OPTIONS
from hegui.streams.settings import load_settings
from tests.bench.marks import mark
from tests.bench.peer_judge import Made, PeerJudge


class Value(BytesSerializer):
    """The value of a violation is encoded already."""

    def __call__(self, value: Any, ctx: Any) -> bytes:
        return value.value


def main(config: str, book: str) -> int:
    settings = load_settings(Path(config))
    judge = PeerJudge(settings, book, Path(config).with_name("optouts.jsonl"))
    (source,) = settings.topics.inputs
    app = Application(
        broker_address=settings.kafka.bootstrap_servers,
        consumer_group=settings.kafka.group_id,
        auto_offset_reset="earliest",
        commit_interval=settings.evaluator.commit_seconds,
        consumer_extra_config=dict(FETCH_OPTIONS),
        producer_extra_config={"enable.idempotence": True, "acks": "all", "linger.ms": 2},
        consumer_poll_timeout=0.1,
        auto_create_topics=False,
        use_changelog_topics=False,
        state_dir=str(Path(config).parent / settings.kafka.group_id),
        loglevel="ERROR",
        processing_guarantee="at-least-once",
    )
    events = app.topic(source.name, key_deserializer="bytes", value_deserializer="bytes")
    violations = app.topic(settings.topics.violations, key_serializer="bytes", value_serializer=Value())
    topic, first = source.name, [True]

    def judged(value: bytes, _key: Any, timestamp: int, headers: Any) -> Made | None:
        if first:
            first.clear()
            mark("first")
        at = message_context()
        return judge(value, headers, timestamp, topic, at.partition, at.offset)

    frame = app.dataframe(events).apply(judged, metadata=True).filter(lambda made: made is not None)
    frame.set_headers(lambda made, *_: made.headers).to_topic(violations, key=lambda made: made.key)
    mark("ready")
    app.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
