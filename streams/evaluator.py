"""The hot path: judges a batch of records. One synchronous function; it knows no Kafka client.

`Evaluator.judge` takes raw values, headers and positions, and returns what to send and how far it came. Drivers
(`streams/drivers/`) poll, send, and commit only what the broker acknowledged. Records are taken in runs (`streams.runs`). Per
event the path does: decode (2 us for 1 kB), one look-up of the plan, the calls of the rules that can apply (0.1-0.2 us each),
two additions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from hegui.rules.core import Outcome
from hegui.rules.engine import UNTRUSTED, Deviation, Engine, Plan
from hegui.rules.events import STREAMS, Envelope, IngestEvent
from hegui.rules.exports import exported
from hegui.rules.facts import Facts
from hegui.rules.ledgers.recording import corrected
from hegui.rules.versions import Versions
from hegui.rules.violations import RECORDED, VIOLATION_TYPE, result_uid_of, violation
from hegui.streams.cells import Cell
from hegui.streams.dead_letters import dead_letter
from hegui.streams.decoders import DECODERS, RUN_DECODERS, Decoder, Headers, RunDecoder
from hegui.streams.errors import DecodeError
from hegui.streams.identities import IdentityWindow, RecordWindow
from hegui.streams.metrics import Tallies
from hegui.streams.observations import Key, Source, observations
from hegui.streams.runs import Decoded, Record, Refused, Run, decoded, part_before, times_of
from hegui.streams.settings import Settings

Partition = tuple[str, int]
"""Topic and partition."""

DAY_MS = 86_400_000


Destination = Literal["violations", "observations", "dead_letters"]


class _Unreadable(NamedTuple):
    offset: int
    timestamp: int
    value: bytes | None = None
    headers: Headers = ()


class Output(NamedTuple):
    """A record to send."""

    destination: Destination
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    partition: int | None = None


class Judgement(NamedTuple):
    """What a batch came to."""

    outputs: list[Output]
    """Records to send, in order."""
    positions: dict[Partition, int]
    """How far each partition came. A driver commits that only with the next tick, whose sums cover it."""
    oldest_ms: int | None
    """Least broker time of the batch's records judged for the first time."""


_VIOLATION_HEADERS = [
    ("ce_specversion", b"1.0"),
    ("ce_type", VIOLATION_TYPE.encode()),
    ("content-type", b"application/json"),
    ("ce_source", b"hegui"),
]
_encode = msgspec.json.Encoder().encode


class Evaluator:
    """Judges batches. Not thread-safe: one event loop, one evaluator."""

    def __init__(
        self, settings: Settings, versions: Versions | Engine, seal: Callable[[bytes], bytes] | None = None
    ) -> None:
        self.versions = versions if isinstance(versions, Versions) else Versions([versions])
        self.tallies = Tallies()
        self.sources: dict[Partition, Source] = {}
        self._decoders: Mapping[str, Decoder] = {t.name: DECODERS[t.format] for t in settings.topics.inputs}
        self._run_decoders: Mapping[str, RunDecoder] = {t.name: RUN_DECODERS[t.format] for t in settings.topics.inputs}
        self._max_bytes = settings.evaluator.max_event_bytes
        self._future_ms = round(settings.evaluator.max_future_seconds * 1000)
        self._age_ms = round(settings.evaluator.max_age_days * DAY_MS)
        self._state_partitions = settings.topics.state_partitions
        self._partition_cache: dict[Key, int] = {}
        self._group = settings.kafka.group_id
        self._seal = seal
        self._facts: dict[str, dict[str, int]] = {}
        self._identity_window = settings.evaluator.identity_window_events
        self._identities: dict[Partition, IdentityWindow] = {}

    def assign(self, partition: Partition, start: int, resume_at: int) -> None:
        """Take over a source partition: records come from `start` on; those before `resume_at` were judged before."""
        window = self._identity_window
        self.sources[partition] = Source(*partition, start, resume_at, RecordWindow(window) if window else None)
        if window:
            self._identities[partition] = IdentityWindow(window)

    def revoke(self, partition: Partition) -> None:
        """Give up a source partition; what it counted stays in the tallies."""
        self._identities.pop(partition, None)
        source = self.sources.pop(partition, None)
        if source is not None:
            source.tally(self.tallies, STREAMS)

    def judge(self, batch: Mapping[Partition, Sequence[Record]]) -> Judgement:
        """Judge a batch: partition to records in the order of their offsets. Never raises for what a record holds."""
        self.versions = self.versions.refreshed()
        self._facts = self.versions.engines[-1].snapshot.positions()
        outputs: list[Output] = []
        positions: dict[Partition, int] = {}
        oldest_ms: int | None = None
        for partition, records in batch.items():
            source = self.sources.get(partition)
            if source is None or not records:
                continue
            self._judge_partition(source, records, outputs)
            positions[partition] = max(source.position, source.resume_at)
            if source.position > source.resume_at and (oldest_ms is None or records[0].timestamp < oldest_ms):
                oldest_ms = records[0].timestamp
        return Judgement(outputs, positions, oldest_ms)

    def _judge_partition(self, source: Source, records: Sequence[Record], outputs: list[Output]) -> None:
        if records[0].offset < source.position:
            # Fetched before a seek: read again from where the partition stands.
            records = [record for record in records if record.offset >= source.position]
        first, count = 0, len(records)
        while first < count:
            offset = records[first].offset
            if offset >= source.block_end:
                source.position = source.block_end
                self._end_block(source, offset, outputs)
            # A run lies within one block, and on one side of what an earlier process judged.
            limit = source.resume_at if offset < source.resume_at < source.block_end else source.block_end
            run = part_before(records, first, limit)
            self._judge_records(source, run, outputs)
            source.position = run[-1].offset + 1
            first += len(run)
        self._end_full_block(source, outputs)

    def _judge_records(self, source: Source, records: Sequence[Record], outputs: list[Output]) -> None:
        topic = source.topic
        for part in decoded(records, self._run_decoders[topic], self._decoders[topic], self._max_bytes):
            if isinstance(part, Refused):
                record, error = part
                source.watermark_ms = max(source.watermark_ms, record.timestamp)  # time passes with broken records too
                if record.offset >= source.resume_at:
                    self._bury(source, record, error, outputs)
            else:
                self._judge_events(source, part, outputs)

    def _judge_events(self, source: Source, part: Decoded, outputs: list[Output]) -> None:
        records, values, envelopes = part
        window = self._identities.get((source.topic, source.partition))
        reused = None if window is None else window.reused_in(envelopes, values)
        arrivals = [record.timestamp for record in records]
        run = Run(records, envelopes, times_of(envelopes), arrivals, reused or [None] * len(envelopes))
        self._judge_run(source, run, outputs)

    def _judge_run(self, source: Source, run: Run, outputs: list[Output]) -> None:
        """Judge a run of one policy and one legal era; cut into halves what is not."""
        earliest_ms, latest_ms = min(run.times), max(run.times)
        first_ms, last_ms = min(run.arrivals), max(run.arrivals)
        engine, _, policy_to_ms = self.versions.at(earliest_ms)
        era = last_era = UNTRUSTED
        trusted = earliest_ms - last_ms >= -self._age_ms and latest_ms - first_ms <= self._future_ms
        if trusted:
            era, last_era = engine.era(earliest_ms), engine.era(latest_ms)
        alike = trusted or latest_ms - first_ms < -self._age_ms or earliest_ms - last_ms > self._future_ms
        if len(run.times) > 1 and not (alike and era == last_era and latest_ms < policy_to_ms):
            # Times of two policies or legal eras, or trusted ones and others.
            for half in run.halves():
                self._judge_run(source, half, outputs)
            return
        cells, fresh, watermark_ms = source.cells, run.records[0].offset >= source.resume_at, source.watermark_ms
        plans, keys, deviations_of = engine.known_plans(era), engine.keys, engine.deviations
        for record, envelope, at_ms, broker_ms, reused in zip(*run, strict=True):
            data = envelope.data
            on = type(data)
            plan = plans.get((envelope.tenant, data.service, on, keys[on](data)))
            if plan is None or reused:
                plan = engine.meet(envelope.tenant, data, at_ms, era, reused=bool(reused))
            deviations = deviations_of(plan, data, at_ms)
            cell = cells.get(plan)
            if cell is None:
                cell = cells[plan] = Cell()
            cell.count += 1
            if reused is not None:
                cell.repeated(deviations)
            # An event from the future must not move time on: the broker's time is the limit. It also dates an event whose
            # own time is not trusted: a failure seen now must not look years old.
            seen_ms = at_ms if trusted and at_ms < broker_ms else broker_ms
            before_ms = cell.last_ms
            if seen_ms > before_ms:
                cell.last_ms = seen_ms
                if seen_ms > watermark_ms:  # noqa: PLR1730 - an `if` is cheaper than `max`
                    watermark_ms = seen_ms
            if not fresh:
                cell.tallied += 1
            if plan.exports:
                facts = Facts(engine.snapshot, at_ms, plan.group.tenant, plan.group.service)
                if (export := exported(data, facts, trusted)) is not None:  # type: ignore[arg-type] # by the plan
                    source.exported(export, seen_ms)
            if on is IngestEvent:
                source.ledgers.ingested(envelope, data, plan, seen_ms)  # type: ignore[arg-type] # by its type
            elif plan.recorders:
                facts = Facts(engine.snapshot, at_ms, plan.group.tenant, plan.group.service)
                for recorder in plan.recorders:
                    source.ledgers.add(recorder(envelope, facts, seen_ms, broker_ms))
            if deviations is not None or envelope.revision:
                if envelope.revision:
                    facts = Facts(engine.snapshot, at_ms, plan.group.tenant, plan.group.service)
                    source.ledgers.add(corrected(envelope, facts, seen_ms, broker_ms))
                self._deviated(
                    source, record, envelope, at_ms, seen_ms, before_ms, cell, plan, deviations or [], outputs
                )
        source.watermark_ms = watermark_ms

    def _deviated(
        self,
        source: Source,
        record: Record,
        envelope: Envelope,
        at_ms: int,
        seen_ms: int,
        before_ms: int,
        cell: Cell,
        plan: Plan,
        deviations: list[Deviation],
        outputs: list[Output],
    ) -> None:
        fresh = record.offset >= source.resume_at
        group = plan.group
        recorded = False
        for rule, result in deviations:
            cell.deviated(rule, result.outcome, before_ms)
            if not fresh:
                kind = (rule, result.outcome)
                cell.tallied_deviations[kind] = cell.tallied_deviations.get(kind, 0) + 1
            if result.outcome in RECORDED:
                recorded = True
            elif fresh and result.outcome is Outcome.INCONCLUSIVE:
                lacking = (rule, str(result.evidence.get("missing")))
                cell.missing[lacking] = cell.missing.get(lacking, 0) + 1
        if not recorded and not envelope.revision:
            return
        made = violation(
            tenant=envelope.tenant,
            source=envelope.source,
            event_id=envelope.id,
            revision=envelope.revision,
            at_ms=at_ms,
            service=group.label,
            deviations=deviations,
            rule_set=group.rule_set,
            policy=group.policy,
            facts=self._facts,
            position=(source.topic, source.partition, record.offset),
        )
        for found in made.results:
            if found.outcome is not Outcome.ERROR:
                waived = found.outcome is Outcome.WAIVED
                source.failed((group.tenant, found.rule, group.label), found.uid, seen_ms, waived=waived)
        if envelope.revision:
            not_passed = {rule.id for rule, result in deviations if result.outcome is not Outcome.NOT_APPLICABLE}
            for rule in (*(judged for judged, _ in plan.keys), *plan.not_applicable):
                if rule.id not in not_passed:
                    source.corrected((group.tenant, rule.id, group.label), result_uid_of(rule.id, made.uid))
        if fresh:
            uid = made.uid.encode()
            outputs.append(Output("violations", uid, _encode(made), [*_VIOLATION_HEADERS, ("ce_id", uid)]))

    def _bury(self, source: Source, record: Record, error: DecodeError, outputs: list[Output]) -> None:
        key = (source.topic, error.reason)
        self.tallies.dead_letters[key] = self.tallies.dead_letters.get(key, 0) + 1
        letter = dead_letter(source.topic, source.partition, record, error, self._seal)
        outputs.append(Output("dead_letters", None, letter, [("content-type", b"application/json")]))

    def pass_over(self, partition: Partition, broker_ms: int) -> list[Output]:
        """Give up the record at a partition's position, which the client cannot hand out; return its dead letter and the like."""
        source = self.sources[partition]
        outputs: list[Output] = []
        offset = source.position
        if offset >= source.block_end:
            self._end_block(source, offset, outputs)
        if offset >= source.resume_at:
            unreadable = _Unreadable(offset, broker_ms)
            self._bury(source, unreadable, DecodeError("unreadable", "the client cannot read the record"), outputs)
        source.position = offset + 1
        self._end_full_block(source, outputs)
        return outputs

    def _end_full_block(self, source: Source, outputs: list[Output]) -> None:
        """End a block with its last offset: a commit at its end means that nobody reads it again, so its sums must go with it."""
        if source.position >= source.block_end:
            self._end_block(source, source.position, outputs)

    def _end_block(self, source: Source, offset: int, outputs: list[Output]) -> None:
        source.tally(self.tallies, STREAMS)
        outputs += self._observed(source, tick=False)
        source.next_block(offset)

    def _observed(self, source: Source, *, tick: bool) -> list[Output]:
        key = f"{source.topic}/{source.partition}".encode()
        made = observations(source, self._state_partitions, self._partition_cache, tick=tick, group=self._group)
        return [Output("observations", key, _encode(observation), [], partition) for partition, observation in made]

    def tick(self, idle: Mapping[Partition, int]) -> list[Output]:
        """Return the observation records that are due, about once a second, and bring the tallies up to date.

        Args:
            idle: source partitions that stand at the end of their log, with the clock's time (epoch milliseconds), which
                takes over as their watermark.
        """
        outputs: list[Output] = []
        for partition, source in self.sources.items():
            if (now_ms := idle.get(partition)) is not None:
                source.watermark_ms = max(source.watermark_ms, now_ms)
            source.tally(self.tallies, STREAMS)
            outputs += self._observed(source, tick=True)
        return outputs
