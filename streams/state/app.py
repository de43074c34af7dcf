"""The Faust application of the state agents, built by a factory; nothing is made at import.

Faust is used under the conditions that its kill test set (streams/adr/0005): at-least-once, the mended transport, state
that is idempotent by construction, no windows, no table writes in timers, concurrency 1, and an agent body that lets nothing
escape: an exception in it would acknowledge the event.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import faust
import msgspec
import structlog

from hegui.rules.exports import LEDGER_TENANT
from hegui.rules.observations import OBSERVATION_VERSION, Observation
from hegui.streams.broker import tls_context
from hegui.streams.errors import StateVersionError
from hegui.streams.settings import Settings
from hegui.streams.state.consumer import use_mended_transport
from hegui.streams.state.issues import IssueKeeper
from hegui.streams.state.ledgers import MADE_FACTS
from hegui.streams.state.observation_gaps import Misfit, ObservationGaps
from hegui.streams.topics import changelog_name

log = structlog.get_logger()

EXIT_STATE = 75
"""Exit code when the state agent must start anew (EX_TEMPFAIL): what it did not commit is read again."""

_REBUILD = "the topic of observations was made anew: rebuild the state from the topics (streams/state.md)"

Quit = Callable[[str, str], None]


def quit_process(event: str, reason: str) -> None:
    """End the process at once, uncommitted: the only safe way out of an agent body."""
    log.critical(event, reason=reason)
    os._exit(EXIT_STATE)


class _SendErrors(faust.Sensor):  # type: ignore[misc]
    def on_send_error(self, producer: Any, exc: BaseException, state: Any) -> None:  # noqa: ARG002 - Faust's signature
        quit_process("state_send_refused", type(exc).__name__)


def state_group(settings: Settings) -> str:
    """Return the consumer group of the state agents."""
    return f"{settings.kafka.group_id}-state"


def build_app(
    settings: Settings,
    keeper: IssueKeeper,
    folder: str,
    bury: Callable[[int, int, bytes | None, Refused], Any],
    gaps: ObservationGaps,
    leave: Quit = quit_process,
) -> faust.App:
    """Return the application with its one table and agent.

    Args:
        settings: the settings.
        keeper: holds the issues; the table is its memory across restarts.
        folder: an empty folder for Faust; with tables in memory nothing is kept in it.
        bury: awaitable that sends a dead letter for a record that is no observation: partition, offset, value, why.
        gaps: looks for observations that are missing, and records them.
        leave: ends the process; replaced in tests.
    """
    partitions = settings.topics.state_partitions
    session = settings.kafka.session_timeout_seconds
    app = faust.App(
        state_group(settings),
        env={},  # else environment variables of Faust's own names would override what stands here
        broker=[f"kafka://{server.strip()}" for server in settings.kafka.bootstrap_servers.split(",")],
        broker_credentials=_credentials(settings),
        autodiscover=False,
        origin=None,
        store="memory://",
        datadir=folder,
        processing_guarantee="at_least_once",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,  # `hegui topics create` makes them; the start checks them
        topic_partitions=partitions,
        table_standby_replicas=0,
        reply_create_topic=False,
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.kafka.group_instance_id,
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 10,
        broker_request_timeout=max(30.0, session + 5),
        broker_rebalance_timeout=60.0,
        broker_max_poll_records=500,
        # While a fetch is read, Faust's consumer asks for the partitions that have nothing, and waits 1.5 s for them before it asks
        # for more: with 1 MiB a fetch that is most of the time in which a table is read back.
        consumer_max_fetch_size=16 * 1024 * 1024,
        broker_max_poll_interval=300.0,
        broker_commit_interval=1.0,
        broker_commit_every=1000,
        producer_acks=-1,
        producer_request_timeout=30.0,
        stream_wait_empty=True,
        stream_buffer_maxsize=1000,
        agent_supervisor="mode.CrashingSupervisor",
    )
    use_mended_transport(app)
    app.sensors.add(_SendErrors())
    # The changelog's name is fixed by group and table name; `streams.topics` knows it too.
    table = app.Table("issues", key_type=bytes, value_type=bytes, partitions=partitions)
    if table.changelog_topic_name != changelog_name(settings):
        raise RuntimeError(f"changelog {table.changelog_topic_name} is not {changelog_name(settings)}")
    observations = app.topic(
        settings.topics.observations, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )
    findings = app.topic(
        settings.topics.findings, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )
    fact_topics = {
        fact: app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
        for fact, name in settings.topics.facts().items()
        if fact in MADE_FACTS
    }

    def _decoded(value: bytes | None) -> Observation | Refused:
        try:
            return read_observation(value, settings.kafka.group_id)
        except StateVersionError as error:
            leave("state_version_unknown", str(error))
            raise

    @table.on_recover  # type: ignore[untyped-decorator]
    async def recovered() -> None:
        owned = {tp.partition for tp in app.tables.recovery.active_tps}
        # What belongs to others now is dropped from memory without a tombstone in the changelog.
        for key in [key for key in table.data.data if keeper.partition_of(key) not in owned]:
            table.data.data.pop(key)
        try:
            keeper.load(table.data.data, owned)
        except StateVersionError as error:
            leave("state_version_unknown", str(error))
            return
        log.info("state_recovered", partitions=sorted(owned), issues=sum(len(i) for i in keeper.issues.values()))

    @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]
    async def revoked(_: Any, partitions_revoked: Any = (), **given: Any) -> None:
        gone = partitions_revoked or given.get("revoked", ())
        # Faust revokes everything at every rebalance; the state itself stays until `recovered` says what is owned.
        keeper.hide({tp.partition for tp in gone if tp.topic == settings.topics.observations})

    async def account_for(partition: int, expected: int, found: int, at_ms: int) -> None:
        gap = await gaps.missing(partition, expected, found)
        if isinstance(gap, Misfit):
            leave(*gap)
        elif gap is not None:
            # The record first, acknowledged: a crash in between records it once more.
            await gaps.record(gap)
            for key, value in keeper.lose(partition, found, gap.records, at_ms).items():
                table[key] = value

    async def count(event: Any) -> None:
        message = event.message
        partition, offset, at_ms = message.partition, message.offset, round(message.timestamp * 1000)
        last = keeper.progress[partition].last_offset
        if offset > last + 1:
            await account_for(partition, last + 1, offset, at_ms)
        elif keeper.made_anew(partition, offset, at_ms):
            leave(
                "state_log_made_anew", f"partition {partition} was counted to {last}, and {offset} is new; {_REBUILD}"
            )
        observation = _decoded(event.value)
        if isinstance(observation, Refused):
            await bury(partition, offset, event.value, observation)
            for key, passed in keeper.skip(partition, offset, at_ms).items():
                table[key] = passed
            return
        step = keeper.step(partition, offset, at_ms, observation)
        # Findings first, acknowledged; then the table. A crash in between sends the same findings again, by the same uids.
        sent = [
            await findings.send(key=key, value=value, headers=headers, force=True)
            for key, value, headers in step.findings
        ]
        sent += [
            await topic.send(key=key, value=value, force=True)
            for fact, key, value in step.facts
            if (topic := fact_topics.get(fact)) is not None
        ]
        for acknowledgement in sent:
            await acknowledgement
        for key, value in step.writes.items():
            if value is None:
                table.pop(key, None)
            else:
                table[key] = value
        keeper.sent(step.reports)

    @app.agent(observations, concurrency=1, name="issues")  # type: ignore[untyped-decorator]
    async def issues(stream: Any) -> None:
        async for event in stream.events():
            try:
                await count(event)
            except BaseException as error:
                if app.should_stop or app.rebalancing:
                    raise
                leave(
                    "state_step_failed",
                    f"{type(error).__name__} at partition {event.message.partition} offset {event.message.offset}",
                )

    return app


class Refused(NamedTuple):
    """Why a record is no observation of this deployment."""

    reason: str
    """Reason of its dead letter."""
    detail: str
    """What is wrong with it."""


class _Head(msgspec.Struct):
    version: int = 1


_decode_head = msgspec.json.Decoder(_Head).decode
_decode = msgspec.json.Decoder(Observation).decode


def read_observation(value: bytes | None, group: str) -> Observation | Refused:
    """Return the observation in a record, or why it must not be counted.

    Args:
        value: the record's value.
        group: the consumer group of the evaluators of this deployment.

    Raises:
        StateVersionError: a newer evaluator wrote it, and passing over what it says would lose it; or one that counted exports by
            tenant.
    """
    try:
        head = _decode_head(value or b"")
    except msgspec.DecodeError:
        return Refused("invalid_data", "not an observation")
    if head.version > OBSERVATION_VERSION:
        raise StateVersionError(
            f"an observation has version {head.version}; update the state agents before the evaluators"
        )
    try:
        observation = _decode(value or b"")
    except msgspec.DecodeError:
        return Refused("invalid_data", "not an observation")
    if observation.group not in {"", group}:
        return Refused("foreign_group", "an observation of another group; give every deployment topics of its own")
    for sum_ in observation.exports:
        if sum_.account.tenant != LEDGER_TENANT:
            raise StateVersionError(
                f"an observation has exports of {sum_.account.entity} for the tenant {sum_.account.tenant} alone; "
                "update the evaluators and rebuild the ledgers from the topics (streams/state.md)"
            )
    return observation


def _credentials(settings: Settings) -> Any:
    sasl, context = settings.kafka.sasl, tls_context(settings.kafka)
    if sasl.mechanism:
        return faust.SASLCredentials(
            mechanism=sasl.mechanism, username=sasl.username, password=sasl.password, ssl_context=context
        )
    return faust.SSLCredentials(context=context) if context is not None else None
