"""The label index: which content a number stands for, and which content carried a label. GB 45438-2025 Annex E; Labelling Measures art. 10.

Kept for the services that the policy names (`label_index`), for `label_index_days`. Both are sets of events by their highest
revision, so that late and repeated events change nothing but what they add, and a correction takes back what it corrects. Holds references of numbers and contents, never the label itself.
"""

from __future__ import annotations

from typing import Self

import msgspec

from hegui.rules.blocks import Place
from hegui.rules.ledgers.form import Entry, Judged, Judgement, State
from hegui.rules.policy import Policy

DAY_MS = 86_400_000
SHOWN_MS = DAY_MS
"""How long a fault counts after the event that showed it: long enough to be seen, and then its issue can close."""

MAX_CONTENTS = 4
"""Contents of one number that are kept: one is right, and a revision can take others back."""
MAX_EVENTS = 4
"""Events of one number and content, and of one content sent on, that are kept, the first and the last ones: a revision of another counts as an event of its own."""


class NumberUse(msgspec.Struct, frozen=True, array_like=True, order=True):
    """That an output carried a number."""

    at_ms: int
    """When, epoch milliseconds."""
    content: str
    """What stands for the content."""
    event: str
    """Stands for the event's identity."""
    revision: int = 0
    """Revision of the event: the highest counts."""


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """That a service sent a content on."""

    service: str
    """The service."""
    at_ms: int
    """When, epoch milliseconds."""
    event: str = ""
    """Stands for the event's identity; empty: not known, from an older version."""
    revision: int = 0
    """Revision of the event: the highest counts."""
    labelled: bool = False
    """Whether it carried a label after all: then a lower revision that said otherwise counts no more."""


def _place(tenant: str) -> str:
    """All services of a tenant share an index: a number or a content may turn up at another one."""
    return f"{tenant}|labels"


class ProduceIdUse(Entry, frozen=True, tag="produce_id"):
    """A number that a label gives to a content."""

    service: str
    """The service whose output carried it."""
    produce_id: str
    """Stands for producer and number."""
    last_ms: int
    """When an output last carried it, epoch milliseconds."""
    uses: tuple[NumberUse, ...] = ()
    """Which events gave it to which contents (`MAX_CONTENTS`, `MAX_EVENTS`)."""
    contents: tuple[tuple[str, int], ...] = ()
    """What older versions tell: contents and when each was first seen, without their events."""

    @property
    def place(self) -> str:
        """The tenant."""
        return _place(self.tenant)

    @property
    def name(self) -> str:
        """The number."""
        return self.produce_id

    def merged(self, later: Self) -> Self:
        """Return both together."""
        return msgspec.structs.replace(
            self,
            uses=_uses(*self.uses, *later.uses),
            contents=_contents(*self.contents, *later.contents),
            last_ms=max(self.last_ms, later.last_ms),
        )

    def begin(self) -> ProduceIdState:
        """Return the empty state."""
        return ProduceIdState(tenant=self.tenant, service=self.service, produce_id=self.produce_id)


def _contents(*told: tuple[str, int]) -> tuple[tuple[str, int], ...]:
    first: dict[str, int] = {}
    for content, at_ms in told:
        first[content] = min(at_ms, first.get(content, at_ms))
    return tuple(sorted(first.items(), key=lambda one: (one[1], one[0]))[:MAX_CONTENTS])


def _uses(*told: NumberUse) -> tuple[NumberUse, ...]:
    """Return uses in order: the highest revision of each event; of one revision, the first."""
    events: dict[str, NumberUse] = {}
    for one in told:
        known = events.get(one.event)
        if known is None or (-one.revision, one) < (-known.revision, known):
            events[one.event] = one
    kept: dict[str, list[NumberUse]] = {}
    for one in sorted(events.values()):
        of_content = kept.setdefault(one.content, []) if len(kept) < MAX_CONTENTS else kept.get(one.content)
        if of_content is not None and len(of_content) < MAX_EVENTS:
            of_content.append(one)
    return tuple(sorted(one for of_content in kept.values() for one in of_content))


class ProduceIdLedger(Judged, frozen=True):
    """What the rules see of a number."""

    contents: int
    """Different contents that carried it, `MAX_CONTENTS` at most."""
    last_ms: int
    """When an output last carried it, epoch milliseconds."""


class ProduceIdState(State[ProduceIdUse], frozen=True, tag="produce_id"):
    """What is kept of a number."""

    service: str
    """The service, as in the policy, else `other`."""
    produce_id: str
    """Stands for producer and number."""
    uses: tuple[NumberUse, ...] = ()
    """Which events gave it to which contents."""
    contents: tuple[tuple[str, int], ...] = ()
    """What older versions told: contents and when each was first seen, without their events."""
    last_ms: int = 0
    """When an output last carried it."""

    @property
    def subject(self) -> str:
        """The service that used it first."""
        return self.service

    def step(self, place: Place, entry: ProduceIdUse) -> ProduceIdState:
        """Take uses in."""
        del place
        uses, contents = _uses(*self.uses, *entry.uses), _contents(*self.contents, *entry.contents)
        last_ms = max(self.last_ms, entry.last_ms)
        if (uses, contents, last_ms) == (self.uses, self.contents, self.last_ms):
            return self
        return msgspec.structs.replace(self, uses=uses, contents=contents, last_ms=last_ms)

    def _distinct(self) -> int:
        return len({*(one.content for one in self.uses), *(content for content, _ in self.contents)})

    def judgement(self, watermark_ms: int, policy: Policy) -> Judgement | None:
        """Return the number's contents; None when there is one, as nearly always."""
        del policy
        if (contents := self._distinct()) == 1:
            return None
        ledger = ProduceIdLedger(self.tenant, self.service, contents, self.last_ms)
        return Judgement(ledger, max(watermark_ms, self.last_ms))

    def may_lack(self, lost_ms: int, policy: Policy) -> bool:
        """Return that it does not: what is missing shows as no fault at all, and a fault that was shown ends by time."""
        del lost_ms, policy
        return False

    def wake_ms(self, watermark_ms: int, policy: Policy) -> int | None:
        """Return when its fault is shown no longer."""
        del policy
        shown_to_ms = self.last_ms + SHOWN_MS + 1
        return shown_to_ms if self._distinct() > 1 and shown_to_ms > watermark_ms else None

    def over_ms(self, policy: Policy) -> int:
        """Return when it is older than the index reaches."""
        return self.last_ms + policy.label_index_days * DAY_MS


class ContentLabelUse(Entry, frozen=True, tag="content_label"):
    """What events said of the label of one content."""

    content: str
    """Stands for the content."""
    labelled_ms: int | None = None
    """When it was first seen with a label, epoch milliseconds."""
    lost: tuple[Sent, ...] = ()
    """Who sent it on without, the latest ones; of an event that was corrected, that it had a label after all."""

    @property
    def place(self) -> str:
        """The tenant."""
        return _place(self.tenant)

    @property
    def name(self) -> str:
        """The content."""
        return self.content

    def merged(self, later: Self) -> Self:
        """Return both together."""
        return msgspec.structs.replace(
            self, labelled_ms=_first(self.labelled_ms, later.labelled_ms), lost=_lost(*self.lost, *later.lost)
        )

    def begin(self) -> ContentLabelState:
        """Return the empty state."""
        return ContentLabelState(tenant=self.tenant, content=self.content)


def _first(one: int | None, other: int | None) -> int | None:
    return min((at_ms for at_ms in (one, other) if at_ms is not None), default=None)


def _lost(*told: Sent) -> tuple[Sent, ...]:
    """Return the latest, in order: the highest revision of each event; of one revision, that without a label."""
    events: dict[str, Sent] = {}
    for one in told:
        # Older versions told no events: then the last of each service.
        name = one.event or f"of {one.service}"
        known = events.get(name)
        if known is None or _sent(one) > _sent(known):
            events[name] = one
    return tuple(sorted(events.values(), key=lambda one: (one.at_ms, one.service, one.event))[-MAX_EVENTS:])


def _sent(one: Sent) -> tuple[int, bool, int, str]:
    return (one.revision, not one.labelled, one.at_ms, one.service)


class ContentLabelLedger(Judged, frozen=True):
    """What the rules see of a content that was known with a label and sent on without."""

    lost_ms: int
    """When it was last sent on without, epoch milliseconds."""


class ContentLabelState(State[ContentLabelUse], frozen=True, tag="content_label"):
    """What is kept of a content."""

    content: str
    """Stands for the content."""
    labelled_ms: int | None = None
    """When it was first seen with a label."""
    lost: tuple[Sent, ...] = ()
    """Who sent it on without, the latest ones; of an event that was corrected, that it had a label after all."""

    @property
    def subject(self) -> str:
        """The service that sent it on without a label, the last one of several; while there is none, nobody."""
        lost = self._without()
        return lost[-1].service if lost else ""

    def _without(self) -> list[Sent]:
        return [one for one in self.lost if not one.labelled]

    def step(self, place: Place, entry: ContentLabelUse) -> ContentLabelState:
        """Take in what was said."""
        del place
        labelled_ms, lost = _first(self.labelled_ms, entry.labelled_ms), _lost(*self.lost, *entry.lost)
        if (labelled_ms, lost) == (self.labelled_ms, self.lost):
            return self
        return msgspec.structs.replace(self, labelled_ms=labelled_ms, lost=lost)

    def _faulty(self) -> bool:
        return self.labelled_ms is not None and bool(self._without())

    def judgement(self, watermark_ms: int, policy: Policy) -> Judgement | None:
        """Return the content when it was known with a label and sent on without, in whichever order the two were told."""
        del policy
        if not self._faulty():
            return None
        last = self._without()[-1]
        return Judgement(ContentLabelLedger(self.tenant, last.service, last.at_ms), max(watermark_ms, last.at_ms))

    def may_lack(self, lost_ms: int, policy: Policy) -> bool:
        """Return that it does not: what is missing shows as no fault at all, and a fault that was shown ends by time."""
        del lost_ms, policy
        return False

    def wake_ms(self, watermark_ms: int, policy: Policy) -> int | None:
        """Return when its fault is shown no longer."""
        del policy
        if not self._faulty():
            return None
        shown_to_ms = self._without()[-1].at_ms + SHOWN_MS + 1
        return shown_to_ms if shown_to_ms > watermark_ms else None

    def over_ms(self, policy: Policy) -> int:
        """Return when it is older than the index reaches."""
        last = max(self.labelled_ms or 0, *(one.at_ms for one in self.lost), 0)
        return last + policy.label_index_days * DAY_MS
