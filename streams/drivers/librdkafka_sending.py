"""Sends the outputs of a batch by librdkafka and keeps count of what the broker has not acknowledged yet."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from aiokafka.errors import KafkaError

from hegui.streams.evaluator import Destination, Output, Partition

_ANY_PARTITION = -1


class Sent:
    """Results under way: the positions they cover may be committed once all are acknowledged."""

    __slots__ = ("oldest_ms", "outputs", "positions", "refusal", "unacknowledged")

    def __init__(self, positions: dict[Partition, int], oldest_ms: int | None, outputs: int) -> None:
        self.positions = positions
        self.oldest_ms = oldest_ms
        self.outputs = outputs
        self.unacknowledged = outputs
        self.refusal: str | None = None

    def delivered(self, error: Any, _message: Any) -> None:
        """Note one delivery report: the producer calls this when it is polled."""
        self.unacknowledged -= 1
        if error is not None and self.refusal is None:
            self.refusal = error.name()


class Sender:
    """Keeps the order of outputs within each partition. One thread.

    Args:
        producer: sends what has no producer of its own.
        topics: destination to topic.
        apart: destination to the producer of its own.
    """

    def __init__(
        self, producer: Any, topics: Mapping[Destination, str], apart: Mapping[Destination, Any] = MappingProxyType({})
    ) -> None:
        self._producer = producer
        self._places = {destination: (apart.get(destination, producer), topic) for destination, topic in topics.items()}
        self._producers = [producer, *apart.values()]
        self._abandoned = False

    def send(self, outputs: Sequence[Output], positions: dict[Partition, int], oldest_ms: int | None) -> Sent:
        """Hand the outputs to the producer; return what to wait for. Blocks while the producer's queue is full.

        Raises:
            KafkaError: an output is refused before it is sent.
        """
        sent = Sent(positions, oldest_ms, len(outputs))
        for output in outputs:
            producer, topic = self._places[output.destination]
            self._produce(
                producer,
                topic,
                output.value,
                output.key,
                partition=_ANY_PARTITION if output.partition is None else output.partition,
                headers=output.headers,
                on_delivery=sent.delivered,
            )
        return sent

    def send_and_wait(self, topic: str, value: bytes, key: bytes) -> None:
        """Send one record and wait for its acknowledgement.

        Raises:
            KafkaError: the broker refused it.
        """
        sent = Sent({}, None, 1)
        self._produce(self._producer, topic, value, key, on_delivery=sent.delivered)
        self.wait(sent)

    @staticmethod
    def _produce(producer: Any, *record: Any, **named: Any) -> None:
        from confluent_kafka import KafkaException

        while True:
            try:
                producer.produce(*record, **named)
            except BufferError:  # the queue is full
                producer.poll(0.1)
            except KafkaException as error:
                raise KafkaError(error.args[0].name()) from None
            else:
                return

    def wait(self, sent: Sent) -> None:
        """Wait until everything is acknowledged. Blocks, at most for the producer's time-out of 30 s.

        Raises:
            KafkaError: the broker refused a record, or did not answer in time.
        """
        while sent.unacknowledged and sent.refusal is None:
            if self._abandoned:
                raise KafkaError("results were given up")
            for producer in self._producers:
                if sent.unacknowledged:
                    producer.poll(0.1 if producer is self._producers[-1] else 0)
        if sent.refusal is not None:
            raise KafkaError(sent.refusal)

    def abandon(self) -> None:
        """End all waiting, also that of another thread: nothing more will be committed."""
        self._abandoned = True

    def serve(self) -> None:
        """Take in the delivery reports that are there. Does not block."""
        for producer in self._producers:
            producer.poll(0)

    def close(self, grace_seconds: float = 5.0) -> None:
        """Give what was not acknowledged a last moment, then forget it."""
        end = time.monotonic() + grace_seconds
        while any([producer.flush(0.1) for producer in self._producers]) and time.monotonic() < end:  # noqa: C419 - all get their turn
            pass
