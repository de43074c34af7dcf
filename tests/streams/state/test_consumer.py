"""The holes of Faust 0.15.3 that streams/state/consumer.py closes, each also shown on the stock classes.

Faust's own fetcher, recovery, seek, acknowledgement and commit arithmetic run; only the thread that talks to Kafka is
a stand-in with a log, a position and a committed offset. One step of "network" is a number of turns of the event loop,
so the order of things is the same in every run.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from types import SimpleNamespace

import faust
import pytest
from aiokafka.structs import ConsumerRecord, RecordMetadata, TopicPartition
from faust.exceptions import ProducerSendError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from mode import Service

from hegui.streams.state.consumer import Consumer, Producer, Transport, use_mended_transport

SOURCE = TP("observations", 0)
CHANGELOG = TP("agents-state-changelog", 0)
BATCH = 30
END = 120


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class KafkaThread(Service):
    """One source partition with `END` records, as aiokafka's consumer would serve it."""

    def __init__(self, consumer: driver.Consumer, committed: int | None) -> None:
        super().__init__(loop=consumer.loop)
        self.consumer = consumer
        self.committed = committed
        self.position = committed or 0
        self.in_flight = asyncio.Event()
        self.answer = asyncio.Event()

    async def getmany(self, active_partitions: set[TP], timeout: float) -> dict[TP, list[ConsumerRecord]]:
        if not self.consumer.flow_active:
            return {}
        self.in_flight.set()
        await self.answer.wait()
        await turns(2)
        if active_partitions and SOURCE not in active_partitions:  # as in Fetcher.fetched_records: empty means all
            return {}
        offsets = range(self.position, min(self.position + BATCH, END))
        self.position = offsets.stop
        return {SOURCE: [record(offset) for offset in offsets]} if offsets else {}

    async def seek_to_committed(self) -> dict[TP, int | None]:
        await turns(60)
        if self.committed:
            self.position = self.committed
        return {SOURCE: self.committed, CHANGELOG: None}

    async def seek_wait(self, partitions: dict[TP, int]) -> None:
        await turns(60)
        self.position = partitions[SOURCE]
        self.consumer._read_offset.pop(SOURCE, None)

    async def earliest_offsets(self, *partitions: TP) -> dict[TP, int]:
        return dict.fromkeys(partitions, 0)

    def assignment(self) -> set[TP]:
        return {SOURCE, CHANGELOG}

    def highwater(self, tp: TP) -> int:
        return END


def record(offset: int) -> ConsumerRecord:
    return ConsumerRecord(SOURCE.topic, SOURCE.partition, offset, 1_700_000_000_000, 0, b"k", b"v", None, 1, 1, ())


async def position_after_a_seek_with_a_fetch_in_flight(stock_or_mended: type[driver.Consumer]) -> int:
    """Return where a partition stands when it was sought to its start while a fetch from before was not answered yet."""
    worker = Worker(stock_or_mended, None)
    thread, consumer = worker.consumer._thread, worker.consumer
    consumer._set_active_tps({SOURCE})
    await worker.app._fetcher.maybe_start()
    await thread.in_flight.wait()
    consumer.stop_flow()
    seeking = asyncio.create_task(consumer.seek_wait({SOURCE: 0}))
    await turns(100)
    thread.answer.set()
    await seeking
    await turns(100)
    await worker.app._fetcher.stop()
    assert not worker.delivered
    return thread.position


async def test_a_fetch_in_flight_is_answered_before_the_seek():
    assert await position_after_a_seek_with_a_fetch_in_flight(Consumer) == 0


async def test_stock_consumer_stands_behind_records_that_it_dropped():
    assert await position_after_a_seek_with_a_fetch_in_flight(driver.Consumer) == BATCH


class Worker:
    """A Faust app after its tables were read back, with the consumer class under test."""

    def __init__(self, stock_or_mended: type[driver.Consumer], committed: int | None) -> None:
        class Wired(stock_or_mended):
            def _new_consumer_thread(self) -> KafkaThread:
                return KafkaThread(self, committed)

            async def sleep(self, n: float, **kwargs: object) -> None:
                await asyncio.sleep(0)

        self.delivered: list[int] = []
        self.app = faust.App("agents", env={}, store="memory://", autodiscover=False, web_enabled=False)
        self.app.Table("state", key_type=bytes, value_type=bytes, partitions=1)
        self.app.topics.acking_topics.add(SOURCE.topic)
        self.consumer = Wired(self.app.transport, self.deliver, self.ignore, self.ignore)
        self.app.consumer = self.consumer

    async def ignore(self, tps: Iterable[TP]) -> None:
        """Stand in for the rebalance callbacks."""

    async def deliver(self, message: Message) -> None:
        await asyncio.sleep(0)
        self.delivered.append(message.offset)
        self.consumer.ack(message)

    async def recover(self) -> None:
        """Run the end of a recovery: the last changelog fetch is in flight when the changelog is paused."""
        thread, consumer = self.consumer._thread, self.consumer
        consumer._set_active_tps({CHANGELOG})
        await self.app._fetcher.maybe_start()
        await thread.in_flight.wait()
        consumer.pause_partitions({CHANGELOG})
        thread.answer.set()
        await turns(20)  # the answer holds source records, which are nobody's yet: Faust drops them
        assert thread.position == (thread.committed or 0) + BATCH
        assert not self.delivered
        await self.app.tables.recovery.on_recovery_completed(self.app.consumer_generation_id)

    async def run_to_the_end(self) -> set[int]:
        """Deliver until the log is drained; answer the offsets that were not delivered."""
        before = None
        while before != (len(self.delivered), self.consumer._thread.position):
            before = len(self.delivered), self.consumer._thread.position
            await turns(500)
        return set(range(self.consumer._thread.committed or 0, END)) - set(self.delivered)


@pytest.fixture
async def start() -> AsyncIterator[object]:
    workers: list[Worker] = []

    def starter(cls: type[driver.Consumer], committed: int | None) -> Worker:
        workers.append(Worker(cls, committed))
        return workers[-1]

    yield starter
    for worker in workers:
        worker.consumer._thread.answer.set()
        await worker.app._fetcher.stop()


@pytest.mark.parametrize("committed", [10, None], ids=["committed", "never committed"])
async def test_recovery_loses_no_record(start, committed):
    worker = start(Consumer, committed)
    await worker.recover()
    assert await worker.run_to_the_end() == set()
    assert worker.delivered == list(range(committed or 0, END))
    assert worker.consumer._new_offset(SOURCE) == END


@pytest.mark.parametrize("committed", [10, None], ids=["committed", "never committed"])
async def test_stock_recovery_loses_records(start, committed):
    """Shows that the test above can fail. When this fails, Faust may have mended it: see ADR 0005."""
    worker = start(driver.Consumer, committed)
    await worker.recover()
    first = committed or 0
    assert await worker.run_to_the_end() == set(range(first, first + BATCH))


@pytest.mark.parametrize(("committed", "commit_to"), [(10, None), (None, END)], ids=["stands still", "passes them"])
async def test_stock_commit_after_the_loss(start, committed, commit_to):
    """The hole either stops all commits, or is committed past and so lost for good."""
    worker = start(driver.Consumer, committed)
    await worker.recover()
    assert await worker.run_to_the_end()
    assert worker.consumer._new_offset(SOURCE) == commit_to


async def test_flow_that_is_stopped_stays_stopped(start):
    worker = start(Consumer, 10)
    worker.consumer.stop_flow()
    await worker.consumer.perform_seek()
    assert not worker.consumer.flow_active


async def test_partition_without_commit_stays_where_it_is_unless_reset_is_earliest(start):
    worker = start(Consumer, None)
    worker.app.conf.consumer_auto_offset_reset = "latest"
    worker.consumer._thread.position = 50
    await worker.consumer.perform_seek()
    assert worker.consumer._thread.position == 50


class KafkaProducer:
    """Takes a record only when the broker "has room", and acknowledges or refuses it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.room = asyncio.Event()
        self.error = error

    async def send(self, topic: str, value: bytes, **kwargs: object) -> asyncio.Future[RecordMetadata]:
        await self.room.wait()
        acknowledged = asyncio.get_running_loop().create_future()
        if self.error:
            acknowledged.set_exception(self.error)
        else:
            acknowledged.set_result(RecordMetadata(topic, 0, TopicPartition(topic, 0), 0, 0, 0, 0))
        return acknowledged

    async def flush(self) -> None:
        """Wait for the batches that hold records; the one that waits for room is in none."""


async def write(cls: type[driver.Producer], kafka: KafkaProducer) -> tuple[driver.Producer, asyncio.Future[object]]:
    """Give a producer one table write, up to the point where it waits for room."""
    app = faust.App("agents", env={}, autodiscover=False, web_enabled=False)
    producer = app.producer = cls(app.transport, loop=app.loop)
    producer._producer = kafka
    producer._started.set()
    await producer.buffer.start()
    topic = app.topic("agents-state-changelog", key_type=bytes, value_type=bytes)
    written = topic.send_soon(key=b"k", value=b"v", partition=0)
    await turns(20)
    return producer, written


async def test_flush_waits_for_the_acknowledgement_of_table_writes():
    kafka = KafkaProducer()
    producer, written = await write(Producer, kafka)
    flushed = asyncio.ensure_future(producer.flush())
    await turns(50)
    assert not flushed.done()
    kafka.room.set()
    await flushed
    assert written.done()
    await producer.flush()
    await producer.buffer.stop()


async def test_stock_flush_does_not_wait():
    kafka = KafkaProducer()
    producer, written = await write(driver.Producer, kafka)
    await producer.flush()
    assert not written.done()
    kafka.room.set()
    await turns(20)
    await producer.buffer.stop()


async def test_flush_fails_again_and_again_after_a_lost_table_write():
    kafka = KafkaProducer(error=OSError("the broker refused it"))
    producer, _ = await write(Producer, kafka)
    kafka.room.set()
    for _ in range(2):
        with pytest.raises(ProducerSendError, match="1 table writes were not acknowledged"):
            await producer.flush()
    await producer.buffer.stop()


async def test_stock_flush_passes_over_a_lost_table_write():
    kafka = KafkaProducer(error=OSError("the broker refused it"))
    producer, written = await write(driver.Producer, kafka)
    kafka.room.set()
    await producer.flush()
    await turns(20)
    assert isinstance(written.exception(), OSError)
    await producer.buffer.stop()


async def test_mended_transport_is_installed():
    app = faust.App("agents", env={}, autodiscover=False)
    use_mended_transport(app)
    assert isinstance(app.transport, Transport)
    assert app.transport.Consumer is Consumer
    assert isinstance(app.producer, Producer)


async def test_mended_transport_cannot_come_too_late():
    app = faust.App("agents", env={}, autodiscover=False)
    app._producer = SimpleNamespace()
    with pytest.raises(RuntimeError, match="too late"):
        use_mended_transport(app)
