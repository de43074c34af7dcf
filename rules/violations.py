"""One small record per event that failed: the complete history, idempotent under replay.

A violation's uid is a hash of the event's identity, a result's uid a hash of rule and identity: the same event judged twice
gives the same uids, and a higher revision of the event replaces the lower one.
"""

from __future__ import annotations

import hashlib

import msgspec

from hegui.rules.core import Outcome, Result, Rule, Severity, Stage
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
    expired_waiver: str | None = None
    """A waiver that had ended by the event's time: it waives no longer."""


class Violation(msgspec.Struct, frozen=True, omit_defaults=True):
    """The record. With no results it says that this revision corrected what an earlier one failed."""

    uid: str
    """Hash of the identity; in a record of a sweep (OPT010) hash of rule and identity, since it stands beside that of the event."""
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
    # Lengths in front, so that no two identities give the same text.
    body = f"event|{len(tenant)}:{tenant}|{len(source)}:{source}|{event_id}"
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def result_uid(rule_id: str, tenant: str, source: str, event_id: str) -> str:
    """Return the uid of a rule's result: 32 hex digits over rule and identity."""
    return result_uid_of(rule_id, identity_uid(tenant, source, event_id))


def result_uid_of(rule_id: str, event_uid: str) -> str:
    """Return the uid of a rule's result for an event of which `event_uid` is the uid."""
    return hashlib.sha256(f"{rule_id}|{event_uid}".encode()).hexdigest()[:32]


def rule_result(rule: Rule, result: Result, event_uid: str, at_ms: int) -> RuleResult:
    """Return the wire form of one result."""
    return RuleResult(
        result_uid_of(rule.id, event_uid),
        rule.id,
        result.outcome,
        rule.severity,
        rule.stage,
        rule.clause_ids_at(at_ms),
        result.reason,
        result.evidence,
        result.waiver,
        result.expired_waiver,
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
    uid = identity_uid(tenant, source, event_id)
    return Violation(
        uid,
        opaque_id(tenant),
        opaque_id(source),
        opaque_id(event_id),
        revision,
        at_ms,
        service,
        tuple([rule_result(rule, result, uid, at_ms) for rule, result in deviations if result.outcome in RECORDED]),
        rule_set,
        policy,
        facts,
        topic,
        partition,
        offset,
    )
