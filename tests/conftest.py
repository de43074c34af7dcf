"""What all tests share: one Apache Kafka per session. A broker that cannot start fails the tests that want it."""

from collections.abc import Iterator

import pytest

from tests.servers.kafka import KafkaServer


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    with KafkaServer() as server:
        yield server
