"""What the feed does with a snapshot, without one, with another process beside it, and when the log is another."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from hegui.rules.facts import FactStatus, OptOut
from hegui.streams.errors import SettingsError
from hegui.streams.facts_feed import FactsFeed, declared_tables
from hegui.streams.optout_index import feed as feed_module
from hegui.streams.optout_index import writer as writer_module
from hegui.streams.optout_index.feed import State
from hegui.streams.optout_index.folder import BuildError, Folder
from hegui.streams.optout_index.layout import SNAPSHOT, SnapshotError
from hegui.streams.optout_index.spool import Order
from hegui.streams.optout_index.table import OptOutIndex
from tests.streams.example import settings
from tests.streams.fakes import FakeConsumer, FakePartition, FakeRecord

TOPIC = "compliance.optouts.v1"
ONE, TWO = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)
DEADLINE_S = 30.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(feed_module, "IDENTITY_SECONDS", 0.01)
    monkeypatch.setattr(writer_module, "AGAIN_SECONDS", 0.05)


class Broker:
    """The topic, and what the broker says of it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.log = {ONE: FakePartition(), TWO: FakePartition()}
        self.identity = f"cluster/{TOPIC}/id"
        self.away = False
        self.readers: list[FakeConsumer] = []

        async def identity_of(_: object, topic: str) -> str:
            assert topic == TOPIC
            await asyncio.sleep(0)
            if self.away:
                raise KafkaConnectionError
            return self.identity

        patch.setattr(feed_module, "identity_of", identity_of)
        patch.setattr("hegui.streams.facts_feed.reader", self._reader)

    def _reader(self, _: object) -> FakeConsumer:
        made = FakeConsumer(self.log, {})
        made.subscribe([], _Nobody())
        self.readers.append(made)
        return made

    def send(self, key: str, record: OptOut | None, partition: TopicPartition = ONE) -> None:
        log = self.log[partition]
        value = None if record is None else msgspec.json.encode(record)
        log.records.append(FakeRecord(log.end, 0, value, key=key.encode()))

    def refuse(self, *names: str, partition: TopicPartition = ONE) -> None:
        for name in names:
            self.send(name, OptOut("work", name, "deny", 10), partition)

    def make_anew(self) -> None:
        """Delete the topic and create it."""
        self.identity += "2"
        for log in self.log.values():
            log.records.clear()
            log.beginning = 0


class _Nobody:
    async def on_partitions_revoked(self, partitions: object) -> None:
        pass

    async def on_partitions_assigned(self, partitions: object) -> None:
        pass


class Process:
    """One evaluator's feed."""

    def __init__(self, folder: Path, most_recent: int) -> None:
        others = {f"TOPICS__{fact}".upper(): "" for fact in settings().topics.facts() if fact != "optouts"}
        self.settings = settings(
            **others, FACTS__OPTOUTS_FOLDER=str(folder), FACTS__OPTOUTS_MOST_RECENT=str(most_recent)
        )
        self.tables = declared_tables(self.settings)
        self.index = self.tables["optouts"]
        assert isinstance(self.index, OptOutIndex)
        self.buried: list[object] = []
        self.feed = FactsFeed(self.settings, self.tables, time.monotonic, lambda *what: self.buried.append(what))

    @property
    def state(self) -> State:
        return self.feed._optouts.state

    @property
    def ready(self) -> bool:
        return self.index.status is FactStatus.READY

    def refused(self, *names: str) -> list[str]:
        return [name for name in names if self.index.at(("work", name), 20)]


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "not within the deadline"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def running(folder: Path, most_recent: int = 1000) -> AsyncIterator[Process]:
    process = Process(folder, most_recent)
    task = asyncio.ensure_future(process.feed.run())
    try:
        yield process
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    return Broker(monkeypatch)


def names(count: int, start: int = 0) -> list[str]:
    return [f"w{number}" for number in range(start, start + count)]


async def test_a_small_topic_is_ready_from_memory_and_then_written(broker: Broker, tmp_path: Path):
    broker.refuse("a", "b")
    async with running(tmp_path) as process:
        await until(lambda: process.ready)
        assert process.refused("a", "b", "c") == ["a", "b"]
        await until(lambda: process.index.entries == 2)
        assert process.index.recent_records == 0
        assert process.refused("a", "b", "c") == ["a", "b"]
        assert process.index.positions == {0: 2}


async def test_a_large_topic_goes_through_the_spool_and_is_ready_when_all_of_it_is_in_the_snapshot(
    broker: Broker, tmp_path: Path
):
    broker.refuse(*names(5000))
    broker.refuse(*names(100, start=5000), partition=TWO)
    broker.send("w7", None)
    broker.send("w8", OptOut("work", "other", "deny", 10))
    async with running(tmp_path, most_recent=600) as process:
        while not process.ready:
            assert process.index.recent_records < 600 + 2 * 2000
            assert process.state is not State.FOLLOWING or process.index.entries == 5099
            await asyncio.sleep(0.001)
        assert process.refused("w0", "w7", "w8", "other", "w4999", "w5099") == ["w0", "other", "w4999", "w5099"]
        assert process.index.positions == {0: 5002, 1: 100}
        assert (process.index.entries, process.index.recent_records) == (5099, 0)


async def test_a_start_reads_only_what_came_after_the_snapshot(broker: Broker, tmp_path: Path):
    broker.refuse(*names(50))
    async with running(tmp_path) as process:
        await until(lambda: process.index.entries == 50)
    broker.log[ONE].records[:] = []  # whoever reads them again finds nothing
    broker.log[ONE].next_offset = 50
    async with running(tmp_path) as process:
        await until(lambda: process.ready)
        assert process.refused("w0", "w49", "new") == ["w0", "w49"]
        broker.log[ONE].records[:] = [FakeRecord(50, 0, None, key=b"w49")]
        broker.log[ONE].next_offset = None
        broker.refuse("new")
        await until(lambda: process.refused("new") == ["new"])
        assert process.refused("w0", "w49", "new") == ["w0", "new"]
        assert (process.index.entries, process.index.recent_records, len(process.index)) == (50, 2, 52)
        assert process.index.positions == {0: 52}


async def test_many_records_are_written_in_the_background_while_others_come(broker: Broker, tmp_path: Path):
    async with running(tmp_path, most_recent=20) as process:
        await until(lambda: process.ready)
        for number in range(100):
            broker.refuse(f"w{number}")
            await asyncio.sleep(0.01)
            assert process.ready
            # What came a moment ago may not be read yet; what came before is there at any time.
            assert process.refused(*names(max(0, number - 20))) == names(max(0, number - 20))
        await until(lambda: process.index.entries >= 80)
        await until(lambda: process.index.positions == {0: 100})
        assert process.refused(*names(100)) == names(100)


async def test_one_process_writes_and_the_others_take_over(broker: Broker, tmp_path: Path):
    broker.refuse(*names(30))
    async with running(tmp_path, most_recent=10) as writer, running(tmp_path, most_recent=10) as other:
        await until(lambda: writer.ready and other.ready)
        assert other.feed._optouts._folder.writes is False
        broker.refuse(*names(30, start=30))
        await until(lambda: writer.index.entries == other.index.entries == 60)
        assert writer.index.file is not None
        assert other.index.file is not None
        assert writer.index.file.identity == other.index.file.identity
        assert writer.index.recent_records == other.index.recent_records == 0
        for process in (writer, other):
            assert process.refused(*names(60)) == names(60)


async def test_another_becomes_the_writer_when_the_first_has_ended(broker: Broker, tmp_path: Path):
    async with running(tmp_path, most_recent=10) as first:
        await until(lambda: first.ready and first.index.file is not None)
        async with running(tmp_path, most_recent=10) as second:
            await until(lambda: second.ready)
            await first.feed._optouts.close()
            first.feed._optouts._folder.lock = lambda: False
            broker.refuse(*names(15))
            await until(lambda: second.index.entries == 15)
            await until(lambda: first.index.entries == 15)


async def test_who_does_not_write_waits_for_the_first_snapshot(broker: Broker, tmp_path: Path):
    broker.refuse("a")
    lock = Folder(tmp_path, TOPIC)
    assert lock.lock()
    async with running(tmp_path) as process:
        await until(lambda: len(broker.readers) == 1 and process.state is State.WAITING)
        for _ in range(20):
            await asyncio.sleep(0.01)
            assert not process.ready
            assert process.index.positions == {}
        lock.close()
        await until(lambda: process.ready)
        assert process.refused("a") == ["a"]


@pytest.mark.parametrize("content", [b"", b"\0" * 5000])
async def test_a_broken_snapshot_is_made_anew_from_the_topic(broker: Broker, tmp_path: Path, content: bytes):
    broker.refuse("a")
    path = Folder(tmp_path, TOPIC).path / SNAPSHOT
    path.write_bytes(content)
    with structlog.testing.capture_logs() as logs:
        async with running(tmp_path) as process:
            await until(lambda: process.ready and process.index.entries == 1)
            assert process.refused("a") == ["a"]
    (refusal,) = [entry for entry in logs if entry["event"] == "optouts_snapshot_refused"]
    assert refusal["problem"] == "snapshot is no snapshot of opt-outs"


async def test_damage_found_in_a_lookup_makes_the_snapshot_anew(broker: Broker, tmp_path: Path):
    broker.refuse(*names(50))
    async with running(tmp_path) as process:
        await until(lambda: process.index.entries == 50)
        assert process.index.file is not None
        at, path = process.index.file.at, process.index.file.path
        damaged = path.read_bytes()
        path.unlink()
        path.write_bytes(damaged[: at.values] + b"x" * (at.end - at.values))
        await until(lambda: process.index.file.identity == process.feed._optouts._folder.present())
        with pytest.raises(SnapshotError):
            process.refused("w3")
        assert not process.ready
        await until(lambda: process.ready and process.index.entries == 50)
        assert process.refused(*names(60)) == names(50)


async def test_damage_found_by_the_builder_makes_the_snapshot_anew(broker: Broker, tmp_path: Path):
    broker.refuse(*names(50))
    async with running(tmp_path) as process:
        await until(lambda: process.index.entries == 50)
        path, at = process.index.file.path, process.index.file.at
    content = bytearray(path.read_bytes())
    content[at.rows] ^= 1
    path.write_bytes(content)
    with structlog.testing.capture_logs() as logs:
        async with running(tmp_path, most_recent=5) as process:
            await until(lambda: process.ready and process.index.entries == 50)
            broker.refuse(*names(5, start=50))
            await until(lambda: process.index.entries == 55)
            assert process.ready
            assert process.refused(*names(60)) == names(55)
    problems = [entry["problem"] for entry in logs if entry["event"] == "optouts_snapshot_damaged"]
    assert problems == ["snapshot has a damaged block of rows"]


def lost(logs: list) -> list[str]:
    return [entry["problem"] for entry in logs if entry["event"] == "optouts_log_lost"]


async def stays_unready(process: Process) -> None:
    await until(lambda: process.state is State.LOST)
    for _ in range(30):
        await asyncio.sleep(0.01)
        assert not process.ready


@pytest.mark.parametrize("how", ["made anew", "cut at its end", "cut at its beginning", "a partition gone"])
async def test_a_log_that_lost_what_the_snapshot_rests_on_is_never_ready(broker: Broker, tmp_path: Path, how: str):
    broker.refuse(*names(50))
    broker.refuse("x", partition=TWO)
    async with running(tmp_path) as process:
        await until(lambda: process.index.entries == 51)
    if how == "made anew":
        broker.make_anew()
        broker.refuse(*names(80, start=100))
    elif how == "cut at its end":
        del broker.log[ONE].records[10:]
    elif how == "cut at its beginning":
        broker.log[ONE].beginning = 60
        broker.log[ONE].records.clear()
    else:
        del broker.log[TWO]
    with structlog.testing.capture_logs() as logs:
        async with running(tmp_path) as process:
            await stays_unready(process)
            assert len(lost(logs)) == 1
            # Somebody has looked, and published the opt-outs again.
            (process.feed._optouts._folder.path / SNAPSHOT).unlink()
            broker.refuse("again")
            await until(lambda: process.ready)
            assert process.refused("again") == ["again"]


@pytest.mark.parametrize("how", ["made anew", "cut"])
async def test_a_log_that_is_lost_while_the_process_runs_ends_readiness(broker: Broker, tmp_path: Path, how: str):
    broker.refuse(*names(50))
    with structlog.testing.capture_logs() as logs:
        async with running(tmp_path) as process:
            await until(lambda: process.ready and process.index.entries == 50)
            if how == "made anew":
                broker.make_anew()
                broker.refuse(*names(60))
            else:
                del broker.log[ONE].records[10:]
            await stays_unready(process)
            assert len(lost(logs)) == 1
        async with running(tmp_path) as process:  # a restart alone is no remedy
            await stays_unready(process)


async def test_a_broker_that_does_not_answer_is_asked_again(broker: Broker, tmp_path: Path):
    broker.refuse("a")
    broker.away = True
    async with running(tmp_path) as process:
        await until(lambda: process.state is State.WAITING and bool(broker.readers))
        await asyncio.sleep(0.05)
        assert not process.ready
        broker.away = False
        await until(lambda: process.ready)
        broker.away = True
        await asyncio.sleep(0.05)
        assert process.ready
        assert process.refused("a") == ["a"]


async def test_a_snapshot_that_cannot_be_written_is_tried_again(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    broker.refuse(*names(5000))
    failures = 0
    build = Folder.build

    async def fails(self: Folder, *given: object) -> None:
        nonlocal failures
        failures += 1
        if failures < 3:
            raise BuildError("snapshot.tmp: no space left on device (exit code 1)")
        await build(self, *given)

    monkeypatch.setattr(Folder, "build", fails)
    async with running(tmp_path, most_recent=600) as process:
        await until(lambda: process.ready)
        assert process.refused(*names(5010)) == names(5000)
        assert failures >= 3


async def test_another_file_in_place_of_the_one_just_written_is_not_believed(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    broker.refuse(*names(5000))
    build = Folder.build

    async def short(self: Folder, order: Order, before: object) -> None:
        monkeypatch.setattr(Folder, "build", build)
        await build(self, msgspec.structs.replace(order, positions={0: 4990}), before)

    monkeypatch.setattr(Folder, "build", short)
    with structlog.testing.capture_logs() as logs:
        async with running(tmp_path, most_recent=600) as process:
            await until(lambda: process.ready)
            assert process.refused(*names(5010)) == names(5000)
    assert "snapshot is not the one that was written" in [entry.get("problem") for entry in logs]


async def test_a_spool_that_cannot_be_written_begins_again(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    broker.refuse(*names(5000))
    calls = 0
    append = writer_module.Spool.append

    def fails(self: object, records: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(28, "No space left on device")
        append(self, records)

    monkeypatch.setattr(writer_module.Spool, "append", fails)
    monkeypatch.setattr(writer_module, "SLICE", 100)
    async with running(tmp_path, most_recent=600) as process:
        await until(lambda: process.ready)
        assert process.refused(*names(5010)) == names(5000)


async def test_the_builder_says_what_is_wrong_in_one_sentence(tmp_path: Path):
    folder = Folder(tmp_path, TOPIC)
    assert folder.lock()
    folder.spool(1).close()
    index = OptOutIndex()
    order = writer_module.Writer(index, folder, 10, time.monotonic)._order("c/t/i", {})
    folder.path.joinpath("spool.rows").unlink()
    with pytest.raises(BuildError, match=r"spool.rows: No such file or directory \(exit code 1\)"):
        await folder.build(order, None)


async def test_ending_ends_the_builder_too(broker: Broker, tmp_path: Path):
    broker.refuse(*names(20_000))
    async with running(tmp_path, most_recent=10_000) as process:
        await until(lambda: process.feed._optouts._writer.busy)
    assert Folder(tmp_path, TOPIC).lock()
    assert not [path for path in Folder(tmp_path, TOPIC).path.iterdir() if path.name == SNAPSHOT + ".tmp"]


async def test_a_day_old_snapshot_is_written_again_when_records_came(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    broker.refuse("a")
    async with running(tmp_path) as process:
        await until(lambda: process.index.entries == 1)
        broker.refuse("b")
        await until(lambda: process.index.recent_records == 1)
        monkeypatch.setattr(writer_module, "MOST_AGE_SECONDS", -1)
        await until(lambda: process.index.entries == 2)


async def test_what_is_no_opt_out_is_buried_and_read_once(broker: Broker, tmp_path: Path):
    broker.log[ONE].records += [FakeRecord(0, 0, b"{}", key=b"k"), FakeRecord(1, 0, b"{}", key=None)]
    async with running(tmp_path) as process:
        await until(lambda: process.ready and process.index.file is not None)
        assert len(process.buried) == 2
        assert process.index.positions == {0: 2}


def test_without_the_extra_the_setting_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hegui.streams.optout_index.choice.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"facts\.optouts_folder needs numpy and xxhash"):
        Process(tmp_path, 10)


def test_a_folder_is_relative_to_the_settings_file(tmp_path: Path):
    from hegui.streams.settings import load_settings

    file = tmp_path / "hegui.toml"
    file.write_text('[kafka]\nbootstrap_servers = "a:1"\n[facts]\noptouts_folder = "optouts"\n')
    assert load_settings(file, {}).facts.optouts_folder == str(tmp_path / "optouts")
    assert list(tmp_path.iterdir()) == [file]
