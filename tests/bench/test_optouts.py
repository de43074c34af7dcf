"""Opt-outs on disk against their budgets: bytes an entry, lookups beside a set, the start of a process, what a new snapshot costs.

`--optouts-entries=100000000` measures a hundred million (20 GB of disk, half an hour).
"""

import asyncio
import gc
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hegui.rules.fact_tables import FactStatus, OptOut
from hegui.streams.optout_index.folder import Folder
from hegui.streams.optout_index.table import OptOutIndex
from hegui.streams.optout_index.writer import Writer
from tests.bench.optout_entries import LOG, TOPIC, declare, key, make, path_in, records
from tests.broker.harness import deployment
from tests.broker.test_optout_index import held, identity, topic_of

SMALL = 200_000
BUDGET_BYTES = 12.0
"""Of memory an entry: 120 MB for ten million, 1.2 GB for a hundred million."""
MOST_LOOKUP = 12.0
"""A lookup of an unknown key costs at most so many lookups in a set (45 ns each where nothing else runs)."""
MOST_EVENT = 6.0
"""An event with a page and a content hash, none of them known, ten pages of each host, costs at most so many lookups in a set (2.0 to 2.7; as plain Python up to 6)."""


class Made:
    def __init__(self, folder: Path, entries: int) -> None:
        self.folder, self.entries = folder, entries
        self.spool_s, self.build_s = make(folder, entries)

    def measure(self, what: str) -> dict[str, float]:
        command = [sys.executable, "-m", "tests.bench.optout_process", what, str(self.folder), str(self.entries)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        found: dict[str, float] = msgspec.json.decode(done.stdout)
        return found


@pytest.fixture(
    scope="module", params=[pytest.param(False, id="small"), pytest.param(True, id="large", marks=pytest.mark.bench)]
)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    entries = request.config.getoption("--optouts-entries") if request.param else SMALL
    folder = tmp_path_factory.mktemp("optouts")
    yield Made(folder, entries)
    for path in folder.glob("*/*"):
        path.unlink()


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str], made: Made) -> Any:
    def say(**figures: float) -> None:
        text = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        with capsys.disabled():
            print(f"\n{made.entries} opt-outs: {text}")

    return say


pytestmark = pytest.mark.timeout(7200)


def test_optouts_memory(made: Made, tell: Any):
    found = made.measure("memory")
    of_set = made.measure("set")["bytes"] if made.entries <= 10**7 else 74.0
    total = found["anonymous"] + found["mapped"]
    size = path_in(made.folder).stat().st_size
    tell(
        MB=total / 1e6,
        mapped_bytes_an_entry=found["mapped"] / made.entries,
        bytes_a_recent_record=found["anonymous_recent"] / 50_000,
        set_bytes_an_entry=of_set,
        disk_bytes_an_entry=size / made.entries,
        opening_ms=found["opening_s"] * 1e3,
        spool_us=made.spool_s / made.entries * 1e6,
        build_us=made.build_s / made.entries * 1e6,
    )
    # Recent records and statements kept decoded, 40 MB at most, do not grow with the entries: a small index is judged without them.
    counted = total if made.entries >= 10**7 else found["mapped"]
    assert counted / made.entries <= BUDGET_BYTES
    assert found["mapped"] / made.entries < of_set / 10


def test_optouts_lookup(made: Made, tell: Any):
    found = made.measure("lookup")
    tell(
        unknown_key_to_set=found["index"] / found["set"],
        unknown_key_ns=found["index"] * 1e9,
        table_ns=found["table"] * 1e9,
        set_ns=found["set"] * 1e9,
        unknown_event_ns=found["event_index"] * 1e9,
        unknown_event_one_host_ns=found["event_index_one_host"] * 1e9,
        unknown_event_new_hosts_ns=found["event_index_new_hosts"] * 1e9,
        unknown_event_to_set=found["event_index"] / found["set"],
        unknown_event_to_table=found["event_index"] / found["event_table"],
        hit_us=found["hit"] * 1e6,
    )
    assert found["index"] / found["set"] <= MOST_LOOKUP
    assert found["event_index"] / found["set"] <= MOST_EVENT


async def test_optouts_start(made: Made, tell: Any, kafka: Any):
    """A process with so many opt-outs on disk is ready soon after one with none would be: with ten million after two seconds more."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    async with deployment(kafka.bootstrap, facts={"optouts_folder": "optouts"}) as world:
        mine = Folder(world.folder / "optouts", topic_of(world)).path / "snapshot"
        for turn in range(6):
            whole = turn % 2 == 1
            mine.unlink(missing_ok=True)
            if whole:
                # It covers what the topic holds, so that its values are searched for codes, as at any start.
                declare(path_in(made.folder), await identity(world), {0: len(world.optouts)})
                mine.hardlink_to(path_in(made.folder))
            daemon = world.daemon("evaluator")
            started = time.monotonic()
            await daemon.start()
            seconds[whole].append(time.monotonic() - started)
            snapshot, memory = await held(daemon)
            assert (snapshot, memory) == (made.entries, 0) or not whole
            assert await daemon.stop() == 0
    declare(path_in(made.folder), LOG, {0: made.entries})
    empty, full = min(seconds[False]), min(seconds[True])
    tell(start_s=full, start_without_s=empty, ratio=full / empty)
    assert full < 4 * empty


async def test_optouts_new_snapshot(made: Made, tell: Any):
    """A new snapshot is written beside the stream: what the event loop has of it is little, and less than what the builder has."""
    folder = Folder(made.folder, TOPIC)
    assert folder.lock()
    index = OptOutIndex()
    assert index.adopt(folder.open())
    puts = time.process_time()
    for number, (_, recent) in enumerate(records(50_000, start=made.entries)):
        name = b"registry %d" % (made.entries + number)
        index.put(0, recent.offset, name, msgspec.json.decode(recent.value or b"", type=OptOut), recent.value)
        index.passed(0, recent.offset)
    puts = time.process_time() - puts
    gc.collect()
    gc.freeze()  # as the daemon does
    writer = Writer(index, folder, 50_000, time.monotonic)
    builder = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    # CPU seconds of the turns of the loop between two looks of ours: wall time would be that of whatever else the machine does.
    turns: list[float] = []
    started = time.monotonic()
    writer.write(LOG)
    written = None
    while written is None:
        before = time.process_time()
        await asyncio.sleep(0)
        turns.append(time.process_time() - before)
        if turns[-1] < 0.0001:
            await asyncio.sleep(0.01)  # the builder is at work
        before = time.process_time()
        written = writer.written()
        opening = time.process_time() - before
    old = index.file
    before = time.process_time()
    assert index.adopt(written)
    adopting = time.process_time() - before
    assert old is not None
    old.close()  # in the daemon: in a thread
    took = time.monotonic() - started
    index.status = FactStatus.READY
    assert index.entries == made.entries + 50_000
    assert index.recent_records == 0
    assert index.at(key(made.entries + 49_999), 1_800_000_000_000)
    cpu = sum(turns) + opening + adopting
    tell(
        seconds=took,
        loop_cpu_ms=cpu * 1e3,
        longest_turn_ms=max(turns) * 1e3,
        opening_ms=opening * 1e3,
        taking_over_ms=adopting * 1e3,
        reading_ms=puts * 1e3,
        builder_cpu_s=resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - builder,
    )
    gc.unfreeze()
    folder.close()
    # Writing 50,000 records costs the event loop less than reading them did, and never much of it at once.
    assert cpu < puts
    assert max(*turns, opening, adopting) < puts / 2
