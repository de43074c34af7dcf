import pytest
from aiokafka.admin import NewTopic

from hegui.streams.observations import partition_of
from tests.broker.harness import deployment

pytestmark = pytest.mark.broker


async def test_our_partitioner_puts_200_keys_where_the_producer_of_aiokafka_puts_them(kafka):
    async with deployment(kafka.bootstrap, create=False) as made:
        topic = f"{made.name}.keys"
        await (await made.admin()).create_topics([NewTopic(topic, 7, 1)])
        producer = await made.producer()
        keys = [f"租户|LBL{n:03}|service-{n}".encode() for n in range(100)] + [bytes([n]) * (n + 1) for n in range(100)]
        placed = [(await producer.send_and_wait(topic, b"", key=key)).partition for key in keys]
        assert placed == [partition_of(key, 7) for key in keys]
        assert set(placed) == set(range(7))
