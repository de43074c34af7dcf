"""Whatever is put, removed, written, taken over, restarted or cut off: the index answers as the plain table does."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from xxhash import xxh3_64_intdigest

from hegui.rules.fact_tables import OptOut
from hegui.streams.optout_index import keys as keys_module
from hegui.streams.optout_index import probe as probe_module
from hegui.streams.optout_index.build import build
from hegui.streams.optout_index.folder import Folder
from hegui.streams.optout_index.layout import SNAPSHOT
from hegui.streams.optout_index.table import OptOutIndex
from tests.streams.optout_index.world import TOPIC, World

SCHEMES = ("user", "domain", "content", "work", "url_prefix", "url")
SUBJECTS = (
    f"k1:{'0' * 64}",
    f"k2:{'0' * 64}",
    "a",
    "b.example",
    "B.example.",
    "例子.example",
    "0" * 64,
    "b.example/a/",
    "https://B.example/a/b",
)
STATEMENTS = st.builds(
    OptOut,
    scheme=st.sampled_from(SCHEMES),
    subject=st.sampled_from(SUBJECTS),
    value=st.sampled_from(["allow", "deny"]),
    observed_at_ms=st.integers(1, 4).map(lambda n: n * 10),
    valid_to_ms=st.none() | st.integers(1, 5).map(lambda n: n * 10),
    source=st.sampled_from(["registry", "app"]),
)
KEYS = {OptOut(scheme, subject, "deny", 1).key() for scheme in SCHEMES for subject in SUBJECTS} | {
    ("work", "unknown"),
}
RECORD_KEYS = st.sampled_from([b"%d" % n for n in range(8)] + [b""])
PARTITIONS = st.integers(0, 1)


class Crash(BaseException):
    pass


class Model(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.reader = OptOutIndex()

    @rule(key=RECORD_KEYS, statement=STATEMENTS, partition=PARTITIONS)
    def put(self, key: bytes, statement: OptOut, partition: int) -> None:
        self.world.send(key, statement, partition)
        self.world.read(self.world.index)

    @rule(key=RECORD_KEYS, partition=PARTITIONS)
    def remove(self, key: bytes, partition: int) -> None:
        self.world.send(key, None, partition)
        self.world.read(self.world.index)

    @rule(range_rows=st.integers(1, 10))
    def write(self, range_rows: int) -> None:
        self.world.snapshot(range_rows)

    @rule(statement=STATEMENTS)
    def write_while_records_come(self, statement: OptOut) -> None:
        world = self.world
        spool = world.folder.spool()
        order = world.order(world.index)
        spool.append(world.index.recent())
        self.put(b"0", statement, 0)
        spool.close()
        build(order, world.index.file)
        assert world.index.adopt(world.folder.open())

    @rule(most_recent=st.integers(1, 5))
    def make_anew(self, most_recent: int) -> None:
        self.world.load(most_recent)

    @rule()
    def restart(self) -> None:
        self.world.index = self.world.started()
        self.world.read(self.world.index)

    @rule(place=st.sampled_from(["spool", "header", "fsync", "replace"]))
    def crash_while_writing(self, place: str) -> None:
        world = self.world
        at = {
            "spool": "hegui.streams.optout_index.build._rows",
            "header": "hegui.streams.optout_index.build.encode_header",
            "fsync": "hegui.streams.optout_index.build.os.fsync",
            "replace": "pathlib.Path.replace",
        }[place]
        # As kill -9 does: what was written stays.
        with patch("pathlib.Path.unlink"), patch(at, side_effect=Crash), pytest.raises(Crash):
            world.snapshot()
        world.folder.close()
        world.folder = Folder(world.parent, TOPIC)
        assert world.folder.lock()
        assert {path.name for path in world.folder.path.iterdir()} <= {"lock", SNAPSHOT}
        self.restart()

    @rule(share=st.floats(0, 1))
    def another_reads_a_part(self, share: float) -> None:
        self.world.read(self.reader, round(share * len(self.world.log)))

    @precondition(lambda self: self.world.index.file is not None)
    @rule()
    def another_takes_over(self) -> None:
        newer = self.world.folder.open()
        old = self.reader.file is not None and self.reader.file.header.seed == newer.header.seed
        if not self.reader.adopt(newer):
            assert old or self.reader.file is not None
        self.world.read(self.reader)
        assert not self.world.differences(self.reader, KEYS)

    @invariant()
    def answers_are_those_of_the_table(self) -> None:
        if hasattr(self, "world"):
            assert not self.world.differences(self.world.index, KEYS)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()


Model.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestModel = Model.TestCase


class Colliding(Model):
    """The same where most keys share a hash with others."""

    @initialize()
    def begin(self) -> None:
        def few(data: bytes, seed: int) -> int:
            return (xxh3_64_intdigest(data, 7) % 3 + 1) << 62  # 0 is that of no host

        self.patches = [patch.object(module, "digest", few) for module in (keys_module, probe_module)]
        for change in self.patches:
            change.start()
        super().begin()

    def teardown(self) -> None:
        super().teardown()
        for change in getattr(self, "patches", ()):
            change.stop()


Colliding.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestColliding = Colliding.TestCase


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_a_builder_killed_at_any_moment_leaves_the_snapshot_before_or_the_new_one(share: float) -> None:
    world = World()
    try:
        for number in range(200):
            world.send(b"%d" % number, OptOut("work", f"w{number}", "deny", 10))
        world.read(world.index)
        world.snapshot(range_rows=1000)
        for number in range(100, 30_000):
            world.send(b"%d" % number, OptOut("work", f"w{number}", "allow", 10))
        world.read(world.index)
        spool = world.folder.spool()
        spool.append(world.index.recent())
        spool.close()
        order = world.order(world.index)
        snapshot, kept = world.folder.path / SNAPSHOT, world.folder.path / "kept"
        kept.hardlink_to(snapshot)
        build(order, world.index.file)
        whole = snapshot.stat().st_size
        kept.replace(snapshot)
        before = world.index.file
        assert before is not None
        command = [sys.executable, "-m", "hegui.streams.optout_index.build", str(before.fd)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[before.fd])
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(order))
        process.stdin.close()
        temporary = world.folder.path / (SNAPSHOT + ".tmp")
        deadline = time.monotonic() + 30
        while process.poll() is None and _written(temporary) < share * whole and time.monotonic() < deadline:
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        world.folder.close()
        world.folder = Folder(world.parent, TOPIC)
        assert world.folder.lock()
        started = world.started()
        world.read(started)
        assert not world.differences(started, [("work", f"w{number}") for number in range(0, 30_000, 500)])
    finally:
        world.close()


def _written(file: Path) -> int:
    try:
        return file.stat().st_blocks * 512
    except FileNotFoundError:
        return 0
