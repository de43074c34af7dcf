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

from hegui.rules.engine import Engine
from hegui.rules.violations import RECORDED, VIOLATION_TYPE, identity_uid, violation
from hegui.streams.decoders import decode_cloudevents
from hegui.streams.offline import offline_engine
from hegui.streams.policy_file import load_policy
from hegui.streams.settings import Settings, load_settings
from tests.bench import synthetic_rules
from tests.bench.load import POLICY
from tests.bench.marks import mark

import msgspec  # isort: skip

_DAY_MS = 86_400_000
_HEADERS = [("ce_specversion", b"1.0"), ("ce_type", VIOLATION_TYPE.encode()), ("content-type", b"application/json")]
_encode = msgspec.json.Encoder().encode


def judge(
    engine: Engine, event: Any, trusted_ms: tuple[int, int]
) -> tuple[bytes, bytes, list[tuple[str, bytes]]] | None:
    """Return key, value and headers of the event's violation, None when there is none."""
    message = event.message
    (envelope,) = decode_cloudevents(event.value, message.headers)
    at_ms = int(envelope.time.timestamp() * 1000)
    trusted = trusted_ms[0] <= at_ms - int(message.timestamp * 1000) <= trusted_ms[1]
    group = engine.group(envelope.tenant, envelope.data.service)
    _, deviations = engine.evaluate(group, envelope.data, at_ms, trusted=trusted)
    if not deviations or not any(result.outcome in RECORDED for _, result in deviations):
        return None
    made = violation(
        tenant=envelope.tenant,
        source=envelope.source,
        event_id=envelope.id,
        revision=envelope.revision,
        at_ms=at_ms,
        service=group.label,
        deviations=deviations,
        rule_set=engine.rule_set,
        policy=engine.snapshot.policy.version,
        facts=engine.snapshot.positions(),
        position=(message.topic, message.partition, message.offset),
    )
    key = identity_uid(envelope.tenant, envelope.source, envelope.id).encode()
    return key, _encode(made), [*_HEADERS, ("ce_id", made.uid.encode()), ("ce_source", b"hegui")]


def build(settings: Settings, engine: Engine, style: str, folder: Path) -> faust.App:
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
    trusted_ms = (
        -round(settings.evaluator.max_age_days * _DAY_MS),
        round(settings.evaluator.max_future_seconds * 1000),
    )

    @app.on_partitions_assigned.connect
    async def assigned(*_: Any, **__: Any) -> None:
        mark("ready")

    async def one_by_one(stream: Any) -> None:
        first = True
        async for event in stream.events():
            if first:
                first = False
                mark("first")
            if (made := judge(engine, event, trusted_ms)) is not None:
                key, value, headers = made
                await violations.send(key=key, value=value, headers=headers)

    async def many(stream: Any) -> None:
        first = True
        async for batch in stream.take_events(1000, within=0.1):
            if first:
                first = False
                mark("first")
            for event in batch:
                if (made := judge(engine, event, trusted_ms)) is not None:
                    key, value, headers = made
                    await violations.send(key=key, value=value, headers=headers)

    app.agent(events, name="judge")(many if style == "take" else one_by_one)
    return app


def main(config: str, book: str, style: str) -> None:
    settings = load_settings(Path(config))
    policy, _ = load_policy(POLICY)
    engine = offline_engine(policy, synthetic_rules.named(book), Path(config).with_name("optouts.jsonl"))
    mode.loop.use("aio" if style == "agent" else "uvloop")
    worker = faust.Worker(build(settings, engine, style, Path(config).parent), loglevel="warning")
    worker.execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
