"""Results and positions in one transaction (`evaluator.delivery = "exactly_once"`): who reads committed records sees each result once.

There is always an open transaction: an empty one is nothing to the broker. The group's metadata goes along with the positions, so that the
broker refuses those of a member that the group has given up: a zombie's results are never committed (streams/adr/0016).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException, TopicPartition

from hegui.streams.evaluator import Partition
from hegui.streams.settings import KafkaSettings

log = structlog.get_logger()

ANSWER_SECONDS = 30.0
"""How long the broker is asked again before the run ends."""


def transactional_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Return what makes a producer a transactional one.

    A member with a name of its own (`kafka.group_instance_id`) keeps its transactional id, and ends what it had left open when it comes back.
    Others get a new id each time; what they left open the broker ends after the session's time-out.
    """
    timeout_ms = round(kafka.session_timeout_seconds * 1000)
    return {
        "transactional.id": f"{kafka.group_id}-{kafka.group_instance_id or uuid.uuid4().hex}",
        "transaction.timeout.ms": timeout_ms,
        "message.timeout.ms": min(30_000, timeout_ms),
    }


class Transactions:
    """The transactions of one producer. One thread; every method may block."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer

    def start(self) -> None:
        """Begin the first transaction.

        Raises:
            KafkaError: the broker refused, or did not answer in time.
        """
        self._ask(lambda: self._producer.init_transactions(5))
        self._producer.begin_transaction()

    def commit(self, positions: Mapping[Partition, int], member: Any) -> bool:
        """Commit what was sent since the last call together with positions; begin the next transaction.

        Args:
            positions: partition to the next offset to read.
            member: the group's metadata, as the consumer gives it.

        Returns:
            False when the broker refused: everything was aborted, and all work since the last commit must be done again.

        Raises:
            KafkaError: this producer may not go on.
        """
        offsets = [TopicPartition(*place, offset) for place, offset in positions.items()]
        try:
            if offsets:
                self._ask(lambda: self._producer.send_offsets_to_transaction(offsets, member, 5))
            self._ask(lambda: self._producer.commit_transaction(5))
        except KafkaException as error:
            log.warning("transaction_aborted", error=error.args[0].name())
            self.abort()
            return False
        self._producer.begin_transaction()
        return True

    def abort(self) -> None:
        """Forget what was sent since the last commit; begin the next transaction.

        Raises:
            KafkaError: this producer may not go on.
        """
        try:
            self._ask(lambda: self._producer.abort_transaction(5))
        except KafkaException as error:
            raise KafkaError(error.args[0].name()) from None
        self._producer.begin_transaction()

    @staticmethod
    def _ask(question: Callable[[], None]) -> None:
        """Ask until there is an answer.

        Raises:
            KafkaException: the transaction must be aborted.
            KafkaError: this producer may not go on.
        """
        end = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                question()
            except KafkaException as raised:
                error = raised.args[0]
                if error.txn_requires_abort():
                    raise
                if not error.retriable() or time.monotonic() > end:
                    raise KafkaError(error.name()) from None
            else:
                return
