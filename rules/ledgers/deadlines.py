"""Deadlines: what must be done within a time after a notice, a complaint, an incident or an opt-out. Interim Measures arts. 14, 15.

A case is told by one event and its revisions; the highest revision counts, whatever service it names: the cases of a tenant lie in
one place, so that an answer finds its case though the service was renamed or is named otherwise. The clock is the event time that every source has
reached, so that a deadline passes although nothing arrives, and a replay lets it pass at the same place.
"""

from __future__ import annotations

from typing import Literal, Self

import msgspec

from hegui.rules.blocks import Place
from hegui.rules.ledgers.form import Entry, Judged, Judgement, State
from hegui.rules.policy import Policy
from hegui.rules.registry import OTHER

CaseKind = Literal["notice", "complaint", "incident", "removal"]

KEPT_MS = 190 * 86_400_000
"""How long a case that was dealt with is kept, so that an event read again does not open it anew: as long as results are kept."""

SHOWN_MS = 3_600_000
"""How long a case that was dealt with too late still counts as open: long enough to be seen."""


def case_place(tenant: str) -> str:
    """Return where the cases of a tenant lie."""
    return f"{tenant}|cases"


class CaseUpdate(Entry, frozen=True, tag="case"):
    """What an event says of a case."""

    service: str
    """The service."""
    kind: CaseKind
    """What it is."""
    case: str
    """Stands for the case's identity."""
    revision: int
    """The event's revision: the highest counts."""
    opened_ms: int
    """When the clock began, epoch milliseconds: the earliest moment that any revision names, so that none can move it on."""
    done_ms: int | None = None
    """When it was dealt with."""
    named: int = 0
    """The revision that named the service."""

    @property
    def place(self) -> str:
        """The tenant."""
        return case_place(self.tenant)

    @property
    def name(self) -> str:
        """The case."""
        return self.case

    def merged(self, later: Self) -> Self:
        """Return the one that counts, with the earliest beginning."""
        opened_ms = min(self.opened_ms, later.opened_ms)
        named, service = max(_naming(self), _naming(later))
        return msgspec.structs.replace(max(self, later, key=_rank), opened_ms=opened_ms, service=service, named=named)

    def begin(self) -> CaseState:
        """Return the state before any event."""
        return CaseState(
            tenant=self.tenant,
            service=self.service,
            kind=self.kind,
            case=self.case,
            revision=-1,
            opened_ms=self.opened_ms,
            named=-1,
        )


def _naming(one: CaseUpdate | CaseState) -> tuple[int, str]:
    # A name that the policy does not know must not take a case from the service that owes the answer.
    return (-1 if one.service == OTHER else one.named, one.service)


def _rank(one: CaseUpdate | CaseState) -> tuple[int, int]:
    # Two contents under one identity and revision: the one dealt with later or not at all, whatever their order.
    return (one.revision, 2**53 if one.done_ms is None else one.done_ms)


class Deadline(Judged, frozen=True):
    """What the rules see of a case."""

    kind: CaseKind
    """What it is."""
    opened_ms: int
    """When the clock began, epoch milliseconds."""
    done_ms: int | None = None
    """When it was dealt with; None: not yet."""


def overdue(opened_ms: int, done_ms: int | None, hours: int, at_ms: int) -> bool:
    """Tell whether a case was not dealt with within so many hours; one that was, but late, counts for `SHOWN_MS` more."""
    due_ms = opened_ms + hours * 3_600_000
    if done_ms is None:
        return at_ms > due_ms
    return due_ms < done_ms and due_ms < at_ms <= done_ms + SHOWN_MS


class CaseState(State[CaseUpdate], frozen=True, tag="case"):
    """What is kept of one case."""

    service: str
    """The service, as in the policy, else `other`."""
    kind: CaseKind
    """What it is."""
    case: str
    """Stands for the case's identity."""
    revision: int
    """The revision that counts; -1: none yet."""
    opened_ms: int
    """When the clock began, epoch milliseconds."""
    done_ms: int | None = None
    """When it was dealt with."""
    named: int = 0
    """The highest revision that named a service of the policy: that service counts; -1: none did."""

    @property
    def place(self) -> str:
        """The tenant."""
        return case_place(self.tenant)

    @property
    def subject(self) -> str:
        """The service."""
        return self.service

    def step(self, place: Place, entry: CaseUpdate) -> CaseState:
        """Take a revision that is higher, and a beginning that is earlier."""
        del place
        counts = self if _rank(entry) <= _rank(self) else entry
        named, service = max(_naming(self), _naming(entry))
        after = msgspec.structs.replace(
            self,
            revision=counts.revision,
            opened_ms=min(self.opened_ms, entry.opened_ms),
            done_ms=counts.done_ms,
            service=service,
            named=named,
        )
        return self if after == self else after

    def judgement(self, watermark_ms: int, policy: Policy) -> Judgement:
        """Return the case as of the event time that every source has reached."""
        del policy
        return Judgement(
            Deadline(self.tenant, self.service, self.kind, self.opened_ms, self.done_ms),
            max(watermark_ms, self.opened_ms),
        )

    def may_lack(self, lost_ms: int, policy: Policy) -> bool:
        """Return that it does not: a word that is missing, that a case was dealt with, shows as a failure."""
        del lost_ms, policy
        return False

    def wake_ms(self, watermark_ms: int, policy: Policy) -> int | None:
        """Return when the deadline passes, or when a case that was dealt with late is shown no longer."""
        hours = policy.hours_for(self.kind, self.tenant, self.service)
        moments = []
        if hours is not None:
            moments.append(self.opened_ms + hours * 3_600_000 + 1)
        if self.done_ms is not None:
            moments.append(self.done_ms + SHOWN_MS + 1)
        return min((at_ms for at_ms in moments if at_ms > watermark_ms), default=None)

    def over_ms(self, policy: Policy) -> int | None:
        """Return when a case that was dealt with may be forgotten."""
        del policy
        return None if self.done_ms is None else max(self.opened_ms, self.done_ms) + KEPT_MS

    def late_ms(self, policy: Policy) -> int | None:
        """Return when the first word of a case that was dealt with comes too late: it was known, and forgotten by then.

        That of one that was not never does: it is not over, however old it is.
        """
        return self.over_ms(policy)
