"""What librdkafka's errors mean to the driver, by their names."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaException

T = TypeVar("T")

LOOKUP_SECONDS = 30.0
"""How long offsets are asked for before the run ends."""

CONNECTION_FAILED = "_TRANSPORT"
OUT_OF_RANGE = frozenset({"_AUTO_OFFSET_RESET", "_LOG_TRUNCATION", "OFFSET_OUT_OF_RANGE"})
"""The log does not have the position."""
UNREADABLE = frozenset({"_BAD_MSG", "_BAD_COMPRESSION", "MSG_SIZE_TOO_LARGE"})
"""A record batch that cannot be handed out."""
OF_A_PARTITION = OUT_OF_RANGE | UNREADABLE | {"_PARTITION_EOF"}
"""Told again when the partition is read again."""
GROUP_MOVED_ON = frozenset(
    {"ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "REBALANCE_IN_PROGRESS", "_STATE", "_ASSIGNMENT_LOST"}
)
"""A commit came too late."""
PASSING = frozenset(
    {
        CONNECTION_FAILED,
        "_ALL_BROKERS_DOWN",
        "_TIMED_OUT",
        "_UNKNOWN_PARTITION",
        "_WAIT_COORD",
        "COORDINATOR_LOAD_IN_PROGRESS",
        "COORDINATOR_NOT_AVAILABLE",
        "LEADER_NOT_AVAILABLE",
        "NETWORK_EXCEPTION",
        "NOT_COORDINATOR",
        "NOT_LEADER_FOR_PARTITION",
        "REQUEST_TIMED_OUT",
        "UNKNOWN_TOPIC_OR_PART",
        "UNSTABLE_OFFSET_COMMIT",
    }
)
"""A broker restarts or hands over, or a transaction with positions is still open."""
REFUSED = frozenset(
    {
        "_AUTHENTICATION",
        "_FATAL",
        "FENCED_INSTANCE_ID",
        "GROUP_AUTHORIZATION_FAILED",
        "INCONSISTENT_GROUP_PROTOCOL",
        "SASL_AUTHENTICATION_FAILED",
        "TOPIC_AUTHORIZATION_FAILED",
    }
)
"""Trying again will not help: the run ends."""


def ask(question: Callable[[], T]) -> T:
    """Return the broker's answer; a broker that restarts is asked again. Blocks.

    Raises:
        KafkaException: no answer within `LOOKUP_SECONDS`, or a refusal.
    """
    end = time.monotonic() + LOOKUP_SECONDS
    while True:
        try:
            return question()
        except KafkaException as error:
            if error.args[0].name() not in PASSING or time.monotonic() > end:
                raise
            time.sleep(0.2)
