"""Fixtures of the tests from end to end: one Apache Kafka, the acts of the page, no settings of the developer's own."""

import os
from collections.abc import Iterator

import pytest

from tests.end_to_end.acts import alarm, curtain, relief, scene
from tests.servers.kafka import KafkaServer


@pytest.fixture(scope="package", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("HEGUI_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="package")
def kafka() -> Iterator[KafkaServer]:
    with KafkaServer() as server:
        yield server


__all__ = ["alarm", "curtain", "kafka", "relief", "scene"]
