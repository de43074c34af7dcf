"""The export keeper: the export accounts of the partitions that this process owns, and what the rules say of them.

It knows nothing of Faust. The table holds one entry for an account, and one for the persons that an observation added to it (32
bytes each, under the observation's offset and their legal day). Counts are those of the sets, made anew at recovery, so that a
crash between two writes can lose none: an entry of persons is stored whole or not at all, and an observation read again adds only
what is not stored. Accounts of legal years that are no longer kept are forgotten: `_forget` says how.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import structlog

from hegui.rules.core import Outcome, Rule
from hegui.rules.engine import Engine
from hegui.rules.export_accounts import AccountState, ControllerYear, ExportAccount, day_of
from hegui.rules.exports import Account, ExportLedger, first_year_kept, legal_day, legal_year, year_to_keep
from hegui.rules.facts import Snapshot
from hegui.rules.observations import Observation
from hegui.rules.policy import Policy
from hegui.streams.metrics import StateMetrics
from hegui.streams.state import export_table
from hegui.streams.state.export_gauges import ExportGauges
from hegui.streams.state.export_table import (
    ACCOUNT,
    PERSON,
    account_place,
    partition_in,
    persons_key,
    read_accounts,
)
from hegui.streams.state.observation_gaps import undecided
from hegui.streams.stored import encode_stored

log = structlog.get_logger()

PORTION = 50
"""Most entries deleted with one observation: Faust's producer buffers 100 writes."""


class Verdict(NamedTuple):
    """What one rule says of the accounts of one entity."""

    tenant: str
    entity: str
    rule: str
    outcome: Outcome
    event_ms: int
    """Event time as of which it was judged."""


class _Partition:
    def __init__(self) -> None:
        self.accounts: dict[Account, ExportAccount] = {}
        self.controllers: dict[tuple[str, str, int], ControllerYear] = {}
        self.judge_all = True
        self.day = 0
        """Legal day on which all accounts were judged."""
        self.first_year = 0
        """Exports of earlier legal years are not counted."""
        self.doomed: deque[bytes] = deque()
        """Table keys of accounts that are forgotten."""
        self.lost_year: int | None = None
        """Observations were lost before they were counted: of events up to this legal year."""

    def add(self, account: ExportAccount) -> None:
        of = account.state.account
        self.accounts[of] = account
        self.controllers.setdefault((of.tenant, of.controller, of.year), ControllerYear()).add(account)

    def remove(self, of: Account) -> None:
        del self.accounts[of]
        year = self.controllers[of.tenant, of.controller, of.year]
        year.remove(of.entity)
        if not year.accounts:
            del self.controllers[of.tenant, of.controller, of.year]


class ExportKeeper:
    """The export accounts of the owned partitions. Not thread-safe."""

    def __init__(self, metrics: StateMetrics) -> None:
        self._metrics = metrics
        self._gauges = ExportGauges(metrics)
        self._partitions: dict[int, _Partition] = {}
        self._table: Mapping[bytes, bytes] = {}
        self._engine = Engine((), Snapshot(Policy(version="none")))

    def use(self, policy: Policy, rules: Iterable[Rule]) -> None:
        """Take a policy and its rules; every account is judged again with the next observation."""
        self._engine = Engine((rule for rule in rules if rule.on is ExportLedger), Snapshot(policy))
        for held in self._partitions.values():
            held.judge_all = True

    def accounts(self) -> Iterator[ExportAccount]:
        """Iterate over all accounts."""
        for held in self._partitions.values():
            yield from held.accounts.values()

    def load(self, table: Mapping[bytes, bytes], reached: Mapping[int, int]) -> None:
        """Take over partitions from a recovered table, which stays the one that later writes go to.

        Args:
            table: the table.
            reached: owned partition to the event time that it has reached, epoch milliseconds.

        Raises:
            StateVersionError: an account was written by a newer version, which this one must not change.
        """
        self._table = table
        self._partitions = {partition: _Partition() for partition in reached}
        places = read_accounts(table, self._partitions)
        for place, account in places.items():
            partition = int.from_bytes(place[:2], "big")
            self._partitions[partition].add(account)
            self._gauges.show(account, reached[partition])
        for key in table:
            # A process that forgot the account died before all of its persons were deleted.
            if key.startswith(PERSON) and key[2:20] not in places and partition_in(key) in self._partitions:
                self._partitions[partition_in(key)].doomed.append(key)

    def lack(self, partition: int, lost_ms: int) -> None:
        """Note that observations of events up to a time were lost: ledgers of its legal year and of those before may hold too few persons."""
        held = self._partitions[partition]
        held.lost_year, held.judge_all = legal_year(lost_ms), True

    def release(self, partition: int) -> None:
        """Give up a partition: its gauges vanish, so that sums over processes never count a person twice."""
        self.hide(partition)
        self._partitions.pop(partition, None)

    def hide(self, partition: int) -> None:
        """Remove the gauges of a partition; `load` brings back those that stay."""
        held = self._partitions.get(partition)
        for of, account in held.accounts.items() if held is not None else ():
            self._gauges.hide(account)
            self._gauges.show_outcomes(of.tenant, of.entity, ())

    def count(
        self, partition: int, offset: int, observation: Observation, now_ms: int
    ) -> tuple[dict[bytes, bytes | None], set[tuple[str, str]]]:
        """Count the exports of the observation at an offset; return the table writes (None deletes), and tenant and entity of the accounts to judge.

        Args:
            partition: partition of the observations topic.
            offset: offset of the observation.
            observation: the record.
            now_ms: a time (epoch milliseconds) that both the events and the broker have reached: it decides what is forgotten.
        """
        held = self._partitions[partition]
        writes: dict[bytes, bytes | None] = dict.fromkeys(self._portion(partition, held))
        touched = self._turned(partition, held, now_ms)
        for sum_ in observation.exports:
            of = sum_.account
            if year_to_keep(of, sum_.last_ms) < held.first_year:
                self._metrics.exports_forgotten.inc()
                continue
            account = held.accounts.get(of)
            if account is None:
                account = ExportAccount(AccountState(of))
                held.add(account)
            place = account_place(partition, of)
            controller = held.controllers[of.tenant, of.controller, of.year]
            fresh = controller.step(account, observation, sum_)
            # The account first: persons without one would be lost at recovery.
            writes[ACCOUNT + place] = encode_stored(account.state, export_table.VERSION)
            for kind in (False, True):
                if new := b"".join(person for sensitive, person in fresh if sensitive is kind):
                    key = persons_key(place, sensitive=kind, offset=offset, day=day_of(sum_))
                    writes[key] = (writes.get(key) or b"") + new
            self._gauges.show(account, now_ms)
            # A sibling's persons are part of what is said of the others.
            touched.update((of.tenant, entity) for entity in controller.accounts)
        return writes, touched

    def _turned(self, partition: int, held: _Partition, now_ms: int) -> set[tuple[str, str]]:
        """Return tenant and entity of the accounts to judge because a legal day began, or the policy changed; forget old ones."""
        day = legal_day(now_ms)
        if day == held.day and not held.judge_all:
            return set()
        held.day, held.judge_all = day, False
        touched = {(of.tenant, of.entity) for of in held.accounts}
        held.first_year = first_year_kept(now_ms, self._engine.snapshot.policy.export_years_kept)
        self._forget(partition, held)
        for account in held.accounts.values():
            self._gauges.show(account, now_ms)
        return touched

    def _forget(self, partition: int, held: _Partition) -> None:
        """Drop the accounts of legal years that are not kept any more, and note their table keys.

        The entries are deleted with later observations, in portions: what this one changes in issues is stored by then. An
        account's own entry goes first, so that a ledger is never shown in part; persons without account are deleted by whoever
        takes the partition over.
        """
        gone: dict[bytes, ExportAccount] = {}
        for of, account in held.accounts.items():
            if year_to_keep(of, account.state.last_ms) < held.first_year:
                gone[account_place(partition, of)] = account
        if not gone:
            return
        for account in gone.values():
            held.remove(account.state.account)
            self._gauges.hide(account)
        held.doomed.extend(ACCOUNT + place for place in gone)
        held.doomed.extend(key for key in self._table if key.startswith(PERSON) and key[2:20] in gone)
        log.info("export_years_forgotten", partition=partition, before=held.first_year, accounts=len(gone))

    def _portion(self, partition: int, held: _Partition) -> list[bytes]:
        """Return the next table keys to delete; an account that lives again (the policy keeps more years) is spared."""
        keys = [held.doomed.popleft() for _ in range(min(PORTION, len(held.doomed)))]
        living = {account_place(partition, of) for of in held.accounts} if keys else set()
        return [key for key in keys if key[2:20] not in living]

    def judged(self, partition: int, tenant: str, entity: str, watermark_ms: int) -> list[Verdict]:
        """Return what the rules say of an entity's accounts.

        An account is judged as of its last export. A failure of the present is mended by a mechanism that is in force when time
        has gone on to `watermark_ms`, or by exports that grow no more. Of several years the worst counts; where no account is
        left, no rule applies.
        """
        held = self._partitions[partition]
        rules = self._engine.rules
        worst = {rule.id: Verdict(tenant, entity, rule.id, Outcome.NOT_APPLICABLE, watermark_ms) for rule in rules}
        accounts = [account for of, account in held.accounts.items() if (of.tenant, of.entity) == (tenant, entity)]
        if accounts:
            worst.clear()
        for account in accounts:
            of, last_ms = account.state.account, account.state.last_ms
            controller = held.controllers[of.tenant, of.controller, of.year]
            outcomes = self._outcomes(controller.ledger(account, last_ms), last_ms)
            if watermark_ms > last_ms and Outcome.FAIL in outcomes.values():
                later = self._outcomes(controller.ledger(account, watermark_ms), watermark_ms)
                outcomes = {
                    rule: Outcome.PASS if outcome is Outcome.FAIL and later[rule] is Outcome.PASS else outcome
                    for rule, outcome in outcomes.items()
                }
            if held.lost_year is not None and of.year <= held.lost_year:
                outcomes = undecided(outcomes)
            for rule, outcome in outcomes.items():
                known = worst.get(rule)
                if known is None or _ORDER.index(outcome) > _ORDER.index(known.outcome):
                    worst[rule] = Verdict(tenant, entity, rule, outcome, last_ms)
        verdicts = list(worst.values())
        self._gauges.show_outcomes(tenant, entity, ((v.rule, v.outcome) for v in verdicts) if accounts else ())
        return verdicts

    def _outcomes(self, ledger: ExportLedger, at_ms: int) -> dict[str, Outcome]:
        engine = self._engine
        plan, deviations = engine.evaluate(engine.group(ledger.tenant, ledger.service), ledger, at_ms)
        for rule, result in deviations or ():
            if result.outcome is Outcome.ERROR:
                log.error("rule_raised", rule=rule.id, entity=ledger.entity)
        return {rule: result.outcome for rule, result in plan.outcomes(deviations or ()).items()}


_ORDER = (
    Outcome.NOT_APPLICABLE,
    Outcome.PASS,
    Outcome.WAIVED,
    Outcome.INCONCLUSIVE,
    Outcome.ERROR,
    Outcome.FAIL,
)
"""Outcomes, the worst last."""
