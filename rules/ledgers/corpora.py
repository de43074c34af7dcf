"""The corpus ledger: how a dataset version fared in sampling, judged once it is released for training. TC260-003 9; GB/T 45654-2025."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import msgspec

from hegui.rules.blocks import Marks, Place, counted, totals
from hegui.rules.ledgers.form import Entry, Judged, Judgement, State
from hegui.rules.policy import Policy

KEPT_MS = 190 * 86_400_000
"""How long a released version is kept after its last record: as long as results are kept."""

COUNTS = ("records", "human", "human_passed", "technical", "technical_passed")
"""What is counted of a dataset version."""


class CorpusSum(Entry, frozen=True, tag="corpus"):
    """What a block showed of one dataset version so far."""

    service: str
    """The pipeline."""
    dataset: str
    """Stands for dataset and version; empty: records that named none."""
    last_ms: int
    """Greatest event time, epoch milliseconds."""
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    """Of `COUNTS`, each how many."""
    released_at_ms: int | None = None
    """When the version was first released for training."""

    @property
    def place(self) -> str:
        """The pipeline."""
        return f"{self.tenant}|{self.service}"

    @property
    def name(self) -> str:
        """The dataset version."""
        return self.dataset

    def merged(self, later: Self) -> Self:
        """Return the sum of both."""
        return msgspec.structs.replace(
            self,
            last_ms=max(self.last_ms, later.last_ms),
            counts=summed(self.counts, later.counts),
            released_at_ms=_earlier(self.released_at_ms, later.released_at_ms),
        )

    def begin(self) -> CorpusState:
        """Return the empty state."""
        return CorpusState(tenant=self.tenant, service=self.service, dataset=self.dataset)


def summed(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    """Return the sums of two sets of counts, without those that are 0."""
    return {name: n for name in COUNTS if (n := first.get(name, 0) + second.get(name, 0))}


def _earlier(first: int | None, second: int | None) -> int | None:
    known = [at_ms for at_ms in (first, second) if at_ms is not None]
    return min(known, default=None)


class CorpusLedger(Judged, frozen=True):
    """What the rules see of a released dataset version."""

    records: int
    """Records taken in."""
    human: int
    """Records sampled by persons."""
    human_passed: int
    """Those of them that passed."""
    technical: int
    """Records sampled by keywords and classifiers."""
    technical_passed: int
    """Those of them that passed."""


class CorpusState(State[CorpusSum], frozen=True, tag="corpus"):
    """What is kept of one dataset version."""

    service: str
    """The service, as in the policy, else `other`."""
    dataset: str
    """Stands for dataset and version; empty: records that named none."""
    last_ms: int = 0
    """Event time of the latest change, epoch milliseconds."""
    marks: Marks = msgspec.field(default_factory=dict)
    """Source partition to what was counted of it."""
    sampled: dict[str, int] = msgspec.field(default_factory=dict)
    """Samples by record, each once (`ledgers.samples`), as the keeper counted them; `marks` may hold samples that were told by number."""
    released_at_ms: int | None = None
    """When it was first released for training."""

    @property
    def subject(self) -> str:
        """The dataset version's reference: one bad version must not hide the next."""
        return f"sha256:{self.dataset}"

    def step(self, place: Place, entry: CorpusSum) -> CorpusState:
        """Count a block's sum in."""
        marks = counted(self.marks, place, entry.counts) if entry.counts else None
        released = _earlier(self.released_at_ms, entry.released_at_ms)
        if (marks is None or marks == self.marks) and released == self.released_at_ms:
            return self
        return msgspec.structs.replace(
            self,
            last_ms=max(self.last_ms, entry.last_ms),
            marks=self.marks if marks is None else marks,
            released_at_ms=released,
        )

    def counts(self) -> dict[str, int]:
        """Return the counts, all of them."""
        total = summed(totals(self.marks), self.sampled)
        return {name: total.get(name, 0) for name in COUNTS}

    def judgement(self, watermark_ms: int, policy: Policy) -> Judgement | None:
        """Return the ledger once every source has passed the release: what was taken in before it is counted then. None when it is over."""
        over_ms = self.over_ms(policy)
        if self.released_at_ms is None or watermark_ms < self.released_at_ms or watermark_ms >= (over_ms or 0):
            return None
        return Judgement(CorpusLedger(self.tenant, self.service, **self.counts()), self.released_at_ms)

    def over_ms(self, policy: Policy) -> int | None:
        """Return when a version that was released is forgotten, and its issue closes whatever it was."""
        del policy
        return None if self.released_at_ms is None else max(self.released_at_ms, self.last_ms) + KEPT_MS

    def late_ms(self, policy: Policy) -> None:
        """Records of a version are never late."""
        del policy

    def wake_ms(self, watermark_ms: int, policy: Policy) -> int | None:
        """Return the time of the release, if it is still to come."""
        del policy
        released = self.released_at_ms
        return released if released is not None and released > watermark_ms else None
