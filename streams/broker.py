"""Kafka clients from the settings: one place for addresses, TLS, SASL and time-outs. aiokafka for evaluator, feed and commands."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from hegui.streams.errors import SettingsError
from hegui.streams.settings import KafkaSettings

log = structlog.get_logger()


_LOOK_SECONDS = 5.0
"""How long a server is given to say why it refuses."""

_WRONG_CREDENTIALS = (AuthenticationFailedError, SaslAuthenticationFailed)


def tls_context(kafka: KafkaSettings) -> ssl.SSLContext | None:
    """Return the TLS context of the settings, None when TLS is off.

    Raises:
        SettingsError: a file is not what it should be.
    """
    if not kafka.tls.enabled:
        return None
    try:
        context = ssl.create_default_context(cafile=kafka.tls.ca_file)
    except OSError as error:  # among them ssl.SSLError
        raise SettingsError(
            f"settings: kafka.tls.ca_file {kafka.tls.ca_file!r} holds no certificates ({_words(error)}); name a PEM file"
        ) from None
    if kafka.tls.certificate_file and kafka.tls.key_file:
        try:
            # Without a password OpenSSL would ask for that of an encrypted key at the terminal.
            context.load_cert_chain(kafka.tls.certificate_file, kafka.tls.key_file, password="")
        except OSError as error:
            raise SettingsError(
                f"settings: kafka.tls.certificate_file {kafka.tls.certificate_file!r} and key_file {kafka.tls.key_file!r} are no certificate "
                f"and its key ({_words(error)}); name PEM files that belong together, the key without a password"
            ) from None
    return context


def _words(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or type(error).__name__


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


READER_METADATA_MS = 30_000
"""How long a reader takes at most to learn of new partitions. Publishers may write there before it does."""


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
        metadata_max_age_ms=READER_METADATA_MS,
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


async def start_with_retry(
    client: Any,
    what: str,
    kafka: KafkaSettings | None = None,
    *,
    first_seconds: float = 0.5,
    most_seconds: float = 15.0,
) -> None:
    """Start a client; while the broker cannot be reached, log one line and try again with a growing pause. Blocks until started.

    Args:
        client: the client.
        what: its name in the log.
        kafka: given for the first client of a process: a broker that is there and refuses these settings ends the wait.
        first_seconds: the first pause.
        most_seconds: the longest pause.

    Raises:
        SettingsError: the broker refused the credentials, or is not trusted.
        KafkaError: the broker answered and refused (version).
    """
    pause = first_seconds
    while True:
        try:
            await client.start()
        except (KafkaConnectionError, ConnectionError, TimeoutError, OSError) as error:
            # aiokafka tells of a wrong password and of a server that is away in the same words.
            if kafka is not None and (mistake := await mistake_in_settings(kafka)) is not None:
                await (client.close if hasattr(client, "close") else client.stop)()
                raise SettingsError(mistake) from None
            log.warning("broker_not_reached", client=what, error=type(error).__name__, again_in_seconds=round(pause, 1))
            await asyncio.sleep(pause)
            pause = min(pause * 2, most_seconds)
        else:
            return


async def mistake_in_settings(kafka: KafkaSettings) -> str | None:
    """Return what is wrong with the settings, in the eyes of the first server that answers; None when all is well or nobody answers."""
    options = client_options(kafka)
    for server in options.pop("bootstrap_servers"):
        host, _, port = server.rpartition(":")
        try:
            connection = await create_conn(
                host.strip("[]"), int(port), request_timeout_ms=round(_LOOK_SECONDS * 1000), **options
            )
        except ssl.SSLCertVerificationError as error:
            return (
                f"settings: kafka.bootstrap_servers has {server!r}, whose certificate is not trusted ({error.verify_message}); set "
                "kafka.tls.ca_file to the authority that signed it, and write the server as the certificate names it"
            )
        except _WRONG_CREDENTIALS:
            return (
                f"settings: kafka.sasl.username {kafka.sasl.username!r} or its password is refused by {server!r} ({kafka.sasl.mechanism}); "
                "correct kafka.sasl.username and kafka.sasl.password"
            )
        except UnsupportedSaslMechanismError:
            return f"settings: kafka.sasl.mechanism is {kafka.sasl.mechanism!r}, which {server!r} does not offer; set one that it has"
        except IllegalSaslStateError:
            return (
                f"settings: kafka.sasl.mechanism is {kafka.sasl.mechanism!r}, but {server!r} asks for no password there; "
                "remove kafka.sasl or name the server's port for SASL"
            )
        except (KafkaError, OSError, TimeoutError):
            continue
        connection.close()
        return None
    return None


__all__ = [
    "KafkaError",
    "admin",
    "client_options",
    "group_consumer",
    "mistake_in_settings",
    "producer",
    "reader",
    "start_with_retry",
    "tls_context",
]
