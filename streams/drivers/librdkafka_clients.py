"""librdkafka's clients from the settings, with the semantics of those in `streams/broker.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from confluent_kafka import Consumer, Producer

from hegui.streams.drivers.librdkafka_statistics import INTERVAL_MS
from hegui.streams.settings import KafkaSettings

FETCH_OPTIONS: dict[str, Any] = {
    "fetch.wait.max.ms": 100,
    # A short queue and small fetches stay in the processor's cache: 0.8 us a record in librdkafka's threads, 1.3 us with 32 MB.
    "fetch.message.max.bytes": 1024 * 1024,
    "fetch.max.bytes": 4 * 1024 * 1024,
    "queued.max.messages.kbytes": 8 * 1024,
    # How long the fetcher sleeps when it finds the queue full. With the default of 1000 the loop idles: a third of the rate.
    # With 2 it wakes for nothing. 8 MB last longer than 10 ms.
    "fetch.queue.backoff.ms": 10,
}
"""How records are fetched."""


def client_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Return what every librdkafka client is made with."""
    protocol = ("SASL_" if kafka.sasl.mechanism else "") + ("SSL" if kafka.tls.enabled else "PLAINTEXT")
    options: dict[str, Any] = {
        "bootstrap.servers": ",".join(server.strip() for server in kafka.bootstrap_servers.split(",")),
        "client.id": "hegui",
        "security.protocol": protocol,
        "reconnect.backoff.max.ms": 1000,  # with the default of 10 s a broker that is back is noticed late
        # Each failed attempt to connect would be a line of text among our JSON; the error callback tells what matters.
        "log_level": 2,
    }
    tls = {
        "ssl.ca.location": kafka.tls.ca_file,
        "ssl.certificate.location": kafka.tls.certificate_file,
        "ssl.key.location": kafka.tls.key_file,
    }
    if kafka.tls.enabled:
        options |= {name: path for name, path in tls.items() if path}
    if kafka.sasl.mechanism:
        options |= {
            "sasl.mechanism": kafka.sasl.mechanism,
            "sasl.username": kafka.sasl.username,
            "sasl.password": kafka.sasl.password,
        }
    return options


def statistics_options(on_statistics: Callable[[str], None] | None) -> dict[str, Any]:
    """Return what makes a client tell its statistics, in JSON; nothing when nobody wants them."""
    if on_statistics is None:
        return {}
    return {"statistics.interval.ms": INTERVAL_MS, "stats_cb": on_statistics}


def group_consumer(
    kafka: KafkaSettings,
    on_error: Callable[[Any], None],
    *,
    assignment: str = "roundrobin",
    read_committed: bool = False,
    on_statistics: Callable[[str], None] | None = None,
) -> Consumer:
    """Return a consumer of the evaluators' group. It never commits and never resets an offset by itself.

    With `read_committed`, records of open and aborted transactions are not read, and a committed position is that of a transaction that ended.
    """
    options = client_options(kafka) | {
        "group.id": kafka.group_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "isolation.level": "read_committed"
        if read_committed
        else "read_uncommitted",  # the latter is aiokafka's default
        # By default aiokafka's only assignor: members with either client share a group, so that a rolling change of the client works.
        "partition.assignment.strategy": assignment,
        "session.timeout.ms": round(kafka.session_timeout_seconds * 1000),
        "heartbeat.interval.ms": round(kafka.session_timeout_seconds * 1000 / 10),
        "max.poll.interval.ms": max(300_000, round(kafka.session_timeout_seconds * 1000)),
        "check.crcs": kafka.check_crcs,
        **FETCH_OPTIONS,
        # The only way in which librdkafka says that it passed over what holds no records (transaction markers).
        "enable.partition.eof": True,
        "error_cb": on_error,
        **statistics_options(on_statistics),
    }
    if kafka.group_instance_id:
        options["group.instance.id"] = kafka.group_instance_id
    return Consumer(options)


def producer(
    kafka: KafkaSettings,
    on_error: Callable[[Any], None],
    transactional: Mapping[str, Any] = MappingProxyType({}),
    *,
    on_statistics: Callable[[str], None] | None = None,
) -> Producer:
    """Return an idempotent producer: acknowledged by all in-sync replicas, in order per partition, keys placed as Kafka's own."""
    return Producer(
        client_options(kafka)
        | {
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": "murmur2_random",  # the default (CRC32) agreed with Kafka's own on 23 of 200 keys
            "linger.ms": 2,
            "batch.size": 256 * 1024,
            "message.max.bytes": 1_048_576,
            "compression.type": "lz4",
            "message.timeout.ms": 30_000,
            "error_cb": on_error,
            **statistics_options(on_statistics),
            **transactional,
        }
    )
