"""What librdkafka counts of itself, as metrics `compliance_client_*`: where to look when events wait (streams/librdkafka.md).

librdkafka calls back from within `poll`, in the driver's thread; metrics may be set from any thread. Of its statistics (2 kB a broker, 0.7 kB a
partition) only what is shown here is decoded: 0.2 ms every five seconds for 100 partitions.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import structlog

from hegui.streams.metrics import ClientMetrics, drop

log = structlog.get_logger()

INTERVAL_MS = 5000
"""How often librdkafka tells its statistics; times are of this interval."""

Client = Literal["consumer", "producer", "sums"]
"""`sums`: with `exactly_once` the sums have a producer of their own."""


class _Window(msgspec.Struct):
    p99: int = 0


class _Broker(msgspec.Struct):
    nodeid: int
    source: str = ""
    txerrs: int = 0
    rxerrs: int = 0
    req_timeouts: int = 0
    disconnects: int = 0
    rtt: _Window = msgspec.field(default_factory=_Window)
    int_latency: _Window = msgspec.field(default_factory=_Window)
    throttle: _Window = msgspec.field(default_factory=_Window)

    @property
    def label(self) -> str:
        """The broker's number; connections that have none are to the group's coordinator, or to where a first broker is asked for."""
        return str(self.nodeid) if self.nodeid >= 0 else "coordinator" if self.source == "logical" else "bootstrap"


class _Partition(msgspec.Struct):
    fetchq_cnt: int = 0
    fetchq_size: int = 0


class _Topic(msgspec.Struct):
    partitions: dict[str, _Partition] = {}


class _Group(msgspec.Struct):
    rebalance_cnt: int = 0


class _Statistics(msgspec.Struct):
    msg_cnt: int = 0
    msg_size: int = 0
    tx_bytes: int = 0
    rx_bytes: int = 0
    brokers: dict[str, _Broker] = {}
    topics: dict[str, _Topic] = {}
    cgrp: _Group = msgspec.field(default_factory=_Group)


_decoder = msgspec.json.Decoder(_Statistics)


class Statistics:
    """Takes the statistics of one client: its `stats_cb`. What cannot be read is left out, and ends nothing."""

    def __init__(self, metrics: ClientMetrics, client: Client) -> None:
        self._metrics = metrics
        self._client = client
        self._totals: dict[tuple[str, ...], int] = {}
        self._brokers: set[str] = set()
        self._unreadable = False
        metrics.received_bytes.labels(client)
        metrics.sent_bytes.labels(client)

    def __call__(self, text: str) -> None:
        """Show what librdkafka told."""
        try:
            told = _decoder.decode(text)
        except msgspec.MsgspecError:
            # An exception would come out of `poll` and end the run.
            if not self._unreadable:
                log.warning("client_statistics_unreadable", client=self._client)
            self._unreadable = True
            return
        metrics, client = self._metrics, self._client
        metrics.received_bytes.labels(client).inc(self._since("received", total=told.rx_bytes))
        metrics.sent_bytes.labels(client).inc(self._since("sent", total=told.tx_bytes))
        records, size = told.msg_cnt, told.msg_size
        if client == "consumer":
            # All partitions of a group are fetched into one queue, and each partition tells the length of the whole.
            fetched = [partition for topic in told.topics.values() for partition in topic.partitions.values()]
            records = max((p.fetchq_cnt for p in fetched), default=0)
            size = max((p.fetchq_size for p in fetched), default=0)
            metrics.rebalances.inc(self._since("rebalances", total=told.cgrp.rebalance_cnt))
        metrics.queued_records.labels(client).set(records)
        metrics.queued_bytes.labels(client).set(size)
        self._show_brokers(told.brokers)

    def _show_brokers(self, told: dict[str, _Broker]) -> None:
        metrics, client = self._metrics, self._client
        brokers: dict[str, list[_Broker]] = {}
        for name, broker in told.items():
            brokers.setdefault(broker.label, []).append(broker)
            for kind, total in (
                ("send", broker.txerrs),
                ("receive", broker.rxerrs),
                ("timeout", broker.req_timeouts),
                ("disconnect", broker.disconnects),
            ):
                metrics.errors.labels(client, broker.label, kind).inc(self._since(name, kind, total=total))
        for label, some in brokers.items():
            metrics.round_trip.labels(client, label).set(max(b.rtt.p99 for b in some) / 1e6)
            metrics.throttle.labels(client, label).set(max(b.throttle.p99 for b in some) / 1e3)
            if client != "consumer":
                metrics.queue_time.labels(client, label).set(max(b.int_latency.p99 for b in some) / 1e6)
        for gone in self._brokers - brokers.keys():
            for gauge in (metrics.round_trip, metrics.throttle, metrics.queue_time):
                drop(gauge, (client, gone))
        self._brokers = set(brokers)

    def _since(self, *name: str, total: int) -> int:
        """Return what was added to a total of librdkafka since it last told it."""
        before = self._totals.get(name, 0)
        self._totals[name] = total
        return max(0, total - before)
