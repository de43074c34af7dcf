"""A record that the client cannot hand out: it must not stop the stream, and must not take others with it."""

import struct
import time
from itertools import islice

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

from hegui.rules.events import GenerationEnvelope
from hegui.streams import simulation
from tests.broker.harness import CLIENTS, deployment

pytestmark = pytest.mark.broker


async def send_with_broken_header(bootstrap: str, topic: str, values: list[bytes], broken: int, partition: int) -> None:
    """Send one record batch of which one record has a header name that is not UTF-8, as other clients can write it."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=200_000)
    await producer.start()
    batch = producer.create_batch()
    for number, value in enumerate(values):
        assert batch.append(
            timestamp=None, key=None, value=value, headers=[("qqqqqqqq", b"")] if number == broken else []
        )
    buffer = bytearray(batch._build())
    at = bytes(buffer).index(b"qqqqqqqq")
    buffer[at : at + 2] = b"\xff\xfe"
    struct.pack_into(">I", buffer, 17, calc_crc32c(memoryview(buffer)[21:]))
    batch._buffer = buffer
    await (await producer.send_batch(batch, topic, partition=partition))
    await producer.stop()


@pytest.mark.parametrize("client", CLIENTS)
async def test_an_unreadable_record_becomes_a_dead_letter_and_the_others_are_judged(kafka, client):
    events = [
        e
        for e in islice(simulation.traffic(lambda: time.time_ns() // 1_000_000, faults=0.3), 900)
        if isinstance(e, GenerationEnvelope)
    ]
    async with deployment(kafka.bootstrap, evaluator={"client": client}) as ours:
        evaluator = await ours.daemon("evaluator").start()
        await ours.send(events[:200])
        topic = ours.settings.topics.inputs[0].name
        lost = [simulation.encode(e) for e in events[200:230]]
        await send_with_broken_header(kafka.bootstrap, topic, lost, broken=20, partition=1)
        await ours.send(events[230:])
        await ours.caught_up()
        letters = [letter for letter in await ours.dead_letters() if letter["reason"] == "unreadable"]
        judged = await evaluator.metric("compliance_events_total", stream="generation", service="image-studio")
        assert await evaluator.stop() == 0
        assert "record_unreadable" in evaluator.log
    # The record itself and, with aiokafka, those behind it in its batch; what stands before it and in other batches was judged.
    assert {letter["partition"] for letter in letters} == {1}
    offsets = sorted(letter["offset"] for letter in letters)
    assert offsets == list(range(offsets[0], offsets[0] + (10 if client == "aiokafka" else 1)))
    assert judged
