"""What is known of the wishes about a record that is taken in: one look-up for the rules and for the sweep."""

from __future__ import annotations

from hegui.rules.events import IngestEvent
from hegui.rules.fact_tables import OptOut
from hegui.rules.facts import Facts
from hegui.rules.preferences import UNKNOWN, Preference, stricter


def registered_preference(event: IngestEvent, facts: Facts) -> tuple[Preference, bool]:
    """Return what is known of the work, content, holder and address of a record, and whether its address can be read."""
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


def refusal_of(event: IngestEvent, facts: Facts) -> OptOut | None:
    """Return the statement for which OPT001 or OPT003 would fail the record as of the time of `facts`, without any grace; None: none.

    Records of another kind of source, or of an unknown one, are covered by no statement, as in those rules.
    """
    if event.source_type == "user_input":
        return None if event.user_key is None else facts.opted_out("user", event.user_key)
    if event.source_type not in {"crawl", "open"}:
        return None
    known, _ = registered_preference(event, facts)
    return known.statement if known.value == "deny" else None
