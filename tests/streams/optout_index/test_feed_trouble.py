"""Snapshots that are broken or cannot be written, and logs that are not the ones they rest on: never ready without all that is known."""

import asyncio
import os
import resource
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
import structlog
from aiokafka.errors import IncompatibleBrokerVersion

from hegui.rules.facts import OptOut
from hegui.streams.errors import SettingsError
from hegui.streams.optout_index import writer as writer_module
from hegui.streams.optout_index.feed import State
from hegui.streams.optout_index.folder import BuildError, Folder
from hegui.streams.optout_index.layout import SNAPSHOT, SnapshotError
from hegui.streams.optout_index.snapshot_file import SnapshotFile
from hegui.streams.optout_index.spool import Order
from hegui.streams.optout_index.table import OptOutIndex
from hegui.streams.optout_index.tombstones import tombstones_kept_seconds
from tests.streams.optout_index.processes import ONE, TOPIC, TWO, Broker, Process, names, running, until


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


async def stays_unready(process: Process, state: State = State.LOST) -> None:
    await until(lambda: process.state is state)
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


async def test_a_full_disk_in_the_first_load_is_tried_again(broker: Broker, tmp_path: Path):
    broker.refuse(*names(5000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (100_000, hard)
    )  # what is buffered fails when it is written out, and when the file is closed
    try:
        with structlog.testing.capture_logs() as logs:
            async with running(tmp_path, most_recent=600) as process:
                await until(lambda: "optouts_snapshot_not_written" in [entry["event"] for entry in logs])
                assert not process.ready
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
                await until(lambda: process.ready)
                assert process.refused(*names(5010)) == names(5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_reader_that_cannot_open_files_leaves_the_snapshot_of_all(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    broker.refuse("a")
    opened = SnapshotFile.__init__

    def too_many(*_: object) -> None:
        raise OSError(24, "Too many open files")

    async with running(tmp_path, most_recent=5) as writer, running(tmp_path, most_recent=5) as reader:
        await until(lambda: writer.index.entries == reader.index.entries == 1)
        kept = writer.index.file.path
        monkeypatch.setattr(SnapshotFile, "__init__", too_many)
        with structlog.testing.capture_logs() as logs:
            older = reader.feed._optouts._folder.present()
            other = kept.with_name("other")
            shutil.copy(kept, other)
            other.replace(kept)  # as a newer one takes its place
            newer = reader.feed._optouts._folder.present()
            assert newer != older
            await until(lambda: [entry["event"] for entry in logs].count("optouts_snapshot_not_opened") >= 2)
        assert reader.feed._optouts._folder.present() == newer
        assert writer.ready
        assert reader.ready
        monkeypatch.setattr(SnapshotFile, "__init__", opened)
        await until(lambda: reader.index.file.identity == writer.index.file.identity == newer)


async def test_a_start_that_cannot_open_files_waits(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    broker.refuse("a")
    async with running(tmp_path) as process:
        await until(lambda: process.index.entries == 1)
        kept = process.feed._optouts._folder.present()
    opened, locked = SnapshotFile.__init__, os.open

    def too_many(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(SnapshotFile, "__init__", too_many)
    async with running(tmp_path) as process:
        await stays_unready(process, State.WAITING)
        monkeypatch.setattr(SnapshotFile, "__init__", opened)
        await until(lambda: process.ready)
        assert process.index.file.identity == kept
    monkeypatch.setattr("hegui.streams.optout_index.folder.os.open", too_many)
    folder = Folder.__new__(Folder)
    folder.path, folder._lock_fd = tmp_path, -1
    assert not folder.lock()
    monkeypatch.setattr("hegui.streams.optout_index.folder.os.open", locked)
    assert folder.lock()
    folder.close()


DAY_S = 86_400


class Clock:
    """The time of day, as far on as is wanted."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        now = time.time
        patch.setattr(time, "time", lambda: now() + self.ahead)


@pytest.mark.parametrize(("days", "anew"), [(26, False), (28, True)])
async def test_a_snapshot_older_than_what_the_topic_keeps_of_removals_is_made_anew(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, anew: bool
):
    clock = Clock(monkeypatch)
    broker.kept_seconds = 30 * DAY_S
    broker.send("yes", OptOut("holder", "yes", "allow", 10))
    broker.refuse("a")
    async with running(tmp_path) as process:
        await until(lambda: process.index.entries == 2)
    broker.send("yes", None)
    broker.refuse("b")
    if anew:  # compaction has removed the tombstone, and what it removed
        broker.log[ONE].records = [record for record in broker.log[ONE].records if record.key != b"yes"]
    clock.ahead = days * DAY_S
    with structlog.testing.capture_logs() as logs:
        async with running(tmp_path) as process:
            await until(lambda: process.ready and process.index.at(("holder", "b"), 20) != ())
            assert process.index.at(("holder", "yes"), 20) == ()
            await until(lambda: process.index.entries == 2)
    told = [entry for entry in logs if entry["event"] == "optouts_snapshot_outdated"]
    assert [(entry["hours"], entry["tombstones_kept_hours"]) for entry in told] == [(28 * 24, 30 * 24)] * anew


async def test_a_snapshot_is_renewed_although_nothing_comes(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clock = Clock(monkeypatch)
    broker.kept_seconds = 4 * DAY_S
    broker.refuse("a")
    async with running(tmp_path) as process:
        await until(lambda: process.index.entries == 1 and process.index.recent_records == 0)
        first = process.index.file.header
        clock.ahead = DAY_S + 5
        await until(lambda: process.index.file.header.current_at >= first.current_at + DAY_S)
        assert process.refused("a") == ["a"]


async def test_a_snapshot_written_while_the_reader_is_behind_is_no_younger_for_it(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clock = Clock(monkeypatch)
    broker.kept_seconds = 30 * DAY_S
    broker.refuse("a")
    async with running(tmp_path) as process:
        await until(lambda: process.index.entries == 1)
        first = process.index.file.header.current_at
    broker.refuse("b", "c")
    broker.log[ONE].next_offset = broker.log[ONE].end + 5  # what it has not got yet
    clock.ahead = 20 * DAY_S
    async with running(tmp_path, most_recent=2) as process:
        await until(lambda: process.index.entries == 3)
        assert not process.ready
        assert process.index.file.header.current_at == first


class _Client:
    """A broker's answers to DescribeConfigs."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[object] = []

    def get_random_node(self) -> int | None:
        return None if self.answer is None else 1

    async def send(self, node: int, request: object) -> object:
        assert node == 1
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return SimpleNamespace(resources=self.answer)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ([(0, None, 2, TOPIC, [("delete.retention.ms", "2592000000", False, 1, False, [])])], 30 * DAY_S),
        ([(29, "not authorized", 2, TOPIC, [])], DAY_S),
        (IncompatibleBrokerVersion(), DAY_S),
    ],
)
async def test_how_long_tombstones_are_kept_is_asked_for(answer: object, seconds: float):
    client = _Client(answer)
    assert await tombstones_kept_seconds(SimpleNamespace(_client=client), TOPIC) == seconds
    assert len(client.asked) == 1


async def test_without_a_broker_nobody_knows_how_long_tombstones_are_kept():
    with pytest.raises(LookupError):
        await tombstones_kept_seconds(SimpleNamespace(_client=_Client(None)), TOPIC)


async def test_the_builder_says_what_is_wrong_in_one_sentence(tmp_path: Path):
    folder = Folder(tmp_path, TOPIC)
    assert folder.lock()
    folder.spool().close()
    index = OptOutIndex()
    order = writer_module.Writer(index, folder, 10, time.monotonic)._order("c/t/i", {})
    folder.path.joinpath("spool.rows").unlink()
    with pytest.raises(BuildError, match=r"spool.rows: No such file or directory \(exit code 1\)"):
        await folder.build(order, None)


def test_without_the_extra_the_setting_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hegui.streams.optout_index.choice.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"facts\.optouts_folder needs numpy and xxhash"):
        Process(tmp_path, 10)
