"""What the states of the ledgers show on dashboards: sums over states, since there can be any number of them."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Any

from prometheus_client import Gauge

from hegui.rules.blocks import totals
from hegui.rules.core import Outcome
from hegui.rules.ledgers.corpora import CorpusState
from hegui.rules.ledgers.coverage import CoverageState
from hegui.rules.ledgers.deadlines import CaseState
from hegui.rules.ledgers.form import State, label_of
from hegui.rules.ledgers.sessions import SessionState
from hegui.rules.ledgers.sources import SourceState
from hegui.rules.policy import Policy
from hegui.streams.metrics import StateMetrics, drop

Labels = tuple[str, ...]


class _Least:
    """The least of many moments that come and go."""

    def __init__(self) -> None:
        self._moments: dict[bytes, int] = {}
        self._heap: list[tuple[int, bytes]] = []

    def set(self, key: bytes, at_ms: int | None) -> None:
        """Put a moment in the place of the one under a key; None takes it away."""
        if at_ms is None:
            self._moments.pop(key, None)
        elif self._moments.get(key) != at_ms:
            self._moments[key] = at_ms
            heapq.heappush(self._heap, (at_ms, key))

    def least(self) -> int | None:
        """Return the least, None when there is none."""
        while self._heap and self._moments.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None


class LedgerGauges:
    """Keeps the gauges in step with the states. Not thread-safe."""

    def __init__(self, metrics: StateMetrics) -> None:
        self._metrics = metrics
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self.policy = Policy(version="none")
        """Says when cases are due."""
        self.now_ms = 0
        """Event time that every source has reached: cases that are overdue are told by their issue."""
        self._begun: dict[Labels, _Least] = {}
        """Tenant, service and kind to when the open cases began."""
        self._due: dict[Labels, _Least] = {}
        """The same to when they must be dealt with."""
        self._outputs: dict[Labels, int] = {}
        self._gauges: dict[str, Gauge] = {
            "states": metrics.ledger_states,
            "condemned": metrics.condemned_sources,
            "versions": metrics.corpus_versions,
            "sessions": metrics.sessions,
            "cases": metrics.open_cases,
            "outcomes": metrics.ledger_outcome,
        }

    def clear(self) -> None:
        """Remove every series; `replace` brings back those of states that are there."""
        for (name, labels), n in self._counts.items():
            if n:
                drop(self._gauges[name], labels)
        self._counts.clear()
        for gauge, moments in self._of_cases():
            for labels in moments:
                drop(gauge, labels)
            moments.clear()
        for labels in self._outputs:
            drop(self._metrics.label_outputs, labels)
        self._outputs.clear()

    def replace(self, key: bytes, before: State[Any] | None, after: State[Any] | None) -> None:
        """Put a state in the place of another; None: there was none, or there is none any more."""
        for state, n in ((before, -1), (after, 1)):
            if state is not None:
                self._count("states", (str(state.__struct_config__.tag),), n)
                self._count_kind(state, n)
        for state, present in ((before, False), (after, True)):
            if isinstance(state, CaseState):
                self._case(key, state, present=present and state.done_ms is None)
        if isinstance(after, CoverageState):
            self._cover(after)
        elif isinstance(before, CoverageState) and after is None:
            for labels in [labels for labels in self._outputs if labels[:4] == _of(before)]:
                drop(self._metrics.label_outputs, labels)
                del self._outputs[labels]

    def outcomes(self, issue: tuple[str, str, str], before: Counter[Outcome], after: Counter[Outcome]) -> None:
        """Show of how many states a rule says what, but for passes."""
        tenant, rule, subject = issue
        for outcome in before | after:
            self._count("outcomes", (tenant, label_of(subject), rule, outcome), after[outcome] - before[outcome])

    def _count_kind(self, state: State[Any], n: int) -> None:
        match state:
            case SourceState(condemned_at_ms=int()):
                self._count("condemned", (state.tenant,), n)
            case CorpusState(dataset=str(name)) if name:
                self._count("versions", (state.tenant, state.service, _released(state)), n)
            case SessionState(session=str(name)) if name:
                self._count("sessions", (state.tenant, state.service), n)
            case CaseState(done_ms=None):
                self._count("cases", (state.tenant, state.service, state.kind), n)
            case _:
                pass

    def _count(self, name: str, labels: Labels, n: int) -> None:
        if not n:
            return
        self._counts[name, labels] += n
        if self._counts[name, labels]:
            self._gauges[name].labels(*labels).set(self._counts[name, labels])
        else:
            del self._counts[name, labels]
            drop(self._gauges[name], labels)

    def _of_cases(self) -> tuple[tuple[Gauge, dict[Labels, _Least]], ...]:
        return ((self._metrics.oldest_case, self._begun), (self._metrics.next_deadline, self._due))

    def _case(self, key: bytes, state: CaseState, *, present: bool) -> None:
        labels = (state.tenant, state.service, state.kind)
        hours = self.policy.hours_for(state.kind, state.tenant, state.service)
        due_ms = None if hours is None else state.opened_ms + hours * 3_600_000
        if due_ms is not None and due_ms < self.now_ms:
            due_ms = None
        for (gauge, moments), at_ms in zip(self._of_cases(), (state.opened_ms, due_ms), strict=True):
            held = moments.setdefault(labels, _Least())
            held.set(key, at_ms if present else None)
            least = held.least()
            if least is None:
                drop(gauge, labels)
            else:
                gauge.labels(*labels).set(least / 1000)

    def _cover(self, state: CoverageState) -> None:
        for outcome, n in totals(state.marks).items():
            labels = (*_of(state), outcome)
            told = self._outputs.get(labels, 0)
            # A block judged again under another policy may count less: a counter cannot go down.
            self._metrics.label_outputs.labels(*labels).inc(max(0, n - told))
            self._outputs[labels] = max(n, told)


def _of(state: CoverageState) -> Labels:
    return (state.tenant, state.service, state.modality, state.label)


def _released(state: CorpusState) -> str:
    return "open" if state.released_at_ms is None else "released"
