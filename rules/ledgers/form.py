"""The form of a ledger: entries, states, and what is judged of a state."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar

import msgspec

from hegui.rules.registry import OTHER

if TYPE_CHECKING:
    from hegui.rules.blocks import Place
    from hegui.rules.core import Outcome
    from hegui.rules.fact_tables import MadeFact
    from hegui.rules.policy import Policy


class Judged(msgspec.Struct, frozen=True):
    """What rules judge of a state."""

    tenant: str
    """The tenant, as in the policy, else `other`."""
    service: str
    """The service, as in the policy, else `other`."""


class Judgement(NamedTuple):
    """What is to be judged, and as of when."""

    ledger: Judged
    at_ms: int
    """Event time, epoch milliseconds: the law and the policy of that time decide."""


class Conclusion(NamedTuple):
    """What follows from what the rules said of a state."""

    state: State[Any]
    facts: Sequence[MadeFact] = ()
    """Facts for the evaluators."""
    retracted: Sequence[MadeFact] = ()
    """Facts that hold no more, to be removed from their topics."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="ledger"):
    """What one event, or the events of a block, add to one state. A struct cannot be an abstract class: what a ledger must say for itself raises here."""

    tenant: str
    """The tenant, as in the policy, else `other`."""

    @property
    def place(self) -> str:
        """The key that decides in which partition the state lies: states that share an issue share it."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """Names the state among those of its kind and place."""
        raise NotImplementedError

    def merged(self, later: Self) -> Self:
        """Return this entry with a later one of the same state in it."""
        raise NotImplementedError

    def begin(self) -> State[Self]:
        """Return the empty state that it belongs to."""
        raise NotImplementedError


E = TypeVar("E", bound=Entry)


class State(msgspec.Struct, Generic[E], frozen=True, omit_defaults=True, kw_only=True, tag_field="ledger"):
    """What is kept of one subject; the value in the changelog. Changed only by `step`, which returns the next one."""

    tenant: str
    """The tenant, as in the policy, else `other`."""
    version: int = msgspec.field(default_factory=lambda: 1)
    """Version of this struct, always written; 1 where an entry says none."""

    @property
    def subject(self) -> str:
        """Whom its issues name: a service of the policy, or a reference (`sha256:` and 32 hex digits)."""
        raise NotImplementedError

    def step(self, place: Place, entry: E) -> Self:
        """Return the state with an entry in it; itself when the entry says nothing new. The same entry twice changes nothing."""
        raise NotImplementedError

    def judgement(self, watermark_ms: int, policy: Policy) -> Judgement | None:
        """Return what the rules judge at an event time; None when there is nothing to judge."""
        del watermark_ms, policy
        return None

    def conclude(self, outcomes: Mapping[str, Outcome], at_ms: int, policy: Policy) -> Conclusion:
        """Return what follows from what the rules said."""
        del outcomes, at_ms, policy
        return Conclusion(self)

    def standing(self) -> Sequence[MadeFact]:
        """Return the facts that hold on, as they were told: whoever takes the state over tells them again, lest a topic that lost them stays without."""
        return ()

    def retracted(self) -> Sequence[MadeFact]:
        """Return the facts that are forgotten with it."""
        return ()

    def may_lack(self, lost_ms: int, policy: Policy) -> bool:
        """Tell whether a pass says nothing where observations of events up to a time were lost: some of them may be missing in it."""
        del lost_ms, policy
        return True

    def wake_ms(self, watermark_ms: int, policy: Policy) -> int | None:
        """Return the event time after `watermark_ms` at which it must be judged again although nothing arrives; None: never."""
        del watermark_ms, policy
        return None

    def over_ms(self, policy: Policy) -> int | None:
        """Return the event time from which it may be forgotten; None: it stays."""
        del policy
        return None

    def late_ms(self, policy: Policy) -> int | None:
        """Return the event time from which the first word of it is late, and not counted; None: never."""
        return self.over_ms(policy)

    def admitted(self, before: Self | None, watermark_ms: int, policy: Policy) -> Self | None:
        """Return the state after a step without what came too late to be judged.

        Args:
            before: what was known before the step.
            watermark_ms: event time that every source has reached.
            policy: says what is over.

        Returns:
            What is kept; None when nothing is.
        """
        late_ms = None if before is not None else self.late_ms(policy)
        return None if late_ms is not None and late_ms <= watermark_ms else self

    def left(self, watermark_ms: int, policy: Policy) -> Self | None:
        """Return what is left of a state that was judged, itself when nothing of it is over; None: it may be forgotten."""
        over_ms = self.over_ms(policy)
        return None if over_ms is not None and over_ms <= watermark_ms else self


def reference_of(*parts: str) -> str:
    """Return 32 hex digits that stand for identifiers which must not be shown."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def label_of(subject: str) -> str:
    """Return a subject as metrics name it: references, of which there may be any number, are `other`; the legal year of an export ledger is left out."""
    return OTHER if subject.startswith("sha256:") else subject.partition("/")[0]


__all__ = ["Conclusion", "Entry", "Judged", "Judgement", "State", "label_of", "reference_of"]
