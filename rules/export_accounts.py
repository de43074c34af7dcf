"""How an export account changes: `step(state, observation) -> state`. Pure; the same observation twice changes nothing.

Persons are sets, each with the legal day of the earliest export of it: a later reading can only move it to an earlier day, so that
the order of the events does not matter. Exports without a person to count are summed by block, as failures are (`rules.observations`): a record of the
same block replaces, one of a later block adds.
"""

from __future__ import annotations

import msgspec

from hegui.rules.blocks import Marks, counted, totals
from hegui.rules.exports import PACE_DAYS, Account, ExportLedger, legal_day
from hegui.rules.observations import ExportSum, Observation


class AccountState(msgspec.Struct, frozen=True):
    """The stored part of an account beside its persons; the value in the changelog. `version` is that of this struct."""

    account: Account
    """Whose ledger."""
    last_ms: int = 0
    """Event time of the last export, epoch milliseconds."""
    marks: Marks = {}
    """Source partition to what could not be counted of it."""
    version: int = msgspec.field(default_factory=lambda: 1)
    """Version of this struct, always written; 1 where an entry says none."""

    def uncounted(self) -> dict[str, int]:
        """Return problem to exports that could not be counted by person."""
        return totals(self.marks)


UNKNOWN_DAY = 0
"""Legal day of persons stored before days were: they count in the year and in no pace."""
LAST_DAY = 0xFFFF
"""Latest legal day that is told apart (in 2149): two bytes in the table."""


def day_of(sum_: ExportSum) -> int:
    """Return the legal day on which the persons of a sum were exported, from 1 to `LAST_DAY`."""
    day = sum_.day if sum_.day is not None else legal_day(sum_.last_ms)
    return min(max(day, UNKNOWN_DAY + 1), LAST_DAY)


class Persons:
    """Distinct persons of one kind, each with the legal day of the earliest export of it."""

    __slots__ = ("by_day", "days")

    def __init__(self) -> None:
        self.days: dict[bytes, int] = {}
        """Person (32 bytes) to legal day: 8 bytes more a person than a set takes."""
        self.by_day: dict[int, int] = {}
        """Legal day to persons."""

    def __len__(self) -> int:
        return len(self.days)

    def add(self, person: bytes, day: int) -> bool:
        """Take a person in; return whether it is new, or its day is earlier than was known."""
        known = self.days.get(person)
        if known is not None:
            if day >= known:
                return False
            self.by_day[known] -= 1
        self.days[person] = day
        self.by_day[day] = self.by_day.get(day, 0) + 1
        return True

    def new(self, day: int) -> int:
        """Return the persons whose day is this one or one of those before it, `PACE_DAYS` in all."""
        return sum(self.by_day.get(day - back, 0) for back in range(PACE_DAYS))


class ExportAccount:
    """One account in memory: its state and its persons. Changed only by `step`."""

    __slots__ = ("ordinary", "sensitive", "state")

    def __init__(self, state: AccountState) -> None:
        self.state = state
        self.ordinary = Persons()
        self.sensitive = Persons()

    def step(self, observation: Observation, sum_: ExportSum) -> list[tuple[bool, bytes]]:
        """Count a sum in; return the persons that are to be stored for its day (`Persons.add`): sensitive or not, 32 bytes."""
        fresh: list[tuple[bool, bytes]] = []
        day = day_of(sum_)
        for sensitive, known, told in (
            (False, self.ordinary, sum_.ordinary),
            (True, self.sensitive, sum_.sensitive),
        ):
            fresh += [(sensitive, person) for person in map(bytes.fromhex, told) if known.add(person, day)]
        marks = self.state.marks
        if sum_.uncounted:
            marks = counted(marks, observation, sum_.uncounted) or marks
        self.state = msgspec.structs.replace(self.state, last_ms=max(self.state.last_ms, sum_.last_ms), marks=marks)
        return fresh


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
            self._ordinary.update(*(a.ordinary.days for a in self.accounts.values()))
            self._sensitive.update(*(a.sensitive.days for a in self.accounts.values()))

    def remove(self, entity: str) -> None:
        """Forget an account. Its persons stay among those of all, as long as a sibling is left."""
        del self.accounts[entity]

    def step(self, account: ExportAccount, observation: Observation, sum_: ExportSum) -> list[tuple[bool, bytes]]:
        """Count a sum into one of the accounts; return what `ExportAccount.step` does."""
        fresh = account.step(observation, sum_)
        if len(self.accounts) > 1:
            for sensitive, person in fresh:
                (self._sensitive if sensitive else self._ordinary).add(person)
        return fresh

    def ledger(self, account: ExportAccount, at_ms: int) -> ExportLedger:
        """Return what the rules judge of one of the accounts; the pace is that of the time `at_ms` (epoch milliseconds)."""
        of, day = account.state.account, legal_day(at_ms)
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
            new_ordinary_7_days=account.ordinary.new(day),
            new_sensitive_7_days=account.sensitive.new(day),
        )
