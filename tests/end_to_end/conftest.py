"""One Apache Kafka for the tests from end to end, and an environment without settings of the developer's own."""

import os
from collections.abc import Iterator

import pytest

from tests.servers.kafka import KafkaServer


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("HEGUI_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    with KafkaServer() as server:
        yield server
