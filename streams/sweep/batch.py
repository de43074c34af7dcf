"""The opt-outs of one sweep: a table of the new statements, of what was said beside them, and when each became known here."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hegui.rules.fact_tables import FactStatus, FactTable, OptOut, host_of_key
from hegui.rules.optout_subjects import subject_defect
from hegui.rules.preferences import LONGEST_MATCH, NO_TO_TRAINING

KNOWN_WITHIN_MS = 60_000
"""How long after its record a statement may not yet have reached every evaluator: what came in by then may have passed unjudged."""

Saying = tuple[tuple[str, str], str, str]
"""Key of a subject, source and category: of several statements with these three the latest counts."""

_decode = msgspec.json.Decoder(OptOut).decode


def _read(value: bytes) -> OptOut | None:
    """Return a statement; None for what the evaluators bury."""
    try:
        found = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if subject_defect(found.scheme, found.subject) is None else None


def saying_of(statement: OptOut) -> Saying:
    """Return which statements one replaces, or is replaced by."""
    return (statement.key(), statement.source, statement.category)


def refuses_training(statement: OptOut) -> bool:
    """Tell whether a statement is a no to training."""
    return statement.value == "deny" and statement.category in NO_TO_TRAINING


def _part_of(statement: OptOut) -> tuple[str, str] | None:
    """Return source and host of a statement about an address, where the longest path of the source counts."""
    if statement.source not in LONGEST_MATCH:
        return None
    host = host_of_key(statement.key())
    return None if host is None else (statement.source, host)


class Batch:
    """New statements. The same records make the same batch, so that a sweep that goes on finds the same."""

    def __init__(self) -> None:
        self.table: FactTable[OptOut] = FactTable(FactStatus.READY)
        self.as_of_ms = 0
        """As of when the statements are combined: the broker's time of the last record, epoch milliseconds. No statement can move it on."""
        self.records = 0
        """Records taken in, removals and broken ones too."""
        self.known_ms: dict[OptOut, int] = {}
        """Statement to the broker's time of its record."""
        self._keys: set[bytes] = set()
        self._parts: set[tuple[str, str]] = set()
        self._refused: set[Saying] = set()

    def take(self, key: bytes | None, value: bytes | None, broker_ms: int) -> None:
        """Take in a record of the topic of opt-outs; one that is no opt-out says nothing (the evaluators bury it)."""
        self.records += 1
        self.as_of_ms = max(self.as_of_ms, broker_ms)
        if key is None:
            return
        self._keys.add(key)
        if value is None:
            self.table.put(key, None)
            return
        statement = _read(value)
        if statement is None:
            return
        self._put(key, statement, broker_ms)
        if (part := _part_of(statement)) is not None:
            self._parts.add(part)
        if refuses_training(statement):
            self._refused.add(saying_of(statement))

    def take_other(self, key: bytes | None, value: bytes | None, broker_ms: int, *, later: bool) -> None:
        """Take in a record from before or after the batch, when it bears on what is new; any other no has a sweep of its own.

        Two kinds do: what a source with a new no said of the same subject at other times, since it may have refused long before, or have
        allowed since; and what takes a part out of a new no, as `Allow` in a robots.txt of the same reading.

        Args:
            key: of the record.
            value: of the record.
            broker_ms: the broker's time of it.
            later: whether it comes after the batch, and may replace a record of it.
        """
        if key is None or (key in self._keys and not later):
            return
        if value is None:
            self.table.put(key, None)
            return
        statement = _read(value)
        if statement is None:
            return
        part = statement.value != "deny" and _part_of(statement) in self._parts
        if part or saying_of(statement) in self._refused:
            self._put(key, statement, broker_ms)
        else:
            self.table.put(key, None)

    def _put(self, key: bytes, statement: OptOut, broker_ms: int) -> None:
        self.table.put(key, statement)
        self.known_ms[statement] = min(self.known_ms.get(statement, broker_ms), broker_ms)

    @property
    def refuses(self) -> bool:
        """Whether any statement refuses training: otherwise there is nothing to look for."""
        return any(refuses_training(one) for one in self.table)

    def ahead(self) -> dict[Saying, OptOut]:
        """Return the first no of each saying that begins only after the batch; one that never holds is left out."""
        found: dict[Saying, OptOut] = {}
        for one in self.table:
            ends = one.valid_to_ms is not None and one.valid_to_ms <= one.observed_at_ms
            if one.observed_at_ms <= self.as_of_ms or ends or not refuses_training(one):
                continue
            before = found.setdefault(saying_of(one), one)
            if one.observed_at_ms < before.observed_at_ms:
                found[saying_of(one)] = one
        return found

    def precedes(self, refusal: Iterable[OptOut], at_ms: int, broker_ms: int) -> bool:
        """Tell whether a record was ingested before a refusal: before each of its statements, by its own time, or before the evaluators knew of it.

        What came later, the evaluators judged by OPT001 and OPT003.

        Args:
            refusal: its statements (`rules.ledgers.removals.refused_by`).
            at_ms: the event's time, epoch milliseconds.
            broker_ms: the broker's time of the event's record.
        """
        return not any(
            one.observed_at_ms <= at_ms
            and (one.valid_to_ms is None or at_ms < one.valid_to_ms)
            and self.known_ms[one] + KNOWN_WITHIN_MS <= broker_ms
            for one in refusal
        )
