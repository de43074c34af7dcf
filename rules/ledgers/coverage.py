"""Label coverage: of the outputs that must carry a label, how many do, by service, modality and kind of label.

Counted from what the rules on missing labels say; nothing is judged. Totals never go down and outlive the processes, so that
their rates hold over restarts.
"""

from __future__ import annotations

from typing import Self

import msgspec

from hegui.rules.blocks import Marks, Place, added, counted
from hegui.rules.ledgers.form import Entry, State

COVERAGE_RULES: dict[str, str] = {"LBL001": "explicit", "LBL003": "implicit"}
"""Rule that says whether an output carries a label to the kind of label."""


class CoverageSum(Entry, frozen=True, tag="coverage"):
    """What a block showed of one service, modality and kind of label so far."""

    service: str
    """The service."""
    modality: str
    """Kind of content; `unknown` when events did not say."""
    label: str
    """`explicit` or `implicit`."""
    outputs: dict[str, int]
    """Outcome of the rule (`pass`, `fail`, `waived`, `inconclusive`, `error`) to outputs."""

    @property
    def place(self) -> str:
        """The service."""
        return f"{self.tenant}|{self.service}"

    @property
    def name(self) -> str:
        """Modality and label."""
        return f"{self.modality}|{self.label}"

    def merged(self, later: Self) -> Self:
        """Return the sum of both."""
        return msgspec.structs.replace(self, outputs=added(self.outputs, later.outputs))

    def begin(self) -> CoverageState:
        """Return the empty state."""
        return CoverageState(tenant=self.tenant, service=self.service, modality=self.modality, label=self.label)


class CoverageState(State[CoverageSum], frozen=True, tag="coverage"):
    """What is kept of one service, modality and kind of label."""

    service: str
    """The service, as in the policy, else `other`."""
    modality: str
    """Kind of content."""
    label: str
    """`explicit` or `implicit`."""
    marks: Marks = msgspec.field(default_factory=dict)
    """Source partition to what was counted of it."""

    @property
    def subject(self) -> str:
        """The service."""
        return self.service

    def step(self, place: Place, entry: CoverageSum) -> CoverageState:
        """Count a block's sum in."""
        marks = counted(self.marks, place, entry.outputs)
        return self if marks is None or marks == self.marks else msgspec.structs.replace(self, marks=marks)
