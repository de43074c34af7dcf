"""Files of any length into a store: as much as must be compared with what is known is held, the rest passes through."""

from __future__ import annotations

from collections.abc import Iterator

from hegui.rules.fact_tables import OptOut
from hegui.streams.optouts.news import changes
from hegui.streams.optouts.report import Report
from hegui.streams.optouts.store import Store, Written

MAX_HELD = 250_000
"""Statements that are held (1.2 kB each with what is known) until the store is read to tell which are news."""


def take_in(store: Store, found: Iterator[tuple[OptOut, bool]], report: Report) -> Written:
    """Write statements: refusals with a time of their own as they come, of the others what is news; then what a text no longer states."""
    untimed: list[OptOut] = []
    timed: list[OptOut] = []

    def refusals() -> Iterator[OptOut]:
        for record, has_time in found:
            if has_time and record.value == "deny":
                yield record
                continue
            (timed if has_time else untimed).append(record)
            if len(timed) + len(untimed) >= MAX_HELD:
                return

    new = known = 0
    while True:
        written = store.write(refusals())
        held = len(timed) + len(untimed)
        last = held < MAX_HELD
        scopes = report.scopes if last and report.scopes else None
        more = Written(0, 0)
        if held or scopes:
            changed = changes(store, untimed, timed, scopes)
            report.note("overtaken", changed.overtaken)
            report.note("taken_back", len(changed.taken_back))
            known += held - len(changed.fresh)
            more = store.write([*changed.fresh, *changed.taken_back])
        new += written.new + more.new
        known += written.known + more.known
        if last:
            return Written(new, known)
        untimed.clear()
        timed.clear()
