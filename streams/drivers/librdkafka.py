"""Carries the judgement on librdkafka: the same promises as `aiokafka.py`, with fetches beside the judgement.

librdkafka's calls block, and it calls back from within them. So one thread of our own makes them all, and the event loop awaits
each: either the thread runs or the driver's code in the loop, never both, and nothing needs a lock. `Evaluator.judge` runs in the
loop, where the facts feed and the policy change what it reads; HTTP and feed run whenever the thread works (streams/adr/0010).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import structlog
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException, Message

from hegui.streams.drivers.librdkafka_calls import BlockingMember
from hegui.streams.drivers.librdkafka_errors import OUT_OF_RANGE, UNREADABLE
from hegui.streams.drivers.librdkafka_records import read_records
from hegui.streams.evaluator import Evaluator, Partition
from hegui.streams.metrics import EvaluatorMetrics
from hegui.streams.settings import Settings
from hegui.streams.watchdog import Progress

log = structlog.get_logger()
T = TypeVar("T")


def _is_end(message: Any) -> bool:
    error = message.error()
    return error is not None and error.name() == "_PARTITION_EOF"


class LibrdkafkaDriver(BlockingMember):
    """One member of the evaluators' group."""

    def __init__(self, settings: Settings, evaluator: Evaluator, metrics: EvaluatorMetrics, progress: Progress) -> None:
        super().__init__(settings, evaluator, metrics, progress)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="librdkafka")

    async def run(self, stop: asyncio.Event) -> None:
        """Judge until `stop` is set, then drain, commit and leave the group.

        Raises:
            KafkaError: results were refused by the broker; nothing they cover was committed.
        """
        clean = False
        try:
            await self._in_thread(self._subscribe)
            while not stop.is_set():
                await self._step()
            await self._in_thread(self._drain)
            clean = True
        except (KafkaError, KafkaException) as error:
            name = error.args[0].name() if isinstance(error, KafkaException) else error.args[0]
            log.error("client_gave_up", error=name)  # noqa: TRY400 - librdkafka's name of the error says it all
            raise KafkaError(name) from None
        finally:
            if not clean:
                self._sender.abandon()
            # After a cancellation the thread may still be at work: what closes the clients waits for its turn.
            closing = asyncio.ensure_future(self._in_thread(self._close, clean))
            await asyncio.shield(closing)
            self._thread.shutdown(wait=False)
            self._metrics.add(self.evaluator.tallies)

    async def _in_thread(self, call: Callable[..., T], *args: Any, **named: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(call, *args, **named))

    async def _step(self) -> None:
        epoch = self._epoch
        messages = await self._in_thread(self._receive)
        if self._joined:
            self.assigned.set()
        if epoch != self._epoch:
            messages = await self._in_thread(self._after_rebalance, messages)
            if not messages:
                return
        if any(map(Message.error, messages)):
            # What comes up with the end of its partition is followed by a message that says so. Nothing is wrong.
            messages = [message for message in messages if not _is_end(message)]
        if any(map(Message.error, messages)):
            await self._process_with_errors(messages)
        else:
            await self._process(messages)

    async def _process_with_errors(self, messages: Sequence[Any]) -> None:
        """Process a batch in which librdkafka tells of errors. What follows an error in its partition is read again."""
        epoch = self._epoch
        good: list[Any] = []
        interrupted: set[Partition] = set()
        for message in messages:
            error = message.error()
            place = (message.topic(), message.partition())
            if place in interrupted:
                continue
            if error is None:
                good.append(message)
            elif error.name() in OUT_OF_RANGE or error.name() in UNREADABLE:
                # What came before it goes first: then the partition stands at what the error is about.
                await self._process(good)
                if epoch != self._epoch:
                    return  # a transaction was aborted: everything is read again, and the errors come again
                good = []
                interrupted.add(place)
                recover = self._out_of_range if error.name() in OUT_OF_RANGE else self._unreadable
                await self._in_thread(recover, place, error.name())
                if epoch != self._epoch:
                    return  # as above: what follows here is not the next record of its partition any more
            else:
                self._on_error(error)
        await self._process(good)
        if interrupted:
            await self._in_thread(self._read_on)

    async def _process(self, messages: Sequence[Any]) -> None:
        epoch = self._epoch
        while True:
            readable = read_records(messages)
            outputs, oldest_ms = self._judge(readable.batch)
            await self._in_thread(self._deliver, outputs, oldest_ms, busy=bool(messages))
            if readable.read == len(messages) or epoch != self._epoch:
                return
            unreadable = messages[readable.read]
            place = (unreadable.topic(), unreadable.partition())
            await self._in_thread(self._unreadable, place, "header", unreadable.offset())
            messages = messages[readable.read + 1 :]
