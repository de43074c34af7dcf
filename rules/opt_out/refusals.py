"""What is known of the wishes about a record that is taken in: one look-up for the rules and for the sweep."""

from __future__ import annotations

from typing import TypeGuard

from hegui.rules.events import IngestEvent
from hegui.rules.facts import Facts
from hegui.rules.iscc import is_iscc
from hegui.rules.preferences import UNKNOWN, Preference, stricter

_UNSPOKEN = (UNKNOWN, None)


def is_named(name: str | None) -> TypeGuard[str]:
    """Tell whether something stands in a name: a blank one is none."""
    return bool(name and not name.isspace())


def registered_preference(event: IngestEvent, facts: Facts) -> tuple[Preference, str | None]:
    """Return what is known of the work, content, holder and address of a record, and what of it cannot be looked up; None: nothing.

    An ISCC as fingerprint names the work, too.
    """
    unspoken = facts.snapshot.optouts.is_unspoken(event.content_sha256, event.url)
    work, fingerprint, holder = event.work_id, event.fingerprint, event.holder
    if unspoken and fingerprint is None and work is None and holder is None:  # nearly always
        return _UNSPOKEN
    known, unreadable = UNKNOWN, None
    if is_named(work):
        known, readable = facts.preference_for_work(work)
        if not readable:
            unreadable = "a work_id of a known scheme, with a right number"
    if is_iscc(fingerprint):
        of_print, readable = facts.preference_for_work(fingerprint)
        known = stricter(known, of_print)
        if not readable:
            unreadable = "an ISCC as fingerprint"
    if is_named(holder):
        known = stricter(known, facts.preference("holder", holder))
    if unspoken:
        return known, unreadable
    if event.content_sha256 is not None:
        known = stricter(known, facts.preference("content", event.content_sha256))
    if event.url is not None:
        try:
            known = stricter(known, facts.preference_for_url(event.url))
        except ValueError:
            unreadable = "a url with a readable host"
    return known, unreadable
