"""What the state agents remember, read back from the changelog: ledgers and issues, without any person."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from aiokafka import TopicPartition

from hegui.rules.evidence import EvidenceValue
from hegui.rules.export_accounts import ExportAccount
from hegui.rules.exports import legal_day
from hegui.rules.issues import Issue, Status
from hegui.rules.ledgers.form import State
from hegui.streams.broker import reader, start_with_retry
from hegui.streams.errors import TopicError
from hegui.streams.settings import Settings
from hegui.streams.state.export_table import is_export_key, read_accounts
from hegui.streams.state.issues import PROGRESS, read_issue, read_progress
from hegui.streams.state.ledger_contents import StateContent, state_contents
from hegui.streams.state.ledgers import LEDGER, read_state
from hegui.streams.topics import changelog_name


class LedgerContent(msgspec.Struct, frozen=True, tag="export_ledger", tag_field="kind"):
    """One export ledger."""

    tenant: str
    """Always `default`: a ledger belongs to a legal entity, whichever tenants use it."""
    controller: str
    """The ultimate controller."""
    entity: str
    """The exporting entity."""
    year: int
    """Legal year, Asia/Shanghai."""
    ordinary: int
    """Distinct persons whose information was not sensitive."""
    sensitive: int
    """Distinct persons whose information was sensitive."""
    uncounted: dict[str, int]
    """Problem to exports that could not be counted by person."""
    uncounted_until_ms: int
    """Event time up to which there are exports that could not be counted, epoch milliseconds; 0: there are none."""
    last_export_ms: int
    """Event time of the last export, epoch milliseconds."""
    as_of_ms: int
    """Event time of the pace, epoch milliseconds: the last export, or how far the events have come since."""
    new_ordinary_7_days: int
    """Of `ordinary`, those who came in the last seven legal days."""
    new_sensitive_7_days: int
    """Of `sensitive`, those who came in the last seven legal days."""


class IssueContent(msgspec.Struct, frozen=True, tag="issue", tag_field="kind"):
    """One issue."""

    tenant: str
    """The tenant."""
    rule: str
    """Rule id."""
    service: str
    """The service, or the entity and legal year of an export ledger."""
    status: Status
    """Open, suppressed or closed."""
    episode: int
    """Counts the times it opened."""
    failures: int
    """Failures of the episode."""
    waived: int
    """Waived failures of the episode."""
    first_failure_ms: int
    """First failure of the episode, by event time."""
    last_failure_ms: int
    """Last failure of the episode, by event time."""
    finding: str
    """Uid of the finding."""
    reason: str
    """Why a ledger fails; empty for issues of events."""
    evidence: dict[str, EvidenceValue]
    """What the rule showed of that ledger last."""


class ProgressContent(msgspec.Struct, frozen=True, tag="progress", tag_field="kind"):
    """How far one partition of the observations topic was counted."""

    partition: int
    """The partition."""
    last_offset: int
    """Offset of the last observation counted."""
    watermark_ms: int
    """Event time that all its sources have reached."""
    lost: int
    """Observations that were removed from the log before they were counted: what passes in its ledgers is undecided."""
    lost_until_ms: int
    """They are of events up to that time; 0: none are missing."""


Content = LedgerContent | StateContent | IssueContent | ProgressContent


def contents(table: Mapping[bytes, bytes]) -> list[Content]:
    """Return what a table holds: ledgers of exports, other ledgers, then issues, then progress, each in the order of its names.

    Raises:
        StateVersionError: a state was written by a newer version.
    """
    kept: list[State[Any]] = []
    issues: list[IssueContent] = []
    progress: list[ProgressContent] = []
    for key, value in table.items():
        if key.startswith(PROGRESS):
            found = read_progress(value)
            progress.append(
                ProgressContent(
                    int(key[len(PROGRESS) :]),
                    found.last_offset,
                    found.watermark_ms,
                    found.lost,
                    found.lost_until_ms,
                )
            )
        elif key.startswith(LEDGER):
            kept.append(read_state(value))
        elif not is_export_key(key):
            issues.append(_issue(read_issue(value)))
    reached = {one.partition: one.watermark_ms for one in progress}
    ledgers = [
        _ledger(account, reached.get(int.from_bytes(place[:2], "big"), 0))
        for place, account in read_accounts(table).items()
    ]
    return [
        *sorted(ledgers, key=lambda ledger: (ledger.tenant, ledger.controller, ledger.entity, ledger.year)),
        *state_contents(kept),
        *sorted(issues, key=lambda issue: (issue.tenant, issue.rule, issue.service)),
        *sorted(progress, key=lambda one: one.partition),
    ]


def _ledger(account: ExportAccount, watermark_ms: int) -> LedgerContent:
    of, last_ms = account.state.account, account.state.last_ms
    as_of_ms = max(last_ms, watermark_ms)
    day = legal_day(as_of_ms)
    return LedgerContent(
        of.tenant,
        of.controller,
        of.entity,
        of.year,
        len(account.ordinary),
        len(account.sensitive),
        account.state.uncounted(),
        account.state.uncounted_until_ms,
        last_ms,
        as_of_ms,
        account.ordinary.new(day),
        account.sensitive.new(day),
    )


def _issue(issue: Issue) -> IssueContent:
    return IssueContent(
        issue.tenant,
        issue.rule,
        issue.service,
        issue.status,
        issue.episode,
        issue.failures,
        issue.waived,
        issue.first_failure_ms,
        issue.last_failure_ms,
        issue.finding_uid,
        issue.reason,
        issue.evidence,
    )


async def read_table(settings: Settings) -> dict[bytes, bytes]:
    """Read the table of the state agents from its changelog, as far as it goes now.

    Raises:
        TopicError: the changelog does not exist.
    """
    topic = changelog_name(settings)
    consumer: Any = reader(settings.kafka)
    await start_with_retry(consumer, "state", settings.kafka)
    table: dict[bytes, bytes] = {}
    try:
        if topic not in await consumer.topics():
            raise TopicError(f"topic {topic} does not exist; create it with `hegui topics create`")
        partitions = [TopicPartition(topic, p) for p in range(settings.topics.state_partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        beginnings = await consumer.beginning_offsets(partitions)
        waiting = {p for p in partitions if ends[p] > beginnings[p]}
        while waiting:
            for records in (await consumer.getmany(*waiting, timeout_ms=500)).values():
                for record in records:
                    if record.value is None:
                        table.pop(record.key, None)
                    else:
                        table[record.key] = record.value
            waiting = {p for p in waiting if await consumer.position(p) < ends[p]}
            await asyncio.sleep(0)
    finally:
        await consumer.stop()
    return table
