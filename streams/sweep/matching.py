"""Looks records of the inputs up in the opt-outs of a sweep. Pure but for its counts: records in, records to send out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from hegui.rules.core import Rule
from hegui.rules.engine import Engine
from hegui.rules.events import Envelope, IngestEvent
from hegui.rules.evidence import Code, safe
from hegui.rules.facts import Snapshot
from hegui.rules.ledgers.deadlines import CaseUpdate, Deadline
from hegui.rules.ledgers.removals import removal, removal_id
from hegui.rules.observations import NO_TIME, OBSERVATION_VERSION, Observation
from hegui.rules.policy import Policy
from hegui.rules.violations import RECORDED, VIOLATION_TYPE, violation
from hegui.streams.decoders import DECODERS, RUN_DECODERS
from hegui.streams.evaluator import Output
from hegui.streams.observations import partition_of
from hegui.streams.runs import RUN, Decoded, Record, decoded, times_of
from hegui.streams.settings import Settings
from hegui.streams.sweep.batch import Batch
from hegui.streams.sweep.covering import Covering, Taken

_encode = msgspec.json.Encoder().encode

_HEADERS = [
    ("ce_specversion", b"1.0"),
    ("ce_type", VIOLATION_TYPE.encode()),
    ("content-type", b"application/json"),
    ("ce_source", b"hegui"),
]

SOURCE = "sweep"
"""Source topic in the observations of a sweep: it is no topic, and tells cases only."""


class Matcher:
    """One batch of opt-outs under one policy."""

    def __init__(
        self, settings: Settings, policy: Policy, rules: Iterable[Rule], batch: Batch, optouts_to: Mapping[str, int]
    ) -> None:
        """Nothing is read before `hits`.

        Args:
            settings: formats of the inputs, partitions of the observations, the group.
            policy: the policy in force.
            rules: those it selects; without OPT010 nothing is recorded.
            batch: the opt-outs.
            optouts_to: partition to the next offset that is not part of the sweep, for the records.
        """
        self.hits_of: Counter[str] = Counter()
        """Service to hits."""
        self._shown: Counter[str] = Counter()
        self._engine = Engine(rules, Snapshot(policy, batch.table))
        self._covering = Covering(policy, batch)
        self._formats = {topic.name: topic.format for topic in settings.topics.inputs}
        self._max_bytes = settings.evaluator.max_event_bytes
        self._partitions = settings.topics.state_partitions
        self._group = settings.kafka.group_id
        self._facts = {"optouts": dict(optouts_to)}
        self._told: set[tuple[str, str]] = set()

    def new_hits(self) -> Counter[str]:
        """Return service to hits since the last call."""
        new = self.hits_of - self._shown
        self._shown = self.hits_of.copy()
        return new

    def hits(self, topic: str, partition: int, records: Sequence[Record]) -> list[Output]:
        """Return a violation for each record that an opt-out covers and did not keep out, and the cases they belong to.

        Records that cannot be decoded are passed over: the evaluators bury them.
        """
        outputs: list[Output] = []
        cases: list[CaseUpdate] = []
        form = self._formats[topic]
        for first in range(0, len(records), RUN):
            run = records[first : first + RUN]
            for part in decoded(run, RUN_DECODERS[form], DECODERS[form], self._max_bytes):
                if isinstance(part, Decoded):
                    times = times_of(part.envelopes)
                    for record, envelope, at_ms in zip(part.records, part.envelopes, times, strict=True):
                        self._look_at(topic, partition, record, envelope, at_ms, outputs, cases)
        return [*outputs, *self._observed(cases)]

    def _look_at(
        self,
        topic: str,
        partition: int,
        record: Record,
        envelope: Envelope,
        at_ms: int,
        outputs: list[Output],
        cases: list[CaseUpdate],
    ) -> None:
        event, engine = envelope.data, self._engine
        if not isinstance(event, IngestEvent):
            return
        group = engine.group(envelope.tenant, event.service)
        taken = Taken(event, at_ms, record.timestamp, group.tenant, group.service)
        found = self._covering.refusals(taken)
        if not found:
            return
        refusal = found[0]
        judged = Deadline(group.tenant, group.label, "removal", refusal.first.observed_at_ms)
        _, deviations = engine.evaluate(group, judged, refusal.as_of_ms)
        told = {
            "matched": safe(Code(refusal.statement.scheme)),
            "refused_at_ms": refusal.first.observed_at_ms,
            "removal": safe(Code(removal_id(refusal.first))),
        }
        # A record leaves once, but each refusal is a case of its own: the others stand when one is taken back.
        told |= {f"removal_{n}": safe(Code(removal_id(one.first))) for n, one in enumerate(found[1:], 2)}
        for rule, result in deviations or ():
            if result.outcome not in RECORDED:
                continue
            made = violation(
                tenant=envelope.tenant,
                source=envelope.source,
                event_id=envelope.id,
                revision=envelope.revision,
                at_ms=at_ms,
                service=group.label,
                deviations=[(rule, msgspec.structs.replace(result, evidence={**result.evidence, **told}))],
                rule_set=group.rule_set,
                policy=group.policy,
                facts=self._facts,
                position=(topic, partition, record.offset),
            )
            # Beside the record of the event itself, which it must not replace.
            uid = made.results[0].uid
            value = _encode(msgspec.structs.replace(made, uid=uid))
            outputs.append(Output("violations", uid.encode(), value, [*_HEADERS, ("ce_id", uid.encode())]))
            self.hits_of[group.label] += 1
            for one in found:
                case = removal(one.first, group.tenant, group.label)
                if (case.place, case.name) not in self._told:
                    self._told.add((case.place, case.name))
                    cases.append(case)

    def _observed(self, cases: Iterable[CaseUpdate]) -> list[Output]:
        by_partition: dict[int, list[CaseUpdate]] = {}
        for case in cases:
            by_partition.setdefault(partition_of(case.place.encode(), self._partitions), []).append(case)
        return [
            Output("observations", f"{SOURCE}/0".encode(), _encode(self._observation(told)), [], partition)
            for partition, told in by_partition.items()
        ]

    def _observation(self, cases: Sequence[CaseUpdate]) -> Observation:
        return Observation(
            SOURCE, 0, 0, 0, 0, NO_TIME, entries=tuple(cases), group=self._group, version=OBSERVATION_VERSION
        )
