"""Reading back from Kafka: whole topics, and what a group has committed."""

import asyncio
import json
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient


class Read(NamedTuple):
    """One record."""

    key: bytes | None
    value: bytes
    headers: dict[str, bytes]

    def json(self) -> Any:
        return json.loads(self.value)


def read_all(bootstrap: str, topic: str) -> list[Read]:
    """Every record of a topic as of now, in order of time."""
    return asyncio.run(_read_all(bootstrap, topic))


async def _read_all(bootstrap: str, topic: str) -> list[Read]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(sorted(consumer.assignment()))
        records: list[Any] = []
        async with asyncio.timeout(30):
            while any([await consumer.position(partition) < end for partition, end in ends.items()]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records += batch
    finally:
        await consumer.stop()
    records.sort(key=lambda record: record.timestamp)
    return [Read(record.key, record.value, dict(record.headers)) for record in records]


def uncommitted(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    """Partition to the number of records behind the group's commit, of those partitions that have some."""
    return asyncio.run(_uncommitted(bootstrap, group, topic))


async def _uncommitted(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=None)
    await admin.start()
    await consumer.start()
    try:
        ends = await consumer.end_offsets(sorted(consumer.assignment()))
        offsets = await admin.list_consumer_group_offsets(group)
    finally:
        await consumer.stop()
        await admin.close()
    behind = {p: end - (offsets[p].offset if p in offsets else 0) for p, end in ends.items()}
    return {partition.partition: records for partition, records in behind.items() if records}


__all__ = ["Read", "read_all", "uncommitted"]
