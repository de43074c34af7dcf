"""What all tests share: one Apache Kafka per session. A broker that cannot start fails the tests that want it."""

import logging
from collections.abc import Iterator

import pytest
import structlog
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


@pytest.fixture(autouse=True)
def logs_as_they_are_by_default() -> Iterator[None]:
    """A command run in a test sets up the logs of its whole process, on a stream that is closed with the test."""
    root = logging.getLogger()
    level, known = root.level, root.handlers[:]
    yield
    structlog.reset_defaults()
    for handler in root.handlers[:]:
        if handler not in known and type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
    root.setLevel(level)
