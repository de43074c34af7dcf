"""Issues: one per tenant, rule and service and episode. Pure: `observe` and `advance` take a state and return the next.

An issue opens with the first failure, is updated while failures go on, and closes when by event time its rule has passed and
not failed for a quiet period, or when every event that failed was corrected. A later failure opens the next episode. While
all its failures are waived it is suppressed: on record, but not open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

import msgspec

from hegui.rules.evidence import EvidenceValue
from hegui.rules.observations import MAX_UIDS, Mark, Observation, Sum, count

Status = Literal["open", "suppressed", "closed"]
Activity = Literal["create", "update", "close"]

SAMPLES = 10
"""How many result uids a finding names."""


class Timing(msgspec.Struct, frozen=True):
    """The deployer's times, from the settings."""

    quiet_ms: int = 900_000
    """How long, by event time, a rule must pass and not fail before its issue closes."""
    update_ms: int = 10_000
    """Least time between two updates of one finding, by the broker's time of the observations."""


class Issue(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of one issue key; the value in the changelog. `version` is that of this struct."""

    tenant: str
    """The tenant, as in the policy, else `other`."""
    rule: str
    """Rule id."""
    service: str
    """The service, as in the policy, else `other`."""
    version: int = msgspec.field(default_factory=lambda: 1)
    """Version of this struct, always written; 1 where an entry says none."""
    episode: int = 1
    """Counts the times the issue opened."""
    status: Status = "open"
    """Open, suppressed (all failures waived) or closed."""
    marks: dict[str, Mark] = {}
    """Source partition to what was counted of it."""
    base_failures: int = 0
    """Failures counted in earlier episodes."""
    base_waived: int = 0
    """Waived failures counted in earlier episodes."""
    first_failure_ms: int = 0
    """First failure of the episode, by event time."""
    last_failure_ms: int = 0
    """Last failure of the episode, by event time."""
    quiet_from_ms: int = 0
    """From when the quiet period counts: the last failure, or the watermark when it was seen, if that was later."""
    last_pass_ms: int = 0
    """Last pass, by event time."""
    uncorrected: tuple[str, ...] | None = ()
    """Result uids that failed and were not corrected; None when there were too many to keep."""
    samples: tuple[str, ...] = ()
    """Some result uids of the episode, latest last."""
    reported_at_ms: int = 0
    """When the finding was last sent, by the broker's time of the observation."""
    unreported: bool = False
    """Whether something changed since."""
    reason: str = ""
    """Why the ledger of an issue that follows a level fails: a constant sentence of its rule."""
    evidence: dict[str, EvidenceValue] = {}
    """What the rule showed of that ledger last."""

    @property
    def failures(self) -> int:
        """Failures of this episode."""
        return max(0, sum(mark.total[0] for mark in self.marks.values()) - self.base_failures)

    @property
    def waived(self) -> int:
        """Waived failures of this episode."""
        return max(0, sum(mark.total[1] for mark in self.marks.values()) - self.base_waived)

    @property
    def key(self) -> str:
        """The issue key."""
        return issue_key(self.tenant, self.rule, self.service)

    @property
    def finding_uid(self) -> str:
        """Uid of the finding of this episode: 32 hex digits."""
        return hashlib.sha256(f"{self.key}|{self.episode}".encode()).hexdigest()[:32]


class Report(msgspec.Struct, frozen=True):
    """A finding to send: what happened to the issue, and its state then."""

    activity: Activity
    issue: Issue
    at_ms: int
    """The broker's time of the observation that caused it."""


def issue_key(tenant: str, rule: str, service: str) -> str:
    """Return the key of an issue: also the key by which it finds its partition."""
    return f"{tenant}|{rule}|{service}"


def observe(
    issue: Issue | None, observation: Observation, sum_: Sum, *, watermark_ms: int, at_ms: int, timing: Timing
) -> tuple[Issue | None, list[Report]]:
    """Count a sum into an issue.

    Args:
        issue: the state, None when the key never failed.
        observation: the record the sum came in.
        sum_: the sum of this issue's key.
        watermark_ms: event time reached by all source partitions.
        at_ms: the broker's time of the record: replays of the observations give the same reports.
        timing: the deployer's times.

    Returns:
        The next state (None while the key never failed) and the findings to send, in order.
    """
    if issue is None and not (sum_.failures or sum_.waived):
        return None, []
    before = issue if issue is not None else Issue(sum_.tenant, sum_.rule, sum_.service, episode=0, status="closed")
    mark = count(before.marks.get(observation.source), observation, sum_)
    if mark is None:
        return issue, []
    last_pass_ms = max(before.last_pass_ms, sum_.last_pass_ms or 0)
    after = msgspec.structs.replace(before, marks={**before.marks, observation.source: mark}, last_pass_ms=last_pass_ms)
    # A block judged again under another policy can count less than it did: the next failure must still count as new.
    failures, waived = _totals(after)
    after = msgspec.structs.replace(
        after, base_failures=min(after.base_failures, failures), base_waived=min(after.base_waived, waived)
    )
    reports: list[Report] = []
    grew = after.failures > before.failures or after.waived > before.waived
    if grew:
        after = _failed(before, after, sum_, watermark_ms)
    if after.status != "closed":
        after = _corrected(after, sum_)
        status: Status = "open" if after.failures else "suppressed"
        changed = grew or status != before.status
        after = msgspec.structs.replace(after, status=status, unreported=after.unreported or changed)
    if after.episode > before.episode:
        after = msgspec.structs.replace(after, reported_at_ms=at_ms, unreported=False)
        reports.append(Report("create", after, at_ms))
    after, more = advance(after, watermark_ms=watermark_ms, at_ms=at_ms, timing=timing)
    return after, reports + more


LEVEL = "level"
"""Key under which an issue that follows a level counts its openings."""


STEP = "percent"
"""Evidence of rules that fail in steps: a higher one is told at once."""


def level(
    issue: Issue | None,
    key: tuple[str, str, str],
    *,
    failing: bool,
    event_ms: int,
    at_ms: int,
    reason: str = "",
    evidence: Mapping[str, EvidenceValue] | None = None,
) -> tuple[Issue | None, list[Report]]:
    """Let an issue follow a level: it is open while the condition holds, and one opening counts as one failure.

    Args:
        issue: the state, None when the condition never held.
        key: tenant, rule, and what the rule judges (an entity and a legal year).
        failing: whether the condition holds.
        event_ms: event time as of which that was judged, epoch milliseconds.
        at_ms: the broker's time of the record that caused it.
        reason: why it holds.
        evidence: what the rule showed; nothing leaves what is known.
    """
    shown = dict(evidence or {})
    opened = 0 if issue is None else issue.marks[LEVEL].failures
    if failing and (issue is None or issue.status == "closed"):
        made = Issue(
            *key,
            episode=1 if issue is None else issue.episode + 1,
            marks={LEVEL: Mark(0, 0, 0, failures=opened + 1)},
            base_failures=opened,
            first_failure_ms=event_ms,
            last_failure_ms=event_ms,
            quiet_from_ms=event_ms,
            uncorrected=None,
            reported_at_ms=at_ms,
            reason=reason,
            evidence=shown,
        )
        return made, [Report("create", made, at_ms)]
    if issue is None or issue.status == "closed":
        return issue, []
    if failing:
        # The same moment may show more: an export that came late.
        told = bool(shown) and event_ms >= issue.last_failure_ms and shown != issue.evidence
        if event_ms <= issue.last_failure_ms and not told:
            return issue, []
        after = msgspec.structs.replace(issue, last_failure_ms=max(event_ms, issue.last_failure_ms), unreported=True)
        if not told:
            return after, []
        after = msgspec.structs.replace(after, reason=reason, evidence=shown)
        if _step(shown) <= _step(issue.evidence):
            return after, []
        after = msgspec.structs.replace(after, reported_at_ms=at_ms, unreported=False)
        return after, [Report("update", after, at_ms)]
    closed = msgspec.structs.replace(issue, status="closed", reported_at_ms=at_ms, unreported=False)
    return msgspec.structs.replace(closed, base_failures=opened), [Report("close", closed, at_ms)]


def _step(evidence: Mapping[str, EvidenceValue]) -> float:
    step = evidence.get(STEP)
    return step if isinstance(step, int | float) else 0


def advance(issue: Issue, *, watermark_ms: int, at_ms: int, timing: Timing) -> tuple[Issue, list[Report]]:
    """Let time pass: close a quiet or corrected issue, send an update that was held back."""
    if issue.status == "closed":
        return issue, []
    all_corrected = issue.uncorrected == ()
    passed_since = issue.last_pass_ms > issue.last_failure_ms
    quiet = passed_since and watermark_ms - issue.quiet_from_ms >= timing.quiet_ms
    if quiet or all_corrected:
        closed = msgspec.structs.replace(issue, status="closed", reported_at_ms=at_ms, unreported=False)
        report = Report("close", closed, at_ms)
        failures, waived = _totals(issue)
        kept = msgspec.structs.replace(closed, base_failures=failures, base_waived=waived)
        return kept, [report]
    if issue.unreported and at_ms - issue.reported_at_ms >= timing.update_ms:
        updated = msgspec.structs.replace(issue, reported_at_ms=at_ms, unreported=False)
        return updated, [Report("update", updated, at_ms)]
    return issue, []


def _failed(before: Issue, after: Issue, sum_: Sum, watermark_ms: int) -> Issue:
    first_ms, last_ms = sum_.first_failure_ms or 0, sum_.last_failure_ms or 0
    if before.status == "closed":
        # The block's first failure may belong to the episode that was closed within the same block.
        opened_ms = first_ms if first_ms > before.last_failure_ms else last_ms
        known = tuple(uid for uid in sum_.failed if uid not in before.samples)
        return msgspec.structs.replace(
            after,
            episode=before.episode + 1,
            status="open",
            first_failure_ms=opened_ms,
            last_failure_ms=last_ms,
            quiet_from_ms=max(last_ms, watermark_ms),
            uncorrected=_grown((), known or sum_.failed, sum_, after),
            samples=(known or sum_.failed)[-SAMPLES:],
        )
    fresh = tuple(uid for uid in sum_.failed if uid not in before.samples)
    return msgspec.structs.replace(
        after,
        first_failure_ms=min(before.first_failure_ms, first_ms) if first_ms else before.first_failure_ms,
        last_failure_ms=max(before.last_failure_ms, last_ms),
        quiet_from_ms=max(before.quiet_from_ms, last_ms, watermark_ms),
        uncorrected=_grown(before.uncorrected, sum_.failed, sum_, after),
        samples=(before.samples + fresh)[-SAMPLES:],
    )


def _grown(known: tuple[str, ...] | None, failed: tuple[str, ...], sum_: Sum, after: Issue) -> tuple[str, ...] | None:
    """Return the uncorrected uids with those of a sum; None once they cannot be complete."""
    if known is None or not sum_.complete or after.failures + after.waived > MAX_UIDS:
        return None
    return tuple(dict.fromkeys((*known, *failed)))


def _totals(issue: Issue) -> tuple[int, int]:
    totals = [mark.total for mark in issue.marks.values()]
    return sum(total[0] for total in totals), sum(total[1] for total in totals)


def _corrected(issue: Issue, sum_: Sum) -> Issue:
    if issue.uncorrected is None or not sum_.corrected:
        return issue
    gone = set(sum_.corrected)
    return msgspec.structs.replace(issue, uncorrected=tuple(uid for uid in issue.uncorrected if uid not in gone))
