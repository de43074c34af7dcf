"""How an export account changes: `step(state, observation) -> state`. Pure; the same observation twice changes nothing.

Persons are sets. Exports without a person to count are summed by block, as failures are (`rules.observations`): a record of the
same block replaces, one of a later block adds.
"""

from __future__ import annotations

import msgspec

from hegui.rules.exports import Account, ExportLedger
from hegui.rules.observations import ExportSum, Observation


class UncountedMark(msgspec.Struct, frozen=True, array_like=True):
    """How far one source partition has been counted into an account."""

    block: int
    """Number of the current block."""
    start: int
    """First offset of it that is counted."""
    upto: int
    """Next offset that is not."""
    closed: dict[str, int]
    """Problem to exports in earlier blocks."""
    current: dict[str, int]
    """Problem to exports in the current block."""


class AccountState(msgspec.Struct, frozen=True):
    """The stored part of an account beside its persons; the value in the changelog. `version` is that of this struct."""

    account: Account
    """Whose ledger."""
    last_ms: int = 0
    """Event time of the last export, epoch milliseconds."""
    marks: dict[str, UncountedMark] = {}
    """Source partition to what could not be counted of it."""
    version: int = 1
    """Version of this struct."""

    def uncounted(self) -> dict[str, int]:
        """Return problem to exports that could not be counted by person."""
        total: dict[str, int] = {}
        for mark in self.marks.values():
            total = _added(total, _added(mark.closed, mark.current))
        return total


class ExportAccount:
    """One account in memory: its state and its persons. Changed only by `step`."""

    __slots__ = ("ordinary", "sensitive", "state")

    def __init__(self, state: AccountState) -> None:
        self.state = state
        self.ordinary: set[bytes] = set()
        self.sensitive: set[bytes] = set()

    def step(self, observation: Observation, sum_: ExportSum) -> list[tuple[bool, bytes]]:
        """Count a sum in; return the persons that are new: sensitive or not, 32 bytes."""
        fresh: list[tuple[bool, bytes]] = []
        for sensitive, known, told in (
            (False, self.ordinary, sum_.ordinary),
            (True, self.sensitive, sum_.sensitive),
        ):
            for person in map(bytes.fromhex, told):
                if person not in known:
                    known.add(person)
                    fresh.append((sensitive, person))
        marks = self.state.marks
        if sum_.uncounted:
            mark = _counted(marks.get(observation.source), observation, sum_)
            if mark is not None:
                marks = {**marks, observation.source: mark}
        self.state = msgspec.structs.replace(self.state, last_ms=max(self.state.last_ms, sum_.last_ms), marks=marks)
        return fresh


def _added(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    return {name: first.get(name, 0) + second.get(name, 0) for name in (*first, *second)}


def _counted(mark: UncountedMark | None, observation: Observation, sum_: ExportSum) -> UncountedMark | None:
    """Return the mark with the sum counted in; None when the observation is old news."""
    told = (observation.block, observation.start)
    if mark is None:
        return UncountedMark(*told, observation.upto, {}, sum_.uncounted)
    seen = (mark.block, mark.start)
    if told < seen or (told == seen and observation.upto < mark.upto):
        return None
    closed = mark.closed if told == seen else _added(mark.closed, mark.current)
    return UncountedMark(*told, observation.upto, closed, sum_.uncounted)


class ControllerYear:
    """The accounts of all entities of one controller in one legal year, and the persons of all of them together."""

    __slots__ = ("_ordinary", "_sensitive", "accounts")

    def __init__(self) -> None:
        self.accounts: dict[str, ExportAccount] = {}
        """Entity to account. Add by `add`."""
        self._ordinary: set[bytes] = set()
        self._sensitive: set[bytes] = set()

    def add(self, account: ExportAccount) -> None:
        """Take an account in. With a second entity the persons of all are kept once more, as one set."""
        self.accounts[account.state.account.entity] = account
        if len(self.accounts) > 1:
            self._ordinary.update(*(a.ordinary for a in self.accounts.values()))
            self._sensitive.update(*(a.sensitive for a in self.accounts.values()))

    def step(self, account: ExportAccount, observation: Observation, sum_: ExportSum) -> list[tuple[bool, bytes]]:
        """Count a sum into one of the accounts; return the persons that are new to it: sensitive or not, 32 bytes."""
        fresh = account.step(observation, sum_)
        if len(self.accounts) > 1:
            for sensitive, person in fresh:
                (self._sensitive if sensitive else self._ordinary).add(person)
        return fresh

    def ledger(self, account: ExportAccount) -> ExportLedger:
        """Return what the rules judge of one of the accounts."""
        of = account.state.account
        several = len(self.accounts) > 1
        return ExportLedger(
            tenant=of.tenant,
            entity=of.entity,
            year=of.year,
            ordinary=len(account.ordinary),
            sensitive=len(account.sensitive),
            uncounted=sum(account.state.uncounted().values()),
            controller_ordinary=len(self._ordinary if several else account.ordinary),
            controller_sensitive=len(self._sensitive if several else account.sensitive),
            controller_entities=len(self.accounts),
        )
