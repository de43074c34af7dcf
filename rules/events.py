"""The event contract: what a producer sends. Version 1 changes only by adding optional fields.

On the wire an event is a CloudEvent (1.0); its `data` is one of the structs below. `None` (or absent) always means
*unknown*: a rule that needs the field is then inconclusive. An explicit `false` or an empty list means "known not to be".
Unknown fields are ignored. Every text field of free form is content or an identifier and appears in no result.
Field groups follow the catalogue of duties (labelling, moderation, personal information, export, training data).
"""

from __future__ import annotations

import re
from binascii import unhexlify
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

PERSON_KEY_PATTERN = "^k[a-z0-9]{1,16}:[0-9a-f]{64}$"
PersonKey = Annotated[
    str,
    Meta(
        min_length=67,
        max_length=82,
        description="A person as `k<keyid>:` and HMAC-SHA256 in hex, one key per controller and legal year; other forms are refused",
        # In the schema only: checking the pattern while decoding costs 0.4 us an event, `is_person_key` 0.2 us.
        extra_json_schema={"pattern": PERSON_KEY_PATTERN},
    ),
]


_is_key_head = lru_cache(maxsize=1024)(
    re.compile("k[a-z0-9]{1,16}:").fullmatch
)  # one for each controller and legal year


def is_person_key(text: str) -> bool:
    """Tell whether a text has the form of a person's keyed hash: `k`, key id, colon, 64 hex digits in small letters."""
    digest = text[-64:]
    try:
        unhexlify(digest)
    except ValueError:
        return False
    return len(digest) == 64 and digest.lower() == digest and _is_key_head(text[:-64]) is not None


TimeMs = Annotated[int, Meta(ge=0, lt=2**53, description="Epoch milliseconds, UTC")]

Modality = Literal["text", "image", "audio", "video", "scene"]
Delivery = Literal["inline", "ui_stream", "download", "copy", "export", "api"]
Role = Literal["generator", "propagator"]
SourceType = Literal["open", "crawl", "commercial", "user_input", "synthetic", "licensed"]
DataClass = Literal["general", "important", "core", "unknown"]
Mechanism = Literal["security_assessment", "standard_contract", "certification"]
Exemption = Literal["art_3", "art_4", "art_5_1", "art_5_2", "art_5_3", "art_6"]


class _Group(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    pass


class ExplicitLabel(_Group, frozen=True):
    """The label people see or hear (显式标识). Labelling Measures art. 4; GB 45438-2025 5."""

    present: bool | None = None
    """Whether the output carries one."""
    text: str | None = None
    """Its words, as shown or spoken; content: only its hash appears in results."""
    in_file: bool | None = None
    """Whether the file itself carries it (art. 4, last paragraph: downloads, copies, exports)."""
    ui_persistent: bool | None = None
    """Whether a notice with both elements stays on screen near the content."""


class LabelSite(_Group, frozen=True):
    """One place of a file where a metadata label was found. GB 45438-2025 6.1; TC260 practice guides."""

    carrier: str
    """Where, as `xmp`, `png_text`, `mp4_keys`, `id3_txxx`, `ooxml_custom`, `pdf_info`."""
    value: str
    """The raw text found there: JSON of Annex E, bare or wrapped in `{"AIGC": ...}`."""


class ImplicitLabel(_Group, frozen=True):
    """The label in the file's metadata (隐式标识). Labelling Measures art. 5; GB 45438-2025 6.1 and Annex E."""

    container: bool | None = None
    """Whether the file format has a metadata container at all (streamed text and raw PCM have none)."""
    sites: tuple[LabelSite, ...] | None = None
    """Every place where a label was found; empty: looked, and there is none."""


class UnlabelledRequest(_Group, frozen=True):
    """A user's request for an output without explicit label. Labelling Measures art. 9."""

    requested_at_ms: TimeMs
    """When the user asked."""
    duty_accepted_at_ms: TimeMs | None = None
    """When the user accepted the clause on the labelling duty and liability."""
    log_retain_until_ms: TimeMs | None = None
    """Until when the recipient's record is kept (at least six calendar months)."""


class Moderation(_Group, frozen=True):
    """What was decided about the output before it was delivered. Interim Measures arts. 4, 14; Deep Synthesis art. 10."""

    verdict: Literal["allow", "block", "review", "none"] | None = None
    """The verdict on the output; `none`: it was not moderated."""
    decided_at_ms: TimeMs | None = None
    """When it was reached."""
    engine_version: str | None = None
    """Version of the engine that reached it."""
    action: Literal["delivered", "blocked", "replaced"] | None = None
    """What the service did with the output."""


class ModelReference(_Group, frozen=True):
    """The model that made the output."""

    id: str
    """The model's id, as in the deployer's filings."""
    version: str | None = None
    """Its version."""
    hosting_region: str | None = None
    """Where it runs: ISO 3166 country, or a cloud region that begins with it (`cn-north-1`)."""


class Export(_Group, frozen=True):
    """Personal information or important data provided abroad. PIPL ch. III; Cross-border Provisions (CAC Order 16)."""

    entity: str
    """The exporting legal entity, as named in the deployer's policy."""
    destination_country: Annotated[str, Meta(pattern=r"^[A-Z]{2}(?![\s\S])")] | None = None
    """ISO 3166-1 alpha-2 code of the recipient's country."""
    exemption: Exemption | None = None
    """The exemption relied on (articles of the Cross-border Provisions)."""
    exemption_document: str | None = None
    """Reference of the document that proves the exemption (contract, collective agreement, FTZ registration)."""


class PromptRound(_Group, frozen=True):
    """One round of creating: what the author tried. Beijing Internet Court, Li v Liu."""

    at_ms: TimeMs
    """When."""
    prompt_sha256: str | None = None
    """SHA-256 of the prompt kept by the deployer; never the prompt."""
    parameters_sha256: str | None = None
    """SHA-256 of the parameter set."""
    seed: str | None = None
    """The seed."""


class Authorship(_Group, frozen=True):
    """Evidence of human authorship, captured while creating."""

    rounds: tuple[PromptRound, ...] | None = None
    """Rounds in order."""
    selected_output_sha256: str | None = None
    """SHA-256 of the output the author chose."""
    model_version: str | None = None
    """Version of the model used."""


class GenerationEvent(_Group, frozen=True):
    """One AI output as it left the service."""

    service: Annotated[str, Meta(min_length=1, max_length=128)]
    """The AI service, as named in the deployer's policy."""
    modality: Modality | None = None
    """Kind of content. Labelling Measures art. 4."""
    delivery: Delivery | None = None
    """How it reached the user."""
    role: Role | None = None
    """Whether the service made the content or spreads it. Used only for a service that the policy does not know."""
    public_cn: bool | None = None
    """Whether the service is offered to the public in the mainland (Interim Measures art. 2). Used only for a service that the policy does not know."""
    deep_synthesis_category: Annotated[int, Meta(ge=0, le=5)] | None = None
    """Which kind of art. 17 paragraph 1 of the Deep Synthesis Provisions (1-5) it is; 0: none of them."""
    explicit_label: ExplicitLabel | None = None
    """The label people see."""
    implicit_label: ImplicitLabel | None = None
    """The label in the file."""
    unlabelled_request: UnlabelledRequest | None = None
    """Present when the user asked for an output without explicit label."""
    moderation: Moderation | None = None
    """The verdict before delivery."""
    delivered_at_ms: TimeMs | None = None
    """When the output was delivered; the event's time when absent."""
    model: ModelReference | None = None
    """The model used."""
    user_key: PersonKey | None = None
    """The user."""
    prompt_personal_information: bool | None = None
    """Whether the prompt held personal information."""
    sensitive_personal_information: bool | None = None
    """Whether some of it was sensitive (PIPL art. 28)."""
    exported: bool | None = None
    """Whether personal information or important data left the mainland with this event."""
    export: Export | None = None
    """Details of that export."""
    data_class: DataClass | None = None
    """Class of the data sent along. Data Security Law art. 21."""
    train_use: bool | None = None
    """Whether input and output may go into training."""
    log_region: str | None = None
    """Where prompt and output are stored: ISO 3166 country, or a cloud region that begins with it."""
    authorship_claimed: bool | None = None
    """Whether somebody claims authorship of the output."""
    authorship: Authorship | None = None
    """The evidence for it."""
    output_sha256: str | None = None
    """SHA-256 of the output."""


class CrawlRecord(_Group, frozen=True):
    """How a record was crawled. TC260-003 5.1; signals are those seen at fetch time."""

    fetched_at_ms: TimeMs | None = None
    """When."""
    robots: Literal["allow", "disallow", "absent"] | None = None
    """What robots.txt said for our user agent."""
    robots_seen_at_ms: TimeMs | None = None
    """When that robots.txt was read."""
    tdm_reservation: Literal[0, 1] | None = None
    """The TDMRep signal."""
    noai: bool | None = None
    """Whether a `noai` header or meta tag was seen."""
    collection_record: str | None = None
    """Reference of the collection record (time, method, address, user agent)."""


class IngestEvent(_Group, frozen=True):
    """One record taken into a training corpus."""

    service: Annotated[str, Meta(min_length=1, max_length=128)]
    """The training pipeline, as named in the deployer's policy."""
    dataset: str | None = None
    """The dataset it goes into."""
    purpose: Literal["pretrain", "finetune", "rag", "eval"] | None = None
    """What for."""
    source_type: SourceType | None = None
    """Kind of source. TC260-003 5.1 c)."""
    source_id: str | None = None
    """The source, as named by the deployer."""
    url: str | None = None
    """Where it was taken from; an identifier: never in results."""
    content_sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}(?![\s\S])")] | None = None
    """SHA-256 of the record's content."""
    work_id: str | None = None
    """Identifier of the work (ISBN, DOI, ISRC, ISCC, DCI) with its scheme, as `isbn:9787...`."""
    user_key: PersonKey | None = None
    """The user whose input it is."""
    licence_document: str | None = None
    """Reference of the licence or authorisation."""
    contract_document: str | None = None
    """Reference of the supply contract."""
    contract_valid_until_ms: TimeMs | None = None
    """Until when the contract runs."""
    user_authorisation: str | None = None
    """Reference of the user's authorisation record."""
    crawl: CrawlRecord | None = None
    """How it was crawled."""
    personal_information: bool | None = None
    """Whether it holds personal information."""
    data_class: DataClass | None = None
    """Class of the data. Data Security Law art. 21."""
    storage_region: str | None = None
    """Where it is stored: ISO 3166 country, or a cloud region that begins with it."""


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
