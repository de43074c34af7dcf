"""The servers of the tests do what the other tests rely on."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.servers import web
from tests.servers.alertmanager import AlertmanagerServer
from tests.servers.kafka import KafkaServer
from tests.servers.process import ServerError
from tests.servers.prometheus import PrometheusServer
from tests.servers.webhook import WebhookReceiver

TOPIC = "records"


async def produce(bootstrap: str, value: bytes, *, create: bool = False) -> None:
    if create:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    await producer.send_and_wait(TOPIC, value)
    await producer.stop()


async def consume(bootstrap: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(TOPIC, 0)])
        async with asyncio.timeout(20):
            return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


@pytest.mark.broker
def test_kafka_keeps_its_data_and_address_over_a_crash_and_a_restart() -> None:
    with KafkaServer() as kafka:
        bootstrap, folder = kafka.bootstrap, kafka.folder
        asyncio.run(produce(bootstrap, b"one", create=True))
        assert asyncio.run(consume(bootstrap, 1)) == [b"one"]

        kafka.kill()
        assert not kafka.running
        kafka.start()
        assert kafka.bootstrap == bootstrap
        asyncio.run(produce(bootstrap, b"two"))

        kafka.stop()
        kafka.start()
        assert asyncio.run(consume(bootstrap, 2)) == [b"one", b"two"]
    assert not kafka.running
    assert not folder.exists()


@pytest.fixture
def exporter() -> Iterator[str]:
    """Address of an HTTP server that answers every GET with one metric."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"# TYPE answer gauge\nanswer 42\n"
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


SCRAPE = """
global: {{scrape_interval: 200ms, evaluation_interval: 200ms}}
scrape_configs: [{{job_name: tiny, static_configs: [{{targets: ["{address}"]}}]}}]
"""
RULES = """
groups: [{{name: tiny, rules: [{{alert: {alert}, expr: answer > 40}}]}}]
"""


def test_prometheus_scrapes_evaluates_rules_and_reloads(exporter: str, tmp_path: Path) -> None:
    rules = tmp_path / "rule's.yml"
    rules.write_text(RULES.format(alert="First"))
    with PrometheusServer(SCRAPE.format(address=exporter), [rules]) as prometheus:
        (result,) = prometheus.wait_for("answer", lambda results: len(results) == 1, 20)
        assert result["metric"]["instance"] == exporter
        assert result["value"][1] == "42"
        assert prometheus.query("1 + 1")[0]["value"][1] == "2"
        prometheus.wait_for('ALERTS{alertname="First"}', bool, 20)
        assert [alert["state"] for alert in prometheus.alerts()] == ["firing"]

        rules.write_text(RULES.format(alert="Second"))
        prometheus.reload()
        prometheus.wait_for('ALERTS{alertname="Second"}', bool, 20)
        with pytest.raises(ServerError, match="refused query"):
            prometheus.query("answer(")
        with pytest.raises(ServerError, match="refused to reload"):
            prometheus.reload("nonsense: true")


ALERTMANAGER = """
route: {{receiver: hook, group_wait: 0s}}
receivers: [{{name: hook, webhook_configs: [{{url: "{url}"}}]}}]
"""


def test_alertmanager_delivers_an_alert_to_the_webhook() -> None:
    with (
        WebhookReceiver() as hook,
        AlertmanagerServer(ALERTMANAGER.format(url=hook.url)) as alertmanager,
    ):
        alertmanager.post([{"labels": {"alertname": "Tried"}}])
        assert [alert["labels"] for alert in alertmanager.alerts()] == [{"alertname": "Tried"}]
        body = hook.wait_for(lambda body: body["status"] == "firing", 20)
        assert [alert["labels"]["alertname"] for alert in body["alerts"]] == ["Tried"]
        with pytest.raises(ServerError, match="refused alerts"):
            alertmanager.post([{"labels": {}}])
        with pytest.raises(ServerError, match="refused to reload"):
            alertmanager.reload("route: {receiver: nobody}")


def test_webhook_receiver_names_what_came_when_nothing_fits() -> None:
    with WebhookReceiver(status=503) as hook:
        assert web.request("POST", hook.url, {"a": 1})[0] == 503
        assert hook.bodies == [{"a": 1}]
        with pytest.raises(TimeoutError, match=r"received: \[\{'a': 1\}\]"):
            hook.wait_for(lambda body: bool(body["a"] == 2), 0.05)
