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

import msgspec
import structlog

from hegui.rules.core import Outcome, Result, Rule
from hegui.rules.engine import Engine
from hegui.rules.export_accounts import AccountState, ControllerYear, ExportAccount, day_of
from hegui.rules.export_settlements import settled
from hegui.rules.exports import (
    LEDGER_TENANT,
    Account,
    ExportLedger,
    account_key,
    controller_of,
    first_year_kept,
    is_over,
    legal_day,
    legal_year,
    subject_of,
    year_to_keep,
)
from hegui.rules.facts import Snapshot
from hegui.rules.observations import Observation
from hegui.rules.policy import Policy
from hegui.streams.metrics import StateMetrics
from hegui.streams.observations import partition_of
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
from hegui.streams.state.verdicts import Verdict
from hegui.streams.stored import encode_stored

log = structlog.get_logger()

PORTION = 50
"""Most entries deleted with one observation: Faust's producer buffers 100 writes."""


Subject = tuple[str, int]
"""Entity and legal year: whom the issues of export ledgers name."""


class ExportStep(NamedTuple):
    """What an observation leads to."""

    writes: dict[bytes, bytes | None]
    """Table key to value; None: delete it."""
    verdicts: list[Verdict]
    judged_all: bool
    """Whether every account was judged: issues of which no account says anything can close."""


class _Partition:
    def __init__(self) -> None:
        self.accounts: dict[Account, ExportAccount] = {}
        self.controllers: dict[tuple[str, int], ControllerYear] = {}
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
        self.controllers.setdefault((of.controller, of.year), ControllerYear()).add(account)

    def remove(self, of: Account) -> None:
        del self.accounts[of]
        year = self.controllers[of.controller, of.year]
        year.remove(of.entity)
        if not year.accounts:
            del self.controllers[of.controller, of.year]


class ExportKeeper:
    """The export accounts of the owned partitions. Not thread-safe."""

    def __init__(self, partitions: int, metrics: StateMetrics) -> None:
        self._partitions_in_all = partitions
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
            self._show(account, reached[partition])
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
            self._gauges.show_verdicts(partition, (of.entity, of.year), (), current=False)

    def _show(self, account: ExportAccount, at_ms: int) -> None:
        self._gauges.show(account, account.counts(self._engine.snapshot, at_ms), at_ms)

    def step(
        self, partition: int, offset: int, observation: Observation, *, watermark_ms: int, at_ms: int
    ) -> ExportStep:
        """Count the exports of the observation at an offset, and judge what that concerns.

        Args:
            partition: partition of the observations topic.
            offset: offset of the observation.
            observation: the record.
            watermark_ms: event time that all known sources have reached.
            at_ms: the broker's time of the record. What both have reached decides what is forgotten.
        """
        held = self._partitions[partition]
        now_ms = min(watermark_ms, at_ms)
        writes: dict[bytes, bytes | None] = dict.fromkeys(self._portion(partition, held))
        judged_all = held.judge_all
        touched, opened = self._turned(partition, held, now_ms)
        writes.update(opened)
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
            controller = held.controllers[of.controller, of.year]
            fresh = controller.step(account, observation, sum_)
            # The account first: persons without one would be lost at recovery.
            writes[ACCOUNT + place] = encode_stored(account.state, export_table.VERSION)
            for kind in (False, True):
                if new := b"".join(person for sensitive, person in fresh if sensitive is kind):
                    key = persons_key(place, sensitive=kind, offset=offset, day=day_of(sum_))
                    writes[key] = (writes.get(key) or b"") + new
            self._show(account, now_ms)
            # A sibling's persons are part of what is said of the others.
            touched.update((entity, of.year) for entity in controller.accounts)
        verdicts = [
            verdict for subject in sorted(touched) for verdict in self._judged(partition, held, subject, watermark_ms)
        ]
        return ExportStep(writes, verdicts, judged_all)

    def _turned(self, partition: int, held: _Partition, now_ms: int) -> tuple[set[Subject], dict[bytes, bytes]]:
        """Return the accounts to judge because a legal day began, or the policy changed, and what to write of them; forget old ones."""
        day = legal_day(now_ms)
        if day == held.day and not held.judge_all:
            return set(), {}
        held.day, held.judge_all = day, False
        held.first_year = first_year_kept(now_ms, self._engine.snapshot.policy.export_years_kept)
        opened = self._settle(partition, held, now_ms)
        touched = {(of.entity, of.year) for of in held.accounts}
        self._forget(partition, held)
        for account in held.accounts.values():
            self._show(account, now_ms)
        return touched, opened

    def _settle(self, partition: int, held: _Partition, now_ms: int) -> dict[bytes, bytes]:
        """Open the accounts to which the policy adds persons, and return what to write of them.

        An entity of which no export could be counted under its name has none. Such an account is judged as of the latest export
        that was looked into.
        """
        writes: dict[bytes, bytes] = {}
        snapshot = self._engine.snapshot
        for entity, year in dict.fromkeys((one.entity, one.year) for one in snapshot.policy.export_settlements):
            listed = snapshot.entities.get(entity)
            if listed is None or year < held.first_year:
                continue
            of = Account(LEDGER_TENANT, controller_of(listed), entity, year)
            found = settled(snapshot.policy, of, now_ms)
            if found.up_to_ms is None or not (found.ordinary or found.sensitive):
                continue
            if partition_of(account_key(of).encode(), self._partitions_in_all) != partition:
                continue
            account = held.accounts.get(of)
            if account is None:
                account = ExportAccount(AccountState(of))
                held.add(account)
            state = account.state
            if account.ordinary or account.sensitive or state.marks or state.last_ms >= found.up_to_ms:
                continue
            account.state = msgspec.structs.replace(state, last_ms=found.up_to_ms)
            writes[ACCOUNT + account_place(partition, of)] = encode_stored(account.state, export_table.VERSION)
        return writes

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

    def _judged(self, partition: int, held: _Partition, subject: Subject, watermark_ms: int) -> list[Verdict]:
        """Return what the rules say of an entity's accounts of a legal year: one, or several where its controller changed.

        An account is judged as of its last export. A failure of the present is mended by a mechanism that is in force when time
        has gone on to `watermark_ms`, by exports that grow no more, or by the end of the year. Of several accounts the worst
        counts; where no account is left, no rule applies.
        """
        rules = self._engine.rules
        of_subject = (LEDGER_TENANT, subject_of(*subject))
        worst: dict[str, Verdict] = {}
        accounts = [account for of, account in held.accounts.items() if (of.entity, of.year) == subject]
        current = False
        for account in accounts:
            of, last_ms = account.state.account, account.state.last_ms
            current = current or year_to_keep(of, last_ms) >= legal_year(watermark_ms)
            results = at_last = self._results(held, account, last_ms, watermark_ms)
            if watermark_ms > last_ms and _UNMET & {result.outcome for result in results.values()}:
                later = self._results(held, account, watermark_ms, watermark_ms)
                results = {
                    rule: later[rule] if result.outcome in _UNMET and later[rule].outcome is Outcome.PASS else result
                    for rule, result in at_last.items()
                }
            outcomes = {rule: result.outcome for rule, result in results.items()}
            if held.lost_year is not None and of.year <= held.lost_year:
                # A warning ends with its year, whatever was lost; what passed all along is not known to.
                ended = is_over(of.year, watermark_ms)
                certain = {rule: outcomes[rule] for rule in outcomes if ended and at_last[rule].outcome in _UNMET}
                outcomes = undecided(outcomes) | certain
            for rule, result in results.items():
                told = Verdict(
                    (of_subject[0], rule, of_subject[1]), outcomes[rule], last_ms, result.reason, result.evidence
                )
                known = worst.get(rule)
                if known is None or _rank(told) > _rank(known):
                    worst[rule] = told
        self._gauges.show_verdicts(partition, subject, worst.values(), current=current)
        if accounts:
            return list(worst.values())
        return [
            Verdict((of_subject[0], rule.id, of_subject[1]), Outcome.NOT_APPLICABLE, watermark_ms) for rule in rules
        ]

    def _results(self, held: _Partition, account: ExportAccount, at_ms: int, reached_ms: int) -> dict[str, Result]:
        engine, of = self._engine, account.state.account
        ledger = held.controllers[of.controller, of.year].ledger(account, at_ms, engine.snapshot, reached_ms)
        plan, deviations = engine.evaluate(engine.group(ledger.tenant, ledger.service), ledger, at_ms)
        for rule, result in deviations or ():
            if result.outcome is Outcome.ERROR:
                log.error("rule_raised", rule=rule.id, entity=ledger.entity)
        return plan.outcomes(deviations or ())


_UNMET = frozenset({Outcome.FAIL, Outcome.INCONCLUSIVE})
"""What a later moment may have mended."""

_ORDER = (
    Outcome.NOT_APPLICABLE,
    Outcome.PASS,
    Outcome.WAIVED,
    Outcome.INCONCLUSIVE,
    Outcome.ERROR,
    Outcome.FAIL,
)
"""Outcomes, the worst last."""


def _rank(verdict: Verdict) -> tuple[int, int]:
    """Return how bad a verdict is; of equally bad ones the latest."""
    return _ORDER.index(verdict.outcome), verdict.event_ms
