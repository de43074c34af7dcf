"""The export keeper: the export accounts of the partitions that this process owns, and what the rules say of them.

It knows nothing of Faust. The table holds one entry for an account, and one for the persons that an observation added to it (32
bytes each, under the observation's offset). Counts are those of the sets, made anew at recovery, so that a crash between two
writes can lose none: an entry of persons is stored whole or not at all, and an observation read again adds only what is not stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec
import structlog

from hegui.rules.core import Outcome, Rule
from hegui.rules.engine import Engine
from hegui.rules.export_accounts import AccountState, ControllerYear, ExportAccount
from hegui.rules.exports import PROBLEMS, Account, ExportLedger
from hegui.rules.facts import Snapshot
from hegui.rules.observations import Observation
from hegui.rules.policy import Policy
from hegui.streams.errors import StateVersionError
from hegui.streams.metrics import StateMetrics, drop

log = structlog.get_logger()

ACCOUNT = b"\x01a"
"""Prefix of the table key of an account: then 2 bytes partition, 16 bytes hash of the account."""
PERSON = b"\x01p"
"""Prefix of the table key of persons: then the account's 18 bytes, `o` or `s`, 8 bytes offset. The value: 32 bytes a person."""
PERSON_BYTES = 32

VERSION = 1
"""Version of `AccountState` that this process writes; it reads older ones."""


def account_place(partition: int, account: Account) -> bytes:
    """Return the 18 bytes that stand for an account in table keys."""
    return partition.to_bytes(2, "big") + hashlib.sha256(msgspec.json.encode(account)).digest()[:16]


def is_export_key(key: bytes) -> bool:
    """Tell whether a table key belongs to the export keeper."""
    return key.startswith((ACCOUNT, PERSON))


def partition_in(key: bytes) -> int:
    """Return the partition that a table key of this module names."""
    return int.from_bytes(key[2:4], "big")


def persons_in(value: bytes) -> Iterator[bytes]:
    """Yield the persons of a table entry."""
    return (value[at : at + PERSON_BYTES] for at in range(0, len(value), PERSON_BYTES))


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

    def add(self, account: ExportAccount) -> None:
        of = account.state.account
        self.accounts[of] = account
        self.controllers.setdefault((of.tenant, of.controller, of.year), ControllerYear()).add(account)


class ExportKeeper:
    """The export accounts of the owned partitions. Not thread-safe."""

    def __init__(self, metrics: StateMetrics) -> None:
        self._metrics = metrics
        self._partitions: dict[int, _Partition] = {}
        self._engine = Engine((), Snapshot(Policy(version="none")))
        self._exposed: dict[tuple[str, str], set[tuple[str, Outcome]]] = {}

    def use(self, policy: Policy, rules: Iterable[Rule]) -> None:
        """Take a policy and its rules; every account is judged again with the next observation."""
        self._engine = Engine((rule for rule in rules if rule.on is ExportLedger), Snapshot(policy))
        for held in self._partitions.values():
            held.judge_all = True

    def accounts(self) -> Iterator[ExportAccount]:
        """Iterate over all accounts."""
        for held in self._partitions.values():
            yield from held.accounts.values()

    def load(self, table: Mapping[bytes, bytes], owned: Iterable[int]) -> None:
        """Take over the owned partitions from a recovered table.

        Raises:
            StateVersionError: an account was written by a newer version, which this one must not change.
        """
        self._partitions = {partition: _Partition() for partition in owned}
        places: dict[bytes, ExportAccount] = {}
        for key, value in table.items():
            if key.startswith(ACCOUNT) and (held := self._partitions.get(partition_in(key))) is not None:
                state = msgspec.json.decode(value, type=AccountState)
                if state.version > VERSION:
                    raise StateVersionError(f"an export account has version {state.version}; run a newer hegui")
                places[key[2:]] = account = ExportAccount(state)
                held.accounts[state.account] = account
        for key, value in table.items():
            if key.startswith(PERSON) and (found := places.get(key[2:20])) is not None:
                (found.sensitive if key[20:21] == b"s" else found.ordinary).update(persons_in(value))
        for held in self._partitions.values():
            for account in list(held.accounts.values()):
                held.add(account)
                self._expose(account)

    def release(self, partition: int) -> None:
        """Give up a partition: its gauges vanish, so that sums over processes never count a person twice."""
        self.hide(partition)
        self._partitions.pop(partition, None)

    def hide(self, partition: int) -> None:
        """Remove the gauges of a partition; `load` brings back those that stay."""
        held = self._partitions.get(partition)
        for of in held.accounts if held is not None else ():
            for kind in ("ordinary", "sensitive"):
                drop(self._metrics.export_subjects, (of.tenant, of.entity, str(of.year), kind))
            for problem in PROBLEMS:
                drop(self._metrics.export_uncounted, (of.tenant, of.entity, str(of.year), problem))
            for rule, outcome in self._exposed.pop((of.tenant, of.entity), ()):
                drop(self._metrics.ledger_outcome, (of.tenant, of.entity, rule, outcome))

    def count(
        self, partition: int, offset: int, observation: Observation
    ) -> tuple[dict[bytes, bytes], set[tuple[str, str]]]:
        """Count the exports of the observation at an offset; return the table writes, and tenant and entity of the accounts to judge."""
        held = self._partitions[partition]
        writes: dict[bytes, bytes] = {}
        touched: set[tuple[str, str]] = set()
        for sum_ in observation.exports:
            of = sum_.account
            account = held.accounts.get(of)
            if account is None:
                account = ExportAccount(AccountState(of, version=VERSION))
                held.add(account)
            place = account_place(partition, of)
            controller = held.controllers[of.tenant, of.controller, of.year]
            fresh = controller.step(account, observation, sum_)
            # The account first: persons without one would be lost at recovery.
            writes[ACCOUNT + place] = msgspec.json.encode(account.state)
            for kind, letter in ((False, b"o"), (True, b"s")):
                if new := b"".join(person for sensitive, person in fresh if sensitive is kind):
                    writes[PERSON + place + letter + offset.to_bytes(8, "big")] = new
            self._expose(account)
            # A sibling's persons are part of what is said of the others.
            touched.update((of.tenant, entity) for entity in controller.accounts)
        if held.judge_all:
            held.judge_all = False
            touched.update((of.tenant, of.entity) for of in held.accounts)
        return writes, touched

    def judged(self, partition: int, tenant: str, entity: str, watermark_ms: int) -> list[Verdict]:
        """Return what the rules say of an entity's accounts.

        An account is judged as of its last export. A failure of the present is mended by a mechanism that is in force when time
        has gone on to `watermark_ms`. Of several years the worst counts.
        """
        held = self._partitions[partition]
        worst: dict[str, Verdict] = {}
        for of, account in held.accounts.items():
            if (of.tenant, of.entity) != (tenant, entity):
                continue
            ledger = held.controllers[of.tenant, of.controller, of.year].ledger(account)
            last_ms = account.state.last_ms
            outcomes = self._outcomes(ledger, last_ms)
            if watermark_ms > last_ms and Outcome.FAIL in outcomes.values():
                later = self._outcomes(ledger, watermark_ms)
                outcomes = {
                    rule: Outcome.PASS if outcome is Outcome.FAIL and later[rule] is Outcome.PASS else outcome
                    for rule, outcome in outcomes.items()
                }
            for rule, outcome in outcomes.items():
                known = worst.get(rule)
                if known is None or _ORDER.index(outcome) > _ORDER.index(known.outcome):
                    worst[rule] = Verdict(tenant, entity, rule, outcome, last_ms)
        verdicts = list(worst.values())
        self._expose_outcomes(tenant, entity, verdicts)
        return verdicts

    def _outcomes(self, ledger: ExportLedger, at_ms: int) -> dict[str, Outcome]:
        engine = self._engine
        plan, deviations = engine.evaluate(engine.group(ledger.tenant, ledger.service), ledger, at_ms)
        for rule, result in deviations or ():
            if result.outcome is Outcome.ERROR:
                log.error("rule_raised", rule=rule.id, entity=ledger.entity)
        return {rule: result.outcome for rule, result in plan.outcomes(deviations or ()).items()}

    def _expose(self, account: ExportAccount) -> None:
        of, metrics = account.state.account, self._metrics
        labels = (of.tenant, of.entity, str(of.year))
        metrics.export_subjects.labels(*labels, "ordinary").set(len(account.ordinary))
        metrics.export_subjects.labels(*labels, "sensitive").set(len(account.sensitive))
        for problem, n in account.state.uncounted().items():
            metrics.export_uncounted.labels(*labels, problem).set(n)

    def _expose_outcomes(self, tenant: str, entity: str, verdicts: list[Verdict]) -> None:
        now = {(verdict.rule, verdict.outcome) for verdict in verdicts}
        for rule, outcome in self._exposed.get((tenant, entity), set()) - now:
            drop(self._metrics.ledger_outcome, (tenant, entity, rule, outcome))
        self._exposed[tenant, entity] = now
        for rule, outcome in now:
            self._metrics.ledger_outcome.labels(tenant, entity, rule, outcome).set(1)


_ORDER = (
    Outcome.NOT_APPLICABLE,
    Outcome.PASS,
    Outcome.WAIVED,
    Outcome.INCONCLUSIVE,
    Outcome.ERROR,
    Outcome.FAIL,
)
"""Outcomes, the worst last."""
