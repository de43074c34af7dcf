"""Events that the ledgers keep, by kind, and a plain reference: every event folded into its state, one after another."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from hegui.rules.blocks import totals
from hegui.rules.case_events import ComplaintEvent, IncidentEvent, NoticeEvent
from hegui.rules.core import Outcome
from hegui.rules.engine import Engine
from hegui.rules.events import (
    Envelope,
    IngestEvent,
    Inspection,
    Moderation,
    Propagation,
    ReleaseEvent,
    SourceAssessment,
)
from hegui.rules.evidence import reference
from hegui.rules.facts import Facts
from hegui.rules.ledgers.abuse import AbuseState
from hegui.rules.ledgers.corpora import CorpusSum
from hegui.rules.ledgers.coverage import COVERAGE_RULES, CoverageSum
from hegui.rules.ledgers.form import State
from hegui.rules.ledgers.labels import ProduceIdState
from hegui.rules.ledgers.recording import Ingested, assessment, dataset_of
from hegui.rules.ledgers.samples import SampleState, record_of, sampled, united, word
from hegui.rules.ledgers.sources import SourceSum
from hegui.streams.simulation import SOUND, person
from tests.rules.ledgers.telling import At

HOUR_MS = 3_600_000


def abusive(number: int, at_ms: int) -> Any:
    """An input that moderation refused, of one of three users, each counting its inputs."""
    chat = SOUND["chat"](number, at_ms)
    refused = Moderation(verdict="none", action="blocked", input_verdict="block", risk_codes=())
    return replace(chat, user_key=person(300 + number % 3), moderation=refused, input_number=number // 3)


def companion(number: int, at_ms: int) -> Any:
    """An output of one of two sessions, an hour after the one before."""
    return replace(
        SOUND["companion"](number, at_ms), session_id=f"s-{number % 2}", usage_reminder_shown=number % 5 == 0
    )


def labelled(number: int, at_ms: int, content: int) -> Any:
    return replace(SOUND["image"](number, at_ms), output_sha256=f"{content:064x}")


def spread(number: int, at_ms: int) -> Any:
    """A picture sent on without the label that its maker gave it."""
    found = SOUND["spread"](number, at_ms)
    implicit = replace(found.implicit_label, sites=())
    received = Propagation(received_sha256=f"{number % 4:064x}", metadata_label_found=False)
    return replace(found, output_sha256=f"{1000 + number:064x}", implicit_label=implicit, propagation=received)


def checked(number: int, *, illegal: bool = False) -> IngestEvent:
    record = SOUND["licensed"](number, 0)
    check = replace(record.content_check, illegal=illegal, filtered=illegal)
    inspection = Inspection(human_passed=number % 3 == 0, technical_passed=True if number % 2 else None)
    return replace(record, source_id=f"source-{number % 2}", content_check=check, inspection=inspection)


KINDS: dict[str, Any] = {
    "abusive": abusive,
    "companion": companion,
    "labelled": lambda n, t: labelled(n, t, n % 4),
    "number twice": lambda n, t: replace(
        labelled(n, t, 50 + n % 2), implicit_label=SOUND["image"](1, t).implicit_label
    ),
    "spread": spread,
    "checked": lambda n, _: checked(n),
    "illegal": lambda n, _: checked(n, illegal=True),
    "assessed": lambda n, t: replace(
        checked(n), assessment=SourceAssessment(sampled=500, illegal=n % 40), assessed_at_ms=t - HOUR_MS
    ),
    "release": lambda n, _: ReleaseEvent(service="crawler", dataset="corpus-7", dataset_version="3"),
    "complaint": lambda n, t: ComplaintEvent(
        service="chat-assistant", received_at_ms=t - (n % 4) * HOUR_MS, answered_at_ms=None if n % 3 else t
    ),
    "incident": lambda n, t: IncidentEvent(
        service="image-studio",
        discovered_at_ms=t - HOUR_MS,
        reported_at_ms=t if n % 2 else None,
        report_reference="r-1",
    ),
    "notice": lambda n, t: NoticeEvent(service="unheard-of", handled_at_ms=None if n % 2 else t),
    "image": SOUND["image"],
}


CONCLUDED = ("condemned_at_ms", "condemned_by_ms", "episode", "cleared", "last_ms")
"""Fields that say when something was concluded of a source: that depends on the way in which it was told."""


def comparable(state: State[Any]) -> dict[str, Any]:
    """A state without what depends on the way in which it was told: of a user, that something is known."""
    found: dict[str, Any] = msgspec.to_builtins(state)
    del found["version"]  # of its writer, once it was stored
    if isinstance(state, AbuseState):
        return {name: found[name] for name in ("ledger", "service", "user")}
    marks = getattr(state, "marks", None)
    if marks is not None:
        found["marks"] = {name: n for name, n in totals(marks).items() if n}
    for gone in CONCLUDED if not isinstance(state, ProduceIdState) else ():
        found.pop(gone, None)
    return found


def portion(state: State[Any]) -> bool:
    """Tell whether a state is a portion of another, in which it is compared."""
    return isinstance(state, SampleState)


def folded(engine: Engine, told: Iterable[tuple[Envelope, int]]) -> dict[tuple[type, str, str], State[Any]]:
    """Return kind, place and name to the state after all events: the counts of each kind of state summed up plainly.

    Args:
        engine: judges the events.
        told: events and their times, epoch milliseconds.
    """
    states: dict[tuple[type, str, str], State[Any]] = {}
    sums: dict[tuple[type, str, str], Any] = {}
    samples: dict[tuple[type, str, str], list[tuple[bytes, int]]] = {}
    for envelope, at_ms in told:
        group = engine.group(envelope.tenant, envelope.data.service)
        plan, deviations = engine.evaluate(group, envelope.data, at_ms)
        facts = Facts(engine.snapshot, at_ms, group.tenant, group.service)
        entries: list[Any] = []
        for recorder in plan.recorders:
            entries += recorder(envelope, facts, at_ms, at_ms)
        counted: list[Any] = []
        if isinstance(envelope.data, IngestEvent):
            event, one = envelope.data, Ingested()
            one.add(event, envelope.revision, at_ms)
            counted.append(
                CorpusSum(
                    tenant=group.tenant,
                    service=group.label,
                    dataset=dataset_of(group.label, event.dataset, event.dataset_version),
                    last_ms=at_ms,
                    counts={"records": one.records} if one.records else {},
                )
            )
            inspection = event.inspection
            if inspection is not None and counted[0].dataset:
                said = word(envelope.revision, inspection.human_passed, inspection.technical_passed)
                record = record_of(envelope.tenant, envelope.source, envelope.id)
                samples.setdefault((CorpusSum, counted[0].place, counted[0].name), []).append((record, said))
            if event.source_id is not None:
                found = assessment(event, group.tenant, at_ms)
                seen = SourceSum(
                    tenant=group.tenant,
                    source=reference(event.source_id),
                    last_ms=at_ms,
                    sampled=one.sampled,
                    illegal=one.illegal,
                )
                counted.append(seen if found is None else seen.merged(found))
        outcomes = plan.outcomes(deviations or ())
        for rule, label in COVERAGE_RULES.items():
            if rule in outcomes and outcomes[rule].outcome is not Outcome.NOT_APPLICABLE:
                counted.append(
                    CoverageSum(
                        tenant=group.tenant,
                        service=group.label,
                        modality=plan.modality,
                        label=label,
                        outputs={outcomes[rule].outcome.value: 1},
                    )
                )
        for entry in entries:
            key = (type(entry), entry.place, entry.name)
            states[key] = states.get(key, entry.begin()).step(At(), entry)
        for entry in counted:
            key = (type(entry), entry.place, entry.name)
            sums[key] = sums[key].merged(entry) if key in sums else entry
    for key, entry in sums.items():
        states[key] = states.get(key, entry.begin()).step(At(), entry)
    for key, told_of in samples.items():
        counts: Counter[str] = Counter()
        for said in united(told_of).values():
            counts.update(sampled(said))
        states[key] = replace(states[key], sampled=dict(sorted(counts.items())))
    return states
