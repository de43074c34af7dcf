"""How long a topic keeps its tombstones: a snapshot that is older may hold records whose removal nobody can read any more."""

from __future__ import annotations

from typing import Any

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.admin import DescribeConfigsRequest

SETTING = "delete.retention.ms"
DEFAULT_SECONDS = 86_400.0
"""Apache Kafka's default."""
_TOPIC = 2
"""Type of the resource in DescribeConfigs."""


async def tombstones_kept_seconds(consumer: Any, topic: str) -> float:
    """Return for how long after it was written a tombstone can be read at least; the default of Kafka where the broker does not tell.

    Args:
        consumer: a started aiokafka consumer.
        topic: an existing topic.

    Raises:
        KafkaError: the broker does not answer. LookupError: no broker is known.
    """
    client = consumer._client  # noqa: SLF001 - the consumer's connection, credentials and time-outs
    node = client.get_random_node()
    if node is None:
        raise LookupError("no broker is known at present")
    try:
        answer = await client.send(node, DescribeConfigsRequest([(_TOPIC, topic, [SETTING])]))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return DEFAULT_SECONDS
    # A reader may lack the right to describe configurations: the error is in the answer, and no entry is.
    values = [value for *_, entries in answer.resources for name, value, *_ in entries if name == SETTING]
    return int(values[0]) / 1000 if values else DEFAULT_SECONDS
