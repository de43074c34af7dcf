"""Asks a Kafka broker for its metadata over a plain socket.

Kept apart from aiokafka so that servers can be started synchronously, also while an event loop
runs in the calling thread.
"""

import socket
import struct

_METADATA, _VERSION = 3, 4


class _Reader:
    """Reads the fields of an answer in order."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def int16(self) -> int:
        return self._number(">h")

    def int32(self) -> int:
        return self._number(">i")

    def skip(self, size: int) -> None:
        self._at += size

    def skip_string(self) -> None:
        self.skip(max(self.int16(), 0))

    def _number(self, layout: str) -> int:
        (value,) = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return int(value)


def broker_is_ready(port: int, *, timeout_s: float = 2.0) -> bool:
    """Whether the broker on 127.0.0.1 is registered and leads every partition it knows.

    False when it does not answer within `timeout_s` seconds.
    """
    try:
        return _is_ready(_Reader(_ask(port, timeout_s)))
    except (OSError, struct.error):
        return False


def _ask(port: int, timeout_s: float) -> bytes:
    client = b"probe"
    header = struct.pack(">hhih", _METADATA, _VERSION, 1, len(client)) + client
    every_topic, create_topics = -1, False
    message = header + struct.pack(">i?", every_topic, create_topics)
    with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
        connection.sendall(struct.pack(">i", len(message)) + message)
        with connection.makefile("rb") as answer:
            (size,) = struct.unpack(">i", answer.read(4))
            return answer.read(size)


def _is_ready(answer: _Reader) -> bool:
    answer.skip(4 + 4)  # correlation id, throttle time
    brokers = answer.int32()
    for _ in range(brokers):
        answer.skip(4)  # node id
        answer.skip_string()  # host
        answer.skip(4)  # port
        answer.skip_string()  # rack
    answer.skip_string()  # cluster id
    answer.skip(4)  # controller id
    return brokers > 0 and all(_topic_is_ready(answer) for _ in range(answer.int32()))


def _topic_is_ready(answer: _Reader) -> bool:
    errors = [answer.int16()]
    answer.skip_string()  # name
    answer.skip(1)  # internal
    for _ in range(answer.int32()):
        errors.append(answer.int16())
        answer.skip(4 + 4)  # partition, leader
        answer.skip(4 * answer.int32())  # replicas
        answer.skip(4 * answer.int32())  # in-sync replicas
    return not any(errors)
