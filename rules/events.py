"""The event contract: what a producer sends. Version 1 changes only by adding optional fields.

On the wire an event is a CloudEvent (1.0); its `data` is one of the structs below. `None` (or absent) always means
*unknown*: a rule that needs the field is then inconclusive. An explicit `false` or an empty list means "known not to be".
Unknown fields are ignored. Every text field of free form is content or an identifier and appears in no result.
Field groups follow the catalogue of duties (labelling, moderation, personal information, export, training data).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hegui.rules.case_events import ComplaintEvent, IncidentEvent, NoticeEvent
from hegui.rules.generation import (
    Authorship,
    CrisisResponse,
    ExplicitLabel,
    Export,
    GenerationEvent,
    ImplicitLabel,
    LabelForm,
    LabelPosition,
    LabelSite,
    Likeness,
    Media,
    ModelReference,
    Moderation,
    PromptRound,
    Propagation,
    UnlabelledRequest,
    WorkHit,
)
from hegui.rules.ingestion import (
    Annotation,
    ContentCheck,
    CrawlRecord,
    IngestEvent,
    Inspection,
    ReleaseEvent,
    SourceAssessment,
)
from hegui.rules.values import (
    PERSON_KEY_PATTERN,
    RISKS,
    DataClass,
    Delivery,
    Exemption,
    InformationBasis,
    Mechanism,
    Modality,
    PersonKey,
    RiskCode,
    Role,
    SourceType,
    TimeMs,
    is_person_key,
)


class _Envelope(msgspec.Struct, frozen=True, gc=False, tag_field="type"):
    """A CloudEvent 1.0; identity is (tenant, source, id)."""

    id: Annotated[str, Meta(min_length=1, max_length=512)]
    """Unique within the source. Use an opaque id."""
    source: Annotated[str, Meta(min_length=1, max_length=512)]
    """The producer."""
    time: Annotated[datetime, Meta(tz=True)]
    """`occurred_at`: when it happened (RFC 3339 with offset)."""
    specversion: Literal["1.0"]
    """Version of CloudEvents."""
    tenant: Annotated[str, Meta(min_length=1, max_length=128)] = "default"
    """Extension attribute: the tenant."""
    revision: Annotated[int, Meta(ge=0)] = 0
    """Extension attribute: a higher revision of one identity corrects and supersedes the lower ones."""


class GenerationEnvelope(_Envelope, frozen=True, gc=False, kw_only=True, tag="hegui.generation.v1"):
    """A generation event on the wire."""

    data: GenerationEvent
    """The output."""


class IngestEnvelope(_Envelope, frozen=True, gc=False, kw_only=True, tag="hegui.ingest.v1"):
    """A dataset-ingest event on the wire."""

    data: IngestEvent
    """The record."""


class ReleaseEnvelope(_Envelope, frozen=True, gc=False, kw_only=True, tag="hegui.release.v1"):
    """The release of a dataset version on the wire."""

    data: ReleaseEvent
    """The release."""


class NoticeEnvelope(_Envelope, frozen=True, gc=False, kw_only=True, tag="hegui.notice.v1"):
    """A rights holder's notice on the wire."""

    data: NoticeEvent
    """The notice."""


class ComplaintEnvelope(_Envelope, frozen=True, gc=False, kw_only=True, tag="hegui.complaint.v1"):
    """A complaint on the wire."""

    data: ComplaintEvent
    """The complaint."""


class IncidentEnvelope(_Envelope, frozen=True, gc=False, kw_only=True, tag="hegui.incident.v1"):
    """An incident on the wire."""

    data: IncidentEvent
    """The incident."""


Event = GenerationEvent | IngestEvent | ReleaseEvent | NoticeEvent | ComplaintEvent | IncidentEvent
Envelope = GenerationEnvelope | IngestEnvelope | ReleaseEnvelope | NoticeEnvelope | ComplaintEnvelope | IncidentEnvelope

ENVELOPES: dict[str, type[Envelope]] = {
    "hegui.generation.v1": GenerationEnvelope,
    "hegui.ingest.v1": IngestEnvelope,
    "hegui.release.v1": ReleaseEnvelope,
    "hegui.notice.v1": NoticeEnvelope,
    "hegui.complaint.v1": ComplaintEnvelope,
    "hegui.incident.v1": IncidentEnvelope,
}
"""CloudEvents `type` to envelope struct."""

STREAMS: dict[type, str] = {
    GenerationEvent: "generation",
    IngestEvent: "ingest",
    ReleaseEvent: "release",
    NoticeEvent: "notice",
    ComplaintEvent: "complaint",
    IncidentEvent: "incident",
}
"""Event struct to the short name of its stream."""

__all__ = [
    "ENVELOPES",
    "PERSON_KEY_PATTERN",
    "RISKS",
    "STREAMS",
    "Annotation",
    "Authorship",
    "ComplaintEnvelope",
    "ComplaintEvent",
    "ContentCheck",
    "CrawlRecord",
    "CrisisResponse",
    "DataClass",
    "Delivery",
    "Envelope",
    "Event",
    "Exemption",
    "ExplicitLabel",
    "Export",
    "GenerationEnvelope",
    "GenerationEvent",
    "ImplicitLabel",
    "IncidentEnvelope",
    "IncidentEvent",
    "InformationBasis",
    "IngestEnvelope",
    "IngestEvent",
    "Inspection",
    "LabelForm",
    "LabelPosition",
    "LabelSite",
    "Likeness",
    "Mechanism",
    "Media",
    "Modality",
    "ModelReference",
    "Moderation",
    "NoticeEnvelope",
    "NoticeEvent",
    "PersonKey",
    "PromptRound",
    "Propagation",
    "ReleaseEnvelope",
    "ReleaseEvent",
    "RiskCode",
    "Role",
    "SourceAssessment",
    "SourceType",
    "TimeMs",
    "UnlabelledRequest",
    "WorkHit",
    "is_person_key",
]
