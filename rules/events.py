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
from hegui.rules.ingestion import Annotation, ContentCheck, CrawlRecord, IngestEvent
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


Event = GenerationEvent | IngestEvent
Envelope = GenerationEnvelope | IngestEnvelope

ENVELOPES: dict[str, type[GenerationEnvelope | IngestEnvelope]] = {
    "hegui.generation.v1": GenerationEnvelope,
    "hegui.ingest.v1": IngestEnvelope,
}
"""CloudEvents `type` to envelope struct."""

STREAMS: dict[type, str] = {GenerationEvent: "generation", IngestEvent: "ingest"}
"""Event struct to the short name of its stream."""

__all__ = [
    "ENVELOPES",
    "PERSON_KEY_PATTERN",
    "RISKS",
    "STREAMS",
    "Annotation",
    "Authorship",
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
    "InformationBasis",
    "IngestEnvelope",
    "IngestEvent",
    "LabelForm",
    "LabelPosition",
    "LabelSite",
    "Likeness",
    "Mechanism",
    "Media",
    "Modality",
    "ModelReference",
    "Moderation",
    "PersonKey",
    "PromptRound",
    "Propagation",
    "RiskCode",
    "Role",
    "SourceType",
    "TimeMs",
    "UnlabelledRequest",
    "WorkHit",
    "is_person_key",
]
