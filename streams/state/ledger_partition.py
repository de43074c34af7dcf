"""One partition of the ledgers: its states, the moments at which they are due, and what rules said of them."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any

from hegui.rules.core import Outcome, Result
from hegui.rules.evidence import EvidenceValue
from hegui.rules.ledgers.form import State
from hegui.rules.observations import Observation
from hegui.streams.state.samples import Samples
from hegui.streams.state.verdicts import IssueOf

MAX_DUE = 200
"""States that one observation looks at because time has passed; the next takes the rest. Their writes must fit Faust's buffer."""


class LedgerPartition:
    """The states of one partition, when to look at them, and what the rules said of them. Not thread-safe."""

    def __init__(self) -> None:
        self.states: dict[bytes, State[Any]] = {}
        self._wakes: list[tuple[int, bytes]] = []
        """Heap of event times at which states must be looked at."""
        self.said: dict[bytes, dict[IssueOf, Outcome]] = {}
        """State to what rules said of it, but for passes."""
        self.counts: dict[IssueOf, Counter[Outcome]] = {}
        """Issue to how many states are what, but for passes."""
        self.holding: dict[IssueOf, set[bytes]] = {}
        """Issue to the states that failed, and cannot be decided now: what is unknown does not close what was known."""
        self.unfinished: dict[bytes, int] = {}
        """State of which portions are left to be forgotten with the next observation to when it was over."""
        self.shown = True
        """Whether the states are in the gauges."""
        self.judge_all = True
        self.lost_ms: int | None = None
        """Up to when observations were lost before they were counted, by event time."""
        self.untold: deque[bytes] = deque()
        """States whose standing facts this process has not told yet."""
        self.samples = Samples()
        self._next: dict[bytes, int] = {}
        self._heard: dict[str, tuple[int, int]] = {}
        """Source partition to the block and the offset that it has come to."""
        self._late: dict[str, tuple[int, set[bytes]]] = {}
        """Source partition to the block of its last late entry, and the states of its late entries."""
        self._shown: dict[IssueOf, Result] = {}
        """Issue to what its rule said of the state that failed last, until that is told."""

    def shows(self, of: tuple[str, str], results: Mapping[str, Result]) -> None:
        """Note what rules show of a state that fails, given as tenant and subject."""
        for rule, result in results.items():
            if result.outcome is Outcome.FAIL:
                self._shown[of[0], rule, of[1]] = result

    def take_shown(self, issue: IssueOf) -> tuple[str, Mapping[str, EvidenceValue]]:
        """Return reason and evidence of the state that failed last, once; nothing when none of those judged now failed."""
        found = self._shown.pop(issue, None)
        return ("", {}) if found is None else (found.reason, found.evidence)

    def wake(self, key: bytes, moments: list[int]) -> None:
        """Note that a state must be looked at at the first of some moments."""
        if not moments:
            return
        at_ms, known = min(moments), self._next.get(key)
        # One entry a state: when it is woken too early, because its moment was put off, it is noted again.
        if known is None or at_ms < known:
            self._next[key] = at_ms
            heapq.heappush(self._wakes, (at_ms, key))

    def due(self, watermark_ms: int) -> Iterator[tuple[int, list[bytes]]]:
        """Yield the moments that have come, in their order, each with the states to look at then, and forget that.

        At most `MAX_DUE` states; what is noted meanwhile counts too.
        """
        left = MAX_DUE
        while left and self._wakes and self._wakes[0][0] <= watermark_ms:
            moment_ms = self._wakes[0][0]
            keys: list[bytes] = []
            while len(keys) < left and self._wakes and self._wakes[0][0] == moment_ms:
                _, key = heapq.heappop(self._wakes)
                if self._next.get(key) == moment_ms:
                    del self._next[key]
                    keys.append(key)
            left -= len(keys)
            yield moment_ms, keys

    def reached(self, at_ms: int) -> int:
        """Return an event time, or the earliest moment before it at which a state is still due."""
        while self._wakes and self._next.get(self._wakes[0][1]) != self._wakes[0][0]:
            heapq.heappop(self._wakes)
        return min(at_ms, self._wakes[0][0]) if self._wakes else at_ms

    def late(self, observation: Observation, key: bytes) -> bool:
        """Tell whether a late entry is the first of its state in its block: blocks repeat what they told, and may be read again."""
        if (observation.block, observation.upto) <= self._heard.get(observation.source, (-1, 0)):
            return False  # read again: it came in time, or was counted
        block, keys = self._late.get(observation.source, (-1, set()))
        if observation.block != block:
            keys = set()
        first = key not in keys
        keys.add(key)
        self._late[observation.source] = (observation.block, keys)
        return first

    def heard(self, observation: Observation) -> None:
        """Note how far a source has come."""
        found = (observation.block, observation.upto)
        self._heard[observation.source] = max(found, self._heard.get(observation.source, found))
