"""Files that are broken, foreign or too new are refused with one sentence, or found out when the damaged part is read."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from hegui.rules.fact_tables import FactStatus, OptOut
from hegui.streams.errors import SettingsError
from hegui.streams.optout_index.folder import Folder
from hegui.streams.optout_index.keys import KEY_FORM, form, hash_of, record_id, seeds_of
from hegui.streams.optout_index.layout import (
    FORMAT,
    SNAPSHOT,
    SnapshotError,
    blocks_of,
    decode_header,
    encode_header,
    filter_bits_for,
    places,
)
from hegui.streams.optout_index.snapshot_file import SnapshotFile
from tests.streams.optout_index.world import TOPIC, World

ENTRIES = 300


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    for number in range(ENTRIES):
        made.send(b"%d" % number, OptOut("work", f"w{number}", "deny", 10))
    made.read(made.index)
    made.snapshot(range_rows=100)
    yield made
    made.close()


def path_of(world: World) -> Path:
    return world.folder.path / SNAPSHOT


def change(path: Path, place: int, by: bytes) -> None:
    """Overwrite bytes of a file under a new inode: the open one stays as it is."""
    found = bytearray(path.read_bytes())
    found[place : place + len(by)] = by
    path.unlink()
    path.write_bytes(found)


def test_an_entry_costs_what_the_page_says(world: World):
    header = world.folder.open().header
    assert header.entries == ENTRIES
    at = places(header, len(encode_header(header)))
    assert at.end == path_of(world).stat().st_size
    assert 12 <= 8 * (1 << filter_bits_for(10**7)) / 10**7 <= 24
    assert 12 <= 8 * (1 << filter_bits_for(10**8)) / 10**8 <= 24


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "snapshot is no snapshot of opt-outs"),
        (b"HEGUI", "snapshot is no snapshot of opt-outs"),
        (b"\0" * 10_000, "snapshot is no snapshot of opt-outs"),
        (b"PK\3\4" * 3000, "snapshot is no snapshot of opt-outs"),
        (struct.pack("<8sII", b"HEGUIOPT", FORMAT, 5) + b"{}" * 100, "snapshot has a damaged header"),
        (struct.pack("<8sII", b"HEGUIOPT", FORMAT, 2**32 - 1), "snapshot has a damaged header"),
        (
            struct.pack("<8sII", b"HEGUIOPT", FORMAT + 1, 5) + b"{}" * 100,
            f"snapshot has format {FORMAT + 1}, this version reads {FORMAT}",
        ),
    ],
)
def test_what_is_no_snapshot_of_this_version_is_refused(tmp_path: Path, content: bytes, sentence: str):
    (tmp_path / SNAPSHOT).write_bytes(content)
    with pytest.raises(SnapshotError) as refused:
        SnapshotFile(tmp_path / SNAPSHOT, form())
    assert str(refused.value) == sentence


@pytest.mark.parametrize("place", [8, 12, 20, 60])
def test_a_changed_header_is_refused(world: World, place: int):
    found = path_of(world).read_bytes()[place]
    change(path_of(world), place, bytes([found ^ 0xFF]))  # a set value may be the one that was there: lengths differ
    with pytest.raises(SnapshotError, match=r"header|format"):
        world.folder.open()


def test_a_header_of_other_fields_is_refused(tmp_path: Path):
    from xxhash import xxh3_128_digest

    front = struct.pack("<8sII", b"HEGUIOPT", FORMAT, 2) + b"{}"
    with pytest.raises(SnapshotError, match="cannot be read"):
        decode_header(front + xxh3_128_digest(front), tmp_path / SNAPSHOT)


@pytest.mark.parametrize("by", [-1, 1, -5000])
def test_a_file_of_another_length_is_refused(world: World, by: int):
    size = path_of(world).stat().st_size
    os.truncate(path_of(world), size + by)
    with pytest.raises(SnapshotError, match=f"has {size + by} bytes instead of {size}"):
        world.folder.open()


def test_a_changed_filter_fence_or_check_is_refused(world: World):
    header = world.folder.open().header
    at = places(header, len(encode_header(header)))
    whole = path_of(world).read_bytes()
    for place in (at.filter, at.fences, at.checks, at.rows - 1):
        change(path_of(world), place, bytes([whole[place] ^ 1]))
        with pytest.raises(SnapshotError, match="damaged filter"):
            world.folder.open()
        change(path_of(world), place, whole[place : place + 1])
    world.folder.open()


@pytest.mark.parametrize(("section", "what"), [("rows", "block of rows"), ("values", "value")])
def test_a_damaged_row_or_value_is_no_answer_and_ends_readiness(world: World, section: str, what: str):
    header = world.folder.open().header
    at = places(header, len(encode_header(header)))
    start, end = (at.rows, at.values) if section == "rows" else (at.values, at.end)
    damaged = bytes(byte ^ 1 for byte in path_of(world).read_bytes()[start:end])
    change(path_of(world), start, damaged)
    index = world.started()
    index.status = FactStatus.READY
    with pytest.raises(SnapshotError, match=f"damaged {what}"):
        index.at(("work", "w7"), 20)
    assert index.status is FactStatus.LOADING
    assert what in index.damage
    index.reset()
    assert (index.damage, index.entries, index.at(("work", "w7"), 20)) == ("", 0, ())


@pytest.mark.parametrize("what", ["rows", "values"])
def test_a_snapshot_is_not_carried_on_with_damaged_rows(world: World, what: str):
    header = world.folder.open().header
    at = places(header, len(encode_header(header)))
    start = at.rows if what == "rows" else at.values
    found = path_of(world).read_bytes()[start]
    change(path_of(world), start, bytes([found ^ 1]))
    world.index = world.started()
    if what == "rows":
        with pytest.raises(SnapshotError, match="damaged block of rows"):
            world.snapshot()
        return
    world.snapshot()  # a value keeps its checksum: it is found out whenever it is read
    answers = []
    for number in range(ENTRIES):
        try:
            answers.append(len(world.index.at(("work", f"w{number}"), 20)))
        except SnapshotError:
            answers.append(-1)
    assert sorted(answers) == [-1, *[1] * (ENTRIES - 1)]


def test_a_file_that_shrinks_under_the_reader_is_damage(world: World):
    file = world.folder.open()
    os.truncate(path_of(world), file.at.rows + 10)
    with pytest.raises(SnapshotError, match="ends too early"):
        list(file.find(2**63))
    failing = patch("os.pread", side_effect=OSError(5, "Input/output error"))
    with failing, pytest.raises(SnapshotError, match=r"cannot be read \(Input/output error\)"):
        list(file.find(2**63))
    file.close()
    file.close()


def test_another_form_and_another_topic_are_refused(world: World):
    with pytest.raises(SnapshotError, match="form of another version"):
        SnapshotFile(path_of(world), "abc")
    other = Folder(world.parent, "other")
    (other.path / SNAPSHOT).write_bytes(path_of(world).read_bytes())
    with pytest.raises(SnapshotError, match=f"another topic .cluster/{TOPIC}/1."):
        other.open()
    assert other.path != world.folder.path


def test_a_folder_under_the_name_is_refused(world: World):
    path_of(world).unlink()
    path_of(world).mkdir()
    with pytest.raises(SnapshotError):
        world.folder.open()


def test_a_folder_that_cannot_be_made_stops_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"facts.optouts_folder is '.*file', which cannot be written to"):
        Folder(tmp_path / "file", TOPIC)
    monkeypatch.setattr("hegui.streams.optout_index.folder.fcntl", None)
    with pytest.raises(SettingsError, match="no flock"):
        Folder(tmp_path, TOPIC)


def test_only_one_process_writes(world: World):
    other = Folder(world.parent, TOPIC)
    assert not other.lock()
    assert not other.writes
    world.folder.close()
    (world.folder.path / "spool.rows").write_bytes(b"left by a writer that was killed")
    assert other.lock()
    assert other.lock()
    assert not (world.folder.path / "spool.rows").exists()
    other.close()
    assert world.folder.lock()


def test_files_are_for_their_owner_alone(world: World):
    assert path_of(world).stat().st_mode & 0o777 == 0o600
    assert world.folder.path.stat().st_mode & 0o777 == 0o700


def test_keys_have_the_form_that_snapshots_rest_on():
    # Another key for one of these: raise KEY_FORM, so that snapshots are made anew.
    assert KEY_FORM == 3
    given = [
        ("domain", "2001:DB8:0::1"),
        ("domain", "例子.Example."),
        ("domain", "WWW.Example.com"),
        ("user", "kA:Ab"),
        ("work", "ISBN:1"),
    ]
    assert [OptOut(scheme, subject, "deny", 1).key() for scheme, subject in given] == [
        ("domain", "2001:db8::1"),
        ("domain", "xn--fsqu00a.example"),
        ("domain", "www.example.com"),
        ("user", "kA:Ab"),
        ("work", "ISBN:1"),
    ]
    assert hash_of(("domain", "example.com"), seeds_of(5)) == 4547329817326264954
    assert record_id(b"key").hex() == "82af27c64245bfd15a520134b44e6bb1"


def test_no_entries_need_no_rows():
    assert (blocks_of(0), blocks_of(64), blocks_of(65)) == (0, 1, 2)
    world = World()
    world.snapshot()
    assert world.index.entries == 0
    assert world.index.at(("work", "w"), 10) == ()
    world.close()
