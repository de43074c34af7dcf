"""The opt-outs of one sweep: a table of the new statements, of what takes parts out of them, and when each became known here."""

from __future__ import annotations

import msgspec

from hegui.rules.fact_tables import FactStatus, FactTable, OptOut
from hegui.rules.preferences import LONGEST_MATCH, NO_TO_TRAINING

KNOWN_WITHIN_MS = 60_000
"""How long after its record a statement may not yet have reached every evaluator: what came in by then may have passed unjudged."""

_decode = msgspec.json.Decoder(OptOut).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _part_of(statement: OptOut) -> tuple[str, str] | None:
    """Return source and host of a statement about an address, where the longest path of the source counts."""
    if statement.source not in LONGEST_MATCH:
        return None
    gate = statement.gate()
    return None if gate is None else (statement.source, gate[1])


class Batch:
    """New statements. The same records make the same batch, so that a sweep that goes on finds the same."""

    def __init__(self) -> None:
        self.table: FactTable[OptOut] = FactTable(FactStatus.READY)
        self.as_of_ms = 0
        """As of when the statements are combined: the last of them holds by then, epoch milliseconds."""
        self.records = 0
        """Records taken in, removals and broken ones too."""
        self.known_ms: dict[OptOut, int] = {}
        """Statement to the broker's time of its record."""
        self._keys: set[bytes] = set()
        self._parts: set[tuple[str, str]] = set()

    def take(self, key: bytes | None, value: bytes | None, broker_ms: int) -> None:
        """Take in a record of the topic of opt-outs; one that is no opt-out says nothing (the evaluators bury it)."""
        self.records += 1
        if key is None:
            return
        self._keys.add(key)
        if value is None:
            self.table.put(key, None)
            return
        try:
            statement = _decode(value)
        except _UNREADABLE:
            return
        self.table.put(key, statement)
        if (part := _part_of(statement)) is not None:
            self._parts.add(part)
        self.known_ms.setdefault(statement, broker_ms)
        self.as_of_ms = max(self.as_of_ms, broker_ms, statement.observed_at_ms)

    @property
    def has_parts(self) -> bool:
        """Whether older statements may take parts out of what is new: in formats of which the longest path counts."""
        return bool(self._parts)

    def take_older(self, key: bytes | None, value: bytes | None) -> None:
        """Take in a record from before the batch, when it takes a part out of what is new, as `Allow` in a robots.txt of the same reading. An older no was swept before."""
        if key is None or key in self._keys:
            return
        try:
            statement = None if value is None else _decode(value)
        except _UNREADABLE:
            return
        if statement is None:
            self.table.put(key, None)
        elif statement.value != "deny" and _part_of(statement) in self._parts:
            self.table.put(key, statement)

    @property
    def refuses(self) -> bool:
        """Whether any statement refuses training: otherwise there is nothing to look for."""
        return any(one.value == "deny" and one.category in NO_TO_TRAINING for one in self.table)

    def precedes(self, statement: OptOut, at_ms: int, broker_ms: int) -> bool:
        """Tell whether a record was ingested before a statement: by its own time, or before the evaluators knew of it.

        What came later, the evaluators judged by OPT001 and OPT003.

        Args:
            statement: covers the record; one of the batch.
            at_ms: the event's time, epoch milliseconds.
            broker_ms: the broker's time of the event's record.
        """
        return at_ms < statement.observed_at_ms or broker_ms < self.known_ms[statement] + KNOWN_WITHIN_MS
