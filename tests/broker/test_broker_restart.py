import asyncio

import pytest

from hegui.streams.simulation import traffic
from tests.broker.harness import CLIENTS, COOPERATIVE, carried_by, deployment
from tests.broker.processes import now_ms, supervised
from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("client", [*CLIENTS, COOPERATIVE])
async def test_a_broker_that_crashes_in_mid_stream_and_comes_back_costs_nothing(client):
    with KafkaServer() as kafka:
        async with deployment(kafka.bootstrap, evaluator=carried_by(client)) as made:
            evaluator, state = made.daemon("evaluator"), made.daemon("state")
            for daemon in (evaluator, state):
                daemon.launch()
            for daemon in (evaluator, state):
                await daemon.ready()
            async with supervised(evaluator, state):
                events = traffic(now_ms, seed=11, faults=0.3)
                sending = asyncio.create_task(made.send((next(events) for _ in range(4000)), seconds=6.0))  # noqa: RUF006 - awaited below
                # Some records are judged and some are under way when the broker dies.
                async with asyncio.timeout(30):
                    while not await evaluator.metric("compliance_events_total"):
                        await asyncio.sleep(0.05)
                await asyncio.to_thread(kafka.kill)
                await asyncio.to_thread(kafka.start)
                await sending
                await made.caught_up()
                await made.issues_settled()
                assert await made.evaluation_faults() == []
                assert await made.state_faults() == []
                # The input goes on after all that.
                await made.send(next(events) for _ in range(500))
                await made.caught_up()
                await made.issues_settled()
                assert await made.evaluation_faults() == []
                assert await made.state_faults() == []
            print("restarts", evaluator.restarts, state.restarts)
            assert made.reference.events == 4500
            for daemon in (evaluator, state):
                assert await daemon.status("/livez") == 200
                assert daemon.restarts <= 2
