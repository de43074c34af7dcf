"""The source ledger: of the records of a source that were looked at, how many were illegal. TC260-003 5.1 a); GB/T 45654-2025.

Before collection a source is assessed by a sample; after it every record that was checked counts. A source that failed stays
condemned until a later assessment passes: records taken from it against the rule must not dilute it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from hegui.rules.blocks import Marks, Place, counted, totals
from hegui.rules.core import Outcome
from hegui.rules.fact_tables import CondemnedSource
from hegui.rules.ledgers.form import Conclusion, Entry, Judged, Judgement, State
from hegui.rules.policy import Policy
from hegui.rules.registry import OTHER


def over_five_percent(sampled: int, illegal: int) -> bool:
    """Tell whether strictly more than 5 % (超过5%) of a sample is illegal."""
    return illegal * 20 > sampled


class SourceSum(Entry, frozen=True, tag="source"):
    """What a block showed of one source so far."""

    source: str
    """Reference of the source."""
    last_ms: int
    """Greatest event time, epoch milliseconds."""
    sampled: int = 0
    """Records that were checked."""
    illegal: int = 0
    """Those of them that hold unlawful or harmful content."""
    assessed_at_ms: int = 0
    """When the source was last assessed before collection; 0: no event said so."""
    assessed: int = 0
    """Records of that assessment."""
    assessed_illegal: int = 0
    """Those of them that were illegal."""

    @property
    def place(self) -> str:
        """The source."""
        return f"{self.tenant}|{self.source}"

    @property
    def name(self) -> str:
        """Nothing more: one state for a source."""
        return ""

    def merged(self, later: Self) -> Self:
        """Return the sum of both."""
        newest = max(self, later, key=_assessment)
        return msgspec.structs.replace(
            newest,
            last_ms=max(self.last_ms, later.last_ms),
            sampled=self.sampled + later.sampled,
            illegal=self.illegal + later.illegal,
        )

    def begin(self) -> SourceState:
        """Return the empty state."""
        return SourceState(tenant=self.tenant, source=self.source)


def _assessment(one: SourceSum | SourceState) -> tuple[int, int, int]:
    # Of two assessments of one moment the worse counts, so that the order in which they arrive does not matter.
    return (one.assessed_at_ms, one.assessed_illegal, -one.assessed)


class SourceLedger(Judged, frozen=True):
    """What the rules see of one source."""

    source: str
    """Reference of the source."""
    sampled: int = 0
    """Records checked after collection, since it was last cleared."""
    illegal: int = 0
    """Those of them that were illegal."""
    assessed: int = 0
    """Records of the latest assessment before collection; 0: none is known."""
    assessed_illegal: int = 0
    """Those of them that were illegal."""
    assessed_at_ms: int = 0
    """When that assessment was made."""
    condemned_by_ms: int | None = None
    """When what condemned it was found; None: it is not condemned. A later assessment can clear it."""


class SourceState(State[SourceSum], frozen=True, tag="source"):
    """What is kept of one source."""

    source: str
    """Reference of the source."""
    last_ms: int = 0
    """Event time of the latest change, epoch milliseconds."""
    marks: Marks = msgspec.field(default_factory=dict)
    """Source partition to what was counted of it."""
    cleared: dict[str, int] = msgspec.field(default_factory=dict)
    """Counts up to when it was last cleared."""
    assessed_at_ms: int = 0
    """When the latest assessment was made; 0: none is known."""
    assessed: int = 0
    """Records of that assessment."""
    assessed_illegal: int = 0
    """Those of them that were illegal."""
    condemned_at_ms: int | None = None
    """From when it is condemned."""
    condemned_by_ms: int | None = None
    """When what condemned it was found: the assessment, else the record. A later assessment can clear it."""
    episode: int = 0
    """Counts the times it was condemned."""

    @property
    def subject(self) -> str:
        """The source's reference."""
        return self.source

    def step(self, place: Place, entry: SourceSum) -> SourceState:
        """Count a block's sum in."""
        changes: dict[str, Any] = {}
        # Corrections may bring the counts of a block back to nothing, or below.
        if entry.sampled or entry.illegal or place.source in self.marks:
            marks = counted(self.marks, place, {"sampled": entry.sampled, "illegal": entry.illegal})
            if marks is not None and marks != self.marks:
                changes["marks"] = marks
        if _assessment(entry) > _assessment(self):
            for field in ("assessed_at_ms", "assessed", "assessed_illegal"):
                changes[field] = getattr(entry, field)
        if not changes:
            return self
        return msgspec.structs.replace(self, last_ms=max(self.last_ms, entry.last_ms), **changes)

    def judgement(self, watermark_ms: int, policy: Policy) -> Judgement:
        """Return the ledger as of its last record."""
        del watermark_ms, policy
        total = totals(self.marks)
        return Judgement(
            SourceLedger(
                self.tenant,
                OTHER,
                self.source,
                total.get("sampled", 0) - self.cleared.get("sampled", 0),
                max(0, total.get("illegal", 0) - self.cleared.get("illegal", 0)),
                self.assessed,
                self.assessed_illegal,
                self.assessed_at_ms,
                self.condemned_by_ms,
            ),
            self.last_ms,
        )

    def conclude(self, outcomes: Mapping[str, Outcome], at_ms: int, policy: Policy) -> Conclusion:
        """Condemn the source when a rule fails, and clear it when none does any more."""
        fails = Outcome.FAIL in outcomes.values()
        if fails and self.condemned_at_ms is None:
            bad = self.assessed >= policy.source_min_sample and over_five_percent(self.assessed, self.assessed_illegal)
            by_ms = self.assessed_at_ms if bad else at_ms
            state = msgspec.structs.replace(
                self, condemned_at_ms=at_ms, condemned_by_ms=by_ms, episode=self.episode + 1
            )
            return Conclusion(state, (CondemnedSource(self.tenant, self.source, at_ms, None, state.episode),))
        undecided = Outcome.ERROR in outcomes.values() or not outcomes
        if self.condemned_at_ms is not None and not fails and not undecided:
            since, until = self.condemned_at_ms, max(self.assessed_at_ms, self.condemned_at_ms)
            fact = CondemnedSource(self.tenant, self.source, since, until, self.episode)
            state = msgspec.structs.replace(
                self, condemned_at_ms=None, condemned_by_ms=None, cleared=totals(self.marks)
            )
            return Conclusion(state, (fact,))
        return Conclusion(self)

    def standing(self) -> tuple[CondemnedSource, ...]:
        """Return that it is condemned, if it is."""
        if self.condemned_at_ms is None:
            return ()
        return (CondemnedSource(self.tenant, self.source, self.condemned_at_ms, None, self.episode),)
