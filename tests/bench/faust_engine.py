"""The same work as a Faust agent: raw records, the same decoder, the same rules by the same engine, violations sent, at least once.

All get msgspec instead of Faust's codecs and models, no web server, no leader topic, no table; they keep no sums and no metrics,
which the evaluator does. `agent` is the idiomatic one: events one by one, Faust's own loop and settings. `tuned` is the same with
uvloop, polls of 500 records and the Cython fast paths switched on; `take` is tuned and takes up to a thousand events at a time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import faust
import mode.loop

from hegui.streams.settings import Settings, load_settings
from tests.bench.marks import mark
from tests.bench.peer_judge import Made, PeerJudge


def judge(peer: PeerJudge, event: Any) -> Made | None:
    message = event.message
    place = (message.topic, message.partition, message.offset)
    return peer(event.value, message.headers, int(message.timestamp * 1000), *place)


def build(settings: Settings, peer: PeerJudge, style: str, folder: Path) -> faust.App:
    (source,) = settings.topics.inputs
    tuned: dict[str, Any] = {} if style == "agent" else {"broker_max_poll_records": 500, "cython_optimizations": True}
    app = faust.App(
        settings.kafka.group_id,
        env={},
        broker=f"kafka://{settings.kafka.bootstrap_servers}",
        autodiscover=False,
        origin=None,
        store="memory://",
        datadir=str(folder / settings.kafka.group_id),
        processing_guarantee="at_least_once",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        topic_partitions=source.partitions,
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=settings.evaluator.commit_seconds,
        producer_acks=-1,
        **tuned,
    )
    raw: dict[str, Any] = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
    events = app.topic(source.name, **raw)
    violations = app.topic(settings.topics.violations, **raw)

    @app.on_partitions_assigned.connect
    async def assigned(*_: Any, **__: Any) -> None:
        mark("ready")

    async def one_by_one(stream: Any) -> None:
        first = True
        async for event in stream.events():
            if first:
                first = False
                mark("first")
            if (made := judge(peer, event)) is not None:
                await violations.send(key=made.key, value=made.value, headers=made.headers)

    async def many(stream: Any) -> None:
        first = True
        async for batch in stream.take_events(1000, within=0.1):
            if first:
                first = False
                mark("first")
            for event in batch:
                if (made := judge(peer, event)) is not None:
                    await violations.send(key=made.key, value=made.value, headers=made.headers)

    app.agent(events, name="judge")(many if style == "take" else one_by_one)
    return app


def main(config: str, book: str, style: str) -> None:
    settings = load_settings(Path(config))
    peer = PeerJudge(settings, book, Path(config).with_name("optouts.jsonl"))
    mode.loop.use("aio" if style == "agent" else "uvloop")
    worker = faust.Worker(build(settings, peer, style, Path(config).parent), loglevel="warning")
    worker.execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
