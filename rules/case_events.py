"""Events of cases with a deadline: notices of rights holders, complaints, incidents. Interim Measures arts. 14, 15.

One event opens a case; revisions of it say what was done. A field that is absent is not done yet.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from hegui.rules.values import Group, PersonKey, TimeMs


class _Case(Group, frozen=True):
    """What all cases have."""

    service: Annotated[str, Meta(min_length=1, max_length=128)]
    """The AI service or training pipeline it is about, as named in the deployer's policy."""

    user_key: ClassVar[PersonKey | None] = None


class NoticeEvent(_Case, frozen=True):
    """A rights holder's notice. Civil Code arts. 1195-1197."""

    received_at_ms: TimeMs | None = None
    """When it arrived; the event's time when absent."""
    handled_at_ms: TimeMs | None = None
    """When the necessary measures were taken, or the notice was found without ground."""


class ComplaintEvent(_Case, frozen=True):
    """A complaint or report of the public. Interim Measures art. 15."""

    received_at_ms: TimeMs | None = None
    """When it arrived; the event's time when absent."""
    answered_at_ms: TimeMs | None = None
    """When it was dealt with and answered."""


class IncidentEvent(_Case, frozen=True):
    """Illegal content that was found in the service. Interim Measures art. 14."""

    discovered_at_ms: TimeMs | None = None
    """When it was discovered; the event's time when absent."""
    reported_at_ms: TimeMs | None = None
    """When it was reported to the competent authority."""
    report_reference: str | None = None
    """Reference of that report; without one it counts as not reported."""
