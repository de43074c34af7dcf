"""Judges events without Kafka: for `hegui check` and `hegui coverage`. The same engine as the daemon's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from hegui.rules.core import Outcome, Result, Rule
from hegui.rules.engine import Engine
from hegui.rules.events import Envelope
from hegui.rules.fact_tables import CondemnedSource, Suspension
from hegui.rules.facts import FactStatus, FactTable, Filing, Notice, OptOut, Snapshot, loaded
from hegui.rules.optout_subjects import subject_defect
from hegui.rules.policy import Policy
from hegui.rules.violations import RECORDED, Violation, violation
from hegui.streams.errors import DecodeError, SettingsError
from hegui.streams.identities import IdentityWindow
from hegui.streams.optouts.normal_form import ends_sooner, record_key
from hegui.streams.runs import times_of

IDENTITIES = 100_000
"""Events among which a second content under one identity is told."""


class Judged(msgspec.Struct, frozen=True):
    """One event and what every rule of its type said of it."""

    envelope: Envelope
    service: str
    results: dict[str, Result]
    violation: Violation | None


def offline_engine(
    policy: Policy,
    rules: tuple[Rule, ...],
    optouts: Path | None = None,
    notices: Path | None = None,
    filings: Path | None = None,
    sources: Path | None = None,
    suspensions: Path | None = None,
) -> Engine:
    """Return an engine over the policy and the given files of facts: JSON lines in the form of their topics.

    Facts without a file are undeclared: the rules that need them stay inconclusive.

    Raises:
        SettingsError: a line of a file is no such fact.
    """
    return Engine(
        rules,
        Snapshot(
            policy,
            _table(optouts, OptOut, "opt-out"),
            _table(filings, Filing, "filing"),
            _table(notices, Notice, "notice"),
            None,
            _table(sources, CondemnedSource, "condemned source"),
            _table(suspensions, Suspension, "suspension"),
        ),
    )


F = TypeVar("F", OptOut, Filing, Notice, CondemnedSource, Suspension)


def _table(file: Path | None, kind: type[F], name: str) -> FactTable[F]:
    if file is None:
        return FactTable(FactStatus.UNDECLARED)
    decode = msgspec.json.Decoder(kind).decode
    records: dict[bytes, F] = {}
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        try:
            record = decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise SettingsError(
                f"{file.name}: line {number} is no {name}; see `hegui schema {kind.__name__.lower()}`"
            ) from None
        if isinstance(record, OptOut) and (defect := subject_defect(record.scheme, record.subject)) is not None:
            raise SettingsError(f"{file.name}: line {number} has a subject that no event has ({defect}); correct it")
        key = b"%d" % number
        if isinstance(record, OptOut):  # as on the topic: lines that correct each other's end are one record
            key = record_key(record)
            if key in records and not ends_sooner(record.valid_to_ms, records[key].interval()[1]):
                continue
        records[key] = record
    return loaded(records.values())


def judge(engine: Engine, envelopes: Iterable[Envelope | DecodeError]) -> Iterator[Judged | DecodeError]:
    """Judge events one by one; what could not be decoded is passed through."""
    seen = IdentityWindow(IDENTITIES)
    for envelope in envelopes:
        if isinstance(envelope, DecodeError):
            yield envelope
            continue
        (at_ms,) = times_of((envelope,))
        group = engine.group(envelope.tenant, envelope.data.service)
        reused = seen.reused(envelope, msgspec.json.encode(envelope))
        plan, deviations = engine.evaluate(group, envelope.data, at_ms, reused=bool(reused))
        made = None
        if any(result.outcome in RECORDED for _, result in deviations or ()):
            made = violation(
                tenant=envelope.tenant,
                source=envelope.source,
                event_id=envelope.id,
                revision=envelope.revision,
                at_ms=at_ms,
                service=group.label,
                deviations=deviations or [],
                rule_set=engine.rule_set,
                policy=engine.snapshot.policy.version,
                facts=engine.snapshot.positions(),
            )
        yield Judged(envelope, group.label, plan.outcomes(deviations or ()), made)


class Coverage:
    """Which fields the events carry, and which rules they leave undecided."""

    def __init__(self) -> None:
        self.events: dict[str, int] = {}
        self.undecodable: dict[str, int] = {}
        self.fields: dict[tuple[str, str], int] = {}
        self.outcomes: dict[tuple[str, str, Outcome], int] = {}
        """Service, rule and outcome to events."""
        self.missing: dict[tuple[str, str, str], int] = {}
        """Service, rule and what it lacked to events."""

    def add(self, judged: Judged | DecodeError) -> None:
        """Count one event."""
        if isinstance(judged, DecodeError):
            self.undecodable[judged.reason] = self.undecodable.get(judged.reason, 0) + 1
            return
        data = judged.envelope.data
        kind = type(data).__name__
        self.events[kind] = self.events.get(kind, 0) + 1
        for field in present_fields(data):
            self.fields[kind, field] = self.fields.get((kind, field), 0) + 1
        for rule, result in judged.results.items():
            key = (judged.service, rule, result.outcome)
            self.outcomes[key] = self.outcomes.get(key, 0) + 1
            if result.outcome is Outcome.INCONCLUSIVE:
                lacking = (judged.service, rule, str(result.evidence["missing"]))
                self.missing[lacking] = self.missing.get(lacking, 0) + 1

    def services(self) -> list[str]:
        """Return the services that events came of."""
        return sorted({service for service, _, _ in self.outcomes})

    def counts(self, rule: str, service: str | None = None) -> dict[Outcome, int]:
        """Return outcome to events of a rule, of one service or of all."""
        counts: dict[Outcome, int] = {}
        for (of, name, outcome), n in self.outcomes.items():
            if name == rule and service in (None, of):
                counts[outcome] = counts.get(outcome, 0) + n
        return counts

    def lacked(self, rule: str, service: str | None = None) -> dict[str, int]:
        """Return what a rule lacked, most often first, to the events it could not decide for that."""
        lacked: dict[str, int] = {}
        for (of, name, what), n in self.missing.items():
            if name == rule and service in (None, of):
                lacked[what] = lacked.get(what, 0) + n
        return dict(sorted(lacked.items(), key=lambda entry: (-entry[1], entry[0])))


def present_fields(struct: msgspec.Struct, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of the fields that are not None."""
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if value is None:
            continue
        yield prefix + name
        if isinstance(value, msgspec.Struct):
            yield from present_fields(value, f"{prefix}{name}.")


def all_fields(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of all fields of a struct type."""
    for field in msgspec.structs.fields(struct):
        yield prefix + field.name
        for part in getattr(field.type, "__args__", (field.type,)):
            if isinstance(part, type) and issubclass(part, msgspec.Struct):
                yield from all_fields(part, f"{prefix}{field.name}.")
