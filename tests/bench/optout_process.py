"""One process that looks up opt-outs, for measurement: prints what it found as JSON.

python -m tests.bench.optout_process memory|lookup|plain FOLDER ENTRIES
"""

import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec

from hegui.rules.events import IngestEvent
from hegui.rules.fact_tables import FactStatus, OptOut
from hegui.rules.facts import Facts, Snapshot, loaded
from hegui.rules.opt_out.refusals import registered_preference
from hegui.rules.optout_table import OptOutTable
from hegui.rules.policy import Policy
from hegui.streams.optout_index.folder import Folder
from hegui.streams.optout_index.table import OptOutIndex
from tests.bench.optout_entries import TOPIC, key, records, unknown

AT_MS = 1_800_000_000_000
RECENT = 50_000
"""Records since the snapshot: as many as there can be before the next one."""
KEYS = 20_000
PAGES = 10
"""Pages of one site that come one after another."""


def opened(folder: Path) -> OptOutIndex:
    index = OptOutIndex()
    assert index.adopt(Folder(folder, TOPIC).open())
    index.status = FactStatus.READY
    return index


def memory(folder: Path, entries: int) -> dict[str, float]:
    """Bytes of anonymous memory that the index adds, and of the mapped file that are resident, after a steady load."""
    before = resident()
    started = time.monotonic()
    index = opened(folder)
    opening = time.monotonic() - started
    for number, (_, recent) in enumerate(records(RECENT, start=entries)):
        index.put(
            0,
            recent.offset,
            b"registry %d" % (entries + number),
            msgspec.json.decode(recent.value or b"", type=OptOut),
            recent.value,
        )
    put = resident()
    for number in range(20 * KEYS):
        assert not index.at(unknown(number), AT_MS)
    for number in range(0, entries, max(1, entries // KEYS)):
        assert index.at(key(number), AT_MS), number
    gc.collect()
    after = resident()
    return {
        "opening_s": opening,
        "anonymous": after[0] - before[0],
        "anonymous_recent": put[0] - before[0],
        "mapped": after[1] - before[1],
    }


def resident() -> tuple[int, int]:
    """Anonymous bytes of this process, and bytes of the mapped snapshot, as the kernel counts them."""
    anonymous = mapped = 0
    of_snapshot = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, *rest = line.split()
        if not name.endswith(":"):
            of_snapshot = bool(rest) and rest[-1].endswith("/snapshot")
        elif name == "Anonymous:":
            anonymous += int(rest[0]) * 1024
        elif name == "Rss:" and of_snapshot:
            mapped += int(rest[0]) * 1024
    return anonymous, mapped


def lookup(folder: Path, entries: int) -> dict[str, float]:
    """Seconds for a lookup in the index, in a set and in a table in memory, and for an event; medians of rounds, side by side."""
    index = opened(folder)
    plain = loaded([OptOut(*key(number), "deny", 1) for number in range(min(entries, 200_000))])
    known = {key(number) for number in range(min(entries, 1_000_000))}
    strangers = [unknown(number) for number in range(KEYS)]
    hits = [key(number) for number in range(0, entries, max(1, entries // KEYS))]
    crawl = [
        IngestEvent(
            service="crawler",
            source_type="crawl",
            url=f"https://www.site-{-2 - n // PAGES}.example/page/{n}",
            content_sha256=unknown(2 * n)[1],
        )
        for n in range(KEYS)
    ]

    def in_set() -> None:
        for name in strangers:
            assert name not in known

    def in_index() -> None:
        at = index.at
        for name in strangers:
            assert not at(name, AT_MS)

    def in_plain() -> None:
        at = plain.at
        for name in strangers:
            assert not at(name, AT_MS)

    def hit_index() -> None:
        for name in hits:
            assert index.at(name, AT_MS)

    def event(table: OptOutTable) -> Callable[[], None]:
        facts = Facts(Snapshot(Policy(version="1"), table), AT_MS, "default", None)

        def judge() -> None:
            for taken in crawl:
                if registered_preference(taken, facts)[0].statement is not None:
                    raise AssertionError(taken)

        return judge

    found: dict[str, list[float]] = {}
    measured = {
        "set": (in_set, len(strangers)),
        "index": (in_index, len(strangers)),
        "table": (in_plain, len(strangers)),
        "event_index": (event(index), len(crawl)),
        "event_table": (event(plain), len(crawl)),
        "hit": (hit_index, len(hits)),
    }
    for _ in range(9):
        for name, (run, times) in measured.items():
            started = time.perf_counter()
            run()
            found.setdefault(name, []).append((time.perf_counter() - started) / times)
    return {name: median(seconds) for name, seconds in found.items()}


def set_bytes(count: int) -> float:
    """Bytes of anonymous memory an entry of a set of strings."""
    before = resident()[0]
    known = {" ".join(key(number)) for number in range(count)}
    return (resident()[0] - before) / len(known)


def main() -> None:
    what, folder, entries = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if what == "set":
        found: object = {"bytes": set_bytes(entries)}
    else:
        found = {"memory": memory, "lookup": lookup}[what](folder, entries)
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
