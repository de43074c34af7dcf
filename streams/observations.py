"""Adds up what a block of source offsets showed, and makes the observation records of it.

Per event it costs one dictionary look-up and two additions: counts are kept per plan (the engine's group of guard values) and
spread over rules only when a record is made, once a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from struct import Struct
from typing import Any, TypeVar

import msgspec

from hegui.rules.core import Rule
from hegui.rules.engine import Plan
from hegui.rules.exports import Account, Exported, account_key
from hegui.rules.issues import issue_key
from hegui.rules.ledgers.form import Entry
from hegui.rules.observations import BLOCK_OFFSETS, MAX_UIDS, OBSERVATION_VERSION, ExportSum, Observation, Sum
from hegui.streams.cells import Cell
from hegui.streams.identities import RecordWindow
from hegui.streams.ledger_entries import LedgerEntries
from hegui.streams.metrics import Tallies

MAX_RECORD_BYTES = 600_000
"""About how large an observation record may become before its sums are split over several."""

MAX_PERSONS = 5_000
"""Most persons in one record, 67 bytes each."""

Key = tuple[str, str, str]
"""Tenant, rule, service."""


_M = 0x5BD1E995
_WORDS = Struct("<I")


def murmur2(key: bytes) -> int:
    """Return the hash of Kafka's default partitioner, 32 bits; aiokafka's own takes three times as long."""
    size = len(key)
    whole = size & ~3
    hashed = 0x9747B28C ^ size
    for (word,) in _WORDS.iter_unpack(key[:whole]):
        mixed = word * _M & 0xFFFFFFFF
        hashed = (hashed * _M & 0xFFFFFFFF) ^ ((mixed ^ mixed >> 24) * _M & 0xFFFFFFFF)
    if whole < size:
        hashed = (hashed ^ int.from_bytes(key[whole:], "little")) * _M & 0xFFFFFFFF
    hashed = (hashed ^ hashed >> 13) * _M & 0xFFFFFFFF
    return hashed ^ hashed >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition that Kafka's default partitioner gives a key (murmur2, as the Java client and aiokafka)."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


class _Failures:
    """Failures of one issue key in one block."""

    __slots__ = ("changed", "dropped", "failures", "first_ms", "last_ms", "uids", "waived")

    def __init__(self) -> None:
        self.failures = 0
        self.waived = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self.uids: dict[str, bool] = {}  # uid to "still fails"; insertion order is the order of the events
        self.changed = False
        self.dropped = False


class _Exports:
    """Exports of one account in one block."""

    __slots__ = ("changed", "last_ms", "ordinary", "sensitive", "uncounted", "uncounted_ms")

    def __init__(self) -> None:
        self.last_ms = 0
        self.uncounted_ms: int | None = None
        self.ordinary: dict[str, int] = {}  # person to earliest legal day, since the last record
        self.sensitive: dict[str, int] = {}
        self.uncounted: dict[str, int] = {}
        self.changed = False


class Source:
    """One source partition: its current block, its progress, and how far an earlier process had come.

    Events before `resume_at` were judged, recorded and counted in metrics before; they are judged again only for the sums of
    their block.
    """

    def __init__(
        self, topic: str, partition: int, start: int, resume_at: int, records: RecordWindow | None = None
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.resume_at = resume_at
        self._records = records
        self.position = start
        self.watermark_ms = 0
        self.told_ms = 0
        """The watermark that was told last."""
        self.cells: dict[Plan, Cell] = {}
        self._failures: dict[Key, _Failures] = {}
        self._exports: dict[Account, _Exports] = {}
        self._passed: dict[Key, int] = {}  # since the last tick, over the ends of blocks
        self._begin(start)

    def _begin(self, offset: int) -> None:
        self.block = offset // BLOCK_OFFSETS
        self.block_end = (self.block + 1) * BLOCK_OFFSETS
        self.start = offset
        self.cells = {}
        self._failures = {}
        self._exports = {}
        self.ledgers = LedgerEntries(f"{self.topic}/{self.partition}|{self.block}", self._records)

    def next_block(self, offset: int) -> None:
        """Begin the block of `offset`; the sums of the old one must have been taken. Blocks begin at their first offset."""
        self._begin(offset // BLOCK_OFFSETS * BLOCK_OFFSETS)

    def failed(self, key: Key, uid: str, at_ms: int, *, waived: bool) -> None:
        """Count a failure of an issue key."""
        found = self._failures.get(key)
        if found is None:
            found = self._failures[key] = _Failures()
        if waived:
            found.waived += 1
        else:
            found.failures += 1
        found.first_ms = at_ms if found.first_ms is None else min(found.first_ms, at_ms)
        found.last_ms = at_ms if found.last_ms is None else max(found.last_ms, at_ms)
        self._note(found, uid, still_fails=True)

    def exported(self, export: Exported, at_ms: int) -> None:
        """Note what an event adds to an export ledger."""
        found = self._exports.get(export.account)
        if found is None:
            found = self._exports[export.account] = _Exports()
        found.changed = True
        found.last_ms = max(found.last_ms, at_ms)
        if export.problem is not None:
            found.uncounted[export.problem] = found.uncounted.get(export.problem, 0) + 1
            found.uncounted_ms = max(found.uncounted_ms or 0, at_ms)
        persons = found.sensitive if export.sensitive else found.ordinary
        for person in export.persons:
            persons[person] = min(export.day, persons.get(person, export.day))

    def take_exports(self) -> Iterator[ExportSum]:
        """Yield what exports added since the last call, at most `MAX_PERSONS` persons of one legal day at a time."""
        for account, found in self._exports.items():
            if not found.changed:
                continue
            found.changed = False
            uncounted = dict(found.uncounted)
            by_day: dict[int | None, list[tuple[bool, str]]] = {}
            for sensitive, persons in ((False, found.ordinary), (True, found.sensitive)):
                for person, day in persons.items():
                    by_day.setdefault(day, []).append((sensitive, person))
            found.ordinary, found.sensitive = {}, {}
            for of_day, told in (by_day or {None: []}).items():
                for part in batched(told, MAX_PERSONS) if told else [()]:
                    ordinary = tuple(person for sensitive, person in part if not sensitive)
                    sensitive_ones = tuple(p for s, p in part if s)
                    yield ExportSum(
                        account, found.last_ms, ordinary, sensitive_ones, uncounted, of_day, found.uncounted_ms
                    )

    def corrected(self, key: Key, uid: str) -> None:
        """Note that a higher revision of an event no longer fails."""
        found = self._failures.get(key)
        if found is None:
            found = self._failures[key] = _Failures()
        self._note(found, uid, still_fails=False)

    @staticmethod
    def _note(found: _Failures, uid: str, *, still_fails: bool) -> None:
        found.uids.pop(uid, None)
        found.uids[uid] = still_fails
        if len(found.uids) > 2 * MAX_UIDS:
            del found.uids[next(iter(found.uids))]
            found.dropped = True
        found.changed = True

    def take(self, *, passes: bool) -> dict[Key, Sum]:
        """Return the sums of the current block that changed since the last call.

        Args:
            passes: whether keys that only passed are told too. They are told at ticks and not at the end of every block: what a
                pass says is its time, which belongs to no block, and a commit comes only after a tick.
        """
        passed = self._passed
        for plan, cell in self.cells.items():
            new = cell.count - cell.sent
            if not new:
                continue
            cell.sent = cell.count
            last_ms = cell.last_ms
            if not cell.deviations:  # nearly all plans of a block
                for _, key in plan.keys:
                    if last_ms > passed.get(key, -1):
                        passed[key] = last_ms
                continue
            deviated: dict[Rule, int] = {}
            for (rule, _), n in cell.deviations.items():
                deviated[rule] = deviated.get(rule, 0) + n
            for rule, key in plan.keys:
                if new > deviated.get(rule, 0) - cell.sent_deviations.get(rule, 0):
                    passed[key] = max(passed.get(key, 0), cell.last_pass_ms(rule))
            cell.sent_deviations = deviated
        changed = {key for key, found in self._failures.items() if found.changed}
        if passes:
            changed |= passed.keys()
        return {key: self._sum(key, passed.pop(key, None)) for key in sorted(changed)}

    def _sum(self, key: Key, last_pass_ms: int | None) -> Sum:
        found = self._failures.get(key)
        if found is None:
            return Sum(*key, last_pass_ms=last_pass_ms)
        found.changed = False
        latest = list(islice(reversed(found.uids.items()), MAX_UIDS))[::-1]
        return Sum(
            *key,
            failures=found.failures,
            waived=found.waived,
            first_failure_ms=found.first_ms,
            last_failure_ms=found.last_ms,
            last_pass_ms=last_pass_ms,
            failed=tuple(uid for uid, fails in latest if fails),
            complete=not found.dropped and len(found.uids) <= MAX_UIDS,
            corrected=tuple(uid for uid, fails in latest if not fails),
        )

    def tally(self, tallies: Tallies, stream_of: dict[type, str]) -> None:
        """Add what was counted since the last call to the tallies: passes by subtraction, the rest per group of events."""
        for plan, cell in self.cells.items():
            new = cell.count - cell.tallied
            if not new:
                continue
            cell.tallied = cell.count
            service = plan.group.label
            stream = (stream_of[plan.on], service)
            tallies.events[stream] = tallies.events.get(stream, 0) + new
            tallies.last_event_ms[service] = max(tallies.last_event_ms.get(service, 0), cell.last_ms)
            tallies.plans[plan] = tallies.plans.get(plan, 0) + new
            for (rule, outcome), n in cell.deviations.items():
                if fresh := n - cell.tallied_deviations.get((rule, outcome), 0):
                    tallies.deviated(service, rule.id, outcome, fresh)
            if cell.deviations:
                cell.tallied_deviations = dict(cell.deviations)
            for (rule, what), n in cell.missing.items():
                tallies.lacked(service, rule.id, what, n)
            cell.missing.clear()


Item = TypeVar("Item")
_encode = msgspec.json.Encoder().encode


def batched(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield the items in parts of a size."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


def observations(
    source: Source, partitions: int, cache: dict[Key, int], *, tick: bool, group: str = ""
) -> list[tuple[int, Observation]]:
    """Return the observation records of a source partition: (partition of the observations topic, record).

    Args:
        source: the source partition.
        partitions: partitions of the observations topic; the partition is that of the issue key.
        cache: key to partition, kept by the caller.
        group: consumer group of the evaluators.
        tick: whether passes are told, and partitions without changed sums get a record too, so that time passes for them.
    """
    exports: list[tuple[int, ExportSum]] = [
        (partition_of(account_key(sum_.account).encode(), partitions), sum_) for sum_ in source.take_exports()
    ]
    by_partition: dict[int, list[Sum]] = {p: [] for p in range(partitions)} if tick else {}
    for key, sum_ in source.take(passes=tick).items():
        partition = cache.get(key)
        if partition is None:
            partition = cache[key] = partition_of(issue_key(*key).encode(), partitions)
        by_partition.setdefault(partition, []).append(sum_)
    entries: dict[int, list[Entry]] = {}
    for entry in source.ledgers.take(source.cells):
        entries.setdefault(partition_of(entry.place.encode(), partitions), []).append(entry)

    def record(watermark_ms: int, **content: Any) -> Observation:
        return Observation(
            source.topic,
            source.partition,
            source.block,
            source.start,
            source.position,
            watermark_ms,
            group=group,
            version=OBSERVATION_VERSION,
            **content,
        )

    # Time goes on with the last records only: a deadline must not pass while what was done by then is still to come.
    before_ms, source.told_ms = source.told_ms, source.watermark_ms
    return [
        *((partition, record(before_ms, exports=(sum_,))) for partition, sum_ in exports),
        *(
            (partition, record(before_ms, entries=part))
            for partition, told in entries.items()
            for part in _parts(told, _entry_bytes)
        ),
        *(
            (partition, record(source.watermark_ms, sums=part))
            for partition, sums in by_partition.items()
            for part in _parts(sums, _sum_bytes)
        ),
    ]


def _parts(items: list[Item], bytes_of: Callable[[Item], int]) -> Iterator[tuple[Item, ...]]:
    """Split items so that every record fits a producer's usual limit of 1 MiB; no items make one empty part (a tick)."""
    part: list[Item] = []
    size = 0
    for item in items:
        cost = bytes_of(item)
        if part and size + cost > MAX_RECORD_BYTES:
            yield tuple(part)
            part, size = [], 0
        part.append(item)
        size += cost
    yield tuple(part)


def _sum_bytes(sum_: Sum) -> int:
    # 35 bytes a uid, and up to 550 for names and numbers (names are at most 128 characters).
    return 550 + 35 * (len(sum_.failed) + len(sum_.corrected))


def _entry_bytes(entry: Entry) -> int:
    return len(_encode(entry)) + 1
