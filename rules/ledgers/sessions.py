"""The session clock: how long a user goes on using a companion service without a reminder. Anthropomorphic Measures art. 18.

A session's outputs are merged into stretches of use; a longer pause ends a stretch. The clock starts with a stretch and starts
again with each reminder. Stretches and reminders are sets, so that late and repeated events change nothing but what they add.
Use that has ended is judged once more with its end, and then forgotten, so that a session that comes back is judged by its new use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Self

import msgspec

from hegui.rules.blocks import Place
from hegui.rules.ledgers.form import Entry, Judged, Judgement, State
from hegui.rules.policy import Policy

TWO_HOURS_MS = 7_200_000
"""After so long a time of use the user must be reminded. Art. 18."""

Stretch = tuple[int, int]
"""First and last output of uninterrupted use, epoch milliseconds."""

PAUSE_MS = 60_000
"""Outputs that lie no further apart are always one stretch: few stretches stand for many outputs."""


def joined(stretches: Iterable[Stretch], pause_ms: int) -> tuple[Stretch, ...]:
    """Return stretches in order; those no further apart than the pause are one."""
    made: list[Stretch] = []
    for first, last in sorted(stretches):
        if made and first - made[-1][1] <= pause_ms:
            made[-1] = (made[-1][0], max(made[-1][1], last))
        else:
            made.append((first, last))
    return tuple(made)


def _of_session(session: str, stretches: tuple[Stretch, ...]) -> tuple[Stretch, ...]:
    """Return the stretches of a session; of outputs that name none, which never pause, only the last moment."""
    if not session:
        last = max(last for _, last in stretches)
        return ((last, last),)
    return joined(stretches, PAUSE_MS)


class SessionUse(Entry, frozen=True, tag="session"):
    """What a block showed of one session so far."""

    service: str
    """The companion service."""
    session: str
    """Stands for the session; empty: outputs that named none."""
    stretches: tuple[Stretch, ...]
    """When it was used."""
    reminders: tuple[int, ...] = ()
    """When a reminder was shown, epoch milliseconds."""
    told: bool = False
    """Whether events said whether a reminder was shown."""

    @property
    def place(self) -> str:
        """The service."""
        return f"{self.tenant}|{self.service}"

    @property
    def name(self) -> str:
        """The session."""
        return self.session

    def merged(self, later: Self) -> Self:
        """Return both together."""
        reminders = tuple(sorted({*self.reminders, *later.reminders}))
        return msgspec.structs.replace(
            self,
            stretches=_of_session(self.session, (*self.stretches, *later.stretches)),
            reminders=reminders,
            told=self.told or later.told,
        )

    def begin(self) -> SessionState:
        """Return the empty state."""
        return SessionState(tenant=self.tenant, service=self.service, session=self.session)


class SessionClock(Judged, frozen=True):
    """What the rules see of a session in use."""

    unreminded_ms: int
    """The longest time that it has been used without a reminder, milliseconds."""
    named: bool
    """Whether events name sessions."""
    told: bool
    """Whether events say whether a reminder was shown."""


class SessionState(State[SessionUse], frozen=True, tag="session"):
    """What is kept of one session: its stretches of use, and its reminders."""

    service: str
    """The service, as in the policy, else `other`."""
    session: str
    """Stands for the session; empty: outputs that named none."""
    stretches: tuple[Stretch, ...] = ()
    """When it was used, in order, no two within `PAUSE_MS`."""
    reminders: tuple[int, ...] = ()
    """When a reminder was shown, in order."""
    told: bool = False
    """Whether events said whether a reminder was shown."""

    @property
    def subject(self) -> str:
        """The service."""
        return self.service

    def step(self, place: Place, entry: SessionUse) -> SessionState:
        """Take stretches and reminders in."""
        del place
        reminders = tuple(sorted({*self.reminders, *entry.reminders}))
        stretches = _of_session(self.session, (*self.stretches, *entry.stretches))
        told = self.told or entry.told
        if (stretches, reminders, told) == (self.stretches, self.reminders, self.told):
            return self
        return msgspec.structs.replace(self, stretches=stretches, reminders=reminders, told=told)

    def _uses(self, policy: Policy) -> list[tuple[int, int]]:
        """Return each time the clock ran: from when, and to which use."""
        found: list[tuple[int, int]] = []
        for first, last in joined(self.stretches, policy.session_pause_minutes * 60_000):
            starts = [first, *(at_ms for at_ms in self.reminders if first < at_ms <= last)]
            found += [(since, self._last_use_before(until)) for since, until in pairwise(starts)]
            found.append((starts[-1], last))
        return found

    def _last_use_before(self, reminder_ms: int) -> int:
        """Return the last use before a reminder: outputs of one stretch lie at most `PAUSE_MS` apart, which one came with it is not known."""
        first, last = max(stretch for stretch in self.stretches if stretch[0] < reminder_ms)
        return last if last < reminder_ms else max(first, reminder_ms - PAUSE_MS)

    def _last_use_up_to(self, at_ms: int) -> int:
        """Return the last use up to a time; 0 when there is none."""
        return max((min(last, at_ms) for first, last in self.stretches if first <= at_ms), default=0)

    def _first_use_from(self, at_ms: int) -> int:
        """Return the first use from a time on, which is no later than the last use."""
        return min(max(first, at_ms) for first, last in self.stretches if last >= at_ms)

    def judgement(self, watermark_ms: int, policy: Policy) -> Judgement | None:
        """Return the longest time without a reminder, as far as every source has come.

        Less `PAUSE_MS`, since a reminder may follow so soon that it counts for the output before it: told one by one or all at
        once, outputs come to the same.
        """
        used_ms = self._last_use_up_to(watermark_ms - PAUSE_MS)
        past = [(since, max(since, min(last, used_ms))) for since, last in self._uses(policy) if since <= watermark_ms]
        if not past:
            return None
        longest = max(last - since for since, last in past)
        clock = SessionClock(self.tenant, self.service, longest, bool(self.session), self.told)
        return Judgement(clock, max(last for _, last in past))

    def may_lack(self, lost_ms: int, policy: Policy) -> bool:
        """Tell whether the first use that is known may go on from one that is not."""
        return self.stretches[0][0] <= lost_ms + policy.session_pause_minutes * 60_000

    def _ends_ms(self, use: Stretch, policy: Policy) -> int:
        """Return when continuous use has ended: the pause after its last output has lasted long enough."""
        return use[1] + policy.session_pause_minutes * 60_000 + 1

    def wake_ms(self, watermark_ms: int, policy: Policy) -> int | None:
        """Return when use that is known already and lies ahead of a source begins, has lasted two hours, or ends."""
        uses = self._uses(policy)
        over = [since + TWO_HOURS_MS + 1 for since, last in uses if last > since + TWO_HOURS_MS]
        due = [self._first_use_from(at_ms) + PAUSE_MS for at_ms in over]
        due += [uses[0][0]]
        due += [self._ends_ms(use, policy) for use in joined(self.stretches, policy.session_pause_minutes * 60_000)]
        return min((at_ms for at_ms in due if at_ms > watermark_ms), default=None)

    def over_ms(self, policy: Policy) -> int:
        """Return when the pause after the last output has lasted long enough to end the session."""
        return self._ends_ms(self.stretches[-1], policy)

    def admitted(self, before: Self | None, watermark_ms: int, policy: Policy) -> Self | None:
        """Return the session without use that had ended already when it was told: it was judged, or came too late."""
        known = () if before is None else before.stretches
        return self._of(
            policy,
            lambda use: self._ends_ms(use, policy) > watermark_ms or any(use[0] <= at <= use[1] for at, _ in known),
        )

    def left(self, watermark_ms: int, policy: Policy) -> Self | None:
        """Return the session without use that has ended."""
        return self._of(policy, lambda use: self._ends_ms(use, policy) > watermark_ms)

    def _of(self, policy: Policy, kept: Callable[[Stretch], bool]) -> Self | None:
        """Return the session with the continuous use that is kept, None without any."""
        uses = joined(self.stretches, policy.session_pause_minutes * 60_000)
        held = [use for use in uses if kept(use)]
        if len(held) == len(uses):
            return self
        if not held:
            return None
        return msgspec.structs.replace(
            self,
            stretches=tuple(one for one in self.stretches if any(use[0] <= one[0] <= use[1] for use in held)),
            reminders=tuple(at for at in self.reminders if any(use[0] <= at <= use[1] for use in held)),
        )
