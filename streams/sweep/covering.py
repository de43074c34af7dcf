"""Which refusals of a batch cover a record: all of them, each with the time as of which it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from hegui.rules.events import IngestEvent
from hegui.rules.fact_tables import FactStatus, FactTable, OptOut
from hegui.rules.facts import Facts, Snapshot
from hegui.rules.ledgers.removals import refused_by
from hegui.rules.near_works import WorkCodes
from hegui.rules.policy import Policy
from hegui.rules.preferences import LONGEST_MATCH
from hegui.rules.refusals import refusal_of
from hegui.rules.registry import Service
from hegui.streams.sweep.batch import Batch, Saying, saying_of

MOST = 9
"""Most refusals told of one record."""


class Refusal(NamedTuple):
    """A refusal that covers a record."""

    statement: OptOut
    """The statement that is in force."""
    said: tuple[OptOut, ...]
    """Those by which it has been refused without a break, the first one first."""
    as_of_ms: int
    """When it covers the record, epoch milliseconds."""

    @property
    def first(self) -> OptOut:
        """The statement since which it has been refused."""
        return self.said[0]


class _Rest:
    """A table without some sayings: what covers a record beside what was found."""

    def __init__(self, table: FactTable[OptOut]) -> None:
        self._table = table
        self.hidden: set[Saying | tuple[str, str]] = set()

    @property
    def status(self) -> FactStatus:
        return self._table.status

    @property
    def positions(self) -> Mapping[int, int]:
        return self._table.positions

    @property
    def changes(self) -> int:
        return self._table.changes

    @property
    def codes(self) -> WorkCodes:
        return self._table.codes

    @property
    def user_keys(self) -> Mapping[str, int]:
        return self._table.user_keys

    def at(self, key: tuple[str, str], at_ms: int) -> tuple[OptOut, ...]:
        found = self._table.at(key, at_ms)
        if not self.hidden:  # nearly always
            return found
        return tuple([one for one in found if _hides(one) not in self.hidden])

    def is_unspoken(self, content_sha256: str | None, url: str | None) -> bool:
        return self._table.is_unspoken(content_sha256, url)

    def maybe_addressed(self, host: str) -> bool:
        return self._table.maybe_addressed(host)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._table


def _hides(statement: OptOut) -> Saying | tuple[str, str]:
    """Return what is hidden with a statement: where the longest path counts, all that its source says, since its broader words count no more."""
    if statement.source in LONGEST_MATCH:
        return (statement.source, statement.category)
    return saying_of(statement)


class Covering:
    """The look-up of one batch under one policy."""

    def __init__(self, policy: Policy, batch: Batch) -> None:
        self._batch = batch
        self._table = _Rest(batch.table)
        self._snapshot = Snapshot(policy, self._table)
        self._first_ahead = batch.ahead()
        # As if they held now: nearly every record is covered by none, and what one costs does not depend on how many moments lie ahead.
        ahead: FactTable[OptOut] = FactTable(FactStatus.READY)
        for number, one in enumerate(self._first_ahead.values()):
            ahead.put(b"%d" % number, msgspec.structs.replace(one, observed_at_ms=batch.as_of_ms))
        self._ahead = _Rest(ahead)
        self._ahead_snapshot = Snapshot(policy, self._ahead)

    def refusals(self, event: IngestEvent, tenant: str, service: Service | None) -> list[Refusal]:
        """Return the refusals that cover a record, that which began first before the others, at most `MOST`.

        Statements that lie ahead are looked up as of their own moment: they cannot change what holds now.
        """
        now_ms = self._batch.as_of_ms
        found = [
            self._refusal(one, now_ms)
            for one in self._covering(event, self._table, Facts(self._snapshot, now_ms, tenant, service))
        ]
        if self._first_ahead:
            known = {one.first for one in found}
            for near in self._covering(event, self._ahead, Facts(self._ahead_snapshot, now_ms, tenant, service)):
                saying = saying_of(near)
                at_ms = self._first_ahead[saying].observed_at_ms
                for one in self._covering(event, self._table, Facts(self._snapshot, at_ms, tenant, service)):
                    refusal = self._refusal(one, at_ms)
                    if saying_of(one) == saying and refusal.first not in known:
                        known.add(refusal.first)
                        found.append(refusal)
        return sorted(found, key=lambda one: one.first.observed_at_ms)[:MOST]

    def _refusal(self, statement: OptOut, at_ms: int) -> Refusal:
        return Refusal(statement, refused_by(statement, self._batch.table.at(statement.key(), at_ms)), at_ms)

    @staticmethod
    def _covering(event: IngestEvent, table: _Rest, facts: Facts) -> list[OptOut]:
        """Return each statement that refuses a record: the one that decides, and what would decide without it."""
        found: list[OptOut] = []
        while len(found) < MOST and (one := refusal_of(event, facts)) is not None:
            found.append(one)
            table.hidden.add(_hides(one))
        if found:
            table.hidden.clear()
        return found
