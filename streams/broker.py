"""Kafka clients from the settings: one place for addresses, TLS, SASL and time-outs. aiokafka for evaluator, feed and commands."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from hegui.streams.settings import KafkaSettings

log = structlog.get_logger()


def tls_context(kafka: KafkaSettings) -> ssl.SSLContext | None:
    """Return the TLS context of the settings, None when TLS is off."""
    if not kafka.tls.enabled:
        return None
    context = ssl.create_default_context(cafile=kafka.tls.ca_file)
    if kafka.tls.certificate_file and kafka.tls.key_file:
        context.load_cert_chain(kafka.tls.certificate_file, kafka.tls.key_file)
    return context


def client_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Return what every aiokafka client is made with."""
    protocol = ("SASL_" if kafka.sasl.mechanism else "") + ("SSL" if kafka.tls.enabled else "PLAINTEXT")
    options: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in kafka.bootstrap_servers.split(",")],
        "client_id": "hegui",
        "security_protocol": protocol,
        "ssl_context": tls_context(kafka),
    }
    if kafka.sasl.mechanism:
        options |= {
            "sasl_mechanism": kafka.sasl.mechanism,
            "sasl_plain_username": kafka.sasl.username,
            "sasl_plain_password": kafka.sasl.password,
        }
    return options


def group_consumer(kafka: KafkaSettings) -> AIOKafkaConsumer:
    """Return a consumer of the evaluators' group. It never commits and never resets an offset by itself."""
    return AIOKafkaConsumer(
        **client_options(kafka),
        group_id=kafka.group_id,
        group_instance_id=kafka.group_instance_id,
        enable_auto_commit=False,
        auto_offset_reset="none",
        session_timeout_ms=round(kafka.session_timeout_seconds * 1000),
        heartbeat_interval_ms=round(kafka.session_timeout_seconds * 1000 / 10),
        max_poll_interval_ms=300_000,
        check_crcs=kafka.check_crcs,
        fetch_max_wait_ms=100,
        # With 2 MiB the records of a fetch lie longer, and farther from the processor, before they are judged: 5 % more time.
        max_partition_fetch_bytes=1024 * 1024,
        fetch_max_bytes=32 * 1024 * 1024,
    )


def reader(kafka: KafkaSettings, *, committed: bool = False) -> AIOKafkaConsumer:
    """Return a consumer without a group, for reading topics whole.

    Args:
        kafka: how to reach the broker.
        committed: whether records of aborted transactions are left out, and those of open ones waited for.
    """
    return AIOKafkaConsumer(
        **client_options(kafka),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed" if committed else "read_uncommitted",
    )


def producer(kafka: KafkaSettings) -> AIOKafkaProducer:
    """Return an idempotent producer: acknowledged by all in-sync replicas, in order per partition.

    It does not compress: with lz4 an event took 5 % more time (violations of 2 % of the events). A topic's `compression.type` lets the
    broker do it.
    """
    return AIOKafkaProducer(
        **client_options(kafka),
        enable_idempotence=True,
        acks="all",
        linger_ms=2,
        max_batch_size=256 * 1024,
        request_timeout_ms=30_000,
    )


def admin(kafka: KafkaSettings) -> AIOKafkaAdminClient:
    """Return an admin client."""
    return AIOKafkaAdminClient(**client_options(kafka))


async def start_with_retry(client: Any, what: str, *, first_seconds: float = 0.5, most_seconds: float = 15.0) -> None:
    """Start a client; while the broker cannot be reached, log one line and try again with a growing pause. Blocks until started.

    Raises:
        KafkaError: the broker answered and refused (credentials, version).
    """
    pause = first_seconds
    while True:
        try:
            await client.start()
        except (KafkaConnectionError, ConnectionError, TimeoutError, OSError) as error:
            log.warning("broker_not_reached", client=what, error=type(error).__name__, again_in_seconds=round(pause, 1))
            await asyncio.sleep(pause)
            pause = min(pause * 2, most_seconds)
        else:
            return


__all__ = [
    "KafkaError",
    "admin",
    "client_options",
    "group_consumer",
    "producer",
    "reader",
    "start_with_retry",
    "tls_context",
]
