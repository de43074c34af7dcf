"""The label index: which content a number stands for, and which content carried a label. GB 45438-2025 Annex E; Labelling Measures art. 10.

Kept for the services that the policy names (`label_index`), for `label_index_days`. Both are sets, so that late and repeated
events change nothing but what they add. Holds references of numbers and contents, never the label itself.
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

MAX_CONTENTS = 2
"""Contents of one number that are kept: one too many."""


def _place(tenant: str) -> str:
    """All services of a tenant share an index: a number or a content may turn up at another one."""
    return f"{tenant}|labels"


class ProduceIdUse(Entry, frozen=True, tag="produce_id"):
    """A number that a label gives to a content."""

    service: str
    """The service whose output carried it."""
    produce_id: str
    """Stands for producer and number."""
    contents: tuple[tuple[str, int], ...]
    """What stands for the content, and when it was seen, epoch milliseconds; at most `MAX_CONTENTS`, the first of each."""
    last_ms: int
    """When an output last carried it, epoch milliseconds."""

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
        last_ms = max(self.last_ms, later.last_ms)
        return msgspec.structs.replace(self, contents=_contents(*self.contents, *later.contents), last_ms=last_ms)

    def begin(self) -> ProduceIdState:
        """Return the empty state."""
        return ProduceIdState(tenant=self.tenant, service=self.service, produce_id=self.produce_id)


def _contents(*told: tuple[str, int]) -> tuple[tuple[str, int], ...]:
    first: dict[str, int] = {}
    for content, at_ms in told:
        first[content] = min(at_ms, first.get(content, at_ms))
    return tuple(sorted(first.items(), key=lambda one: (one[1], one[0]))[:MAX_CONTENTS])


class ProduceIdLedger(Judged, frozen=True):
    """What the rules see of a number."""

    contents: int
    """Different contents that carried it, two at most."""
    last_ms: int
    """When an output last carried it, epoch milliseconds."""


class ProduceIdState(State[ProduceIdUse], frozen=True, tag="produce_id"):
    """What is kept of a number."""

    service: str
    """The service, as in the policy, else `other`."""
    produce_id: str
    """Stands for producer and number."""
    contents: tuple[tuple[str, int], ...] = ()
    """What stands for its contents, and when each was first seen."""
    last_ms: int = 0
    """When an output last carried it."""

    @property
    def subject(self) -> str:
        """The service that used it first."""
        return self.service

    def step(self, place: Place, entry: ProduceIdUse) -> ProduceIdState:
        """Take contents in."""
        del place
        contents = _contents(*self.contents, *entry.contents)
        last_ms = max(self.last_ms, entry.last_ms)
        if (contents, last_ms) == (self.contents, self.last_ms):
            return self
        return msgspec.structs.replace(self, contents=contents, last_ms=last_ms)

    def judgement(self, watermark_ms: int, policy: Policy) -> Judgement | None:
        """Return the number's contents; None when there is one, as nearly always."""
        del policy
        if len(self.contents) == 1:
            return None
        ledger = ProduceIdLedger(self.tenant, self.service, len(self.contents), self.last_ms)
        return Judgement(ledger, max(watermark_ms, self.last_ms))

    def wake_ms(self, watermark_ms: int, policy: Policy) -> int | None:
        """Return when its fault is shown no longer."""
        del policy
        shown_to_ms = self.last_ms + SHOWN_MS + 1
        return shown_to_ms if len(self.contents) > 1 and shown_to_ms > watermark_ms else None

    def over_ms(self, policy: Policy) -> int:
        """Return when it is older than the index reaches."""
        return self.last_ms + policy.label_index_days * DAY_MS


class ContentLabelUse(Entry, frozen=True, tag="content_label"):
    """What events said of the label of one content."""

    content: str
    """Stands for the content."""
    labelled_ms: int | None = None
    """When it was first seen with a label, epoch milliseconds."""
    lost: tuple[tuple[str, int], ...] = ()
    """Service that sent it on without, and when last."""

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


def _lost(*told: tuple[str, int]) -> tuple[tuple[str, int], ...]:
    last: dict[str, int] = {}
    for service, at_ms in told:
        last[service] = max(at_ms, last.get(service, at_ms))
    return tuple(sorted(last.items(), key=lambda one: (one[1], one[0])))


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
    lost: tuple[tuple[str, int], ...] = ()
    """Service that sent it on without, and when last."""

    @property
    def subject(self) -> str:
        """The service that sent it on without a label, the last one of several; while there is none, nobody."""
        return self.lost[-1][0] if self.lost else ""

    def step(self, place: Place, entry: ContentLabelUse) -> ContentLabelState:
        """Take in what was said."""
        del place
        labelled_ms, lost = _first(self.labelled_ms, entry.labelled_ms), _lost(*self.lost, *entry.lost)
        if (labelled_ms, lost) == (self.labelled_ms, self.lost):
            return self
        return msgspec.structs.replace(self, labelled_ms=labelled_ms, lost=lost)

    def _faulty(self) -> bool:
        return self.labelled_ms is not None and bool(self.lost)

    def judgement(self, watermark_ms: int, policy: Policy) -> Judgement | None:
        """Return the content when it was known with a label and sent on without, in whichever order the two were told."""
        del policy
        if not self._faulty():
            return None
        service, lost_ms = self.lost[-1]
        return Judgement(ContentLabelLedger(self.tenant, service, lost_ms), max(watermark_ms, lost_ms))

    def wake_ms(self, watermark_ms: int, policy: Policy) -> int | None:
        """Return when its fault is shown no longer."""
        del policy
        if not self._faulty():
            return None
        shown_to_ms = self.lost[-1][1] + SHOWN_MS + 1
        return shown_to_ms if shown_to_ms > watermark_ms else None

    def over_ms(self, policy: Policy) -> int:
        """Return when it is older than the index reaches."""
        last = max(self.labelled_ms or 0, *(at_ms for _, at_ms in self.lost), 0)
        return last + policy.label_index_days * DAY_MS
