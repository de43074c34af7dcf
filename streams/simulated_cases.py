"""Synthetic cases: notices, complaints and incidents: opened, and most of them dealt with in time."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from hegui.rules.case_events import ComplaintEvent, IncidentEvent, NoticeEvent
from hegui.rules.events import Envelope, Event

HOUR_MS = 3_600_000
OPEN = 3
"""Of four cases one stays open."""


def opened(number: int, at_ms: int) -> Event:
    """Return a case that was opened in the last hours."""
    begun_ms = at_ms - number % 5 * HOUR_MS
    kinds: tuple[Event, ...] = (
        ComplaintEvent(service="chat-assistant", received_at_ms=begun_ms),
        NoticeEvent(service="image-studio", received_at_ms=begun_ms),
        IncidentEvent(service="companion-app", discovered_at_ms=begun_ms),
    )
    return kinds[number % len(kinds)]


def dealt_with(case: Event, at_ms: int) -> Event:
    """Return a case as it is once it was dealt with."""
    match case:
        case ComplaintEvent():
            return replace(case, answered_at_ms=at_ms)
        case NoticeEvent():
            return replace(case, handled_at_ms=at_ms)
        case IncidentEvent():
            return replace(case, reported_at_ms=at_ms, report_reference="report-1")
        case _:
            return case


def cases(number: int, at_ms: int, run: str) -> Iterator[Envelope]:
    """Yield the events of one case: opened, and for most of them dealt with, as a revision."""
    from hegui.streams.simulation import envelope

    case = opened(number, at_ms)
    first = envelope(case, number, at_ms, f"{run}-case")
    yield first
    if number % (OPEN + 1) < OPEN:
        yield replace(envelope(dealt_with(case, at_ms), number, at_ms, f"{run}-case"), revision=1)
