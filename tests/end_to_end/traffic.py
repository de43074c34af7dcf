"""Producers: sound events all the time and, until the cause is mended, events that fail. Written with the CloudEvents SDK.

First of all comes a sound record, and then an opt-out that covers it; the record is taken out when the cause is mended.
"""

import asyncio
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer
from cloudevents.core.bindings.kafka import KafkaMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from msgspec.structs import replace

from hegui.rules.case_events import NoticeEvent
from hegui.rules.events import Envelope, Event, GenerationEvent, IngestEvent
from hegui.rules.facts import OptOut
from hegui.rules.ledgers.removals import REMOVAL_SOURCE, removal_id
from hegui.streams.optouts.normal_form import record_key
from hegui.streams.simulated_cases import opened
from hegui.streams.simulated_events import companion, exported
from hegui.streams.simulated_records import sha
from hegui.streams.simulation import FAULTS, chat, crawled, envelope, image, licensed

PAUSE_S = 0.2
BROKEN = b'{"broken":'
FAULTY = ("LBL001", "LBL002", "TRN001", "waived", "inconclusive", "LBL001", "broken")
"""Kinds of trouble, in turn; the first LBL001 of a round goes out structured, the second binary. TRN001 is of the ingest topic."""

REFUSED = 900_000
"""Number of the crawled record that an opt-out covers."""

Encode = Callable[[CloudEvent], KafkaMessage]


def _counted(number: int, at_ms: int) -> GenerationEvent:
    """An export for the ledger, of a user or, every second one, of nobody who could be counted. Whether it needs more, its ledger says."""
    data = exported(2 * number, at_ms)
    assert data.export is not None
    export = replace(data.export, exemption=None, exemption_document=None)
    return replace(data, export=export, user_key=data.user_key if number % 2 else None)


class Sent(NamedTuple):
    """A faulty event."""

    kind: str
    encoding: str
    source: str
    id: str
    at_ms: int


def cloud_event(event: Envelope) -> CloudEvent:
    attributes: dict[str, Any] = {
        "type": type(event).__struct_config__.tag,
        "source": event.source,
        "id": event.id,
        "time": event.time,
        "specversion": "1.0",
        "datacontenttype": "application/json",
    }
    if event.revision:
        attributes["revision"] = event.revision
    return CloudEvent(attributes, msgspec.to_builtins(event.data))


class Traffic(threading.Thread):
    """Sends to both input topics from `start()` to `finish()`; faults until `mend()`."""

    def __init__(self, bootstrap: str, generation: str, ingest: str, optouts: str) -> None:
        super().__init__(name="traffic")
        self.events = 0
        self.encodings: Counter[str] = Counter()
        self.faults: list[Sent] = []
        self.broken = 0
        self.refused: list[Sent] = []
        """The record that was ingested before the opt-out."""
        self._address = bootstrap
        self._generation = generation
        self._ingest = ingest
        self._optouts = optouts
        self._mended = threading.Event()
        self._stop_asked = threading.Event()
        self._error: BaseException | None = None
        self._numbers = itertools.count()

    def mend(self) -> None:
        """Send no more faults."""
        self._mended.set()

    def finish(self) -> None:
        """Stop and wait; raise what went wrong in the thread."""
        self._stop_asked.set()
        if self.ident is not None:
            self.join()
        if self._error is not None:
            raise self._error

    def run(self) -> None:
        try:
            asyncio.run(self._send())
        except BaseException as error:  # noqa: BLE001 - raised again by finish()
            self._error = error

    async def _send(self) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._address, acks="all")
        await producer.start()
        try:
            refusal: OptOut | None = await self._refuse(producer)
            for turn in itertools.count():
                await self._event(producer, "sound", image, "structured")
                await self._event(producer, "sound", chat, "binary")
                await self._event(producer, "sound", lambda number, _: licensed(number), "structured")
                await self._event(producer, "sound", _counted, "binary")
                await self._event(producer, "sound", companion, "structured")
                await self._event(producer, "sound", opened, "binary")
                if not self._mended.is_set():
                    await self._fault(producer, turn % len(FAULTY))
                elif refusal is not None:
                    await self._take_out(producer, refusal)
                    refusal = None
                if await asyncio.to_thread(self._stop_asked.wait, PAUSE_S):
                    return
        finally:
            await producer.stop()

    async def _fault(self, producer: AIOKafkaProducer, number: int) -> None:
        kind = FAULTY[number]
        if kind == "broken":
            await producer.send_and_wait(self._generation, BROKEN)
            self.broken += 1
        else:
            await self._event(producer, kind, FAULTS[kind], "binary" if number else "structured")

    async def _refuse(self, producer: AIOKafkaProducer) -> OptOut:
        """Send a record, then the opt-out that covers it, and return that."""
        sent = await self._event(producer, "sound", lambda _, at_ms: crawled(REFUSED, at_ms), "structured")
        self.refused.append(sent)
        refusal = OptOut("content", sha(REFUSED), "deny", sent.at_ms + 1, source="list")
        await producer.send_and_wait(self._optouts, msgspec.json.encode(refusal), key=record_key(refusal))
        return refusal

    async def _take_out(self, producer: AIOKafkaProducer, refusal: OptOut) -> None:
        """Tell that the records of an opt-out were taken out of the dataset."""
        at_ms = time.time_ns() // 1_000_000
        told = envelope(NoticeEvent(service="crawler", handled_at_ms=at_ms), 0, at_ms, "page")
        told = replace(told, source=REMOVAL_SOURCE, id=removal_id(refusal), revision=1)
        await self._put(producer, told, "structured")

    async def _event(
        self,
        producer: AIOKafkaProducer,
        kind: str,
        make: Callable[[int, int], Event],
        encoding: str,
    ) -> Sent:
        number, at_ms = next(self._numbers), time.time_ns() // 1_000_000
        event = envelope(make(number, at_ms), number, at_ms, "page")
        await self._put(producer, event, encoding)
        sent = Sent(kind, encoding, event.source, event.id, at_ms)
        if kind != "sound":
            self.faults.append(sent)
        return sent

    async def _put(self, producer: AIOKafkaProducer, event: Envelope, encoding: str) -> None:
        topic = self._ingest if isinstance(event.data, IngestEvent) else self._generation
        encode: Encode = to_binary_event if encoding == "binary" else to_structured_event
        message = encode(cloud_event(event))
        await producer.send_and_wait(topic, message.value, headers=list(message.headers.items()))
        self.events += 1
        self.encodings[encoding] += 1
