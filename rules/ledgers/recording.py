"""What the evaluator tells the ledgers of an event. Pure.

`recorders` picks, once for every plan, what must be asked of its events at all; most generation events are asked nothing.
Records of a corpus are counted by cells (`Ingested`), since every one of them counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hegui.rules.case_events import ComplaintEvent, IncidentEvent, NoticeEvent
from hegui.rules.events import Envelope, GenerationEvent, IngestEvent, ReleaseEvent
from hegui.rules.evidence import reference
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import labels
from hegui.rules.ledgers.abuse import AbusiveInput, AbusiveInputs
from hegui.rules.ledgers.corpora import CorpusSum
from hegui.rules.ledgers.deadlines import CaseKind, CaseUpdate
from hegui.rules.ledgers.form import Entry, reference_of
from hegui.rules.ledgers.labels import ContentLabelUse, NumberUse, ProduceIdUse, Sent
from hegui.rules.ledgers.sessions import SessionUse
from hegui.rules.ledgers.sources import SourceSum
from hegui.rules.registry import OTHER, Service

Recorder = Callable[[Envelope, Facts, int, int], tuple[Entry, ...]]
"""From an event, the facts as of it, the event time that it counts with and the broker's time, to what it adds to ledgers."""


def recorders(on: type, service: Service | None, values: Mapping[str, object]) -> tuple[Recorder, ...]:
    """Return what must be asked of events of a type, a service and guard values."""
    if on is not GenerationEvent:
        return _OF_TYPE.get(on, ())
    found: list[Recorder] = []
    if service is not None and service.companion:
        found.append(session_use)
    if service is not None and service.label_index:
        found.append(label_use)
    if values.get("moderation.input_blocked"):
        found.append(abusive_input)
    return tuple(found)


def _names(facts: Facts) -> tuple[str, str]:
    return facts.tenant, facts.service.name if facts.service is not None else OTHER


def session_use(envelope: Envelope, facts: Facts, seen_ms: int, broker_ms: int) -> tuple[Entry, ...]:
    """Return what an output of a companion service adds to its session's clock."""
    del broker_ms
    event: Any = envelope.data
    tenant, service = _names(facts)
    if facts.service is not None and facts.service.continuous_use_of == "user":
        session = reference_of(service, "user", event.user_key) if event.user_key else ""
    else:
        session = reference_of(service, event.session_id) if event.session_id else ""
    shown = event.usage_reminder_shown
    return (
        SessionUse(
            tenant=tenant,
            service=service,
            session=session,
            stretches=((seen_ms, seen_ms),),
            reminders=(seen_ms,) if shown and session else (),
            told=shown is not None,
        ),
    )


def abusive_input(envelope: Envelope, facts: Facts, seen_ms: int, broker_ms: int) -> tuple[Entry, ...]:
    """Return what an input that the service refused adds to the counter of its user; nothing when the user is not known."""
    del broker_ms
    event: Any = envelope.data
    if event.user_key is None:
        return ()
    tenant, service = _names(facts)
    number = -1 if event.input_number is None else event.input_number
    one = AbusiveInput(seen_ms, number, _event_of(envelope), envelope.revision, refused=_refused(event))
    return (AbusiveInputs(tenant=tenant, service=service, user=event.user_key, inputs=(one,)),)


def _event_of(envelope: Envelope) -> str:
    return reference_of(envelope.source, envelope.id)[:16]


def _refused(event: GenerationEvent) -> bool:
    return event.moderation is not None and event.moderation.input_verdict == "block"


def corrected(envelope: Envelope, facts: Facts, seen_ms: int, broker_ms: int) -> tuple[Entry, ...]:
    """Return what a revision of an output takes back: that its input was refused, or that a label was lost.

    Asked of revisions only: what an event says no more, its plan does not tell.
    """
    event = envelope.data
    if not isinstance(event, GenerationEvent):
        return ()
    moderation = event.moderation
    entries: tuple[Entry, ...] = ()
    if moderation is not None and moderation.input_verdict not in {None, "block"}:
        entries = abusive_input(envelope, facts, seen_ms, broker_ms)
    if facts.service is not None and facts.service.label_index and labels(event.implicit_label):
        received = event.propagation.received_sha256 if event.propagation is not None else None
        if received is not None:
            kept = Sent(facts.service.name, seen_ms, _event_of(envelope), envelope.revision, labelled=True)
            entries += (ContentLabelUse(tenant=facts.tenant, content=reference_of(received), lost=(kept,)),)
    return entries


def label_use(envelope: Envelope, facts: Facts, seen_ms: int, broker_ms: int) -> tuple[Entry, ...]:
    """Return what an output says of the number and the label of a content."""
    del broker_ms
    event: Any = envelope.data
    tenant, service = _names(facts)
    found = labels(event.implicit_label)
    if found is None:
        return ()
    entries: list[Entry] = []
    content = "" if event.output_sha256 is None else reference_of(event.output_sha256)
    for label in found if content else ():
        if label.producer and label.produce_id:
            number = reference_of(label.producer, label.produce_id)
            uses = (NumberUse(seen_ms, content, _event_of(envelope), envelope.revision),)
            entries.append(ProduceIdUse(tenant=tenant, service=service, produce_id=number, uses=uses, last_ms=seen_ms))
    if found and content:
        entries.append(ContentLabelUse(tenant=tenant, content=content, labelled_ms=seen_ms))
    received = event.propagation.received_sha256 if event.propagation is not None else None
    if not found and received is not None:
        lost = (Sent(service, seen_ms, _event_of(envelope), envelope.revision),)
        entries.append(ContentLabelUse(tenant=tenant, content=reference_of(received), lost=lost))
    return tuple(entries)


def release(envelope: Envelope, facts: Facts, seen_ms: int, broker_ms: int) -> tuple[Entry, ...]:
    """Return the release of a dataset version."""
    del broker_ms
    event: Any = envelope.data
    tenant, service = _names(facts)
    dataset = dataset_of(service, event.dataset, event.dataset_version)
    return (CorpusSum(tenant=tenant, service=service, dataset=dataset, last_ms=seen_ms, released_at_ms=seen_ms),)


_MOMENTS: dict[type, tuple[CaseKind, str, str]] = {
    NoticeEvent: ("notice", "received_at_ms", "handled_at_ms"),
    ComplaintEvent: ("complaint", "received_at_ms", "answered_at_ms"),
    IncidentEvent: ("incident", "discovered_at_ms", "reported_at_ms"),
}
"""Event of a case to its kind and to the fields that say when its clock began, and when it was dealt with."""


def case_update(envelope: Envelope, facts: Facts, seen_ms: int, broker_ms: int) -> tuple[Entry, ...]:
    """Return what an event says of a case. A beginning ahead of the event is not believed, nor an end ahead of the broker's time."""
    event: Any = envelope.data
    kind, opened, done = _MOMENTS[type(event)]
    tenant, service = _names(facts)
    opened_ms, done_ms = getattr(event, opened), getattr(event, done)
    if kind == "incident" and not event.report_reference:
        done_ms = None
    return (
        CaseUpdate(
            tenant=tenant,
            service=service,
            kind=kind,
            case=reference_of(kind, envelope.source, envelope.id),
            revision=envelope.revision,
            named=envelope.revision,
            opened_ms=seen_ms if opened_ms is None else min(opened_ms, seen_ms),
            done_ms=None if done_ms is None else min(done_ms, broker_ms),
        ),
    )


_OF_TYPE: dict[type, tuple[Recorder, ...]] = {
    ReleaseEvent: (release,),
    NoticeEvent: (case_update,),
    ComplaintEvent: (case_update,),
    IncidentEvent: (case_update,),
}


class Counted(NamedTuple):
    """What a record counted as when it was seen last."""

    revision: int
    """The highest revision seen."""
    recorded: bool
    """Whether it counted as a record."""
    illegal: bool | None
    """What its check found; None: it was not checked."""


class Ingested:
    """Records of one pipeline, source and dataset version in one block: counted in place, since every record counts."""

    __slots__ = ("changed", "checked", "illegal", "last_ms", "records", "sampled")

    def __init__(self) -> None:
        self.records = 0
        self.sampled = 0
        """Records that were checked, less those that count in an earlier block."""
        self.illegal = 0
        """Those of them that are illegal, less those that were taken back."""
        self.last_ms = 0
        self.changed = False
        self.checked = False
        """Whether the block said anything of checks."""

    def add(self, event: IngestEvent, revision: int, seen_ms: int, before: Counted | None = None) -> Counted:
        """Count a record, once however often it is told; a higher revision replaces what a lower one found.

        Args:
            event: the record.
            revision: revision of the event.
            seen_ms: event time that it counts with.
            before: what it counted as before; None: it is not known. Then a revision is believed to be of a record that
                was counted and not checked yet.

        Returns:
            What it counts as now.
        """
        self.changed = True
        self.last_ms = max(self.last_ms, seen_ms)
        if before is None:
            before = Counted(-1, recorded=False, illegal=None)
        first = not revision and not before.recorded
        self.records += first
        illegal = before.illegal
        check = event.content_check
        if revision > before.revision and check is not None and check.illegal is not None:
            self.checked = True
            self.sampled += illegal is None
            self.illegal += check.illegal - bool(illegal)
            illegal = check.illegal
        if first and before.revision < 0:
            return _FIRST[illegal]
        return Counted(max(revision, before.revision), recorded=first or before.recorded, illegal=illegal)


_FIRST = {illegal: Counted(0, recorded=True, illegal=illegal) for illegal in (None, False, True)}
"""What nearly every record counts as: one object for all of them."""


IngestKey = tuple[str, str, str | None, str | None, str | None]
"""Tenant, pipeline, source, dataset, version."""


def ingest_key(event: IngestEvent, tenant: str, service: str) -> IngestKey:
    """Return what records are counted by."""
    return (tenant, service, event.source_id, event.dataset, event.dataset_version)


def dataset_of(service: str, dataset: str | None, version: str | None) -> str:
    """Return what stands for a dataset version of a pipeline; empty when one of the two is not named."""
    return "" if dataset is None or version is None else reference_of(service, dataset, version)


def assessment(event: IngestEvent, tenant: str, seen_ms: int) -> SourceSum | None:
    """Return the assessment of a source before collection that a record reports, or None."""
    found = event.assessment
    if found is None or event.source_id is None or event.assessed_at_ms is None:
        return None
    return SourceSum(
        tenant=tenant,
        source=reference(event.source_id),
        last_ms=seen_ms,
        # An assessment ahead of its event is not believed: it would clear a source for as long as it lies ahead.
        assessed_at_ms=min(event.assessed_at_ms, seen_ms),
        assessed=found.sampled,
        assessed_illegal=found.illegal,
    )
