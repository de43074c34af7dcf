"""What all tests share: one Apache Kafka per session. A broker that cannot start fails the tests that want it."""

from collections.abc import Iterator

import pytest
from aiokafka.consumer import fetcher

from tests.servers.kafka import KafkaServer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--optouts-entries", type=int, default=10_000_000, help="opt-outs in the large measurements of tests/bench"
    )


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    with KafkaServer() as server:
        yield server


@pytest.fixture(autouse=True)
def records_as_aiokafka_makes_them() -> Iterator[None]:
    """A driver made in a test replaces a class of aiokafka for its whole process: the next test gets the original."""
    original = fetcher.PartitionRecords
    yield
    fetcher.PartitionRecords = original
