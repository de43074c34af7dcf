"""The traffic of the stateful path: the usual events, and among them a stated share of exports, each of one person."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from hegui.rules.events import Envelope, GenerationEvent
from hegui.rules.exports import exported as counted
from hegui.rules.facts import Facts, Snapshot
from hegui.streams import simulation
from hegui.streams.policy_file import load_policy
from hegui.streams.simulated_events import exported
from tests.bench.load import Traffic
from tests.bench.policy import POLICY

ENTITY = "example-company"
PERSONS = 1_000_000
"""Persons in turn: in a run of fewer exports every one brings a new person."""

_EXPORTS = 100
_PERSON = "0" * 64
_STRIDE = 7_919
"""A prime: persons come in another order than their numbers."""


class Exports:
    """Records for the three runs."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.usual = Traffic()
        self._thirds = [
            self._cut(simulation.encode(self._export(number)), f"bench-{number}") for number in range(_EXPORTS)
        ]

    def _export(self, number: int) -> Envelope:
        # Not exempt: the export has to count. Information that is not sensitive needs no mechanism below 100,000 persons.
        event = exported(2 * number, self.usual.now_ms)
        assert event.export is not None
        export = replace(event.export, exemption=None, exemption_document=None, subjects=(f"k1:{_PERSON}",))
        counting = replace(event, export=export, sensitive_personal_information=False)
        return simulation.envelope(counting, number, self.usual.now_ms, "bench")

    @staticmethod
    def _cut(value: bytes, event_id: str) -> tuple[bytes, bytes, bytes]:
        before, _, rest = value.partition(f'"id":"{event_id}"'.encode())
        between, _, after = rest.partition(_PERSON.encode())
        assert between and after, "an export names no person"
        return before + b'"id":"export-', b'"' + between, after

    def is_export(self, number: int) -> bool:
        """Tell whether the record of a number is an export: evenly spread."""
        return int((number + 1) * self.share) > int(number * self.share)

    def values(self, count: int) -> Iterator[bytes]:
        """Yield records, exports among them."""
        thirds, exports = self._thirds, 0
        for number, usual in enumerate(self.usual.values(count)):
            if self.is_export(number):
                before, between, after = thirds[exports % _EXPORTS]
                yield b"%b%d%b%064x%b" % (before, number, between, exports * _STRIDE % PERSONS, after)
                exports += 1
            else:
                yield usual

    def persons(self, count: int) -> int:
        """Return how many distinct persons the ledgers count of so many records; faults of the usual traffic name some too."""
        templates = self.usual.envelopes
        used = {number % len(templates) for number in range(count) if not self.is_export(number)}
        policy, _ = load_policy(POLICY)
        snapshot = Snapshot(policy)
        found: set[tuple[bool, str]] = set()
        for data in (templates[number].data for number in used):
            facts = Facts(snapshot, self.usual.now_ms, "default", snapshot.services.get(("default", data.service)))
            export = counted(data, facts, True) if isinstance(data, GenerationEvent) else None
            found.update((export.sensitive, person) for person in (export.persons if export is not None else ()))
        return len(found) + min(sum(map(self.is_export, range(count))), PERSONS)
