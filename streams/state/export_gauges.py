"""The gauges of the export accounts that this process owns: they come with an account, and vanish with it."""

from __future__ import annotations

from collections.abc import Iterable

from hegui.rules.core import Outcome
from hegui.rules.export_accounts import Counts, ExportAccount
from hegui.rules.exports import LEDGER_TENANT, PROBLEMS, legal_day
from hegui.rules.issues import STEP
from hegui.streams.metrics import StateMetrics, drop
from hegui.streams.state.verdicts import Verdict

KINDS = ("ordinary", "sensitive")


class ExportGauges:
    """What is shown of accounts and of what the rules say of them."""

    def __init__(self, metrics: StateMetrics) -> None:
        self._metrics = metrics
        self._said: dict[str, dict[tuple[int, int], set[tuple[str, Outcome]]]] = {}
        """Entity to partition and legal year to what the rules say, as far as it is shown."""
        self._outcomes: dict[str, set[tuple[str, Outcome]]] = {}
        """Entity to what is shown."""
        self._steps: dict[tuple[int, str, int], str] = {}
        """Partition, entity and legal year to the limit that is near."""

    def show(self, account: ExportAccount, counts: Counts, at_ms: int) -> None:
        """Show an account with what the rules are told of it; the pace is that of a time (epoch milliseconds), at least that of its last export."""
        of, metrics = account.state.account, self._metrics
        labels = (of.tenant, of.controller, of.entity, str(of.year))
        day = legal_day(max(at_ms, account.state.last_ms))
        for kind, n, persons in zip(KINDS, counts, (account.ordinary, account.sensitive), strict=False):
            metrics.export_subjects.labels(*labels, kind).set(n)
            metrics.export_new_subjects.labels(*labels, kind).set(persons.new(day))
        for problem, n in account.state.uncounted().items():
            metrics.export_uncounted.labels(*labels, problem).set(n)

    def hide(self, account: ExportAccount) -> None:
        """Remove an account."""
        of, metrics = account.state.account, self._metrics
        labels = (of.tenant, of.controller, of.entity, str(of.year))
        for kind in KINDS:
            drop(metrics.export_subjects, (*labels, kind))
            drop(metrics.export_new_subjects, (*labels, kind))
        for problem in PROBLEMS:
            drop(metrics.export_uncounted, (*labels, problem))

    def show_verdicts(
        self, partition: int, subject: tuple[str, int], verdicts: Iterable[Verdict], *, current: bool
    ) -> None:
        """Show what the rules say of an entity's ledger of a legal year, in place of what they said before; nothing removes it.

        Of years that are over only failures are shown: what is undecided in them makes no ticket every day for years.
        """
        entity, year = subject
        told = list(verdicts)
        said = {(v.issue[1], v.outcome) for v in told if current or v.outcome is Outcome.FAIL}
        of_entity = self._said.setdefault(entity, {})
        of_entity.pop((partition, year), None)
        if said:
            of_entity[partition, year] = said
        self._show_outcomes(entity, set().union(*of_entity.values()))
        if not of_entity:
            del self._said[entity]
        self._show_step(partition, subject, told)

    def _show_outcomes(self, entity: str, said: set[tuple[str, Outcome]]) -> None:
        now = {(rule, outcome) for rule, outcome in said if outcome not in _SOUND or (rule, Outcome.FAIL) not in said}
        for rule, outcome in self._outcomes.pop(entity, set()) - now:
            drop(self._metrics.ledger_outcome, (LEDGER_TENANT, entity, rule, outcome))
        if now:
            self._outcomes[entity] = now
        for rule, outcome in now:
            self._metrics.ledger_outcome.labels(LEDGER_TENANT, entity, rule, outcome).set(1)

    def _show_step(self, partition: int, subject: tuple[str, int], verdicts: Iterable[Verdict]) -> None:
        entity, year = subject
        near = next((v.evidence for v in verdicts if v.outcome is Outcome.FAIL and STEP in v.evidence), {})
        before, limit, step = self._steps.pop((partition, *subject), None), near.get("limit"), near.get(STEP)
        if before is not None and before != str(limit):
            drop(self._metrics.export_limit_step, (LEDGER_TENANT, entity, str(year), before))
        if isinstance(step, int) and limit is not None:
            self._steps[partition, entity, year] = str(limit)
            self._metrics.export_limit_step.labels(LEDGER_TENANT, entity, str(year), str(limit)).set(step / 100)


_SOUND = frozenset({Outcome.PASS, Outcome.NOT_APPLICABLE})
