"""Kafka consumer and producer for the state agents: Faust's own, with three holes closed.

Faust 0.15.3 loses events around table recovery and around commits (streams/adr/0005-faust-table-recovery.md tells
how to see each hole, and what to delete here once Faust closes it):

1. After recovery Faust resumes the source partitions and only then seeks them to the committed offsets, while its
   fetcher runs. What is fetched in between comes from the wrong place: it is handed to the agents, the records
   before it are dropped when the seek brings them back, and the hole counts as a gap of the log and is committed past.
2. ``seek_to_committed`` of aiokafka leaves a partition where it is when the group never committed on it. Records that
   Faust fetched and dropped while the partition was paused are then never read again.
3. A commit waits only for those changelog writes that have left Faust's buffer, gives up on that buffer after 0.1 s
   without progress, and ignores writes that failed: the offset can outlive the state it stands for.

Measured on Apache Kafka 4.3.1 with ``kill -9`` in mid-stream: see the ADR.
"""

import asyncio
from typing import Any

import faust
from faust.exceptions import ProducerSendError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, FutureMessage


class Consumer(driver.Consumer):  # type: ignore[misc]  # Faust's classes are untyped for us
    """Seeks to the committed offsets only while nothing is being delivered."""

    async def perform_seek(self) -> None:
        """Stop the flow, then seek every source partition to where the group stands.

        The callers that find the flow active (``Recovery.on_recovery_completed`` and ``_resume_streams``) resume it
        after the seek, so it is stopped here and not started again.
        """
        if self.flow_active:
            self.stop_flow()
        await super().perform_seek()
        await self._rewind_uncommitted()

    async def _rewind_uncommitted(self) -> None:
        """Seek source partitions on which the group never committed to their first record (hole 2)."""
        fresh = [tp for tp in self.assignment() if not self._committed_offset[tp] and not self._is_changelog_tp(tp)]
        if fresh and self.app.conf.consumer_auto_offset_reset == "earliest":
            earliest: dict[TP, int] = await self.earliest_offsets(*fresh)
            await self.seek_wait({tp: earliest[tp] for tp in fresh})


class Producer(driver.Producer):  # type: ignore[misc]
    """Knows which buffered messages the broker has not acknowledged, and flushes until it has (hole 3)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unacknowledged: set[FutureMessage] = set()

    def send_soon(self, fut: FutureMessage) -> None:
        """Buffer a message (every table write comes this way) and remember it until it is acknowledged."""
        self._unacknowledged.add(fut)
        fut.add_done_callback(self._on_done)
        super().send_soon(fut)

    def _on_done(self, fut: FutureMessage) -> None:
        if not fut.cancelled() and fut.exception() is None:
            self._unacknowledged.discard(fut)

    async def flush(self) -> None:
        """Return when all that was buffered before the call is on the broker.

        Raises:
            ProducerSendError: a message failed or was not acknowledged in time. It stays on the list, so that no later
                commit succeeds either: the process has to end and recover from what the broker holds.
        """
        waiting = set(self._unacknowledged)
        await super().flush()
        if waiting:
            await asyncio.wait(waiting, timeout=self.request_timeout)
        lost = waiting & self._unacknowledged
        if lost:
            raise ProducerSendError(f"{len(lost)} table writes were not acknowledged by the broker")


class Transport(driver.Transport):  # type: ignore[misc]
    """Makes the mended clients."""

    Consumer = Consumer
    Producer = Producer


def use_mended_transport(app: faust.App) -> None:
    """Let `app` make its clients through the mended transport; call it right after ``faust.App(...)``.

    Raises:
        RuntimeError: the app has made a client already.
    """
    if app._consumer is not None or app._producer is not None:  # noqa: SLF001  # reading the properties would make them
        raise RuntimeError("use_mended_transport comes too late: the Faust app has made its Kafka clients already")
    app.transport = Transport(app.conf.broker_consumer, app)
