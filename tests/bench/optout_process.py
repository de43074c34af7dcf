"""One process that looks up opt-outs, for measurement: prints what it found as JSON.

python -m tests.bench.optout_process memory|lookup|plain FOLDER ENTRIES
"""

import gc
import sys
import time
from collections.abc import Callable, Iterator
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
"""Pages of one host that come one after another."""
RUN_EVENTS = 64
"""Events that the evaluator decodes and judges together."""


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
    """Seconds for a lookup in the index, in a set and in a table in memory, and for an event of which nothing is known; medians of rounds, side by side."""
    index = opened(folder)
    forget = lambda: index.put(0, entries, b"", None, None)  # noqa: E731 - what is kept of hosts
    plain = loaded([OptOut(*key(number), "deny", 1) for number in range(min(entries, 200_000))])
    known = {key(number) for number in range(min(entries, 1_000_000))}
    strangers = [unknown(number) for number in range(KEYS)]
    hits = [key(number) for number in range(0, entries, max(1, entries // KEYS))]

    def crawl(pages: int) -> Iterator[IngestEvent]:
        for n in range(KEYS):
            url = f"https://www.site-{-2 - n // pages}.example/page/{n}"
            yield IngestEvent(service="crawler", source_type="crawl", url=url, content_sha256=unknown(2 * n)[1])

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

    def timed(run: Callable[[], None], times: int) -> Callable[[], float]:
        def measure() -> float:
            started = time.perf_counter()
            run()
            return (time.perf_counter() - started) / times

        return measure

    def event(table: OptOutTable, forget: Callable[[], None], pages: int) -> Callable[[], float]:
        facts = Facts(Snapshot(Policy(version="1"), table), AT_MS, "default", None)
        crawled = [msgspec.json.encode(record) for record in crawl(pages)]
        decode = msgspec.json.Decoder(IngestEvent).decode

        def measure() -> float:
            # Decoded by the run, as in the evaluator, so that events are in the cache and the filter is not.
            seconds = 0.0
            for start in range(0, len(crawled), RUN_EVENTS):
                events = [decode(text) for text in crawled[start : start + RUN_EVENTS]]
                started = time.perf_counter()
                for taken in events:
                    if table.is_unspoken(taken.content_sha256, taken.url):
                        continue
                    if (
                        registered_preference(taken, facts)[0].statement is not None
                    ):  # one in two hundred seems to be known
                        raise AssertionError(taken)
                seconds += time.perf_counter() - started
            forget()
            return seconds / len(crawled)

        return measure

    found: dict[str, list[float]] = {}
    measured = {
        "set": timed(in_set, len(strangers)),
        "index": timed(in_index, len(strangers)),
        "table": timed(in_plain, len(strangers)),
        "event_index": event(index, forget, PAGES),
        "event_index_one_host": event(index, forget, KEYS),
        "event_index_new_hosts": event(index, forget, 1),
        "event_table": event(plain, lambda: plain.put(b"", None), PAGES),
        "hit": timed(hit_index, len(hits)),
    }
    for _ in range(9):
        for name, measure in measured.items():
            found.setdefault(name, []).append(measure())
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
