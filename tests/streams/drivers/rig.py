"""The aiokafka driver between a fake consumer and a fake producer."""

from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from hegui.streams.drivers.aiokafka import AiokafkaDriver
from hegui.streams.metrics import EvaluatorMetrics
from hegui.streams.watchdog import Progress
from tests.streams.example import RULES, TOPIC, evaluator, settings
from tests.streams.fakes import FakeClock, FakeConsumer, FakePartition, FakeProducer, FakeRecord

EAGER = {"EVALUATOR__COMMIT_SECONDS": "1e-9", "EVALUATOR__TICK_SECONDS": "1e-9"}
FIRST, SECOND = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)


class Rig:
    """A driver with its fakes. Time-outs are so small that every step commits and ticks."""

    def __init__(
        self,
        patch: pytest.MonkeyPatch,
        log: Sequence[FakeRecord] | dict[TopicPartition, FakePartition],
        *,
        committed: dict[TopicPartition, int] | None = None,
        hold: bool = False,
        **environment: str,
    ) -> None:
        self.log = log if isinstance(log, dict) else {FIRST: FakePartition(list(log))}
        self.consumer = FakeConsumer(self.log, dict(committed or {}))
        self.producer = FakeProducer(hold=hold)
        patch.setattr("hegui.streams.drivers.aiokafka.group_consumer", lambda _: self.consumer)
        patch.setattr("hegui.streams.drivers.aiokafka.producer", lambda _: self.producer)
        self.settings = settings(**(EAGER | environment))
        self.metrics = EvaluatorMetrics(CollectorRegistry())
        self.metrics.initialise(RULES, [TOPIC])
        self.clock = FakeClock()
        self.progress = Progress(self.clock)
        self.driver = AiokafkaDriver(self.settings, evaluator(**(EAGER | environment)), self.metrics, self.progress)

    async def start(self) -> None:
        """What `run` does before its loop, for tests that take single steps."""
        self.consumer.subscribe([TOPIC], listener=self.driver)
        await self.consumer.start()

    async def step(self, count: int = 1) -> None:
        for _ in range(count):
            await self.driver._step()

    def committed(self, partition: TopicPartition = FIRST) -> int | None:
        return self.consumer.group.get(partition)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    @property
    def violations(self) -> int:
        return len(self.producer.of(self.settings.topics.violations))
