"""TLS and SASL to a real Kafka: both clients judge over a secured listener, and what it refuses ends the start with one sentence."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest

from hegui.rules.violations import Violation
from hegui.streams.broker import mistake_in_settings, reader, start_with_retry
from hegui.streams.settings import KafkaSettings, SaslSettings, Settings, TlsSettings
from hegui.streams.simulation import traffic
from tests.broker.harness import CLIENTS, deployment
from tests.broker.processes import now_ms
from tests.broker.test_startup import refusal
from tests.servers.certificates import Authority
from tests.servers.kafka import SecuredKafkaServer

pytestmark = pytest.mark.broker

USER, PASSWORD, WRONG = "watcher", "right-QX7MARKER", "wrong-QX7MARKER"


class Secured(NamedTuple):
    """A broker with a secured listener, and what clients need."""

    kafka: SecuredKafkaServer
    authority: str
    stranger: str
    """An authority that signed nothing."""

    def settings(self, mechanism: str = "SCRAM-SHA-512", **other: Any) -> dict[str, Any]:
        """The settings of section `kafka` that fit; `password`, `ca_file` and `servers` replace theirs."""
        return {
            "bootstrap_servers": other.get("servers", self.kafka.secured),
            "tls": {"enabled": True, "ca_file": other.get("ca_file", self.authority)},
            "sasl": {"mechanism": mechanism, "username": USER, "password": other.get("password", PASSWORD)},
        }


@pytest.fixture(scope="module")
def secured(tmp_path_factory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    authority, stranger = Authority(folder), Authority(folder, "stranger")
    with SecuredKafkaServer(authority.server_store(), USER, PASSWORD) as kafka:
        yield Secured(kafka, str(authority.certificate), str(stranger.certificate))


@pytest.mark.parametrize("client", CLIENTS)
async def test_events_are_judged_and_violations_read_over_the_secured_listener(secured, client):
    """Two evaluators share the partitions; each came in by another mechanism."""
    async with deployment(secured.kafka.bootstrap, kafka=secured.settings(), evaluator={"client": client}) as made:
        other = {**made.given["kafka"], **secured.settings("PLAIN")}
        made.daemon("evaluator"), made.daemon("evaluator", kafka=other)
        if client == "aiokafka":
            made.daemon("state")  # the same with either
        for daemon in made.daemons:
            daemon.launch()
        for daemon in made.daemons:
            await daemon.ready()
        events = traffic(now_ms, seed=41, faults=0.3)
        await made.send(next(events) for _ in range(300))
        await made.caught_up()
        assert await made.evaluation_faults() == []
        for daemon in made.daemons[:2]:
            assert await daemon.metric("compliance_events_total")
        if client == "aiokafka":
            await made.issues_settled()
            assert await made.state_faults() == []
        assert await read_violations(made.settings) == made.reference.violations.keys()
        for daemon in made.daemons:
            assert await daemon.stop() == 0
            assert "QX7MARKER" not in daemon.log


async def read_violations(settings: Settings) -> set[str]:
    """The uids on the topic, read as the settings say."""
    assert settings.kafka.tls.enabled
    consumer = reader(settings.kafka)
    consumer.subscribe([settings.topics.violations])
    await start_with_retry(consumer, "test", settings.kafka)
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        found: set[str] = set()
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found |= {msgspec.json.decode(record.value, type=Violation).uid for record in records}
        return found
    finally:
        await consumer.stop()


@pytest.mark.parametrize("what", ["wrong password", "another authority"])
async def test_what_the_broker_refuses_ends_every_role_with_one_sentence(secured, what):
    wrong_password = what == "wrong password"
    given = secured.settings(password=WRONG) if wrong_password else secured.settings(ca_file=secured.stranger)
    async with deployment(secured.kafka.bootstrap, create=False, kafka=given) as made:
        for client in CLIENTS:
            made.daemon("evaluator", evaluator={"client": client})
        for role in ("state", "sweeper"):
            made.daemon(role)
        for daemon in made.daemons:
            daemon.launch()
        for daemon in made.daemons:
            said = await refusal(daemon)
            assert said.startswith("settings: kafka.")
            assert ("kafka.sasl.password" if wrong_password else "kafka.tls.ca_file") in said
            assert secured.kafka.secured in said
            assert "QX7MARKER" not in daemon.log


async def test_a_command_ends_with_the_same_sentence(secured):
    async with deployment(secured.kafka.bootstrap, create=False, kafka=secured.settings(password=WRONG)) as made:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "hegui.streams", "topics", "create", "--config", str(made.config)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 2
        assert "kafka.sasl.password" in done.stderr
        assert "Traceback" not in done.stderr + done.stdout


def section(given: dict[str, Any]) -> KafkaSettings:
    return msgspec.convert(given, KafkaSettings)


async def test_each_mistake_is_told_apart(secured):
    assert await mistake_in_settings(section(secured.settings())) is None
    assert await mistake_in_settings(section(secured.settings("SCRAM-SHA-256"))) is None
    # A server that is away says nothing about the settings; the next one does.
    away = f"127.0.0.1:1,{secured.kafka.secured}"
    assert await mistake_in_settings(section(secured.settings(servers="127.0.0.1:1", password=WRONG))) is None
    told = await mistake_in_settings(section(secured.settings("PLAIN", servers=away, password=WRONG)))
    assert told is not None
    assert told.startswith(
        f"settings: kafka.sasl.username 'watcher' or its password is refused by '{secured.kafka.secured}'"
    )
    # The certificate is for 127.0.0.1.
    other_name = secured.kafka.secured.replace("127.0.0.1", "localhost")
    told = await mistake_in_settings(section(secured.settings(servers=other_name)))
    assert told is not None
    assert "ostname mismatch" in told
    no_sasl = KafkaSettings(secured.kafka.bootstrap, sasl=SaslSettings("PLAIN", USER, PASSWORD))
    told = await mistake_in_settings(no_sasl)
    assert told is not None
    assert "remove kafka.sasl" in told
    assert ssl.create_default_context().check_hostname, "the name was checked"
    system = KafkaSettings(secured.kafka.secured, tls=TlsSettings(enabled=True))
    assert "not trusted" in (await mistake_in_settings(system) or "")
