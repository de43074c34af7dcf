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
MAX_SUSPENSIONS = 200
"""Latest suspensions of a user that are remembered: as many as last a day each for as long as results are kept."""


class AbusiveInput(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One input that the service refused."""

    at_ms: int
    """When, epoch milliseconds."""
    number: int
    """Its number among the user's inputs; -1: the event did not say."""
    event: str
    """Stands for the event's identity."""


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
        # The earliest: the first suspension of a block follows from them, and covers the rest.
        return msgspec.structs.replace(self, inputs=tuple(sorted({*self.inputs, *later.inputs})[:MAX_INPUTS]))

    def begin(self) -> AbuseState:
        """Return the empty state."""
        return AbuseState(tenant=self.tenant, service=self.service, user=self.user)


def _latest(*inputs: AbusiveInput) -> tuple[AbusiveInput, ...]:
    return tuple(sorted(set(inputs))[-MAX_INPUTS:])


def suspension_due(inputs: tuple[AbusiveInput, ...]) -> int | None:
    """Return when a suspension is due, epoch milliseconds: with the first input, in the order of time, that is one too many."""
    day, on_day = None, 0
    numbers: list[int] = []
    for one in inputs:
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
    """The latest abusive inputs since the last suspension ended, in order."""
    told: tuple[int, ...] = ()
    """Suspensions that the evaluators were told of, by their first moment, the latest `MAX_SUSPENSIONS`."""
    until_ms: int = 0
    """When the last suspension ends: inputs before that count no more."""
    last_ms: int = 0
    """Event time of the latest input."""

    @property
    def subject(self) -> str:
        """The service."""
        return self.service

    def step(self, place: Place, entry: AbusiveInputs) -> AbuseState:
        """Take inputs in. What lies before the end of a suspension that was told counts no more, however late it comes."""
        del place
        inputs = _latest(*self.inputs, *(one for one in entry.inputs if one.at_ms > self.until_ms))
        last_ms = max(self.last_ms, entry.inputs[-1].at_ms)
        if (inputs, last_ms) == (self.inputs, self.last_ms):
            return self
        return msgspec.structs.replace(self, inputs=inputs, last_ms=last_ms)

    def conclude(self, outcomes: Mapping[str, Outcome], at_ms: int, policy: Policy) -> Conclusion:
        """Tell of a suspension that is due; at most one at a time."""
        del outcomes, at_ms
        lasts_ms = policy.suspension_hours * 3_600_000
        state, facts = self, []
        while (due_ms := suspension_due(state.inputs)) is not None:
            until_ms = due_ms + lasts_ms
            state = msgspec.structs.replace(
                state,
                inputs=tuple(one for one in state.inputs if one.at_ms > until_ms),
                told=(*state.told, due_ms)[-MAX_SUSPENSIONS:],
                until_ms=until_ms,
            )
            facts.append(Suspension(self.tenant, self.service, self.user, due_ms, until_ms))
        return Conclusion(state, tuple(facts))

    def standing(self) -> tuple[Suspension, ...]:
        """Return the latest suspension: those before it are over."""
        return tuple(Suspension(self.tenant, self.service, self.user, at, self.until_ms) for at in self.told[-1:])

    def over_ms(self, policy: Policy) -> int:
        """Return when its results are kept no longer: an event that is read again must find the same suspension."""
        return self.last_ms + max(KEPT_MS, policy.suspension_hours * 3_600_000)

    def retracted(self) -> tuple[Suspension, ...]:
        """Return its suspensions: they name the user by a keyed hash, and are kept no longer than it."""
        return tuple(Suspension(self.tenant, self.service, self.user, at, at) for at in self.told)
