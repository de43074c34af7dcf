"""Tells an issue what was seen, one sum after the other, and keeps what it reported."""

from dataclasses import dataclass, field
from typing import Any

from hegui.rules.issues import Issue, Report, Timing, advance, observe
from hegui.rules.observations import BLOCK_OFFSETS, Observation, Sum

TIMING = Timing(quiet_ms=1_000, update_ms=100)


@dataclass
class Story:
    """Tells an issue one sum after the other; by default each is a block of its own and time does not pass."""

    issue: Issue | None = None
    reports: list[Report] = field(default_factory=list)
    block: int = 0
    watermark_ms: int = 0
    at_ms: int = 0

    def tell(self, *, block: int | None = None, upto: int = 1, partition: int = 0, **sum_: Any) -> list[str]:
        self.block = self.block + 1 if block is None else block
        self.watermark_ms = sum_.pop("watermark_ms", self.watermark_ms)
        self.at_ms = sum_.pop("at_ms", self.at_ms)
        start = self.block * BLOCK_OFFSETS
        observation = Observation("t", partition, self.block, start, start + upto, self.watermark_ms)
        told = Sum("default", "LBL001", "svc", **sum_)
        self.issue, made = observe(
            self.issue, observation, told, watermark_ms=self.watermark_ms, at_ms=self.at_ms, timing=TIMING
        )
        self.reports += made
        return [report.activity for report in made]

    def wait(self, watermark_ms: int, at_ms: int) -> list[str]:
        assert self.issue is not None
        self.issue, made = advance(self.issue, watermark_ms=watermark_ms, at_ms=at_ms, timing=TIMING)
        self.reports += made
        return [report.activity for report in made]


def fails(event_ms: int, *uids: str, **more: Any) -> dict[str, Any]:
    uids = uids or (f"at-{event_ms}",)
    times = {"first_failure_ms": event_ms, "last_failure_ms": event_ms}
    return {"failures": len(uids), "failed": uids, **times, **more}


def opened(event_ms: int = 100, **more: Any) -> Story:
    story = Story()
    assert story.tell(**fails(event_ms, **more)) == ["create"]
    return story
