"""A log of opt-outs in memory, indexes that read it, and the table that says what is right."""

import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from hegui.rules.fact_tables import FactStatus, FactTable, OptOut
from hegui.streams.optout_index.build import build
from hegui.streams.optout_index.folder import Folder
from hegui.streams.optout_index.spool import Order
from hegui.streams.optout_index.table import OptOutIndex

TOPIC = "optouts"
LOG = f"cluster/{TOPIC}/1"
TIMES = range(0, 60, 5)
HOSTS = ("b.example", "xn--fsqu00a.example", "a", "", "unknown.example")
PAGES = [
    *(("0" * 64, url) for url in (None, "https://unknown.example/")),
    *(
        (content, f"https://{host}")
        for content in (None, "1" * 64)
        for host in ("b.example", "a.b.example/c", "a/", "other.example/a")
    ),
]
"""Content and page."""


class World:
    """One topic, one folder. Offsets grow over all partitions, so that the order of reading is one."""

    def __init__(self) -> None:
        self.parent = Path(tempfile.mkdtemp(prefix="hegui-optouts-"))
        self.log: list[tuple[int, int, bytes, bytes | None]] = []
        """Partition, offset, key, value."""
        self.table: FactTable[OptOut] = FactTable(FactStatus.READY)
        self.folder = Folder(self.parent, TOPIC)
        assert self.folder.lock()
        self.index = OptOutIndex()

    def close(self) -> None:
        self.folder.close()
        shutil.rmtree(self.parent)

    def send(self, key: bytes, record: OptOut | None, partition: int = 0) -> None:
        """Append to the log, and let the table know."""
        value = None if record is None else msgspec.json.encode(record)
        self.log.append((partition, len(self.log), key, value))
        self.table.put(key, record)

    def read(self, index: OptOutIndex, upto: int | None = None) -> None:
        """Read the log on from where the index stands."""
        for partition, offset, key, value in self.log[:upto]:
            if offset >= index.positions.get(partition, 0):
                index.passed(partition, offset)
                record = None if value is None else msgspec.json.decode(value, type=OptOut)
                index.put(partition, offset, key, record, value)

    def order(self, index: OptOutIndex) -> Order:
        path = str(self.folder.path)
        return Order(path, self.folder.form, LOG, index.seed, dict(index.positions), 1, 1, dict(index.user_keys))

    def snapshot(self, range_rows: int = 3) -> None:
        """Write a snapshot of the index and use it."""
        spool = self.folder.spool()
        spool.append(self.index.recent())
        spool.close()
        build(self.order(self.index), self.index.file, range_rows=range_rows)
        assert self.index.adopt(self.folder.open())

    def load(self, most_recent: int) -> None:
        """Make a snapshot of the whole log without the one before."""
        self.index = OptOutIndex()
        spool = self.folder.spool()
        for upto in [*range(0, len(self.log), most_recent), None]:
            self.read(self.index, upto)
            spool.append(self.index.recent())
            self.index.forget_recent()
        spool.close()
        build(self.order(self.index), range_rows=3)
        assert self.index.adopt(self.folder.open())

    def started(self) -> OptOutIndex:
        """An index as after a start: the snapshot, if there is one, and nothing read."""
        index = OptOutIndex()
        with suppress(FileNotFoundError):
            assert index.adopt(self.folder.open())
        return index

    def differences(self, index: OptOutIndex, keys: Iterable[tuple[str, str]]) -> list[str]:
        """Where an index answers otherwise than the table."""
        found = []
        if index.user_keys != self.table.user_keys:
            found.append(f"keys of users: {index.user_keys}, wanted {self.table.user_keys}")
        for key in keys:
            if (key in index) != (key in self.table):
                found.append(f"{key} in index: {key in index}")
            for at_ms in TIMES:
                if index.at(key, at_ms) != self.table.at(key, at_ms):
                    found.append(f"{key} at {at_ms}: {index.at(key, at_ms)}, wanted {self.table.at(key, at_ms)}")
        # Unlike the keys, these are told quickly: more may seem to be spoken of than is.
        found += [f"host {h} denied" for h in HOSTS if self.table.maybe_addressed(h) and not index.maybe_addressed(h)]
        found += [f"{p} denied" for p in PAGES if index.is_unspoken(*p) and not self.table.is_unspoken(*p)]
        return found
