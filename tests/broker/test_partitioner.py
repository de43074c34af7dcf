import asyncio

import pytest
from aiokafka.admin import NewTopic

from hegui.streams.drivers import librdkafka_clients
from hegui.streams.observations import partition_of
from tests.broker.harness import Deployment, deployment

pytestmark = pytest.mark.broker

KEYS = [f"租户|LBL{n:03}|service-{n}".encode() for n in range(100)] + [bytes([n]) * (n + 1) for n in range(100)]


async def by_aiokafka(made: Deployment, topic: str) -> list[int]:
    producer = await made.producer()
    return [(await producer.send_and_wait(topic, b"", key=key)).partition for key in KEYS]


async def by_librdkafka(made: Deployment, topic: str) -> list[int]:
    placed: dict[bytes, int] = {}

    def send() -> None:
        producer = librdkafka_clients.producer(made.settings.kafka, print)
        for key in KEYS:
            producer.produce(
                topic, b"", key, on_delivery=lambda error, message: placed.update({message.key(): message.partition()})
            )
        assert not producer.flush(30)

    await asyncio.to_thread(send)
    return [placed[key] for key in KEYS]


async def test_both_clients_put_200_keys_where_our_partitioner_puts_them(kafka):
    async with deployment(kafka.bootstrap, create=False) as made:
        topic = f"{made.name}.keys"
        await (await made.admin()).create_topics([NewTopic(topic, 7, 1)])
        ours = [partition_of(key, 7) for key in KEYS]
        assert set(ours) == set(range(7))
        assert await by_aiokafka(made, topic) == ours
        assert await by_librdkafka(made, topic) == ours
