"""What the peers do with one record, whatever carries it: the evaluator's decoder, the same rules by the same engine, the same violation.

Peers keep no sums and no metrics and compare no identities, which the evaluator does: they do less.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from hegui.rules.violations import RECORDED, VIOLATION_TYPE, violation
from hegui.streams.decoders import Headers, decode_cloudevents
from hegui.streams.offline import offline_engine
from hegui.streams.policy_file import load_policy
from hegui.streams.settings import Settings
from tests.bench import synthetic_rules
from tests.bench.policy import POLICY

_DAY_MS = 86_400_000
_HEADERS = [("ce_specversion", b"1.0"), ("ce_type", VIOLATION_TYPE.encode()), ("content-type", b"application/json")]
_encode = msgspec.json.Encoder().encode


class Made(NamedTuple):
    """A violation to send."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class PeerJudge:
    """Judges records one by one."""

    def __init__(self, settings: Settings, book: str, opt_outs: Path) -> None:
        policy, _ = load_policy(POLICY)
        none = Path(os.devnull)  # as on the broker, where no state agent has made a fact: ready and empty
        self.engine = offline_engine(policy, synthetic_rules.named(book), opt_outs, sources=none, suspensions=none)
        self._oldest_ms = -round(settings.evaluator.max_age_days * _DAY_MS)
        self._newest_ms = round(settings.evaluator.max_future_seconds * 1000)

    def __call__(
        self, value: bytes, headers: Headers | None, broker_ms: int, topic: str, partition: int, offset: int
    ) -> Made | None:
        """Return the record's violation, None when there is none."""
        (envelope,) = decode_cloudevents(value, headers or ())
        at_ms = int(envelope.time.timestamp() * 1000)
        trusted = self._oldest_ms <= at_ms - broker_ms <= self._newest_ms
        return self.judge(envelope, at_ms, trusted, (topic, partition, offset))

    def judge(self, envelope: msgspec.Struct, at_ms: int, trusted: bool, position: tuple[str, int, int]) -> Made | None:
        engine = self.engine
        group = engine.group(envelope.tenant, envelope.data.service)
        _, deviations = engine.evaluate(group, envelope.data, at_ms, trusted=trusted)
        if not deviations or not any(result.outcome in RECORDED for _, result in deviations):
            return None
        made = violation(
            tenant=envelope.tenant,
            source=envelope.source,
            event_id=envelope.id,
            revision=envelope.revision,
            at_ms=at_ms,
            service=group.label,
            deviations=deviations,
            rule_set=engine.rule_set,
            policy=engine.snapshot.policy.version,
            facts=engine.snapshot.positions(),
            position=position,
        )
        uid = made.uid.encode()
        return Made(uid, _encode(made), [*_HEADERS, ("ce_id", uid), ("ce_source", b"hegui")])


class Found(NamedTuple):
    """What a violation says, as far as all engines must agree on it."""

    uid: str
    results: tuple[tuple[str, str], ...]
    """Rule id and outcome, sorted."""


class _Result(msgspec.Struct):
    rule: str
    outcome: str


class _Violation(msgspec.Struct):
    uid: str
    results: Sequence[_Result]


_decode = msgspec.json.Decoder(_Violation).decode


def found_in(value: bytes) -> Found:
    made = _decode(value)
    return Found(made.uid, tuple(sorted((result.rule, result.outcome) for result in made.results)))
