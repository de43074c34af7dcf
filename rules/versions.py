"""The policy's versions: each counts from its effective time on, and an event is judged by the one of its own time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from hegui.rules.engine import Engine


def effective_ms(engine: Engine) -> int:
    """Return from when an engine's policy counts, epoch milliseconds; 0 when the policy does not say."""
    moment = engine.snapshot.policy.effective_from
    return 0 if moment is None else round(moment.timestamp() * 1000)


class Versions:
    """Engines by the time from which their policies count. The first also counts for all earlier events."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        self.engines = tuple(sorted(engines, key=effective_ms))
        self._starts = [effective_ms(engine) for engine in self.engines]

    def at(self, at_ms: int) -> tuple[Engine, int, int]:
        """Return the engine for events of `at_ms` (epoch milliseconds), and from and to when it is the one."""
        number = max(0, bisect_right(self._starts, at_ms) - 1)
        start_ms = self._starts[number] if number else -(2**63)
        end_ms = self._starts[number + 1] if number + 1 < len(self._starts) else 2**63
        return self.engines[number], start_ms, end_ms

    def refreshed(self) -> Versions:
        """Return the same versions over the present readiness of the facts: self when nothing changed."""
        if all(engine.is_current() for engine in self.engines):
            return self
        return Versions([Engine(e.rules, e.snapshot, identities_watched=e.identities_watched) for e in self.engines])
