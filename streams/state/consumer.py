"""Kafka consumer and producer for the state agents: Faust's own, with four holes closed.

Faust 0.15.3 loses events around table recovery and around commits (streams/adr/0005-faust-table-recovery.md tells
how to see each hole, and what to delete here once Faust closes it):

1. After recovery Faust resumes the source partitions and only then seeks them to the committed offsets, while its
   fetcher runs. What is fetched in between comes from the wrong place: it is handed to the agents, the records
   before it are dropped when the seek brings them back, and the hole counts as a gap of the log and is committed past.
2. ``seek_to_committed`` of aiokafka leaves a partition where it is when the group never committed on it. Records that
   Faust fetched and dropped while the partition was paused are then never read again.
3. A commit waits only for those changelog writes that have left Faust's buffer, gives up on that buffer after 0.1 s
   without progress, and ignores writes that failed: the offset can outlive the state it stands for.
4. Recovery seeks the changelog while a fetch from before the rebalance may still be in flight. When that one is answered after
   the seek, its records are dropped, the position stands behind them, and recovery waits for them for ever.

Measured on Apache Kafka 4.3.1 with ``kill -9`` in mid-stream: see the ADR.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import faust
from faust.exceptions import ProducerSendError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, FutureMessage

_FETCH_S = 5.0
"""How long to wait for a fetch. Faust asks for one second; an answer that is later than this finds a watchdog (`streams.watchdog`)."""


class Consumer(driver.Consumer):  # type: ignore[misc]  # Faust's classes are untyped for us
    """Seeks only while nothing is being delivered, and nothing that was asked for before is still to come."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_flight: set[asyncio.Future[Any]] = set()

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        """Fetch, and remember it until it is answered: the consumer's thread goes on with it when the caller is cancelled."""
        fetch = asyncio.ensure_future(super()._getmany(active_partitions, timeout))
        self._in_flight.add(fetch)
        fetch.add_done_callback(self._in_flight.discard)
        return await asyncio.shield(fetch)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek once the last fetch is answered (hole 4). While the flow is stopped none begins, and none takes more than a second."""
        if self._in_flight and not self.flow_active:
            await asyncio.wait(self._in_flight, timeout=_FETCH_S)
        await super().seek_wait(partitions)

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
