"""Collects, within one block of a source partition, what its events tell the ledgers.

Entries are cumulative: each record of a block repeats all that the block showed of a state that changed, so that a block
read twice counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hegui.rules.core import Outcome, Rule
from hegui.rules.engine import Plan
from hegui.rules.events import Envelope, IngestEvent, Inspection
from hegui.rules.evidence import reference
from hegui.rules.ledgers.corpora import CorpusSum
from hegui.rules.ledgers.coverage import CoverageSum
from hegui.rules.ledgers.form import Entry
from hegui.rules.ledgers.recording import Ingested, IngestKey, assessment, dataset_of, ingest_key
from hegui.rules.ledgers.samples import SampleSet, Words, last_word, packed, record_of, word
from hegui.rules.ledgers.sources import SourceSum
from hegui.streams.cells import Cell
from hegui.streams.identities import RecordWindow

EntryKey = tuple[type[Entry], str, str]
"""Kind, place and name of a state."""


class LedgerEntries:
    """What the events of one block told the ledgers. Not thread-safe.

    Args:
        portion: names the source partition and the block.
        records: what the records before counted as; None: nothing is remembered, every event counts.
    """

    def __init__(self, portion: str = "", records: RecordWindow | None = None) -> None:
        self._portion = portion
        self._records = records
        self._samples: dict[tuple[str, str, str], Words] = {}
        """Tenant, pipeline and dataset version to the samples since the last call: a set takes them in one by one."""
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
        if self._records is None:
            found.add(event, envelope.revision, seen_ms)
        else:
            record = hash((envelope.source, envelope.id, key))
            before = self._records.known(record)
            counted = found.add(event, envelope.revision, seen_ms, before)
            if counted != before:
                self._records.note(record, counted)
        inspection = event.inspection
        if inspection is not None:
            self._inspected(envelope, inspection, self._corpus(key))
        if event.assessment is not None and (told := assessment(event, tenant, seen_ms)) is not None:
            known = self._assessed.get((tenant, told.source))
            self._assessed[tenant, told.source] = told if known is None else known.merged(told)

    def _inspected(self, envelope: Envelope, inspection: Inspection, corpus: tuple[str, str, str]) -> None:
        said = word(envelope.revision, inspection.human_passed, inspection.technical_passed)
        if not said or not corpus[2]:
            return  # what names no version is never released
        words = self._samples.setdefault(corpus, {})
        record = record_of(envelope.tenant, envelope.source, envelope.id)
        words[record] = last_word(words.get(record, 0), said)

    def take(self, cells: Mapping[Plan, Cell]) -> list[Entry]:
        """Return the entries that changed since the last call.

        Args:
            cells: the events of the block by plan: they tell the label coverage.
        """
        taken = [self._entries[key] for key in self._changed]
        self._changed.clear()
        return [*taken, *self._sources(), *self._corpora(), *self._sampled(), *self._covered(cells)]

    def _sources(self) -> list[Entry]:
        changed = {(key[0], key[2]) for key, found in self._ingested.items() if found.changed}
        sums: dict[tuple[str, str], SourceSum] = {}
        checked: set[tuple[str, str]] = set()
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
            if found.checked:
                checked.add((tenant, reference(source)))
            known = sums.get((tenant, source))
            sums[tenant, source] = one if known is None else known.merged(one)
        told: list[Entry] = []
        for one in sums.values():
            assessed = self._assessed.get((one.tenant, one.source))
            if assessed is not None:
                told.append(one.merged(assessed))
            elif (one.tenant, one.source) in checked:
                told.append(one)
        return told

    def _corpora(self) -> list[Entry]:
        changed = {self._corpus(key) for key, found in self._ingested.items() if found.changed}
        sums: dict[tuple[str, str, str], CorpusSum] = {}
        for key, found in self._ingested.items():
            corpus = self._corpus(key)
            if corpus not in changed:
                continue
            counts = {"records": found.records} if found.records else {}
            one = CorpusSum(
                tenant=corpus[0], service=corpus[1], dataset=corpus[2], last_ms=found.last_ms, counts=counts
            )
            known = sums.get(corpus)
            sums[corpus] = one if known is None else known.merged(one)
        for found in self._ingested.values():
            found.changed = False
        return list(sums.values())

    def _sampled(self) -> list[Entry]:
        told: list[Entry] = [
            SampleSet(tenant=tenant, service=service, dataset=dataset, portion=self._portion, words=packed(words))
            for (tenant, service, dataset), words in self._samples.items()
        ]
        self._samples.clear()
        return told

    @staticmethod
    def _corpus(key: IngestKey) -> tuple[str, str, str]:
        tenant, service, _, dataset, version = key
        return (tenant, service, dataset_of(service, dataset, version))

    def _covered(self, cells: Mapping[Plan, Cell]) -> list[Entry]:
        found: dict[EntryKey, CoverageSum] = {}
        for plan, cell in cells.items():
            for label, rule, judged in plan.coverage:
                outputs: dict[str, int] = {}
                passed = outputs_of = cell.count - cell.repeats
                if judged:
                    for outcome in _DEVIATING:
                        if n := _once(cell, rule, outcome):
                            outputs[outcome.value] = n
                            passed -= n
                    passed -= _once(cell, rule, Outcome.NOT_APPLICABLE)
                    if passed:
                        outputs[Outcome.PASS.value] = passed
                elif outputs_of:
                    outputs[Outcome.INCONCLUSIVE.value] = outputs_of
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


def _once(cell: Cell, rule: Rule, outcome: Outcome) -> int:
    """Return how many outputs of a cell a rule says something of, those that were told again left out."""
    return cell.deviations.get((rule, outcome), 0) - cell.repeated_deviations.get((rule, outcome), 0)


_DEVIATING = (Outcome.FAIL, Outcome.WAIVED, Outcome.INCONCLUSIVE, Outcome.ERROR)
