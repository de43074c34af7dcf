"""Which refusals of a batch cover a record that they did not keep out when it came: all of them, each with the time as of which it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from hegui.rules.events import IngestEvent
from hegui.rules.fact_tables import FactStatus, FactTable, OptOut
from hegui.rules.facts import Facts, Snapshot
from hegui.rules.near_works import WorkCodes
from hegui.rules.policy import Policy
from hegui.rules.refusals import refusal_of
from hegui.rules.registry import Service
from hegui.streams.sweep.batch import KNOWN_WITHIN_MS, SITE, Batch, Known, Saying, of_subject, saying_of

MOST = 9
"""Most refusals told of one record."""


class Refusal(NamedTuple):
    """A refusal that covers a record."""

    statement: OptOut
    """The statement that is in force."""
    first: OptOut
    """What its source said when it began to refuse the record without a break; its time is when that was."""
    as_of_ms: int
    """When it covers the record, epoch milliseconds."""


class Taken(NamedTuple):
    """A record and how it came in."""

    event: IngestEvent
    at_ms: int
    """The event's time, epoch milliseconds."""
    broker_ms: int
    """The broker's time of its record."""
    tenant: str
    service: Service | None


class _Rest:
    """A table without some sayings: what covers a record beside what was found."""

    def __init__(self, table: FactTable[OptOut], hides: Callable[[OptOut], Saying] = saying_of) -> None:
        self._table = table
        self.hides = hides
        """What is hidden with a statement. Where the longest path counts, all that its source says: its broader words count no more."""
        self.hidden: set[Saying] = set()

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
        return tuple([one for one in found if self.hides(one) not in self.hidden])

    def is_unspoken(self, content_sha256: str | None, url: str | None) -> bool:
        return self._table.is_unspoken(content_sha256, url)

    def maybe_addressed(self, host: str) -> bool:
        return self._table.maybe_addressed(host)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._table


class _Saying(_Rest):
    """What one source said of a record's site or subject at any time, also what was removed since: all of it, or what was known at a time."""

    def __init__(self, table: FactTable[OptOut], known: Mapping[OptOut, Known]) -> None:
        super().__init__(table)
        self._known = known
        self.saying: Saying | None = None
        self.by_ms: int | None = None
        """The broker's time of the record that was judged; None: whatever was known when."""

    def at(self, key: tuple[str, str], at_ms: int) -> tuple[OptOut, ...]:
        return tuple([one for one in self._table.at(key, at_ms) if self._counts(one, at_ms)])

    def _counts(self, statement: OptOut, at_ms: int) -> bool:
        known, by_ms = self._known[statement], self.by_ms
        if known.saying != self.saying:
            return False
        if by_ms is None:
            return any(to_ms is None or at_ms < to_ms for _, to_ms in known.spans)
        # What had just come may not have reached the evaluators: a no that may have been unknown and a yes that may have been known kept nothing out.
        if statement.value == "deny":
            return any(a + KNOWN_WITHIN_MS <= by_ms and (b is None or by_ms < b) for a, b in known.spans)
        return any(a <= by_ms and (b is None or by_ms < b + KNOWN_WITHIN_MS) for a, b in known.spans)


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
        self._ahead = _Rest(ahead, of_subject)
        self._ahead_snapshot = Snapshot(policy, self._ahead)
        self._grace_ms = policy.opt_out_grace_seconds * 1000
        history, known = batch.history()
        self._said = _Saying(history, known)
        self._said_snapshot = Snapshot(policy, self._said)
        self._moments: dict[Saying, list[int]] = {}
        """When a source said something, or what it said ended or was removed."""
        for one, (saying, spans) in known.items():
            changes = (*one.interval(), *(to_ms for _, to_ms in spans))
            self._moments.setdefault(saying, []).extend(ms for ms in changes if ms is not None)
        self._begun: dict[tuple[Saying, int], OptOut] = {}

    def refusals(self, taken: Taken) -> list[Refusal]:
        """Return the refusals that cover a record and did not refuse it when it came, that which began first before the others, at most `MOST`.

        Statements that lie ahead are looked up as of their own moment: they cannot change what holds now.
        """
        now_ms = self._batch.as_of_ms
        found: list[Refusal] = []
        for one in self._covering(taken, self._table, self._snapshot, now_ms):
            self._add(found, taken, one, now_ms)
            if len(found) == MOST:
                break
        if self._first_ahead:
            for near in self._covering(taken, self._ahead, self._ahead_snapshot, now_ms):
                at_ms = self._first_ahead[of_subject(near)].observed_at_ms
                for one in self._covering(taken, self._table, self._snapshot, at_ms):
                    if saying_of(one) == saying_of(near):
                        self._add(found, taken, one, at_ms)
        return sorted(found, key=lambda one: one.first.observed_at_ms)[:MOST]

    def _add(self, found: list[Refusal], taken: Taken, statement: OptOut, as_of_ms: int) -> None:
        """Add a refusal, unless it is known, refused the record when it came, or had ended by then."""
        saying = saying_of(statement)
        if taken.at_ms > as_of_ms and self._said_no(taken, saying, taken.at_ms) is None:
            return
        known = self._said_no(taken, saying, taken.at_ms, taken.broker_ms)
        if known is not None and self._said_no(taken, saying, taken.at_ms, taken.broker_ms, self._grace_ms) is not None:
            return
        first = self._first(taken, saying, statement, as_of_ms)
        if known is not None and first.observed_at_ms <= taken.at_ms:
            # What was tolerated is no part of what the no itself asked for, which may have been dealt with.
            first = msgspec.structs.replace(known, observed_at_ms=known.observed_at_ms + self._grace_ms)
        if all(first != one.first for one in found):
            found.append(Refusal(statement, first, as_of_ms))

    def _said_no(
        self, taken: Taken, saying: Saying, at_ms: int, by_ms: int | None = None, grace_ms: int = 0
    ) -> OptOut | None:
        """Return the statement for which one source refuses a record as of a time.

        Args:
            taken: the record.
            saying: the words of the source that count.
            at_ms: as of when, epoch milliseconds.
            by_ms: what the evaluators knew when a record came to the broker at this time; None: all that is known now.
            grace_ms: a user's refusal younger than this is tolerated.
        """
        self._said.saying, self._said.by_ms = saying, by_ms
        facts = Facts(self._said_snapshot, at_ms, taken.tenant, taken.service)
        return refusal_of(taken.event, facts, grace_ms=grace_ms)

    def _first(self, taken: Taken, saying: Saying, statement: OptOut, as_of_ms: int) -> OptOut:
        """Return what a source said when it began to refuse a record without a break up to a time."""
        subject_alone = saying[0][0] != SITE  # then it is the same for all that it covers
        if subject_alone and (kept := self._begun.get((saying, as_of_ms))) is not None:
            return kept
        first, since_ms = statement, as_of_ms
        for moment_ms in sorted({ms for ms in self._moments[saying] if ms <= as_of_ms}, reverse=True):
            before = self._said_no(taken, saying, moment_ms)
            if before is None:
                break
            first, since_ms = before, moment_ms
        found = msgspec.structs.replace(first, observed_at_ms=since_ms)
        if subject_alone:
            self._begun[saying, as_of_ms] = found
        return found

    @staticmethod
    def _covering(taken: Taken, table: _Rest, snapshot: Snapshot, at_ms: int) -> Iterator[OptOut]:
        """Yield each statement that refuses a record: the one that decides, and what would decide without it."""
        facts = Facts(snapshot, at_ms, taken.tenant, taken.service)
        if table.hidden:
            table.hidden.clear()
        while (one := refusal_of(taken.event, facts)) is not None:
            table.hidden.add(table.hides(one))
            yield one
