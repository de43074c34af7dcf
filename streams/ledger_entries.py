"""Collects, within one block of a source partition, what its events tell the ledgers.

Entries are cumulative: each record of a block repeats all that the block showed of a state that changed, so that a block
read twice counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hegui.rules.core import Outcome
from hegui.rules.engine import Plan
from hegui.rules.events import Envelope, IngestEvent
from hegui.rules.evidence import reference
from hegui.rules.ledgers.corpora import COUNTS, CorpusSum
from hegui.rules.ledgers.coverage import CoverageSum
from hegui.rules.ledgers.form import Entry
from hegui.rules.ledgers.recording import Ingested, IngestKey, assessment, dataset_of, ingest_key
from hegui.rules.ledgers.sources import SourceSum
from hegui.streams.cells import Cell

EntryKey = tuple[type[Entry], str, str]
"""Kind, place and name of a state."""


class LedgerEntries:
    """What the events of one block told the ledgers. Not thread-safe."""

    def __init__(self) -> None:
        self._entries: dict[EntryKey, Entry] = {}
        self._changed: dict[EntryKey, None] = {}
        self._ingested: dict[IngestKey, Ingested] = {}
        self._assessed: dict[tuple[str, str], SourceSum] = {}
        self._coverage: dict[EntryKey, CoverageSum] = {}
        """What was told last."""

    def add(self, entries: Iterable[Entry]) -> None:
        """Take in what one event tells."""
        for entry in entries:
            key = (type(entry), entry.place, entry.name)
            known = self._entries.get(key)
            self._entries[key] = entry if known is None else known.merged(entry)
            self._changed[key] = None

    def ingested(self, envelope: Envelope, event: IngestEvent, plan: Plan, seen_ms: int) -> None:
        """Take in a record of a corpus."""
        tenant, service = plan.group.tenant, plan.group.label
        key = ingest_key(event, tenant, service)
        found = self._ingested.get(key)
        if found is None:
            found = self._ingested[key] = Ingested()
        found.add(event, envelope.revision, seen_ms)
        if event.assessment is not None and (told := assessment(event, tenant, seen_ms)) is not None:
            known = self._assessed.get((tenant, told.source))
            self._assessed[tenant, told.source] = told if known is None else known.merged(told)

    def take(self, cells: Mapping[Plan, Cell]) -> list[Entry]:
        """Return the entries that changed since the last call.

        Args:
            cells: the events of the block by plan: they tell the label coverage.
        """
        taken = [self._entries[key] for key in self._changed]
        self._changed.clear()
        return [*taken, *self._sources(), *self._corpora(), *self._covered(cells)]

    def _sources(self) -> list[Entry]:
        changed = {(key[0], key[2]) for key, found in self._ingested.items() if found.changed}
        sums: dict[tuple[str, str], SourceSum] = {}
        for (tenant, _, source, *_), found in self._ingested.items():
            if source is None or (tenant, source) not in changed:
                continue
            one = SourceSum(
                tenant=tenant,
                source=reference(source),
                last_ms=found.last_ms,
                sampled=found.sampled,
                illegal=found.illegal,
            )
            known = sums.get((tenant, source))
            sums[tenant, source] = one if known is None else known.merged(one)
        told: list[Entry] = []
        for one in sums.values():
            assessed = self._assessed.get((one.tenant, one.source))
            if assessed is not None:
                told.append(one.merged(assessed))
            elif one.sampled:
                told.append(one)
        return told

    def _corpora(self) -> list[Entry]:
        changed = {self._corpus(key) for key, found in self._ingested.items() if found.changed}
        sums: dict[tuple[str, str, str], CorpusSum] = {}
        for key, found in self._ingested.items():
            corpus = self._corpus(key)
            if corpus not in changed:
                continue
            counts = {name: n for name, n in zip(COUNTS, found.counts, strict=True) if n}
            one = CorpusSum(
                tenant=corpus[0], service=corpus[1], dataset=corpus[2], last_ms=found.last_ms, counts=counts
            )
            known = sums.get(corpus)
            sums[corpus] = one if known is None else known.merged(one)
        for found in self._ingested.values():
            found.changed = False
        return list(sums.values())

    @staticmethod
    def _corpus(key: IngestKey) -> tuple[str, str, str]:
        tenant, service, _, dataset, version = key
        return (tenant, service, dataset_of(service, dataset, version))

    def _covered(self, cells: Mapping[Plan, Cell]) -> list[Entry]:
        found: dict[EntryKey, CoverageSum] = {}
        for plan, cell in cells.items():
            for label, rule, judged in plan.coverage:
                outputs: dict[str, int] = {}
                passed = cell.count
                if judged:
                    for outcome in _DEVIATING:
                        if n := cell.deviations.get((rule, outcome), 0):
                            outputs[outcome.value] = n
                            passed -= n
                    passed -= cell.deviations.get((rule, Outcome.NOT_APPLICABLE), 0)
                    if passed:
                        outputs[Outcome.PASS.value] = passed
                else:
                    outputs[Outcome.INCONCLUSIVE.value] = cell.count
                if not outputs:
                    continue
                one = CoverageSum(
                    tenant=plan.group.tenant,
                    service=plan.group.label,
                    modality=plan.modality,
                    label=label,
                    outputs=outputs,
                )
                key = (CoverageSum, one.place, one.name)
                known = found.get(key)
                found[key] = one if known is None else known.merged(one)
        changed: list[Entry] = [one for key, one in found.items() if one != self._coverage.get(key)]
        self._coverage = found
        return changed


_DEVIATING = (Outcome.FAIL, Outcome.WAIVED, Outcome.INCONCLUSIVE, Outcome.ERROR)
