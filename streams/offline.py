"""Judges events without Kafka: for `hegui check` and `hegui coverage`. The same engine as the daemon's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from hegui.rules.core import Outcome, Result, Rule
from hegui.rules.engine import Engine
from hegui.rules.events import Envelope
from hegui.rules.facts import FactStatus, FactTable, OptOut, Snapshot, loaded
from hegui.rules.policy import Policy
from hegui.rules.violations import RECORDED, Violation, violation
from hegui.streams.errors import DecodeError, SettingsError


class Judged(msgspec.Struct, frozen=True):
    """One event and what every rule of its type said of it."""

    envelope: Envelope
    service: str
    results: dict[str, Result]
    violation: Violation | None


def offline_engine(policy: Policy, rules: tuple[Rule, ...], optouts: Path | None) -> Engine:
    """Return an engine over the policy and, when given, a file of opt-outs (JSON lines in the form of the opt-outs topic).

    Raises:
        SettingsError: a line of the file is no opt-out.
    """
    table: FactTable[OptOut] = FactTable(FactStatus.UNDECLARED)
    if optouts is not None:
        records = []
        for number, line in enumerate(optouts.read_bytes().splitlines(), 1):
            try:
                records.append(msgspec.json.decode(line, type=OptOut))
            except msgspec.DecodeError:
                raise SettingsError(f"{optouts.name}: line {number} is no opt-out; see `hegui schema optout`") from None
        table = loaded(records)
    return Engine(rules, Snapshot(policy, table))


def judge(engine: Engine, envelopes: Iterable[Envelope | DecodeError]) -> Iterator[Judged | DecodeError]:
    """Judge events one by one; what could not be decoded is passed through."""
    for envelope in envelopes:
        if isinstance(envelope, DecodeError):
            yield envelope
            continue
        at_ms = int(envelope.time.timestamp() * 1000)
        group = engine.group(envelope.tenant, envelope.data.service)
        plan, deviations = engine.evaluate(group, envelope.data, at_ms)
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
        self.outcomes: dict[tuple[str, Outcome], int] = {}
        self.missing: dict[tuple[str, str], int] = {}

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
            key = (rule, result.outcome)
            self.outcomes[key] = self.outcomes.get(key, 0) + 1
            if result.outcome is Outcome.INCONCLUSIVE:
                lacking = (rule, str(result.evidence["missing"]))
                self.missing[lacking] = self.missing.get(lacking, 0) + 1


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
