"""The abuse counter: inputs of one user that try to bring about unlawful content, and when the service must suspend that user.

TC260-003 7 g), known from memory only: three in a row, or five in one day (Asia/Shanghai).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Self

import msgspec

from hegui.rules.blocks import Place
from hegui.rules.core import Outcome
from hegui.rules.fact_tables import Suspension
from hegui.rules.law import SHANGHAI
from hegui.rules.ledgers.form import Conclusion, Entry, State
from hegui.rules.policy import Policy

IN_A_ROW = 3
"""So many such inputs one after another."""
IN_A_DAY = 5
"""So many on one legal day."""
KEPT_MS = 190 * 86_400_000
"""How long a user's inputs and suspensions are kept after the last: as long as results are kept."""
MAX_INPUTS = 50
"""Latest inputs of a user that are kept: fewer are due a suspension, unless most come out of order."""
MAX_GROUNDS = 10
"""Latest suspensions of a user that can be taken back, since the inputs that each followed from are kept."""
MAX_SUSPENSIONS = 200
"""Latest suspensions of a user that are remembered: as many as last a day each for as long as results are kept."""


class AbusiveInput(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One input that the service refused, or of which a revision says that it was not to be refused."""

    at_ms: int
    """When, epoch milliseconds."""
    number: int
    """Its number among the user's inputs; -1: the event did not say."""
    event: str
    """Stands for the event's identity."""
    revision: int = 0
    """Revision of the event: the highest counts."""
    refused: bool = True
    """Whether it was to be refused; False: it was taken back, and counts no more however often it is told."""


def once(*inputs: AbusiveInput) -> tuple[AbusiveInput, ...]:
    """Return inputs in order, each event once: its highest revision; of one revision, as it was first seen."""
    found: dict[str, AbusiveInput] = {}
    for one in inputs:
        known = found.get(one.event)
        if known is None or _counts(one) < _counts(known):
            found[one.event] = one
    return tuple(sorted(found.values()))


def _counts(one: AbusiveInput) -> tuple[int, int, int, bool]:
    return (-one.revision, one.at_ms, one.number, one.refused)


class AbusiveInputs(Entry, frozen=True, tag="abuse"):
    """What a block showed of one user."""

    service: str
    """The service."""
    user: str
    """The user, as a keyed hash."""
    inputs: tuple[AbusiveInput, ...]
    """The inputs."""

    @property
    def place(self) -> str:
        """The service."""
        return f"{self.tenant}|{self.service}"

    @property
    def name(self) -> str:
        """The user."""
        return self.user

    def merged(self, later: Self) -> Self:
        """Return both together."""
        # All of them: a block may last for days, and hold what a second suspension follows from (200 kB at most).
        return msgspec.structs.replace(self, inputs=once(*self.inputs, *later.inputs))

    def begin(self) -> AbuseState:
        """Return the empty state."""
        return AbuseState(tenant=self.tenant, service=self.service, user=self.user)


def _bounded(inputs: tuple[AbusiveInput, ...]) -> tuple[AbusiveInput, ...]:
    """Return the latest inputs that were refused, and the latest that were taken back, in order."""
    refused = [one for one in inputs if one.refused]
    back = [one for one in inputs if not one.refused]
    return tuple(sorted([*refused[-MAX_INPUTS:], *back[-MAX_INPUTS:]]))


def suspension_due(inputs: tuple[AbusiveInput, ...]) -> int | None:
    """Return when a suspension is due, epoch milliseconds: with the first refused input, in the order of time, that is one too many."""
    day, on_day = None, 0
    numbers: list[int] = []
    for one in inputs:
        if not one.refused:
            continue
        today = datetime.fromtimestamp(one.at_ms / 1000, SHANGHAI).date()
        day, on_day = today, on_day + 1 if today == day else 1
        follows = bool(numbers) and numbers[-1] >= 0 and one.number == numbers[-1] + 1
        numbers = [*numbers, one.number] if follows else [one.number]
        if on_day >= IN_A_DAY or len(numbers) >= IN_A_ROW:
            return one.at_ms
    return None


class AbuseState(State[AbusiveInputs], frozen=True, tag="abuse"):
    """What is kept of one user."""

    service: str
    """The service, as in the policy, else `other`."""
    user: str
    """The user, as a keyed hash."""
    inputs: tuple[AbusiveInput, ...] = ()
    """The latest abusive inputs since the last suspension ended, and the latest that were taken back, in order."""
    told: tuple[int, ...] = ()
    """Suspensions that the evaluators were told of, by their first moment, the latest `MAX_SUSPENSIONS`."""
    until_ms: int = 0
    """When the last suspension ends: inputs before that count no more."""
    last_ms: int = 0
    """Event time of the latest input."""
    grounds: tuple[tuple[int, tuple[AbusiveInput, ...]], ...] = ()
    """The latest `MAX_GROUNDS` suspensions, by their first moment, and the inputs that each followed from."""

    @property
    def subject(self) -> str:
        """The service."""
        return self.service

    def step(self, place: Place, entry: AbusiveInputs) -> AbuseState:
        """Take inputs in. What lies before the end of a suspension that was told counts no more, however late it comes."""
        del place
        told = [one for one in entry.inputs if one.at_ms > self.until_ms or not one.refused]
        inputs = once(*self.inputs, *told)  # `conclude` bounds them, when no suspension follows from them any more
        last_ms = max(self.last_ms, *(one.at_ms for one in entry.inputs))
        if (inputs, last_ms) == (self.inputs, self.last_ms):
            return self
        return msgspec.structs.replace(self, inputs=inputs, last_ms=last_ms)

    def admitted(self, before: Self | None, watermark_ms: int, policy: Policy) -> Self | None:
        """Return the state; None for a user of whom nothing is known but what was taken back."""
        if before is None and not any(one.refused for one in self.inputs):
            return None
        return super().admitted(before, watermark_ms, policy)

    def conclude(self, outcomes: Mapping[str, Outcome], at_ms: int, policy: Policy) -> Conclusion:
        """Tell of a suspension that is due, at most one at a time; take one back that inputs no longer bear out."""
        del outcomes, at_ms
        lasts_ms = policy.suspension_hours * 3_600_000
        state, gone = self._borne_out(lasts_ms)
        facts = []
        while (due_ms := suspension_due(state.inputs)) is not None:
            until_ms = due_ms + lasts_ms
            ground = tuple(one for one in state.inputs if one.refused and one.at_ms <= due_ms)
            state = msgspec.structs.replace(
                state,
                inputs=tuple(one for one in state.inputs if one.at_ms > until_ms or not one.refused),
                told=(*state.told, due_ms)[-MAX_SUSPENSIONS:],
                until_ms=until_ms,
                grounds=(*state.grounds, (due_ms, ground))[-MAX_GROUNDS:],
            )
            facts.append(Suspension(self.tenant, self.service, self.user, due_ms, until_ms))
        if (bounded := _bounded(state.inputs)) != state.inputs:
            state = msgspec.structs.replace(state, inputs=bounded)
        told_again = {fact.from_ms for fact in facts}
        retracted = [Suspension(self.tenant, self.service, self.user, at, at) for at in sorted(gone - told_again)]
        return Conclusion(state, tuple(facts), tuple(retracted))

    def _borne_out(self, lasts_ms: int) -> tuple[AbuseState, set[int]]:
        """Return the state without suspensions whose inputs were taken back, and when those began.

        What else was refused while such a suspension lasted is not known any more.
        """
        back = {one.event: one.revision for one in self.inputs if not one.refused}
        state, gone = self, set()
        for due_ms, ground in self.grounds:
            left = tuple(one for one in ground if back.get(one.event, -1) < one.revision)
            if left == ground or suspension_due(left) == due_ms:
                continue
            gone.add(due_ms)
            told = tuple(at for at in state.told if at != due_ms)
            state = msgspec.structs.replace(
                state,
                inputs=once(*state.inputs, *left),
                told=told,
                until_ms=max(told) + lasts_ms if told else 0,
                grounds=tuple(one for one in state.grounds if one[0] != due_ms),
            )
        return state, gone

    def standing(self) -> tuple[Suspension, ...]:
        """Return the latest suspension: those before it are over."""
        return tuple(Suspension(self.tenant, self.service, self.user, at, self.until_ms) for at in self.told[-1:])

    def over_ms(self, policy: Policy) -> int:
        """Return when its results are kept no longer: an event that is read again must find the same suspension."""
        return self.last_ms + max(KEPT_MS, policy.suspension_hours * 3_600_000)

    def retracted(self) -> tuple[Suspension, ...]:
        """Return its suspensions: they name the user by a keyed hash, and are kept no longer than it."""
        return tuple(Suspension(self.tenant, self.service, self.user, at, at) for at in self.told)
