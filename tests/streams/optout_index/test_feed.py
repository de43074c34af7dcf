"""What the feed does with a snapshot, without one, and with another process beside it."""

import asyncio
from pathlib import Path

import pytest

from hegui.rules.facts import OptOut
from hegui.streams.optout_index import writer as writer_module
from hegui.streams.optout_index.feed import State
from hegui.streams.optout_index.folder import Folder
from hegui.streams.optout_index.layout import SNAPSHOT
from tests.streams.fakes import FakeRecord
from tests.streams.optout_index.processes import ONE, TOPIC, TWO, Broker, names, running, until


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
    broker.send("w8", OptOut("holder", "other", "deny", 10))
    async with running(tmp_path, most_recent=600) as process:
        while not process.ready:
            assert process.index.recent_records < 600 + 2 * 2000
            assert process.state is not State.FOLLOWING or process.index.entries == 5099
            await asyncio.sleep(0.001)
        assert process.refused("w0", "w7", "w8", "other", "w4999", "w5099") == ["w0", "other", "w4999", "w5099"]
        assert process.index.positions == {0: 5002, 1: 100}
        assert (process.index.entries, process.index.recent_records) == (5099, 0)


@pytest.mark.parametrize("waits", [False, True])
async def test_a_partition_that_is_added_belongs_to_the_index_before_it_is_ready_again(
    broker: Broker, tmp_path: Path, waits: bool
):
    added = broker.log.pop(TWO)
    broker.refuse("a")
    lock = Folder(tmp_path, TOPIC)
    assert not waits or lock.lock()
    async with running(tmp_path) as process:
        if waits:  # for the first snapshot, which another process writes
            await until(lambda: len(broker.readers) == 1 and process.state is State.WAITING)
        else:
            await until(lambda: process.index.entries == 1)
        added.next_offset = 2
        broker.log[TWO] = added
        await until(lambda: TWO in broker.readers[0].assignment() and not process.ready)
        assert (TWO in broker.readers[0].paused()) is waits
        lock.close()
        added.next_offset = None
        broker.refuse("b", "c", partition=TWO)
        await until(lambda: process.ready)
        assert process.refused("a", "b", "c", "d") == ["a", "b", "c"]
        assert process.index.positions == {0: 1, 1: 2}


async def test_a_partition_that_another_process_heard_of_first_is_no_lost_log(broker: Broker, tmp_path: Path):
    added = broker.log.pop(TWO)
    broker.refuse("a")
    async with running(tmp_path) as process:
        await until(lambda: process.index.entries == 1)
        # The other process read partition 1 to its end, and its snapshot was taken over.
        process.index.positions[TWO.partition] = 2
        await until(lambda: len(broker.readers) == 1 and process.ready)
        reads = process.index.changes
        broker.refuse("b")
        await until(lambda: process.index.changes > reads and process.ready)
        assert process.state is State.FOLLOWING
        broker.log[TWO] = added
        broker.refuse("c", "d", "e", partition=TWO)
        await until(lambda: process.index.positions[TWO.partition] == 3 and process.ready)
        assert process.refused("a", "b", "e") == ["a", "b", "e"]


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


def test_a_folder_is_relative_to_the_settings_file(tmp_path: Path):
    from hegui.streams.settings import load_settings

    file = tmp_path / "hegui.toml"
    file.write_text('[kafka]\nbootstrap_servers = "a:1"\n[facts]\noptouts_folder = "optouts"\n')
    assert load_settings(file, {}).facts.optouts_folder == str(tmp_path / "optouts")
    assert list(tmp_path.iterdir()) == [file]
