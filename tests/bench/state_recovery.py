"""How long a state process takes to read its table back through Faust: nothing, a million persons in entries of ten, and a million entries."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from hegui.rules.export_accounts import AccountState
from hegui.rules.exports import Account, account_key, legal_day, legal_year
from hegui.streams.observations import partition_of
from hegui.streams.state.export_table import ACCOUNT, account_place, persons_key
from hegui.streams.topics import changelog_name, create_topics
from tests.bench.load import PARTITIONS
from tests.bench.runner import RunError
from tests.bench.state_engines import StateProcess, end, write_settings
from tests.bench.state_load import ENTITY

TABLES = {"empty": 0, "entries of ten persons": 10, "entries of one person": 1}
"""Tables to recover: persons in an entry."""
_BATCH_BYTES = 256 * 1024


class Recovered(msgspec.Struct, frozen=True):
    """One recovery."""

    table: str
    entries: int
    persons: int
    seconds: float
    """From the start of the process until it is ready."""
    peak_bytes: int
    """Largest resident size of the process until then."""


async def recover(bootstrap: str, folder: Path, table: str, persons: int) -> Recovered:
    """Write a changelog, start a state process on it, and wait until it is ready.

    Raises:
        RunError: the process failed, or holds other persons than were written.
    """
    name = f"state-{uuid.uuid4().hex[:8]}"
    settings = write_settings(folder, bootstrap, "state.recovery", name)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await create_topics(admin, settings)
    finally:
        await admin.close()
    entries = 0
    if TABLES[table]:
        entries = await _write(bootstrap, changelog_name(settings), _entries(persons, TABLES[table]))
    begun = time.monotonic()
    state = StateProcess(settings, folder)
    try:
        await state.ready()
        seconds = time.monotonic() - begun
        peak = _peak_bytes(state.process.pid)
        found = _persons(await asyncio.to_thread(state.metrics))
    finally:
        await asyncio.to_thread(end, state.process)
    wanted = persons if entries else 0
    if found != wanted:
        raise RunError(f"{found} persons recovered instead of {wanted}")
    return Recovered(table, entries, wanted, seconds, peak)


def _entries(persons: int, size: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield partition, key and value of every entry of one account."""
    now_ms = time.time_ns() // 1_000_000
    account = Account("default", "example-group", ENTITY, legal_year(now_ms))
    partition = partition_of(account_key(account).encode(), PARTITIONS)
    place = account_place(partition, account)
    yield partition, ACCOUNT + place, msgspec.json.encode(AccountState(account, now_ms))
    day = legal_day(now_ms)
    for offset, first in enumerate(range(0, persons, size)):
        value = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(first, min(first + size, persons)))
        yield partition, persons_key(place, sensitive=False, offset=offset, day=day - offset % 300), value


async def _write(bootstrap: str, topic: str, entries: Iterator[tuple[int, bytes, bytes]]) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, max_batch_size=_BATCH_BYTES)
    await producer.start()
    count, partition, batch = 0, 0, producer.create_batch()
    try:
        for partition, key, value in entries:
            if batch.append(key=key, value=value, timestamp=None) is None:
                await producer.send_batch(batch, topic, partition=partition)
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
            count += 1
        await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()
    return count


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def _persons(metrics: str) -> int:
    lines = [line for line in metrics.splitlines() if line.startswith("compliance_export_subjects{")]
    return round(sum(float(line.rpartition(" ")[2]) for line in lines))
