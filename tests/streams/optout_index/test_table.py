"""What an index keeps, passes over and refuses."""

from collections.abc import Iterator

import pytest

from hegui.rules.fact_tables import OptOut
from hegui.streams.optout_index import table as table_module
from hegui.streams.optout_index.snapshot_file import SnapshotFile
from hegui.streams.optout_index.table import OptOutIndex
from tests.streams.optout_index.world import World

KEYS = [("work", f"w{number}") for number in range(40)]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    for number in range(30):
        made.send(b"%d" % number, OptOut("work", f"w{number}", "deny", 10))
    made.read(made.index)
    made.snapshot()
    yield made
    made.close()


def test_what_a_snapshot_covers_is_passed_over_when_it_is_read_again(world: World):
    world.send(b"3", None)
    world.read(world.index)
    world.snapshot()
    index = world.started()
    changes = index.changes
    for partition, offset, key, _ in world.log:
        index.passed(partition, offset)
        index.put(partition, offset, key, OptOut("work", "another", "deny", 1), b"{}")
    assert index.changes == changes
    assert index.recent_records == 0
    assert index.positions == {0: 31}
    assert not world.differences(index, KEYS)


def test_an_older_snapshot_is_not_taken_back(world: World):
    older = world.folder.open()
    world.send(b"3", None)
    world.read(world.index)
    world.snapshot()
    newer = world.index.file
    assert not world.index.adopt(older)
    assert world.index.file is newer
    assert not world.differences(world.index, KEYS)


def test_a_reader_that_lags_behind_a_newer_snapshot_knows_what_it_covers(world: World):
    reader = world.started()
    world.send(b"3", OptOut("work", "w35", "deny", 10))
    world.read(reader)
    world.read(world.index)
    world.send(b"3", None)
    world.send(b"4", OptOut("work", "w4", "allow", 20))
    world.read(world.index)
    world.snapshot()
    assert reader.adopt(world.folder.open())
    assert reader.positions == {0: 33}
    assert reader.recent_records == 0
    assert not world.differences(reader, KEYS)


def test_a_snapshot_with_another_seed_finds_the_recent_records_too(world: World):
    reader = OptOutIndex()
    world.send(b"new", OptOut("work", "w33", "deny", 10))
    world.send(b"3", None)
    world.read(reader)
    newer = world.folder.open()
    assert newer.header.seed != reader.seed
    assert reader.adopt(newer)
    assert reader.recent_records == 2
    assert not world.differences(reader, KEYS)


def test_statements_are_kept_decoded_up_to_a_number(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(table_module, "MAX_KNOWN", 5)
    for _ in range(2):
        assert not world.differences(world.index, KEYS)
        assert len(world.index._known) <= 5
    assert world.index.at(KEYS[7], 20)[0] is world.index.at(KEYS[7], 20)[0]


def test_an_unknown_scheme_is_a_mistake_of_the_caller(world: World):
    with pytest.raises(KeyError):
        world.index.at(("planet", "w1"), 20)


def test_a_change_bumps_what_caches_look_at(world: World):
    before = world.index.changes
    world.send(b"x", None)
    world.read(world.index)
    assert world.index.changes > before
    before = world.index.changes
    world.snapshot()
    assert world.index.changes > before


def test_a_host_is_known_without_reading_a_row(world: World, monkeypatch: pytest.MonkeyPatch):
    page = (None, "https://www.busy.example/500/x")
    for number in range(500):
        world.send(b"p%d" % number, OptOut("url_prefix", f"www.busy.example/{number}/", "deny", 10))
    world.read(world.index)

    def is_known() -> bool:
        assert world.index.maybe_addressed("www.busy.example") != world.index.is_unspoken(*page)
        return world.index.maybe_addressed("www.busy.example")

    assert is_known()
    monkeypatch.setattr(SnapshotFile, "_block", None)
    world.snapshot(range_rows=10_000)
    assert (world.index.entries, len(world.index._gates)) == (530, 0)
    assert is_known()
    # What was taken back counts until the next snapshot.
    for number in range(500):
        world.send(b"p%d" % number, None)
    world.read(world.index)
    assert is_known()
    world.snapshot(range_rows=10_000)
    assert not is_known()
    assert world.index.entries == 30
    monkeypatch.undo()
    assert not world.differences(world.index, KEYS)
