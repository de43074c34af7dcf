"""The table of opt-outs that rules ask: a snapshot on disk, and over it the records of the topic since then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from secrets import randbits

import msgspec

from hegui.rules.fact_tables import FactStatus, OptOut, note_earliest
from hegui.rules.near_works import WorkCodes
from hegui.streams.optout_index.keys import Hashes, hash_of, hashes_of, record_id, seeds_of
from hegui.streams.optout_index.layout import LEAST_FILTER_BITS, SnapshotError
from hegui.streams.optout_index.probe import NO_FILTER, Probe
from hegui.streams.optout_index.snapshot_file import SnapshotFile
from hegui.streams.optout_index.spool import Recent

MAX_KNOWN = 10_000
"""Keys whose statements are kept decoded."""

Statement = tuple[int, int | None, OptOut]
"""From and to, epoch milliseconds, and the record."""

_decode = msgspec.json.Decoder(OptOut).decode


class OptOutIndex:
    """Answers as a `FactTable[OptOut]` with the same records would, in 3 bytes of memory an entry of the snapshot instead of some 500.

    The filter says maybe, the stored record decides. Statements of one key that begin at the same time stand in the order of their offsets.
    Not thread-safe: the feed and the judgement share one event loop.
    """

    def __init__(self, status: FactStatus = FactStatus.LOADING) -> None:
        self.status = status
        self.damage = ""
        """What was found wrong with the snapshot in a lookup; the feed makes it anew."""
        self.positions: dict[int, int] = {}
        self.changes = 0
        self.codes = WorkCodes()
        """Filled by `streams.work_codes_feed`."""
        self.file: SnapshotFile | None = None
        self._covered: dict[int, int] = {}
        self._seed_with(randbits(64))
        self._records: dict[bytes, Recent] = {}
        self._by_hash: dict[int, tuple[bytes, ...]] = {}
        self._gates: dict[int, int] = {}
        """Hashes of hosts and sites of the recent records, and how many have each."""
        self._known: dict[tuple[str, str], tuple[Statement, ...]] = {}
        self.is_unspoken: Callable[[str | None, str | None], bool]
        """See `OptOutTable`. Of the probe itself: a method here would take as long again."""
        self.user_keys: dict[str, int] = {}
        """See `OptOutTable`; what is gone counts until the topic is read anew."""
        self._use(None)

    def _seed_with(self, seed: int) -> None:
        self.seed, self._seeds = seed, seeds_of(seed)

    # -- lookups

    def at(self, key: tuple[str, str], at_ms: int) -> tuple[OptOut, ...]:
        """Return the statements of `key` (scheme, subject) whose interval holds `at_ms`, oldest first.

        Raises:
            SnapshotError: what the snapshot holds of the key is damaged. The table is not ready from then on.
            KeyError: there is no such scheme.
        """
        scheme, subject = key
        if not self._probe.maybe(scheme, subject):  # nearly always
            return ()
        return tuple(
            [
                record
                for start_ms, end_ms, record in self._statements(key)
                if start_ms <= at_ms and (end_ms is None or at_ms < end_ms)
            ]
        )

    def maybe_addressed(self, host: str) -> bool:
        """See `rules.optout_table.OptOutTable`. A host counts as long as a snapshot holds a statement on it, also one that was taken back since."""
        return self._probe.maybe_addressed(host)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return self._probe.maybe(*key) and bool(self._statements(key))

    def _statements(self, key: tuple[str, str]) -> tuple[Statement, ...]:
        known = self._known.get(key)
        if known is not None:
            return known
        hash_ = hash_of(key, self._seeds)
        found: list[tuple[int, int, int | None, OptOut]] = []
        for offset, value in chain(self._recent(hash_), self._stored(hash_)):
            record = _decode(value)
            if record.key() == key:
                start_ms, end_ms = record.interval()
                found.append((start_ms, offset, end_ms, record))
        found.sort(key=lambda entry: entry[:2])
        made = tuple([(start_ms, end_ms, record) for start_ms, _, end_ms, record in found])
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[key] = made
        return made

    def _recent(self, hash_: int) -> Iterator[tuple[int, bytes]]:
        for record in self._by_hash.get(hash_, ()):
            found = self._records[record]
            if found.value is not None:
                yield found.offset, found.value

    def _stored(self, hash_: int) -> Iterator[tuple[int, bytes]]:
        if self.file is None:
            return
        try:
            for record, offset, value in self.file.find(hash_):
                if record not in self._records:
                    yield offset, value
        except SnapshotError as error:
            # What cannot be read excuses nobody: this rule raises, those of later events are inconclusive.
            self.damage, self.status = str(error), FactStatus.LOADING
            raise

    # -- changes

    def put(self, partition: int, offset: int, record_key: bytes, record: OptOut | None, value: bytes | None) -> None:
        """Take a record of the topic, or remove the one of its key when it is None (a tombstone). What the snapshot covers is passed over.

        Args:
            partition: of the topic.
            offset: of the record.
            record_key: its Kafka key.
            record: its value, decoded.
            value: the same as it stands on the topic.
        """
        if offset < self._covered.get(partition, 0):
            return
        self._changed()
        id_ = record_id(record_key)
        self._forget(id_)
        if record is None:
            self._records[id_] = Recent(partition, offset, Hashes(0), None)
        else:
            record.note_user_key(self.user_keys)
            self._remember(id_, Recent(partition, offset, hashes_of(record, self._seeds), value))

    def passed(self, partition: int, offset: int) -> None:
        """Note that a record of the topic was read, whatever it was."""
        self.positions[partition] = max(self.positions.get(partition, 0), offset + 1)

    def _remember(self, id_: bytes, record: Recent) -> None:
        self._records[id_] = record
        key, *gates = record.hashes
        self._by_hash[key] = (*self._by_hash.get(key, ()), id_)
        for gate in gates:
            if gate:
                self._gates[gate] = self._gates.get(gate, 0) + 1

    def _forget(self, id_: bytes) -> None:
        old = self._records.pop(id_, None)
        if old is not None and old.value is not None:
            key, *gates = old.hashes
            rest = tuple([other for other in self._by_hash[key] if other != id_])
            if rest:
                self._by_hash[key] = rest
            else:
                del self._by_hash[key]
            for gate in gates:
                if gate and (left := self._gates.pop(gate) - 1):
                    self._gates[gate] = left

    # -- snapshots

    def recent(self) -> list[tuple[bytes, Recent]]:
        """Return the records that no snapshot holds yet, tombstones too, with their ids, in the order in which they came."""
        return list(self._records.items())

    @property
    def recent_records(self) -> int:
        """How many records no snapshot holds yet, tombstones too."""
        return len(self._records)

    @property
    def entries(self) -> int:
        """How many records the snapshot holds, those that were replaced or removed since then too."""
        return 0 if self.file is None else self.file.header.entries

    def __len__(self) -> int:
        """Return how many records there are at most: one that was replaced since the snapshot counts twice."""
        return self.entries + len(self._records)

    def forget_recent(self) -> None:
        """Give up the recent records, which stand in the spool now. The table must not be ready."""
        assert self.status is FactStatus.LOADING
        self._records.clear()
        self._by_hash.clear()
        self._gates.clear()
        self._changed()

    def adopt(self, file: SnapshotFile) -> bool:
        """Look things up in a snapshot from now on, and drop what it covers; return whether it is newer than what is known.

        Takes 60 ns for each recent record, 1 us where the snapshot has another seed.
        """
        covered = file.header.positions
        if any(covered.get(partition, 0) < offset for partition, offset in self._covered.items()):
            return False
        reseeded = file.header.seed != self.seed
        self._seed_with(file.header.seed)
        self._covered = covered
        self.positions = {
            partition: max(self.positions.get(partition, 0), covered.get(partition, 0))
            for partition in self.positions.keys() | covered.keys()
        }
        for name, at_ms in file.header.user_keys.items():
            note_earliest(self.user_keys, name, at_ms)
        left = {id_: record for id_, record in self._records.items() if record.offset >= covered.get(record[0], 0)}
        self._records, self._by_hash, self._gates = {}, {}, {}
        for id_, record in left.items():
            if record.value is None:
                self._records[id_] = record
            elif reseeded:
                self._remember(id_, record._replace(hashes=hashes_of(_decode(record.value), self._seeds)))
            else:
                self._remember(id_, record)
        self._use(file)
        return True

    def reset(self) -> None:
        """Forget everything: the topic is read anew."""
        self.status, self.damage = FactStatus.LOADING, ""
        self.positions, self._covered, self.user_keys = {}, {}, {}
        self._records, self._by_hash, self._gates = {}, {}, {}
        self._use(None)

    def _use(self, file: SnapshotFile | None) -> None:
        self.file = file
        bits, filter_ = (LEAST_FILTER_BITS, NO_FILTER) if file is None else (file.header.filter_bits, file.filter)
        self._probe = Probe(bits, filter_, self._seeds, self._by_hash, self._gates)
        self.is_unspoken = self._probe.is_unspoken
        self._changed()

    def _changed(self) -> None:
        self.changes += 1
        self._known.clear()
        self._probe.changed()
