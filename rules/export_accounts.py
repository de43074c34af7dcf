"""How an export account changes: `step(state, observation) -> state`. Pure; the same observation twice changes nothing.

Persons are sets, each with the legal day of the earliest export of it: a later reading can only move it to an earlier day, so that
the order of the events does not matter. Exports without a person to count are summed by block, as failures are (`rules.observations`): a record of the
same block replaces, one of a later block adds.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from hegui.rules.blocks import Marks, counted, totals
from hegui.rules.export_settlements import settled
from hegui.rules.exports import PACE_DAYS, Account, ExportLedger, Together, legal_day
from hegui.rules.facts import Snapshot
from hegui.rules.localisation.export_limits import (
    CONTRACT_FROM,
    ORDINARY_LIMIT,
    SENSITIVE_LIMIT,
    assessment_due,
)
from hegui.rules.localisation.mechanism import held_at
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
    uncounted_ms: int | None = None
    """Event time of the last export that could not be counted; None where that was not noted: then that of the last export."""

    def uncounted(self) -> dict[str, int]:
        """Return problem to exports that could not be counted by person."""
        return totals(self.marks)

    @property
    def uncounted_until_ms(self) -> int:
        """Event time up to which there may be exports that could not be counted, epoch milliseconds; 0: there are none."""
        if not self.marks:
            return 0
        return self.last_ms if self.uncounted_ms is None else self.uncounted_ms


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


class Counts(NamedTuple):
    """What the rules are told of an account."""

    ordinary: int
    """Persons, not sensitive."""
    sensitive: int
    """Persons whose information was sensitive."""
    uncounted: int
    """Exports that could not be counted by person."""


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
        state = self.state
        marks, uncounted_ms = state.marks, state.uncounted_until_ms or None
        if sum_.uncounted:
            marks = counted(marks, observation, sum_.uncounted) or marks
            told_ms = sum_.last_ms if sum_.uncounted_ms is None else sum_.uncounted_ms
            uncounted_ms = max(uncounted_ms or 0, told_ms)
        self.state = msgspec.structs.replace(
            state, last_ms=max(state.last_ms, sum_.last_ms), marks=marks, uncounted_ms=uncounted_ms
        )
        return fresh

    def counts(self, snapshot: Snapshot, reached_ms: int) -> Counts:
        """Return how many there are, with what the policy settles when event time has reached `reached_ms`."""
        of, state = self.state.account, self.state
        found = settled(snapshot.policy, of, reached_ms)
        uncounted = sum(state.uncounted().values())
        if found.up_to_ms is not None and state.uncounted_until_ms <= found.up_to_ms:
            uncounted = 0
        return Counts(len(self.ordinary) + found.ordinary, len(self.sensitive) + found.sensitive, uncounted)


MAX_UNIONS = 6
"""Sets over several entities kept at once: two limits, two kinds, and groups that change while mechanisms begin and end."""


class ControllerYear:
    """The accounts of all entities of one controller in one legal year, and the persons of several of them together."""

    __slots__ = ("_unions", "accounts")

    def __init__(self) -> None:
        self.accounts: dict[str, ExportAccount] = {}
        """Entity to account. Add by `add`."""
        self._unions: dict[tuple[frozenset[str], bool], set[bytes]] = {}
        """Entities and "sensitive" to their persons, each once. Made when their numbers together reach a limit: 115 bytes a person."""

    def add(self, account: ExportAccount) -> None:
        """Take an account in."""
        self.accounts[account.state.account.entity] = account

    def remove(self, entity: str) -> None:
        """Forget an account."""
        del self.accounts[entity]
        self._unions = {key: persons for key, persons in self._unions.items() if entity not in key[0]}

    def step(self, account: ExportAccount, observation: Observation, sum_: ExportSum) -> list[tuple[bool, bytes]]:
        """Count a sum into one of the accounts; return what `ExportAccount.step` does."""
        fresh = account.step(observation, sum_)
        for (entities, sensitive), persons in self._unions.items():
            if account.state.account.entity in entities:
                persons.update(person for kind, person in fresh if kind is sensitive)
        return fresh

    def ledger(self, account: ExportAccount, at_ms: int, snapshot: Snapshot, reached_ms: int) -> ExportLedger:
        """Return what the rules judge of one of the accounts.

        Args:
            account: the account.
            at_ms: event time as of which it is judged, epoch milliseconds: the pace and what entities hold are those of then.
            snapshot: the policy.
            reached_ms: event time reached: it decides which settlements count.
        """
        of, day = account.state.account, legal_day(at_ms)
        counts = {entity: one.counts(snapshot, reached_ms) for entity, one in self.accounts.items()}
        own = counts[of.entity]
        lacking_assessment: list[str] = []
        lacking_contract: list[str] = []
        for name, (ordinary, sensitive, _) in counts.items() if len(counts) > 1 else ():
            entity = snapshot.entities.get(name)
            held = held_at(entity, at_ms) if entity is not None else frozenset()
            if "security_assessment" not in held and not assessment_due(ordinary, sensitive):
                lacking_assessment.append(name)
            if not held and not _contract_due(ordinary, sensitive):
                lacking_contract.append(name)
        return ExportLedger(
            tenant=of.tenant,
            entity=of.entity,
            year=of.year,
            ordinary=own.ordinary,
            sensitive=own.sensitive,
            uncounted=own.uncounted,
            below_assessment=self._together(of.entity, lacking_assessment, counts, ORDINARY_LIMIT),
            below_contract=self._together(of.entity, lacking_contract, counts, CONTRACT_FROM),
            new_ordinary_7_days=account.ordinary.new(day),
            new_sensitive_7_days=account.sensitive.new(day),
        )

    def _together(self, entity: str, names: list[str], counts: dict[str, Counts], ordinary_limit: int) -> Together:
        if entity not in names:
            return Together()
        return Together(
            len(names),
            self._persons(names, [counts[name].ordinary for name in names], False, ordinary_limit),
            self._persons(names, [counts[name].sensitive for name in names], True, SENSITIVE_LIMIT),
            sum(counts[name].uncounted for name in names),
        )

    def _persons(self, names: Collection[str], counts: list[int], sensitive: bool, limit: int) -> int:
        """Return how many persons several entities exported, each once; while the sum of all stays below a limit, that sum."""
        if len(names) == 1 or sum(counts) < limit:
            return sum(counts)
        key = (frozenset(names), sensitive)
        kinds = [
            account.sensitive if sensitive else account.ordinary for account in map(self.accounts.__getitem__, names)
        ]
        persons = self._unions.get(key)
        if persons is None:
            while len(self._unions) >= MAX_UNIONS:
                del self._unions[next(iter(self._unions))]
            persons = self._unions[key] = set().union(*(kind.days for kind in kinds))
        # What a settlement adds has no name: nobody can tell whether others exported the same persons.
        return len(persons) + sum(counts) - sum(map(len, kinds))


def _contract_due(ordinary: int, sensitive: int) -> bool:
    return ordinary >= CONTRACT_FROM or sensitive > 0
