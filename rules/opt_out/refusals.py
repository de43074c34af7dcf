"""What is known of the wishes about a record that is taken in: one look-up for the rules and for the sweep."""

from __future__ import annotations

from hegui.rules.events import IngestEvent
from hegui.rules.facts import Facts
from hegui.rules.preferences import UNKNOWN, Preference, stricter

_UNSPOKEN = (UNKNOWN, True)


def registered_preference(event: IngestEvent, facts: Facts) -> tuple[Preference, bool]:
    """Return what is known of the work, content, holder and address of a record, and whether its address can be read."""
    if (
        event.work_id is None and event.holder is None and facts.snapshot.is_unspoken(event.content_sha256, event.url)
    ):  # nearly always
        return _UNSPOKEN
    known, readable = UNKNOWN, True
    if event.work_id is not None:
        known = facts.preference("work", event.work_id)
    if event.content_sha256 is not None:
        known = stricter(known, facts.preference("content", event.content_sha256))
    if event.holder is not None:
        known = stricter(known, facts.preference("holder", event.holder))
    if event.url is not None:
        try:
            known = stricter(known, facts.preference_for_url(event.url))
        except ValueError:
            readable = False
    return known, readable
