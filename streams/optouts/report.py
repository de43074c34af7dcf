"""What an import came to: counts, and the rows to be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from hegui.rules.fact_tables import OptOut
from hegui.streams.optouts.normal_form import ends_sooner, record_key
from hegui.streams.optouts.remarks import NOTES, REASONS, Remark
from hegui.streams.optouts.scopes import Said, Scope, Scopes

MAX_SHOWN = 20
"""Refused rows told one by one; all are counted, and `--refused FILE` holds them all."""

REMEMBERED = 1_000_000
"""Record keys among which a repeated row is told (100 bytes each); one that is repeated farther away is written again, which changes nothing."""


class Row(NamedTuple):
    """A remark and the text it is of."""

    name: str
    remark: Remark

    def __str__(self) -> str:
        line = f":{self.remark.line}" if self.remark.line else ""
        return f"{self.name}{line}: {self.remark.reason}: {self.remark.sentence}"


class Report:
    """Counts while statements pass through it."""

    def __init__(self, now_ms: int, refused: Callable[[Row], None] = lambda _: None) -> None:
        self.taken: Counter[str] = Counter()
        """Value to statements."""
        self.repeated = 0
        self.remarks: Counter[str] = Counter()
        """Reason to rows."""
        self.refused = 0
        self.scopes = Scopes()
        """What the texts were read for."""
        self._names: dict[str, set[str]] = {}
        self._shown: list[Row] = []
        self._refused = refused
        self._now_ms = now_ms
        self._ends: dict[bytes, int | None] = {}

    def add(self, name: str, found: Iterable[Said]) -> Iterator[OptOut]:
        """Yield the statements among `found` that were not there before, or end sooner now; count everything. `name` is that of the text."""
        for each in found:
            if isinstance(each, Remark):
                self.remarks[each.reason] += 1
                if each.name:
                    self._names.setdefault(each.reason, set()).add(each.name)
                if each.refused:
                    self.refused += 1
                    self._refused(Row(name, each))
                    if self.refused <= MAX_SHOWN:
                        self._shown.append(Row(name, each))
                continue
            if isinstance(each, Scope):
                self.scopes.add(each)
                continue
            self.scopes.state(each)
            key = record_key(each)
            if key in self._ends:
                self.repeated += 1
                if ends_sooner(each.valid_to_ms, self._ends[key]):
                    self._ends[key] = each.valid_to_ms
                    yield each
                continue
            if len(self._ends) >= REMEMBERED:
                self._ends.clear()
            self._ends[key] = each.valid_to_ms
            self.taken[each.value] += 1
            if each.observed_at_ms > self._now_ms:
                self.remarks["time_ahead"] += 1
            yield each

    def note(self, reason: str, rows: int) -> None:
        """Count rows of which something is to be told that only the store showed."""
        self.remarks[reason] += rows

    def lines(self) -> Iterator[str]:
        """Yield the report for people: refused rows, then counts."""
        for row in self._shown:
            yield f"refused  {row}"
        if self.refused > MAX_SHOWN:
            yield f"refused  {self.refused - MAX_SHOWN:,} more; --refused FILE writes them all"
        for title, reasons in (("refused", REASONS), ("note", NOTES)):
            for reason in reasons:
                if self.remarks[reason]:
                    n = self.remarks[reason]
                    names = f" ({', '.join(sorted(self._names[reason]))})" if reason in self._names else ""
                    yield f"{title}: {n:,} row{'' if n == 1 else 's'}, {reason}: {reasons[reason]}{names}"
