"""What must come out, from the input topics alone."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord

from hegui.rules.core import Outcome
from hegui.rules.engine import Engine
from hegui.rules.events import Envelope, GenerationEvent
from hegui.rules.exports import Account, exported
from hegui.rules.facts import Facts, FactStatus, FactTable, OptOut, loaded
from hegui.rules.violations import RECORDED, Violation, violation
from hegui.streams.decoders import decode_cloudevents
from hegui.streams.errors import DecodeError
from hegui.streams.facts_feed import snapshot_of
from hegui.streams.policy_file import load_policy
from hegui.streams.settings import Settings

Key = tuple[str, str, str]
"""Tenant, rule, service."""
Totals = dict[Key, tuple[int, int]]
"""Failures and waived failures."""


class Ledger(NamedTuple):
    """Persons and what could not be counted, of one account."""

    ordinary: set[bytes]
    sensitive: set[bytes]
    uncounted: Counter[str]


Ledgers = dict[Account, Ledger]


class Reference:
    """What must come out, from the records of the input topics alone: decode, then the rules, one event after another."""

    def __init__(self, settings: Settings, optouts: Iterable[OptOut]) -> None:
        policy, rules = load_policy(Path(settings.policy_file) if settings.policy_file else None)
        tables: dict[str, FactTable[Any]] = {
            name: FactTable(FactStatus.READY) for name in ("filings", "notices", "waivers", "sources", "suspensions")
        }
        tables["optouts"] = loaded(optouts)
        self.engine = Engine(rules, snapshot_of(policy, tables))
        self.events = 0
        self.violations: dict[str, Violation] = {}
        """Uid to the record, without the positions of facts."""
        self.totals: Totals = {}
        self.dead_letters: set[tuple[str, int, int, str]] = set()
        """Topic, partition, offset, reason."""
        self.outcomes: Counter[tuple[str, Outcome]] = Counter()
        self.ledgers: Ledgers = {}
        self._future_ms = round(settings.evaluator.max_future_seconds * 1000)
        self._age_ms = round(settings.evaluator.max_age_days * 86_400_000)
        self._max_bytes = settings.evaluator.max_event_bytes

    def add(self, record: ConsumerRecord[bytes, bytes]) -> None:
        """Judge one record."""
        place = (record.topic, record.partition, record.offset)
        if record.value is None or len(record.value) > self._max_bytes:
            self.dead_letters.add((*place, "tombstone" if record.value is None else "too_large"))
            return
        try:
            envelopes = decode_cloudevents(record.value, record.headers)
        except DecodeError as error:
            self.dead_letters.add((*place, error.reason))
            return
        for envelope in envelopes:
            self._judge(envelope, record, place)

    def _judge(self, envelope: Envelope, record: ConsumerRecord[bytes, bytes], place: tuple[str, int, int]) -> None:
        self.events += 1
        at_ms = int(envelope.time.timestamp() * 1000)
        group = self.engine.group(envelope.tenant, envelope.data.service)
        trusted = -self._age_ms <= at_ms - record.timestamp <= self._future_ms
        if isinstance(envelope.data, GenerationEvent):
            facts = Facts(self.engine.snapshot, at_ms, group.tenant, group.service)
            if (export := exported(envelope.data, facts, trusted)) is not None:
                ledger = self.ledgers.setdefault(export.account, Ledger(set(), set(), Counter()))
                ledger[export.sensitive].update(map(bytes.fromhex, export.persons))
                ledger.uncounted.update([export.problem] if export.problem else [])
        plan, deviations = self.engine.evaluate(group, envelope.data, at_ms, trusted=trusted)
        deviations = deviations or []
        for rule_id, result in plan.outcomes(deviations).items():
            self.outcomes[rule_id, result.outcome] += 1
        for rule, result in deviations:
            if result.outcome in {Outcome.FAIL, Outcome.WAIVED}:
                key = (group.tenant, rule.id, group.label)
                failures, waived = self.totals.get(key, (0, 0))
                hit = result.outcome is Outcome.WAIVED
                self.totals[key] = (failures + (not hit), waived + hit)
        if not envelope.revision and not any(result.outcome in RECORDED for _, result in deviations):
            return
        made = violation(
            tenant=envelope.tenant,
            source=envelope.source,
            event_id=envelope.id,
            revision=envelope.revision,
            at_ms=at_ms,
            service=group.label,
            deviations=deviations,
            rule_set=self.engine.rule_set,
            policy=self.engine.snapshot.policy.version,
            facts={},
            position=place,
        )
        assert made.uid not in self.violations, "the reference wants every event once"
        self.violations[made.uid] = made


def difference(what: str, found: Totals, wanted: Totals) -> list[str]:
    """One line when two sets of totals differ."""
    wrong = {k: (found.get(k), wanted.get(k)) for k in found.keys() | wanted.keys() if found.get(k) != wanted.get(k)}
    return [f"{what}: {len(wrong)} differ (found, wanted): {dict(list(wrong.items())[:6])}"] if wrong else []
