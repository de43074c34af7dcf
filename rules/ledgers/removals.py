"""Removals: the records that an opt-out covers which came after they were taken in. One case for each refusal and pipeline.

A refusal is what a source says of a subject and a use since it first said no: said again, it is the same, and opens nothing that was
dealt with. Taken back in between, or excepted, it is another for what was taken in meanwhile.

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


def removal_id(first: OptOut) -> str:
    """Return 32 letters that stand for what a source says of a subject and a use from a moment on.

    Args:
        first: the first statement of the refusal; its time is when that began to count without a break.
    """
    subject = normal_subject(first.scheme, first.subject)
    moment = str(first.observed_at_ms)
    return reference_of(first.scheme, subject, first.category, first.source, moment).translate(_LETTERS)


def removal(first: OptOut, tenant: str, service: str) -> CaseUpdate:
    """Return the open case of a refusal that covers records of a pipeline. The same one again changes nothing.

    Args:
        first: the first statement of the refusal; the clock begins with its time.
        tenant: the tenant, as in the policy.
        service: the pipeline, as in the policy.
    """
    return CaseUpdate(
        tenant=tenant,
        service=service,
        kind="removal",
        case=reference_of("notice", REMOVAL_SOURCE, removal_id(first)),  # as of the event that closes it
        revision=0,
        opened_ms=first.observed_at_ms,
    )
