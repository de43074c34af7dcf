"""The gauges of the export accounts that this process owns: they come with an account, and vanish with it."""

from __future__ import annotations

from collections.abc import Iterable

from hegui.rules.core import Outcome
from hegui.rules.export_accounts import ExportAccount
from hegui.rules.exports import PROBLEMS, legal_day
from hegui.streams.metrics import StateMetrics, drop

KINDS = ("ordinary", "sensitive")


class ExportGauges:
    """What is shown of accounts and of what the rules say of them."""

    def __init__(self, metrics: StateMetrics) -> None:
        self._metrics = metrics
        self._outcomes: dict[tuple[str, str], set[tuple[str, Outcome]]] = {}

    def show(self, account: ExportAccount, at_ms: int) -> None:
        """Show an account; the pace is that of a time (epoch milliseconds), at least that of its last export."""
        of, metrics = account.state.account, self._metrics
        labels = (of.tenant, of.entity, str(of.year))
        day = legal_day(max(at_ms, account.state.last_ms))
        for kind, persons in zip(KINDS, (account.ordinary, account.sensitive), strict=True):
            metrics.export_subjects.labels(*labels, kind).set(len(persons))
            metrics.export_new_subjects.labels(*labels, kind).set(persons.new(day))
        for problem, n in account.state.uncounted().items():
            metrics.export_uncounted.labels(*labels, problem).set(n)

    def hide(self, account: ExportAccount) -> None:
        """Remove an account."""
        of, metrics = account.state.account, self._metrics
        labels = (of.tenant, of.entity, str(of.year))
        for kind in KINDS:
            drop(metrics.export_subjects, (*labels, kind))
            drop(metrics.export_new_subjects, (*labels, kind))
        for problem in PROBLEMS:
            drop(metrics.export_uncounted, (*labels, problem))

    def show_outcomes(self, tenant: str, entity: str, outcomes: Iterable[tuple[str, Outcome]]) -> None:
        """Show what the rules say of an entity, in place of what they said before; nothing removes it."""
        now = set(outcomes)
        for rule, outcome in self._outcomes.pop((tenant, entity), set()) - now:
            drop(self._metrics.ledger_outcome, (tenant, entity, rule, outcome))
        if now:
            self._outcomes[tenant, entity] = now
        for rule, outcome in now:
            self._metrics.ledger_outcome.labels(tenant, entity, rule, outcome).set(1)
