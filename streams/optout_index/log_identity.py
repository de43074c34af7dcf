"""Which log a topic is: its name outlives it, a topic made anew has the name and the offsets of the old one and other records."""

from __future__ import annotations

from typing import Any

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)


class _Uuid:
    """16 bytes as they are."""

    @staticmethod
    def encode(value: bytes) -> bytes:
        return value

    @staticmethod
    def decode(data: Any) -> bytes:
        found: bytes = data.read(16)
        return found

    repr = staticmethod(repr)


class _Answer(Response):  # type: ignore[misc]
    """Metadata version 12, Kafka 3.1 and later (KIP-516: topic ids). aiokafka 0.14 asks for version 5, which has none."""

    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition_index", Int32),
                        ("leader_id", Int32),
                        ("leader_epoch", Int32),
                        ("replica_nodes", CompactArray(Int32)),
                        ("isr_nodes", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Question(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _Metadata(Request[_Question]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_Question]) -> _Question:
        return request_struct_class([(bytes(16), self._topic, {})], False, False, {})


async def identity_of(consumer: Any, topic: str) -> str:
    """Return `<cluster>/<topic>/<topic id>` as the broker states them; `-` for the ids where it knows none (before Kafka 3.1).

    Args:
        consumer: a started aiokafka consumer.
        topic: an existing topic.

    Raises:
        KafkaError: the broker does not answer. LookupError: it does not know the topic, or no broker is known.
    """
    client = consumer._client  # noqa: SLF001 - the consumer's connection, credentials and time-outs
    node = client.get_random_node()
    if node is None:
        raise LookupError("no broker is known at present")
    try:
        answer = await client.send(node, _Metadata(topic))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return f"-/{topic}/-"
    for error_code, name, topic_id, *_ in answer.topics:
        if name == topic and not error_code:
            return f"{answer.cluster_id or '-'}/{topic}/{topic_id.hex() if any(topic_id) else '-'}"
    raise LookupError(f"the broker does not know the topic {topic} at present")
