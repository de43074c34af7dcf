"""Removals: the records that an opt-out covers which came after they were taken in. One case for each statement and pipeline.

The case is closed by an event `hegui.notice.v1` of the pipeline with the source `hegui/sweep`, the removal's id, a revision of
at least 1 and `handled_at_ms`.
"""

from __future__ import annotations

from hegui.rules.fact_tables import OptOut, normal_subject
from hegui.rules.ledgers.deadlines import CaseUpdate
from hegui.rules.ledgers.form import reference_of

REMOVAL_SOURCE = "hegui/sweep"
"""CloudEvents `source` of the event that closes a removal."""

# No digits: a row of them might pass for a person's number, and would be hidden.
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def removal_id(statement: OptOut) -> str:
    """Return 32 letters that stand for what a source says of a subject and a use from a moment on."""
    subject = normal_subject(statement.scheme, statement.subject)
    moment = str(statement.observed_at_ms)
    return reference_of(statement.scheme, subject, statement.category, statement.source, moment).translate(_LETTERS)


def removal(statement: OptOut, tenant: str, service: str) -> CaseUpdate:
    """Return the open case of a statement that covers records of a pipeline. The same one again changes nothing.

    Args:
        statement: the opt-out; its clock begins when it was observed.
        tenant: the tenant, as in the policy.
        service: the pipeline, as in the policy.
    """
    return CaseUpdate(
        tenant=tenant,
        service=service,
        kind="removal",
        case=reference_of("notice", REMOVAL_SOURCE, removal_id(statement)),  # as of the event that closes it
        revision=0,
        opened_ms=statement.observed_at_ms,
    )
