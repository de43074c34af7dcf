"""The issue keeper: applies `rules.issues` to the observations of each partition, and says what to store and to send.

It knows nothing of Faust: `streams.state.app` stores and sends. Holds, per partition of the observations topic, the issues,
how far each source has come, and the next offset. Not thread-safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from hegui.rules.core import Outcome, Rule, Stage
from hegui.rules.exports import ExportLedger
from hegui.rules.findings import FINDING_TYPE, finding
from hegui.rules.issues import LEVEL, Issue, Report, Timing, advance, issue_key, level, observe
from hegui.rules.observations import NO_TIME, Observation
from hegui.rules.policy import Policy
from hegui.streams.metrics import StateMetrics, drop
from hegui.streams.observations import partition_of
from hegui.streams.state.export_table import is_export_key
from hegui.streams.state.exports import ExportKeeper
from hegui.streams.state.issue_gauges import IssueGauges
from hegui.streams.state.ledgers import LEDGER, LedgerKeeper, fact_name
from hegui.streams.state.verdicts import Verdict
from hegui.streams.stored import decode_stored, encode_stored

PROGRESS = b"\x00progress/"
"""Prefix of the table key that holds a partition's progress; no issue key begins with a zero byte."""


VERSION = 1
"""Version of `Issue` and of `Progress` that this process writes; it reads older ones."""

LEVEL_ISSUE = b"\x01i"
"""Prefix of the table key of an issue that lies where its ledger lies: then 2 bytes partition, then the issue key."""


class Progress(msgspec.Struct):
    """How far one partition of the observations topic has come."""

    last_offset: int = -1
    """Offset of the last observation counted."""
    watermarks: dict[str, int] = {}
    """Source partition to the event time it has reached, epoch milliseconds."""
    version: int = 1
    """Version of this struct."""
    latest_ms: int = 0
    """The latest broker's time of an observation that was counted, epoch milliseconds; 0: not known."""
    lost: int = 0
    """Observations that were removed from the log before they were counted."""
    lost_until_ms: int = 0
    """They are of events up to that time, epoch milliseconds: when the last of them were missed."""

    def count(self, offset: int, at_ms: int) -> None:
        """Note that the observation at an offset, of a broker's time, is counted."""
        self.last_offset = max(self.last_offset, offset)
        self.latest_ms = max(self.latest_ms, at_ms)

    @property
    def watermark_ms(self) -> int:
        """Event time that all known sources have reached; 0 before any."""
        return min(self.watermarks.values(), default=0)

    def reached_ms(self, inputs: Mapping[str, int]) -> int:
        """Return the event time that every source partition of some inputs has reached; 0 while one of them was not heard of.

        Sources of other topics do not count: one that is gone would hold time for ever.

        Args:
            inputs: topic to how many partitions it has at least. None of them: every source that was heard of counts.
        """
        if not inputs:
            return self.watermark_ms
        told = {name: at_ms for name, at_ms in self.watermarks.items() if name.rpartition("/")[0] in inputs}
        expected = sum(inputs.values())
        if len(told) < expected:
            return 0
        return min(told.values(), default=0)


_issue = msgspec.json.Decoder(Issue)
_progress = msgspec.json.Decoder(Progress)


def read_issue(value: bytes) -> Issue:
    """Return the issue of a table entry.

    Raises:
        StateVersionError: it was written by a newer version.
    """
    return decode_stored(value, _issue, VERSION, "an issue")


def read_progress(value: bytes) -> Progress:
    """Return the progress of a table entry.

    Raises:
        StateVersionError: it was written by a newer version.
    """
    return decode_stored(value, _progress, VERSION, "the progress of a partition")


class Step(msgspec.Struct):
    """What one observation leads to: findings to send first, then table writes."""

    findings: list[tuple[bytes, bytes, dict[str, bytes]]]
    """Key, value, headers."""
    reports: list[Report]
    """The same, as reports."""
    facts: list[tuple[str, bytes, bytes | None]]
    """Facts for the evaluators, to send first too: fact table, key, value (None: to be removed)."""
    writes: dict[bytes, bytes | None]
    """Table key to value; None: remove it."""


class IssueKeeper:
    """The issues of the partitions that this process owns."""

    def __init__(
        self, partitions: int, timing: Timing, metrics: StateMetrics, *, version: str, pages: str = ""
    ) -> None:
        self.issues: dict[int, dict[str, Issue]] = {}
        self.progress: dict[int, Progress] = {}
        self._partitions = partitions
        self._timing = timing
        self._metrics = metrics
        self._version = version
        self._pages = pages
        self._rules: Mapping[str, Rule] = {}
        self._policy = Policy(version="none")
        self._rule_set = ""
        self._teams: Mapping[tuple[str, str], str] = {}
        self._gauges = IssueGauges(metrics)
        self._advancing: dict[int, set[str]] = {}
        """Partition to the keys of issues that time alone may change."""
        self.exports = ExportKeeper(partitions, metrics)
        self.ledgers = LedgerKeeper(metrics)
        self.inputs: Mapping[str, int] = {}
        """Input topics to their partitions: time goes on only when every one of them was heard of."""

    def use(self, policy: Policy, rules: Iterable[Rule], known: Iterable[Rule], rule_set: str) -> None:
        """Take a policy and its rules for the findings to come; `known` are all installed rules, selected or not."""
        self._policy = policy
        self._rules = {rule.id: rule for rule in (*known, *rules)}
        self._rule_set = rule_set
        self._teams = {(s.tenant, s.name): s.team for s in policy.services}
        self.exports.use(policy, rules)
        self.ledgers.use(policy, rules)

    def load(self, table: Mapping[bytes, bytes], owned: Iterable[int]) -> None:
        """Take over the owned partitions from a recovered table; give up all others.

        Raises:
            StateVersionError: an entry was written by a newer version, which this one must not change.
        """
        self.release(self.issues.keys() - set(owned))
        for partition in owned:
            self.issues[partition] = {}
            self.progress[partition] = Progress()
        for key, value in table.items():
            if key.startswith(PROGRESS):
                partition = int(key[len(PROGRESS) :])
                if partition in self.progress:
                    self.progress[partition] = read_progress(value)
            elif (
                not is_export_key(key)
                and not key.startswith(LEDGER)
                and (partition := self.partition_of(key)) in self.issues
            ):
                issue = read_issue(value)
                self.issues[partition][issue.key] = issue
        self.exports.load(table, {partition: held.watermark_ms for partition, held in self.progress.items()})
        self.ledgers.load(table, owned)
        for partition, held in self.progress.items():
            self._lack(partition, held)
        self._advancing = {p: {k for k, i in issues.items() if _advances(i)} for p, issues in self.issues.items()}
        for issue in self.open():
            self._gauges.show(issue)

    def partition_of(self, key: bytes) -> int:
        """Return the partition to which a table key belongs."""
        if key.startswith(PROGRESS):
            return int(key[len(PROGRESS) :])
        return int.from_bytes(key[2:4], "big") if key.startswith(b"\x01") else partition_of(key, self._partitions)

    def release(self, partitions: Iterable[int]) -> None:
        """Give up partitions: their gauges vanish, so that sums over processes never count an issue twice."""
        for partition in list(partitions):
            for issue in self.issues.pop(partition, {}).values():
                self._gauges.hide(issue)
            self.exports.release(partition)
            self.ledgers.release(partition)
            self.progress.pop(partition, None)
            drop(self._metrics.watermark, (str(partition),))

    def hide(self, partitions: Iterable[int]) -> None:
        """Remove the gauges of partitions that may move away; `load` brings back those that stay."""
        for partition in partitions:
            for issue in self.issues.get(partition, {}).values():
                self._gauges.hide(issue)
            self.exports.hide(partition)
            self.ledgers.hide(partition)

    def open(self) -> Iterator[Issue]:
        """Iterate over the issues that are not closed."""
        for issues in self.issues.values():
            yield from (issue for issue in issues.values() if issue.status != "closed")

    def step(self, partition: int, offset: int, at_ms: int, observation: Observation) -> Step:
        """Count one observation; the caller sends the findings, waits for them, and then stores the writes.

        Args:
            partition: partition of the observations topic.
            offset: its offset.
            at_ms: the broker's time of the record.
            observation: the record.
        """
        issues, progress = self.issues[partition], self.progress[partition]
        since_ms = progress.reached_ms(self.inputs)
        if observation.watermark_ms != NO_TIME:
            reached = max(progress.watermarks.get(observation.source, 0), observation.watermark_ms)
            progress.watermarks[observation.source] = reached
        progress.count(offset, at_ms)
        watermark_ms = progress.reached_ms(self.inputs)
        reports: list[Report] = []
        changed: dict[str, Issue] = {}
        for sum_ in observation.sums:
            key = issue_key(sum_.tenant, sum_.rule, sum_.service)
            before = issues.get(key)
            after, made = observe(
                before, observation, sum_, watermark_ms=watermark_ms, at_ms=at_ms, timing=self._timing
            )
            reports += made
            if after is not None and after is not before:
                issues[key] = changed[key] = after
        exported = self.exports.step(partition, offset, observation, watermark_ms=watermark_ms, at_ms=at_ms)
        told = self.ledgers.step(partition, observation, since_ms, watermark_ms)
        verdicts = [*exported.verdicts, *told.verdicts]
        if exported.judged_all or told.judged_all:
            spoken = {verdict.issue for verdict in exported.verdicts} if exported.judged_all else None
            for issue in filter(_follows, issues.values()):
                of = (issue.tenant, issue.rule, issue.service)
                if self._on_exports(issue.rule):
                    unfounded = spoken is not None and of not in spoken
                else:
                    unfounded = told.judged_all and self.ledgers.unfounded(partition, of)
                if unfounded:
                    verdicts.append(Verdict(of, Outcome.PASS, 0))
        for of, outcome, event_ms, reason, evidence in verdicts:
            if outcome in _UNDECIDED:
                continue  # what is unknown neither opens an issue nor closes it
            before = issues.get(issue_key(*of))
            failing = outcome is Outcome.FAIL
            after, made = level(
                before, of, failing=failing, event_ms=event_ms, at_ms=at_ms, reason=reason, evidence=evidence
            )
            reports += made
            if after is not None and after is not before:
                issues[after.key] = changed[after.key] = after
        advancing = self._advancing[partition]
        for key in sorted({*advancing, *changed}):
            issue = issues[key]
            after, made = advance(issue, watermark_ms=watermark_ms, at_ms=at_ms, timing=self._timing)
            if after is not issue:
                issues[key] = changed[key] = after
                reports += made
            (advancing.add if _advances(after) else advancing.discard)(key)
        writes: dict[bytes, bytes | None] = {**exported.writes, **told.writes}
        for key, issue in changed.items():
            self._gauges.show(issue)
            place = LEVEL_ISSUE + partition.to_bytes(2, "big") if LEVEL in issue.marks else b""
            writes[place + key.encode()] = encode_stored(issue, VERSION)
        self._metrics.observations.inc()
        self._metrics.watermark.labels(str(partition)).set(watermark_ms / 1000)
        writes[PROGRESS + str(partition).encode()] = encode_stored(progress, VERSION)
        facts: list[tuple[str, bytes, bytes | None]] = [
            (fact_name(fact), fact.record_key(), msgspec.json.encode(fact)) for fact in told.facts
        ]
        facts += [(fact_name(fact), fact.record_key(), None) for fact in told.retracted]
        return Step([self._finding(report) for report in reports], reports, facts, writes)

    def _on_exports(self, rule_id: str) -> bool:
        rule = self._rules.get(rule_id)
        return rule is not None and rule.on is ExportLedger

    def made_anew(self, partition: int, offset: int, at_ms: int) -> bool:
        """Tell whether the log began again: what comes at an offset that was counted is later (the broker's time) than all that was counted.

        Its observations would take the places of others in the table: persons lie under the offset that told of them.
        """
        progress = self.progress[partition]
        return offset <= progress.last_offset and 0 < progress.latest_ms < at_ms

    def skip(self, partition: int, offset: int, at_ms: int) -> dict[bytes, bytes]:
        """Pass over a record that is no observation; return the table writes."""
        progress = self.progress[partition]
        progress.count(offset, at_ms)
        return {PROGRESS + str(partition).encode(): encode_stored(progress, VERSION)}

    def lose(self, partition: int, found: int, records: int, at_ms: int) -> dict[bytes, bytes]:
        """Go on at an offset although the log does not have what was to be counted before it; return the table writes.

        What passes in the ledgers of the partition is undecided from now on: `LedgerKeeper.lack`, `ExportKeeper.lack`.

        Args:
            partition: partition of the observations topic.
            found: the offset.
            records: how many observations are missing.
            at_ms: the broker's time of the record at the offset.
        """
        progress = self.progress[partition]
        progress.last_offset = max(progress.last_offset, found - 1)
        progress.lost += records
        progress.lost_until_ms = max(progress.lost_until_ms, at_ms)
        self._lack(partition, progress)
        return {PROGRESS + str(partition).encode(): encode_stored(progress, VERSION)}

    def _lack(self, partition: int, progress: Progress) -> None:
        if progress.lost:
            self.exports.lack(partition, progress.lost_until_ms)
            self.ledgers.lack(partition, progress.lost_until_ms)

    def sent(self, reports: Iterable[Report]) -> None:
        """Count findings that the broker acknowledged."""
        for report in reports:
            self._metrics.findings.labels(report.activity).inc()

    def _finding(self, report: Report) -> tuple[bytes, bytes, dict[str, bytes]]:
        issue = report.issue
        made = finding(
            report,
            self._rules.get(issue.rule) or _not_installed(issue.rule, next(iter(self._rules.values()))),
            rule_set=self._rule_set,
            policy=self._policy.version,
            team=self._teams.get((issue.tenant, issue.service)),
            product_version=self._version,
            pages=self._pages,
        )
        headers = {
            "ce_specversion": b"1.0",
            "ce_type": FINDING_TYPE.encode(),
            "ce_source": b"hegui",
            "ce_id": f"{issue.finding_uid}-{report.activity}-{report.at_ms}".encode(),
            "content-type": b"application/json",
        }
        return issue.finding_uid.encode(), msgspec.json.encode(made), headers


_UNDECIDED = frozenset({Outcome.INCONCLUSIVE, Outcome.ERROR})


def _follows(issue: Issue) -> bool:
    """Tell whether an issue that is not closed follows a level."""
    return issue.status != "closed" and LEVEL in issue.marks


def _advances(issue: Issue) -> bool:
    """Tell whether time alone may change an issue; one that follows a level only owes an update. There can be many of those."""
    return issue.status != "closed" and (LEVEL not in issue.marks or issue.unreported)


_SANDBOX: Stage = "sandbox"


def _not_installed(rule_id: str, like: Rule) -> Rule:
    """Return a stand-in for a rule whose pack was removed while its issue is open: the issue can still close."""
    from dataclasses import replace

    return replace(
        like,
        id=rule_id,
        title=f"{rule_id} (not installed)",
        title_zh=rule_id,
        family="unknown",
        severity="low",
        stage=_SANDBOX,
        basis=(),
    )
