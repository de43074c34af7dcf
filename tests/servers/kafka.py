"""A single Apache Kafka broker (KRaft, broker and controller in one process) for the tests."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers import certificates, kafka_jars
from tests.servers.kafka_probe import broker_is_ready
from tests.servers.ports import free_port
from tests.servers.process import Server, ServerError

_NODE_ID = 1
_CLUSTER_ID = "aGVndWktdGVzdHMtMDAwMQ"  # 16 bytes in unpadded URL-safe base64
_FORMAT_DEADLINE_S = 60.0

_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": str(_NODE_ID),
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    # What a killed member left open is ended soon after its time-out (10 s by default).
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # A lone member must not wait for others, and tests of a lost member must not take long.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    # After a crash the controller takes the broker back only when its old session has run out
    # (9 s by default). Much shorter, and a pause of a busy machine would end the session.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "300",
    # Compaction and retention, once a topic asks for them, are seen within about a second.
    "log.initial.task.delay.ms": "200",
    "log.retention.check.interval.ms": "500",
    "log.cleaner.backoff.ms": "200",
    "log.segment.delete.delay.ms": "500",
    # The default of 128 MB would not leave much of the small heap.
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}


class KafkaServer(Server):
    """A broker with its own data; see `Server` for start, stop, kill and close.

    `properties` may be changed before the first start and while the broker is stopped, for
    example to add a listener with SASL; a PLAINTEXT listener on `port` has to stay.
    """

    def __init__(
        self,
        properties: Mapping[str, object] | None = None,
        *,
        jvm_options: Sequence[str] = ("-Xms256m", "-Xmx768m", "-XX:+UseSerialGC"),
        deadline_s: float = 60.0,
    ) -> None:
        """`properties` override the broker's settings; a start may take `deadline_s` seconds."""
        super().__init__("Kafka", deadline_s=deadline_s)
        self.port = free_port()
        controller = f"127.0.0.1:{free_port()}"
        self.jvm_options = list(jvm_options)
        self._data = self.folder / "data"
        self._format_options: list[str] = []
        self.properties: dict[str, object] = {
            **_SETTINGS,
            "controller.quorum.voters": f"{_NODE_ID}@{controller}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self._data),
            **(properties or {}),
        }

    @property
    def bootstrap(self) -> str:
        """Address for clients, 'host:port'; the same after every restart."""
        return f"127.0.0.1:{self.port}"

    def _prepare(self) -> Sequence[str]:
        settings = self.folder / "server.properties"
        lines = [f"{key}={value}\n" for key, value in self.properties.items()]
        settings.write_text("".join(lines), "utf-8")
        java = [kafka_jars.java(), "-cp", f"{kafka_jars.jars()}/*"]
        if not self._data.exists():
            self._format(java, str(settings))
        logging = "-Dorg.slf4j.simpleLogger.showDateTime=true"
        return [*java, *self.jvm_options, logging, "kafka.Kafka", str(settings)]

    def _format(self, java: Sequence[str], settings: str) -> None:
        done = subprocess.run(
            [*java, "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", settings, *self._format_options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_FORMAT_DEADLINE_S,
        )
        if done.returncode != 0:
            raise ServerError(f"Kafka could not format its data folder:\n{done.stdout.strip()}")

    def _is_ready(self) -> bool:
        return broker_is_ready(self.port)


class SecuredKafkaServer(KafkaServer):
    """A broker with a second listener, on `secured`, for clients with TLS and SASL."""

    MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

    def __init__(self, store: Path, user: str, password: str) -> None:
        """`store` is that of an `Authority`."""
        super().__init__()
        for mechanism in self.MECHANISMS[1:]:
            self._format_options += ["--add-scram", f"{mechanism}=[name={user},password={password}]"]
        self.secured = f"127.0.0.1:{free_port()}"
        listener = f"SECURED://{self.secured}"
        protocols = self.properties["listener.security.protocol.map"]
        login = "org.apache.kafka.common.security"
        self.properties |= {
            "listeners": f"{self.properties['listeners']},{listener}",
            "advertised.listeners": f"{self.properties['advertised.listeners']},{listener}",
            "listener.security.protocol.map": f"{protocols},SECURED:SASL_SSL",
            "listener.name.secured.ssl.keystore.type": "PKCS12",
            "listener.name.secured.ssl.keystore.location": store,
            "listener.name.secured.ssl.keystore.password": certificates.PASSWORD,
            "listener.name.secured.sasl.enabled.mechanisms": ",".join(self.MECHANISMS),
            "listener.name.secured.plain.sasl.jaas.config": f'{login}.plain.PlainLoginModule required user_{user}="{password}";',
            **{
                f"listener.name.secured.scram-sha-{bits}.sasl.jaas.config": f"{login}.scram.ScramLoginModule required;"
                for bits in (256, 512)
            },
        }
