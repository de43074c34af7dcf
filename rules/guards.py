"""The cheap questions by which the engine picks the rules an event can meet at all.

A guard has a finite set of values, so the rules that apply can be looked up in a table keyed by the guards' values. A value
of `None` means unknown: a rule guarded by it is inconclusive, never inapplicable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from hegui.rules import events
from hegui.rules.exports import ExportLedger
from hegui.rules.iscc import is_iscc
from hegui.rules.ledgers.corpora import CorpusLedger
from hegui.rules.ledgers.deadlines import CaseKind, Deadline
from hegui.rules.ledgers.labels import ContentLabelLedger, ProduceIdLedger
from hegui.rules.ledgers.sessions import SessionClock
from hegui.rules.ledgers.sources import SourceLedger

if TYPE_CHECKING:
    from hegui.rules.policy import Service

_BOOLEAN = frozenset({True, False})


class Guards(msgspec.Struct, frozen=True):
    """The guards of one event type.

    `of_service` are decided by the deployer's service registry (for a service that the registry does not know, by the event's
    own word, or unknown); `of_event` are read from the event, in the order in which `key` returns their values.
    """

    values: Mapping[str, frozenset[object]]
    of_service: tuple[str, ...]
    of_event: tuple[str, ...]
    key: Callable[[Any], tuple[object, ...]]
    """From an event to the hashable values of `of_event`. Plain code: half the cost of `attrgetter`."""

    def values_of(self, service: Service | None, key: tuple[object, ...]) -> dict[str, object]:
        """Return guard name to value for a service and an event key."""
        values = dict(zip(self.of_event, key, strict=True))
        for name in self.of_service:
            values[name] = values.get("claims." + name) if service is None else getattr(service, name)
        return values


def _generation_key(event: events.GenerationEvent) -> tuple[object, ...]:
    label, implicit, moderation = event.explicit_label, event.implicit_label, event.moderation
    likeness, hits = event.likeness, event.work_hits
    return (
        event.role,
        event.public_cn,
        event.modality,
        event.delivery,
        event.deep_synthesis_category,
        event.prompt_personal_information,
        event.sensitive_personal_information,
        event.exported,
        event.train_use,
        event.authorship_claimed,
        event.age_band,
        event.persona,
        event.crisis_signal,
        event.unlabelled_request is not None,
        None if label is None else label.present,
        # A container is known where a label was found.
        None if implicit is None else True if implicit.sites else implicit.container,
        None if moderation is None else moderation.verdict,
        None if moderation is None or moderation.risk_codes is None else bool(moderation.risk_codes),
        None if moderation is None or moderation.input_verdict is None else moderation.input_verdict == "block",
        None if likeness is None else likeness.kind,
        None if hits is None else bool(hits),
    )


def _ingest_key(event: events.IngestEvent) -> tuple[object, ...]:
    return (
        event.source_type,
        event.personal_information,
        event.sensitive_personal_information,
        event.minor_under_14,
        event.biometric,
        event.protected_work,
        event.ai_generated,
        event.annotation is not None,
        _has_iscc(event),
    )


def _has_iscc(event: events.IngestEvent) -> bool | None:
    """Tell whether an event holds an ISCC; one known to hold no protected work needs none, of any other it is unknown."""
    if event.fingerprint is None and event.work_id is None:  # nearly always
        return False if event.protected_work is False else None
    if is_iscc(event.fingerprint) or is_iscc(event.work_id):
        return True
    return False if event.protected_work is False else None


def _no_key(state: object) -> tuple[object, ...]:  # noqa: ARG001 - the form of a key
    return ()


GUARDS: dict[type, Guards] = {
    events.GenerationEvent: Guards(
        values={
            "claims.role": frozenset(get_args(events.Role)),
            "claims.public_cn": _BOOLEAN,
            "modality": frozenset(get_args(events.Modality)),
            "delivery": frozenset(get_args(events.Delivery)),
            "deep_synthesis_category": frozenset(range(6)),
            "prompt_personal_information": _BOOLEAN,
            "sensitive_personal_information": _BOOLEAN,
            "exported": _BOOLEAN,
            "train_use": _BOOLEAN,
            "authorship_claimed": _BOOLEAN,
            "age_band": frozenset({"under_14", "14_to_17", "adult"}),
            "persona": frozenset({"virtual_relative", "virtual_partner", "other"}),
            "crisis_signal": _BOOLEAN,
            "unlabelled_request": _BOOLEAN,
            "explicit_label.present": _BOOLEAN,
            "implicit_label.container": _BOOLEAN,
            "moderation.verdict": frozenset({"allow", "block", "review", "none"}),
            "moderation.risk_codes": _BOOLEAN,
            "moderation.input_blocked": _BOOLEAN,
            "likeness.kind": frozenset({"face", "voice", "none"}),
            "work_hits": _BOOLEAN,
            "public_cn": _BOOLEAN,
            "role": frozenset(get_args(events.Role)),
            "companion": _BOOLEAN,
            "public_opinion": _BOOLEAN,
        },
        of_event=(
            "claims.role",
            "claims.public_cn",
            "modality",
            "delivery",
            "deep_synthesis_category",
            "prompt_personal_information",
            "sensitive_personal_information",
            "exported",
            "train_use",
            "authorship_claimed",
            "age_band",
            "persona",
            "crisis_signal",
            "unlabelled_request",
            "explicit_label.present",
            "implicit_label.container",
            "moderation.verdict",
            "moderation.risk_codes",
            "moderation.input_blocked",
            "likeness.kind",
            "work_hits",
        ),
        of_service=("public_cn", "role", "companion", "public_opinion"),
        key=_generation_key,
    ),
    events.IngestEvent: Guards(
        values={
            "source_type": frozenset(get_args(events.SourceType)),
            "personal_information": _BOOLEAN,
            "sensitive_personal_information": _BOOLEAN,
            "minor_under_14": _BOOLEAN,
            "biometric": frozenset({"face", "voice", "none"}),
            "protected_work": _BOOLEAN,
            "ai_generated": _BOOLEAN,
            "annotation": _BOOLEAN,
            "fingerprint": _BOOLEAN,
            "eu_facing": _BOOLEAN,
        },
        of_event=(
            "source_type",
            "personal_information",
            "sensitive_personal_information",
            "minor_under_14",
            "biometric",
            "protected_work",
            "ai_generated",
            "annotation",
            "fingerprint",
        ),
        of_service=("eu_facing",),
        key=_ingest_key,
    ),
    **{
        on: Guards(values={}, of_event=(), of_service=(), key=_no_key)
        for on in (
            events.ReleaseEvent,
            events.NoticeEvent,
            events.ComplaintEvent,
            events.IncidentEvent,
            ExportLedger,
            SourceLedger,
            CorpusLedger,
            SessionClock,
            ProduceIdLedger,
            ContentLabelLedger,
        )
    },
    Deadline: Guards(
        values={"kind": frozenset(get_args(CaseKind))},
        of_event=("kind",),
        of_service=(),
        key=lambda deadline: (deadline.kind,),
    ),
}
"""What rules judge (event types, and states that the state agents keep) to its guards. A dotted name is a field of a group;
`unlabelled_request`, `work_hits`, `moderation.risk_codes` and `annotation` ask whether there are any, `moderation.input_blocked`
whether the verdict on the input is `block`, `fingerprint` whether there is an ISCC, there or as work id."""
