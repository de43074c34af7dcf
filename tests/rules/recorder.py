"""A small evaluator for tests: judged events in, observations out, as the contract of `rules.observations` says.

It is the specification in a few lines: sums are cumulative within a block, a sum is told when it changed, and a process that
starts anew begins at the start of a block.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from hegui.rules.observations import Observation, Sum

Kind = Literal["pass", "fail", "waive"]
BLOCK = 4
"""Offsets in a block, few so that tests meet many blocks."""


class Judged(NamedTuple):
    """What a rule said of the event at one offset."""

    kind: Kind
    at_ms: int


@dataclass
class Recorder:
    """One process that reads one source partition from a block start on."""

    partition: int
    events: list[Judged]
    position: int = 0
    told: Sum | None = None
    watermark_ms: int = field(default=0)

    @property
    def block(self) -> int:
        """The block of the last event read; that of the position before any."""
        return max(0, self.position - 1) // BLOCK

    def read(self, count: int) -> Iterable[Observation]:
        """Read so many events; yield the record of each block that ends, and one at the end."""
        for _ in range(min(count, len(self.events) - self.position)):
            if self.position and self.position % BLOCK == 0:
                yield from self._tell()
                self.told = None
            self.position += 1
            self.watermark_ms = max(self.watermark_ms, self.events[self.position - 1].at_ms)
        yield from self._tell()

    def _tell(self) -> Iterable[Observation]:
        start = self.block * BLOCK
        seen = list(enumerate(self.events))[start : self.position]
        failed = [(offset, event) for offset, event in seen if event.kind == "fail"]
        waived = [(offset, event) for offset, event in seen if event.kind == "waive"]
        times = [event.at_ms for _, event in failed + waived]
        total = Sum(
            "default",
            "LBL001",
            "svc",
            failures=len(failed),
            waived=len(waived),
            first_failure_ms=min(times, default=None),
            last_failure_ms=max(times, default=None),
            last_pass_ms=max((event.at_ms for _, event in seen if event.kind == "pass"), default=None),
            failed=tuple(f"{self.partition}-{offset}" for offset, _ in sorted(failed + waived)),
        )
        if seen and total != self.told:
            self.told = total
            yield Observation("t", self.partition, self.block, start, self.position, self.watermark_ms, (total,))
