"""One small record per event that failed: the complete history, idempotent under replay.

A violation's uid is a hash of the event's identity, a result's uid a hash of rule and identity: the same event judged twice
gives the same uids, and a higher revision of the event replaces the lower one.
"""

from __future__ import annotations

import hashlib

import msgspec

from hegui.rules.core import Outcome, Rule, Severity, Stage
from hegui.rules.engine import Deviation
from hegui.rules.evidence import EvidenceValue, opaque_id

VIOLATION_TYPE = "hegui.violation.v1"
"""CloudEvents `type` of a violation record."""

RECORDED = frozenset({Outcome.FAIL, Outcome.WAIVED, Outcome.ERROR})
"""Outcomes that make a record. A rule that raised is on record as not evaluated."""


class RuleResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one rule said of the event."""

    uid: str
    """Hash of rule and identity."""
    rule: str
    """Rule id."""
    outcome: Outcome
    """`fail`, `waived` or `error`."""
    severity: Severity
    """The rule's severity under the policy."""
    stage: Stage
    """`sandbox` results never page."""
    clauses: tuple[str, ...]
    """The clauses in force at the event's time."""
    reason: str
    """One constant sentence."""
    evidence: dict[str, EvidenceValue] = {}
    """Whitelisted values, hashes and references."""
    waiver: str | None = None
    """The waiver that applied."""


class Violation(msgspec.Struct, frozen=True, omit_defaults=True):
    """The record. With no results it says that this revision corrected what an earlier one failed."""

    uid: str
    """Hash of the identity."""
    tenant: str
    """The event's tenant."""
    source: str
    """The event's CloudEvents source, or its hash where it may name a person."""
    id: str
    """The event's CloudEvents id, or its hash where it may name a person."""
    revision: int
    """The event's revision."""
    occurred_at_ms: int
    """The event's time, epoch milliseconds."""
    service: str
    """The service as in the policy, else `other`."""
    results: tuple[RuleResult, ...]
    """What failed."""
    rule_set: str
    """Hash of the rules."""
    policy: str
    """Version of the policy."""
    facts: dict[str, dict[str, int]] = {}
    """Fact to partition to next offset: what the judgement saw."""
    topic: str | None = None
    """Where the event stands."""
    partition: int | None = None
    """Its partition."""
    offset: int | None = None
    """Its offset."""


def identity_uid(tenant: str, source: str, event_id: str) -> str:
    """Return the uid of an event: 32 hex digits over its identity."""
    return _uid("event", tenant, source, event_id)


def result_uid(rule_id: str, tenant: str, source: str, event_id: str) -> str:
    """Return the uid of a rule's result: 32 hex digits over rule and identity."""
    return _uid("result", rule_id, tenant, source, event_id)


def _uid(*parts: str) -> str:
    # Length-prefixed, so that no two lists of parts give the same bytes.
    body = b"".join(
        len(raw).to_bytes(4, "big") + raw for raw in (part.encode("utf-8", "surrogatepass") for part in parts)
    )
    return hashlib.sha256(body).hexdigest()[:32]


def rule_result(rule: Rule, deviation: Deviation, tenant: str, source: str, event_id: str, at_ms: int) -> RuleResult:
    """Return the wire form of one deviation."""
    _, result = deviation
    return RuleResult(
        uid=result_uid(rule.id, tenant, source, event_id),
        rule=rule.id,
        outcome=result.outcome,
        severity=rule.severity,
        stage=rule.stage,
        clauses=tuple(clause.id for clause in rule.clauses_at(at_ms)),
        reason=result.reason,
        evidence=result.evidence,
        waiver=result.waiver,
    )


def violation(
    *,
    tenant: str,
    source: str,
    event_id: str,
    revision: int,
    at_ms: int,
    service: str,
    deviations: list[Deviation],
    rule_set: str,
    policy: str,
    facts: dict[str, dict[str, int]],
    position: tuple[str, int, int] | None = None,
) -> Violation:
    """Return the record of one event from the deviations worth recording."""
    topic, partition, offset = position or (None, None, None)
    return Violation(
        uid=identity_uid(tenant, source, event_id),
        tenant=opaque_id(tenant),
        source=opaque_id(source),
        id=opaque_id(event_id),
        revision=revision,
        occurred_at_ms=at_ms,
        service=service,
        results=tuple(
            rule_result(rule, (rule, result), tenant, source, event_id, at_ms)
            for rule, result in deviations
            if result.outcome in RECORDED
        ),
        rule_set=rule_set,
        policy=policy,
        facts=facts,
        topic=topic,
        partition=partition,
        offset=offset,
    )
