"""Which driver carries the judgement: `evaluator.client` of the settings."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import Protocol

from hegui.streams.errors import SettingsError
from hegui.streams.evaluator import Evaluator, Output
from hegui.streams.metrics import EvaluatorMetrics
from hegui.streams.settings import Settings
from hegui.streams.watchdog import Progress


class Driver(Protocol):
    """One member of the evaluators' group."""

    assigned: asyncio.Event
    """Set once the group gave this member its partitions, be they none."""

    def send_later(self, output: Output) -> None:
        """Send a record with the next batch."""
        ...

    async def run(self, stop: asyncio.Event) -> None:
        """Judge until `stop` is set, then drain, commit and leave the group."""
        ...


class DriverClass(Protocol):
    """Makes a driver; its clients connect when it runs."""

    def __call__(
        self, settings: Settings, evaluator: Evaluator, metrics: EvaluatorMetrics, progress: Progress
    ) -> Driver:
        """Return a driver."""
        ...


def driver_class(settings: Settings) -> DriverClass:
    """Return the driver that the settings name.

    Raises:
        SettingsError: its client is not installed.
    """
    if settings.evaluator.client == "librdkafka":
        if find_spec("confluent_kafka") is None:
            raise SettingsError(
                'settings: evaluator.client is "librdkafka", but confluent-kafka is not installed; install hegui[librdkafka]'
            )
        from hegui.streams.drivers.librdkafka import LibrdkafkaDriver

        return LibrdkafkaDriver
    from hegui.streams.drivers.aiokafka import AiokafkaDriver

    return AiokafkaDriver
