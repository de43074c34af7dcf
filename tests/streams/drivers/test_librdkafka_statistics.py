"""librdkafka's statistics as metrics: the recorded ones of a consumer (its mock cluster of two brokers), with numbers put in."""

import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from confluent_kafka import Consumer, Producer
from prometheus_client import CollectorRegistry

import hegui.streams
from hegui.streams.drivers.librdkafka_clients import group_consumer, producer
from hegui.streams.drivers.librdkafka_statistics import Client, Statistics
from hegui.streams.metrics import METRIC_NAMES, EvaluatorMetrics
from tests.alerts.rule_files import DASHBOARDS
from tests.streams.example import settings

RECORDED = (Path(__file__).parent / "librdkafka_statistics.json").read_text("utf-8")
OURS = sorted(name for name in METRIC_NAMES if name.startswith("compliance_client_"))
LEARNED, COORDINATOR = "127.0.0.1:42425/2", "GroupCoordinator"


class Told:
    """A client's statistics and what is shown of them."""

    def __init__(self, client: Client = "consumer") -> None:
        self.client = client
        self.metrics = EvaluatorMetrics(CollectorRegistry())
        self.taker = Statistics(self.metrics.client, client)
        self.now: dict[str, Any] = json.loads(RECORDED)

    def tell(self) -> None:
        self.taker(json.dumps(self.now))

    def value(self, name: str, **labels: str) -> float | None:
        named = {} if name == "rebalances_total" else {"client": self.client, **labels}
        return self.metrics.registry.get_sample_value(f"compliance_client_{name}", named)


def test_recorded_statistics_are_shown_in_base_units() -> None:
    told = Told()
    assert told.value("received_bytes_total") == 0
    told.tell()
    assert told.value("received_bytes_total") == 6055
    assert told.value("sent_bytes_total") == 3300
    assert told.value("rebalances_total") == 1
    assert told.value("round_trip_seconds", broker="2") == 0.501759
    assert told.value("round_trip_seconds", broker="coordinator") == 0
    assert told.value("throttle_seconds", broker="1") == 0
    assert told.value("queue_time_seconds", broker="2") is None  # of producers
    assert told.value("errors_total", broker="1", kind="timeout") == 0


def test_the_queue_that_all_partitions_share_is_counted_once() -> None:
    told = Told()
    for partition in told.now["topics"]["t"]["partitions"].values():
        partition |= {"fetchq_cnt": 70, "fetchq_size": 7000}
    told.tell()
    assert told.value("queued_records") == 70
    assert told.value("queued_bytes") == 7000
    told.now["topics"] = {}  # no partition is ours any more
    told.tell()
    assert told.value("queued_records") == 0


def test_a_producer_shows_what_is_not_acknowledged() -> None:
    told = Told("producer")
    del told.now["cgrp"]
    told.now |= {"msg_cnt": 5, "msg_size": 600}
    told.now["brokers"][LEARNED]["int_latency"]["p99"] = 2500
    told.now["brokers"][LEARNED]["throttle"]["p99"] = 1500
    told.tell()
    assert told.value("queued_records") == 5
    assert told.value("queued_bytes") == 600
    assert told.value("queue_time_seconds", broker="2") == 0.0025
    assert told.value("throttle_seconds", broker="2") == 1.5
    assert told.value("rebalances_total") == 0


def test_totals_are_counted_from_one_telling_to_the_next() -> None:
    told = Told()
    told.tell()
    told.now["rx_bytes"] += 1000
    told.now["tx_bytes"] += 100
    told.now["cgrp"]["rebalance_cnt"] += 2
    for number, kind in enumerate(("txerrs", "rxerrs", "req_timeouts", "disconnects"), 1):
        told.now["brokers"][LEARNED][kind] = number
    told.tell()
    told.tell()
    assert told.value("received_bytes_total") == 7055
    assert told.value("sent_bytes_total") == 3400
    assert told.value("rebalances_total") == 3
    for number, kind in enumerate(("send", "receive", "timeout", "disconnect"), 1):
        assert told.value("errors_total", broker="2", kind=kind) == number
    told.now["rx_bytes"] = 0
    told.tell()
    assert told.value("received_bytes_total") == 7055


def test_connections_without_a_number_share_a_label() -> None:
    told = Told()
    brokers = told.now["brokers"]
    for number in (1, 2):
        brokers[f"host-{number}:9092/bootstrap"] = {
            **brokers[LEARNED],
            "nodeid": -1,
            "source": "configured",
            "txerrs": number,
            "rtt": {"p99": number * 1_000_000},
        }
    told.tell()
    assert told.value("errors_total", broker="bootstrap", kind="send") == 3
    assert told.value("round_trip_seconds", broker="bootstrap") == 2
    shown = {
        sample.labels["broker"]
        for family in told.metrics.registry.collect()
        for sample in family.samples
        if "broker" in sample.labels
    }
    assert shown == {"1", "2", "coordinator", "bootstrap"}


def test_a_broker_that_is_gone_leaves_no_times_behind() -> None:
    told = Told("producer")
    told.tell()
    assert told.value("queue_time_seconds", broker="2") == 0
    del told.now["brokers"][LEARNED]
    told.tell()
    for name in ("round_trip_seconds", "queue_time_seconds", "throttle_seconds"):
        assert told.value(name, broker="2") is None
        assert told.value(name, broker="1") == 0
    assert told.value("errors_total", broker="2", kind="send") == 0


def test_what_cannot_be_read_ends_nothing_and_is_said_once() -> None:
    told = Told()
    with structlog.testing.capture_logs() as logs:
        told.taker("{")
        told.taker('{"rx_bytes": "many"}')
        told.tell()
    assert [line["event"] for line in logs] == ["client_statistics_unreadable"]
    assert told.value("received_bytes_total") == 6055


@pytest.mark.parametrize("make", [group_consumer, producer])
def test_clients_tell_statistics_to_who_asks(monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    given: list[dict[str, Any]] = []
    for name, kind in (("Consumer", Consumer), ("Producer", Producer)):
        monkeypatch.setattr(
            f"hegui.streams.drivers.librdkafka_clients.{name}", lambda o, k=kind: given.append(o) or k(o)
        )
    make(settings().kafka, print)
    make(settings().kafka, print, on_statistics=print)
    assert "statistics.interval.ms" not in given[0]
    assert (given[1]["statistics.interval.ms"], given[1]["stats_cb"]) == (5000, print)


def test_every_metric_is_on_the_page_and_on_the_board() -> None:
    page = (Path(next(iter(hegui.streams.__path__))) / "librdkafka.md").read_text("utf-8")
    board = (DASHBOARDS / "grafana" / "daemon.json").read_text("utf-8")
    assert len(OURS) == 9
    for name in OURS:
        assert f"`{name}" in page, name
        assert f"{name}{{" in board, name
