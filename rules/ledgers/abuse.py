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
DAY_MS = 86_400_000
MAX_INPUTS = 200
"""Latest inputs of a user that are kept; more than that in two days are suspended many times over."""


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
        return msgspec.structs.replace(self, inputs=_latest(*self.inputs, *later.inputs))

    def begin(self) -> AbuseState:
        """Return the empty state."""
        return AbuseState(tenant=self.tenant, service=self.service, user=self.user)


def _latest(*inputs: AbusiveInput) -> tuple[AbusiveInput, ...]:
    return tuple(sorted(set(inputs))[-MAX_INPUTS:])


def suspensions(inputs: tuple[AbusiveInput, ...]) -> tuple[int, ...]:
    """Return when a suspension is due, epoch milliseconds: inputs in the order of their times, counting anew after each."""
    due: list[int] = []
    day, on_day = None, 0
    numbers: list[int] = []
    for one in inputs:
        today = datetime.fromtimestamp(one.at_ms / 1000, SHANGHAI).date()
        day, on_day = today, on_day + 1 if today == day else 1
        follows = bool(numbers) and numbers[-1] >= 0 and one.number == numbers[-1] + 1
        numbers = [*numbers, one.number] if follows else [one.number]
        if on_day >= IN_A_DAY or len(numbers) >= IN_A_ROW:
            due.append(one.at_ms)
            on_day, numbers = 0, []
    return tuple(due)


class AbuseState(State[AbusiveInputs], frozen=True, tag="abuse"):
    """What is kept of one user."""

    service: str
    """The service, as in the policy, else `other`."""
    user: str
    """The user, as a keyed hash."""
    inputs: tuple[AbusiveInput, ...] = ()
    """The latest abusive inputs, in order."""
    told: tuple[int, ...] = ()
    """Suspensions that the evaluators were told of, by their first moment."""

    @property
    def subject(self) -> str:
        """The service."""
        return self.service

    def step(self, place: Place, entry: AbusiveInputs) -> AbuseState:
        """Take inputs in."""
        del place
        inputs = _latest(*self.inputs, *entry.inputs)
        return self if inputs == self.inputs else msgspec.structs.replace(self, inputs=inputs)

    def conclude(self, outcomes: Mapping[str, Outcome], at_ms: int, policy: Policy) -> Conclusion:
        """Tell of suspensions that are due."""
        del outcomes, at_ms
        fresh = tuple(from_ms for from_ms in suspensions(self.inputs) if from_ms not in self.told)
        if not fresh:
            return Conclusion(self)
        lasts_ms = policy.suspension_hours * 3_600_000
        facts = [Suspension(self.tenant, self.service, self.user, at, at + lasts_ms) for at in fresh]
        return Conclusion(msgspec.structs.replace(self, told=(*self.told, *fresh)), facts)

    def over_ms(self, policy: Policy) -> int:
        """Return when neither the inputs nor a suspension can matter any more."""
        return self.inputs[-1].at_ms + 2 * DAY_MS + policy.suspension_hours * 3_600_000
