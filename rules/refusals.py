"""Which opt-out covers a record, when nothing else of it is judged: the look-up of OPT001 and OPT003, for the sweep."""

from __future__ import annotations

from hegui.rules.events import IngestEvent
from hegui.rules.fact_tables import OptOut
from hegui.rules.facts import Facts
from hegui.rules.opt_out.refusals import registered_preference


def refusal_of(event: IngestEvent, facts: Facts, *, grace_ms: int = 0) -> OptOut | None:
    """Return the statement for which OPT001 or OPT003 would fail the record as of the time of `facts`; None: none.

    A user's refusal younger than the grace time is tolerated, as by OPT001. Records of another kind of source, or of an unknown one, are covered by no statement, as in those rules.
    """
    if event.source_type == "user_input":
        return None if event.user_key is None else facts.opted_out("user", event.user_key, grace_ms=grace_ms)
    if event.source_type not in {"crawl", "open"}:
        return None
    known, _ = registered_preference(event, facts)
    return known.statement if known.value == "deny" else None
