"""Fills a topic with synthetic traffic: 4 partitions, not compressed, batches of 64 kB, 2 % faulty events of all kinds in turn.

A few thousand distinct events are encoded once; every record has an id of its own. Not compressed, because unpacking would
cost all engines the same and hide what is compared.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer

from hegui.rules.violations import identity_uid
from hegui.streams import simulation
from hegui.streams.settings import Settings
from tests.bench.peer_judge import Found, PeerJudge, found_in

PARTITIONS = 4
FAULTS = 0.02

_TEMPLATES = 4000
_BATCH_BYTES = 64 * 1024


class Traffic:
    """The events of the benchmark, and what the rules say of them."""

    def __init__(self, templates: int = _TEMPLATES, seed: int = 7, faults: float = FAULTS) -> None:
        self.now_ms = time.time_ns() // 1_000_000
        made = simulation.traffic(lambda: self.now_ms, seed=seed, faults=faults, run="bench")
        self.envelopes = list(islice(made, templates))
        self._halves = [self._cut(simulation.encode(e), e.id) for e in self.envelopes]
        self.opt_outs = simulation.opt_outs(self.now_ms)

    @staticmethod
    def _cut(value: bytes, event_id: str) -> tuple[bytes, bytes]:
        before, _, after = value.partition(f'"id":"{event_id}"'.encode())
        return before + b'"id":"bench-', b'"' + after

    def values(self, count: int, first: int = 0) -> Iterator[bytes]:
        """Yield records: the templates in turn, each with an id of its own, numbered from `first` on."""
        halves = self._halves
        for number in range(first, first + count):
            before, after = halves[number % len(halves)]
            yield b"%b%d%b" % (before, number, after)

    @property
    def mean_bytes(self) -> float:
        return sum(map(len, self.values(len(self._halves)))) / len(self._halves)

    def write_opt_outs(self, file: Path) -> None:
        file.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in self.opt_outs))

    def expected(self, judge: PeerJudge) -> list[Found | None]:
        """Judge every template without Kafka, one by one: what its violation must say, None where there is none."""
        made = [judge(simulation.encode(e), (), self.now_ms, "reference", 0, 0) for e in self.envelopes]
        return [None if one is None else found_in(one.value) for one in made]

    def violations(self, count: int, expected: list[Found | None]) -> set[Found]:
        """Return what the violations of the first `count` records must say: each record has an identity of its own."""
        found = set()
        for number in range(count):
            envelope, said = self.envelopes[number % len(expected)], expected[number % len(expected)]
            if said is not None:
                found.add(Found(identity_uid(envelope.tenant, envelope.source, f"bench-{number}"), said.results))
        return found


async def fill(bootstrap: str, topic: str, values: Iterable[bytes], partitions: int = PARTITIONS) -> int:
    """Send the values to the partitions in turn; return how many there were."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, max_batch_size=_BATCH_BYTES)
    await producer.start()
    sent = 0
    try:
        batches = [producer.create_batch() for _ in range(partitions)]
        for value in values:
            partition = sent % partitions
            if batches[partition].append(key=None, value=value, timestamp=None) is None:
                await producer.send_batch(batches[partition], topic, partition=partition)
                batches[partition] = producer.create_batch()
                batches[partition].append(key=None, value=value, timestamp=None)
            sent += 1
        for partition, batch in enumerate(batches):
            await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()
    return sent


async def send_opt_outs(settings: Settings, traffic: Traffic) -> None:
    """Put the opt-outs that the faults run into on their topic."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap_servers)
    await producer.start()
    try:
        for record in traffic.opt_outs:
            key = f"{record.scheme}|{record.subject}|{record.source}|bench".encode()
            await producer.send_and_wait(settings.topics.optouts, msgspec.json.encode(record), key=key)
    finally:
        await producer.stop()
