"""Counts the events of one plan in one block: the evaluator's per-event bookkeeping."""

from __future__ import annotations

from collections.abc import Iterable

from hegui.rules.core import Outcome, Rule
from hegui.rules.engine import Deviation


class Cell:
    """Events of one plan in one block."""

    __slots__ = (
        "count",
        "deviations",
        "last_ms",
        "marks",
        "missing",
        "repeated_deviations",
        "repeats",
        "sent",
        "sent_deviations",
        "tallied",
        "tallied_deviations",
    )

    def __init__(self) -> None:
        self.count = 0
        self.last_ms = 0
        self.deviations: dict[tuple[Rule, Outcome], int] = {}
        self.marks: dict[Rule, tuple[int, int]] = {}
        self.missing: dict[tuple[Rule, str], int] = {}
        """Rule and what it lacked to events it could not decide, since the last tally."""
        self.repeats = 0
        """Events whose identity and revision were seen before."""
        self.repeated_deviations: dict[tuple[Rule, Outcome], int] = {}
        self.sent = 0
        self.sent_deviations: dict[Rule, int] = {}
        self.tallied = 0
        self.tallied_deviations: dict[tuple[Rule, Outcome], int] = {}

    def deviated(self, rule: Rule, outcome: Outcome, before_ms: int) -> None:
        """Count a rule of the plan that did not pass the event just counted; `before_ms` is `last_ms` without that event."""
        kind = (rule, outcome)
        self.deviations[kind] = self.deviations.get(kind, 0) + 1
        seen, passed_ms = self.marks.get(rule, (0, 0))
        self.marks[rule] = (self.count, before_ms if self.count - 1 > seen else passed_ms)

    def repeated(self, deviations: Iterable[Deviation] | None) -> None:
        """Note that the event just counted was seen before: ledgers of outputs count it once."""
        self.repeats += 1
        for rule, result in deviations or ():
            kind = (rule, result.outcome)
            self.repeated_deviations[kind] = self.repeated_deviations.get(kind, 0) + 1

    def last_pass_ms(self, rule: Rule) -> int:
        """Return the greatest event time at which a rule of the plan passed; 0 when it never did."""
        seen, passed_ms = self.marks.get(rule, (0, 0))
        return self.last_ms if self.count > seen else passed_ms
