"""Shows issues that are not closed as gauges. Those whose subjects are references share one series: there can be any number."""

from __future__ import annotations

from hegui.rules.issues import Issue
from hegui.rules.ledgers.form import label_of
from hegui.streams.metrics import StateMetrics, drop

Labels = tuple[str, str, str]
"""Tenant, service and rule."""


class IssueGauges:
    """Keeps the gauges in step with the issues. Not thread-safe."""

    def __init__(self, metrics: StateMetrics) -> None:
        self._metrics = metrics
        self._held: dict[Labels, dict[str, Issue]] = {}
        """Labels to issue keys and the issues, not closed, in the order in which they opened."""
        self._info: dict[Labels, tuple[str, str]] = {}
        """Labels to finding and sample of the one that opened last."""

    def show(self, issue: Issue) -> None:
        """Show an issue as it is now; a closed one is hidden."""
        labels = (issue.tenant, label_of(issue.service), issue.rule)
        held = self._held.setdefault(labels, {})
        if issue.status == "closed":
            held.pop(issue.key, None)
        else:
            held[issue.key] = issue
        self._set(labels, held)

    def hide(self, issue: Issue) -> None:
        """Hide an issue."""
        labels = (issue.tenant, label_of(issue.service), issue.rule)
        held = self._held.get(labels)
        if held is not None and held.pop(issue.key, None) is not None:
            self._set(labels, held)

    def _set(self, labels: Labels, held: dict[str, Issue]) -> None:
        metrics = self._metrics
        if not held:
            del self._held[labels]
            self._remove(labels)
            return
        issues = held.values()
        opened = sum(issue.status == "open" for issue in issues)
        for gauge, n in ((metrics.open_issues, opened), (metrics.suppressed, len(held) - opened)):
            if n:
                gauge.labels(*labels).set(n)
            else:
                drop(gauge, labels)
        metrics.failures.labels(*labels).set(sum(issue.failures + issue.waived for issue in issues))
        metrics.first_failure.labels(*labels).set(min(issue.first_failure_ms for issue in issues) / 1000)
        metrics.last_failure.labels(*labels).set(max(issue.last_failure_ms for issue in issues) / 1000)
        # Of an entity's legal years the present one; of many sources any.
        first = max(issues, key=lambda issue: (issue.first_failure_ms, issue.key))
        info = self._info.get(labels)
        if info is None or info[0] != first.finding_uid:
            # One series per issue and episode: the sample stays the one of the first report.
            if info is not None:
                drop(metrics.issue_info, (*labels, *info))
            info = self._info[labels] = (first.finding_uid, first.samples[0] if first.samples else "")
            metrics.issue_info.labels(*labels, *info).set(1)

    def _remove(self, labels: Labels) -> None:
        metrics = self._metrics
        for gauge in (
            metrics.open_issues,
            metrics.suppressed,
            metrics.failures,
            metrics.first_failure,
            metrics.last_failure,
        ):
            drop(gauge, labels)
        info = self._info.pop(labels, None)
        if info is not None:
            drop(metrics.issue_info, (*labels, *info))
