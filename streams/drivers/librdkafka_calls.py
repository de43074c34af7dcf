"""All that the librdkafka driver does with its clients: calls that block, made by one thread while the event loop waits for it.

Rebalances and delivery reports call back from within these calls, in the same thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException, TopicPartition

from hegui.streams.drivers.group_member import GroupMember
from hegui.streams.drivers.librdkafka_clients import group_consumer, producer
from hegui.streams.drivers.librdkafka_errors import (
    CONNECTION_FAILED,
    GROUP_MOVED_ON,
    OF_A_PARTITION,
    PASSING,
    REFUSED,
    ask,
)
from hegui.streams.drivers.librdkafka_sending import Sender, Sent
from hegui.streams.drivers.librdkafka_statistics import Statistics
from hegui.streams.drivers.librdkafka_transactions import Transactions, transactional_options
from hegui.streams.evaluator import Evaluator, Output, Partition
from hegui.streams.metrics import EvaluatorMetrics
from hegui.streams.runs import Record
from hegui.streams.settings import Settings
from hegui.streams.watchdog import Progress

log = structlog.get_logger()

POLL_SECONDS = 0.1


class BlockingMember(GroupMember):
    """One member of the evaluators' group; every method may block."""

    def __init__(self, settings: Settings, evaluator: Evaluator, metrics: EvaluatorMetrics, progress: Progress) -> None:
        super().__init__(settings, evaluator, metrics, progress)
        exactly_once = settings.evaluator.delivery == "exactly_once"
        self._consumer = group_consumer(
            settings.kafka,
            self._on_error,
            assignment=settings.evaluator.assignment,
            read_committed=exactly_once,
            on_statistics=Statistics(metrics.client, "consumer"),
        )
        sending = producer(
            settings.kafka,
            self._on_error,
            transactional_options(settings.kafka) if exactly_once else {},
            on_statistics=Statistics(metrics.client, "producer"),
        )
        self._transactions = Transactions(sending) if exactly_once else None
        names = settings.topics
        self._sender = Sender(
            sending,
            {"violations": names.violations, "observations": names.observations, "dead_letters": names.dead_letters},
            # Sums replace one another: they need no transaction, and its markers would be holes to the state agents.
            {"observations": producer(settings.kafka, self._on_error, on_statistics=Statistics(metrics.client, "sums"))}
            if exactly_once
            else {},
        )
        self._cooperative = settings.evaluator.assignment == "cooperative-sticky"
        self._begun: set[Partition] = set()
        """Partitions that came in a rebalance since the last call of `_receive`."""
        self._epoch = 0
        self._joined = self._closing = False
        self._refusal: str | None = None
        self._sent: list[Sent] = []
        self._taken: list[Output] = []
        """What `send_later` put into the open transaction."""

    def _subscribe(self) -> None:
        if self._transactions is not None:
            self._transactions.start()
        self._consumer.subscribe(
            [topic.name for topic in self._settings.topics.inputs],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def _receive(self) -> list[Any]:
        """Return what is there, at least one message, or nothing after `POLL_SECONDS`. Rebalances happen in here."""
        self._begun.clear()
        self._sender.serve()
        if self._refusal is not None:
            raise KafkaError(self._refusal)
        # `consume` waits until it has all it was asked for: a time-out there would delay every event of a quiet topic.
        first = self._consumer.poll(POLL_SECONDS)
        if first is None:
            return []
        limit = self._settings.evaluator.max_batch_records
        return [first, *self._consumer.consume(limit - 1, 0)] if limit > 1 else [first]

    def _deliver(self, outputs: list[Output], oldest_ms: int | None, *, busy: bool) -> None:
        now = time.monotonic()
        if self._transactions is not None:
            self._deliver_in_transaction(self._transactions, outputs, oldest_ms, now)
            return
        positions: dict[Partition, int] = {}
        if self._tick_is_due(now):
            outputs = outputs + self._tick(self._ends())
            positions = self._positions()
        if outputs or positions or oldest_ms is not None:
            self._sent.append(self._sender.send(outputs, positions, oldest_ms))
        # One batch may be under way while the next is judged; with nothing to do, all are waited for.
        while len(self._sent) > (1 if busy else 0):
            self._acknowledge()
        if self._commit_is_due(now):
            self._commit()
        self._progress.alive()

    def _acknowledge(self) -> None:
        sent = self._sent[0]
        self._sender.wait(sent)
        del self._sent[0]
        self._results_acknowledged(sent.positions, sent.oldest_ms)

    def _commit(self) -> None:
        due = self._to_commit()
        if not due:
            return
        try:
            answers = self._consumer.commit(
                offsets=[TopicPartition(*p, offset) for p, offset in due.items()], asynchronous=False
            )
            error = next((answer.error for answer in answers if answer.error is not None), None)
        except KafkaException as raised:
            error = raised.args[0]
        if error is None:
            self._commit_done(due)
        elif error.name() in GROUP_MOVED_ON:
            # The new owner starts at the last commit and repeats the work.
            log.warning("commit_refused", error=error.name())
        elif error.name() in PASSING:
            log.warning("commit_delayed", error=error.name())
        else:
            raise KafkaError(error.name())

    def _drain(self) -> bool:
        """Send the sums of what was judged, wait for all acknowledgements, commit.

        Returns:
            False when a transaction was aborted: what was judged since the last commit is to be judged again.
        """
        self._sent.append(self._sender.send(self.evaluator.tick({}), self._positions(), None))
        if self._transactions is not None:
            return self._commit_transaction(self._transactions)
        while self._sent:
            self._acknowledge()
        self._commit()
        return True

    # -- transactions

    def _judge(self, batch: Mapping[Partition, Sequence[Record]]) -> tuple[list[Output], int | None]:
        if self._transactions is not None:
            self._taken += self._waiting
        return super()._judge(batch)

    def _deliver_in_transaction(
        self, transactions: Transactions, outputs: list[Output], oldest_ms: int | None, now: float
    ) -> None:
        """Send within the transaction. It is committed together with a tick: sums, results and positions are of the same events."""
        commit = self._commit_is_due(now)
        if self._tick_is_due(now) or commit:
            outputs = outputs + self._tick(self._ends())
        if outputs or oldest_ms is not None:
            self._sent.append(self._sender.send(outputs, {}, oldest_ms))
        self._sender.serve()
        if commit and not self._commit_transaction(transactions):
            self._begin_anew()
        self._progress.alive()

    def _commit_transaction(self, transactions: Transactions) -> bool:
        for sent in self._sent:
            self._sender.wait(sent)
        self._acknowledged.update(self._positions())
        due = self._to_commit()
        if not due and not any(sent.outputs for sent in self._sent):
            return True
        if not transactions.commit(due, self._consumer.consumer_group_metadata()):
            self._forget_sent()
            return False
        for sent in self._sent:
            self._results_acknowledged({}, sent.oldest_ms)
        self._sent.clear()
        self._taken.clear()
        self._commit_done(due)
        return True

    def _forget_sent(self) -> None:
        """Take note of an abort. No event leads to what `send_later` was given: it is sent again."""
        self._sent.clear()
        self._waiting[:0] = self._taken
        self._taken.clear()

    def _begin_anew(self) -> None:
        """Judge again what an aborted transaction held, from the last commit on."""
        for partition in list(self.evaluator.sources):
            self._give_up(partition)
        self._on_assign(self._consumer, self._consumer.assignment())

    def _ends(self) -> dict[Partition, tuple[int, int]]:
        """Return the end of each log and the client's position in it, for the partitions whose end is known."""
        found = {}
        for at in self._consumer.position([TopicPartition(*p) for p in self.evaluator.sources]):
            _, end = self._consumer.get_watermark_offsets(at, cached=True)
            if end >= 0:
                found[at.topic, at.partition] = (end, at.offset)
        return found

    def _close(self, clean: bool) -> None:
        """Leave the group. After a failure nothing more may be committed; another member takes over at once."""
        self._closing = True
        if self._transactions is not None and not clean:
            # Else the broker would hold back committed results of others until it ends the transaction by itself.
            with suppress(KafkaError, KafkaException):
                self._transactions.abort()
        self._consumer.close()
        if clean:
            self._sender.close()

    def _on_error(self, error: Any) -> None:
        """Take note of what a client tells of; the next step raises what cannot pass."""
        name = error.name()
        if error.fatal() or name in REFUSED:
            self._refusal = name
        elif name not in OF_A_PARTITION and name != CONNECTION_FAILED:  # one for each attempt to connect
            log.warning("client_error", error=name)

    # -- partitions

    def _on_assign(self, _: Any, assigned: Iterable[Any]) -> None:
        """Find where to begin; a position that the log no longer has is a recorded gap, never a silent reset.

        A cooperative rebalance names only what is new, and may name nothing.
        """
        self._epoch += 1
        partitions = sorted((p.topic, p.partition) for p in assigned)
        if partitions:
            places = [TopicPartition(*p) for p in partitions]
            committed = ask(lambda: self._consumer.committed(places, 10))
            for place in committed:
                if place.error is not None:
                    raise KafkaException(place.error)
                self._begin((place.topic, place.partition), place.offset if place.offset >= 0 else None)
        self._begun.update(partitions)
        self._read_on(partitions)
        self._progress.alive()
        log.info("partitions_assigned", partitions=len(partitions))
        self._joined = True

    def _on_revoke(self, _: Any, revoked: Iterable[Any]) -> None:
        """Finish what was judged of the partitions before another member takes them."""
        self._epoch += 1
        if self.evaluator.sources and not self._closing:
            self._drain()
        for place in revoked:
            self._give_up((place.topic, place.partition))

    def _on_lost(self, _: Any, lost: Iterable[Any]) -> None:
        """The group gave us up, and others may have the partitions by now: what is not committed will be judged again."""
        self._epoch += 1
        if self._transactions is not None:
            self._transactions.abort()
            self._forget_sent()
        for place in lost:
            partition = (place.topic, place.partition)
            self._give_up(partition)
            for sent in self._sent:
                sent.positions.pop(partition, None)

    def _begin(self, partition: Partition, committed: int | None) -> None:
        beginning, end = ask(lambda: self._consumer.get_watermark_offsets(TopicPartition(*partition), 10, cached=False))
        start = self._start_of(partition, committed, beginning, end)
        if start.gap is not None:
            key, value = self._gap_record(start.gap)
            self._sender.send_and_wait(self._settings.topics.coverage_gaps, value, key)
        self._take_over(partition, start, committed)

    def _after_rebalance(self, messages: Sequence[Any]) -> list[Any]:
        """Return what may be judged of messages that came in one call with a rebalance.

        Those of a partition that was begun in it may be from before or from after: they are read again from where its block stands.
        A cooperative rebalance leaves the other partitions as they were.
        """
        sources = self.evaluator.sources
        good: list[Any] = []
        again: set[Partition] = set()
        for message in messages:
            place = (message.topic(), message.partition())
            if self._cooperative and place in sources and place not in self._begun:
                good.append(message)
                continue
            if place in sources:
                again.add(place)
            if (error := message.error()) is not None:
                self._on_error(error)
        if again:
            self._read_on(again)
        return good

    def _read_on(self, partitions: Iterable[Partition] | None = None) -> None:
        """Read partitions, all when none are named, from where they stand; what was fetched of them before is dropped."""
        sources = self.evaluator.sources
        # `seek` is refused for a partition that stands still after an error.
        if not self._cooperative:
            self._consumer.assign([TopicPartition(*p, source.position) for p, source in sources.items()])
            return
        places = [TopicPartition(*p, sources[p].position) for p in (sources if partitions is None else partitions)]
        held = {(p.topic, p.partition) for p in self._consumer.assignment()}
        if stopped := [p for p in places if (p.topic, p.partition) in held]:
            self._consumer.incremental_unassign(stopped)
        self._consumer.incremental_assign(places)

    def _out_of_range(self, partition: Partition, _: str) -> None:
        if not self._drain():
            self._begin_anew()
            return
        source = self.evaluator.sources.get(partition)
        if source is not None:
            at = max(source.position, source.resume_at)
            self.evaluator.revoke(partition)
            self._begin(partition, at)

    def _unreadable(self, partition: Partition, error: str, offset: int | None = None) -> None:
        """Bury the record at a partition's position, or at an offset: one record must not stop the stream."""
        source = self.evaluator.sources.get(partition)
        if source is None or (offset is not None and offset < source.position):
            return
        log.error("record_unreadable", error=error)
        if offset is not None:
            source.position = offset
        self._sent.append(self._sender.send(self.evaluator.pass_over(partition, time.time_ns() // 1_000_000), {}, None))
