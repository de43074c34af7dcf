"""Producers that write in transactions: their markers take offsets that no client hands out."""

from itertools import islice

import pytest
from aiokafka import AIOKafkaProducer

from hegui.streams.simulation import encode, traffic
from tests.broker.harness import CLIENTS, deployment
from tests.broker.processes import now_ms, until

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_marker_at_the_end_of_the_log_is_no_lag(kafka, client):
    async with deployment(kafka.bootstrap, evaluator={"client": client}) as made:
        evaluator = await made.daemon("evaluator").start()
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=made.name)
        await producer.start()
        async with producer.transaction():
            for event in islice(traffic(now_ms, seed=3), 20):
                await producer.send(made.generation, encode(event), partition=0)
        await producer.stop()

        async def marked() -> bool:
            return (await made.ends())[made.generation, 0] == 21

        await until(marked, "the marker of the commit on the log", 15)

        async def judged_without_lag() -> bool:
            metrics = await evaluator.metrics()
            judged = metrics.value("compliance_events_total")
            return judged == 20 and metrics.value("compliance_consumer_lag_records", topic=made.generation) == 0

        await until(judged_without_lag, "20 events judged and no lag left", 15)
