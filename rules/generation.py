"""The generation event: one AI output as it left the service, and the groups of fields in it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from hegui.rules.values import (
    DataClass,
    Delivery,
    Exemption,
    Group,
    InformationBasis,
    Modality,
    PersonKey,
    RiskCode,
    Role,
    TimeMs,
)

LabelForm = Literal["text", "corner_mark", "voice", "rhythm"]
LabelPosition = Literal["start", "middle", "end", "edge", "corner", "inside"]


class ExplicitLabel(Group, frozen=True):
    """The label people see or hear (显式标识). Labelling Measures art. 4; GB 45438-2025 5."""

    present: bool | None = None
    """Whether the output carries one."""
    text: str | None = None
    """Its words, as shown or spoken; content: only its hash appears in results."""
    in_file: bool | None = None
    """Whether the file itself carries it (art. 4, last paragraph: downloads, copies, exports)."""
    ui_persistent: bool | None = None
    """Whether a notice with both elements stays on screen near the content."""
    form: LabelForm | None = None
    """How it is given: as words, as a corner mark, spoken, or as a rhythm."""
    position: LabelPosition | None = None
    """Where it stands: in the course of text and sound `start`, `middle`, `end`; in a picture `edge`, `corner`, `inside`."""
    height_px: Annotated[int, Meta(ge=0)] | None = None
    """Height of its characters, in pixels of the content."""
    start_ms: Annotated[int, Meta(ge=0)] | None = None
    """When it first shows, milliseconds from the start of the content; 0: on the starting frame."""
    duration_ms: Annotated[int, Meta(ge=0)] | None = None
    """How long it shows at normal speed, milliseconds."""
    around_player: bool | None = None
    """Whether a notice stands around the player of a video."""
    characters_per_minute: Annotated[int, Meta(ge=0)] | None = None
    """Speed of a spoken label, characters a minute."""
    rhythm: Literal["short_long_short_short", "other"] | None = None
    """The rhythm of a rhythm label; the standard's is short long, short short (短长 短短)."""
    each_turn: bool | None = None
    """Whether, in high-frequency voice interaction, every turn carries it."""


class Media(Group, frozen=True):
    """Size and length of the content. GB 45438-2025 5.2-5.4 measures labels by them."""

    mime_type: str | None = None
    """Media type, as `image/png`."""
    width_px: Annotated[int, Meta(ge=1)] | None = None
    """Width, pixels."""
    height_px: Annotated[int, Meta(ge=1)] | None = None
    """Height, pixels."""
    duration_ms: Annotated[int, Meta(ge=0)] | None = None
    """Length, milliseconds."""
    voice_interaction: bool | None = None
    """Whether the sound is a turn of high-frequency voice interaction (assistant, customer service, navigation). GB 45438-2025 5.3."""


class LabelSite(Group, frozen=True):
    """One place of a file where a metadata label was found. GB 45438-2025 6.1; TC260 practice guides."""

    carrier: str
    """Where, as `xmp`, `png_text`, `mp4_keys`, `id3_txxx`, `ooxml_custom`, `pdf_info`."""
    value: str
    """The raw text found there: JSON of Annex E, bare or wrapped in `{"AIGC": ...}`."""


class ImplicitLabel(Group, frozen=True):
    """The label in the file's metadata (隐式标识). Labelling Measures art. 5; GB 45438-2025 6.1 and Annex E."""

    container: bool | None = None
    """Whether the file format has a metadata container at all (streamed text and raw PCM have none)."""
    sites: tuple[LabelSite, ...] | None = None
    """Every place where a label was found; empty: looked, and there is none."""
    read_back: bool | None = None
    """Whether the label was read back from the finished file."""


class Propagation(Group, frozen=True):
    """What a service that spreads others' content found and showed. Labelling Measures art. 6."""

    metadata_label_found: bool | None = None
    """Whether the file as received carries an implicit label."""
    received_label: str | None = None
    """The raw text of that label: JSON of Annex E."""
    received_sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}(?![\s\S])")] | None = None
    """SHA-256 of the content as received: by it the label index finds what its maker labelled."""
    user_declared: bool | None = None
    """Whether the user who published it declared it generated."""
    traces_found: bool | None = None
    """Whether an explicit label or other traces of generation were detected."""
    notice: Literal["generated", "possibly", "suspected", "none"] | None = None
    """The notice shown around the content: generated (确认), possibly (可能), suspected (疑似)."""


class UnlabelledRequest(Group, frozen=True):
    """A user's request for an output without explicit label. Labelling Measures art. 9."""

    requested_at_ms: TimeMs
    """When the user asked."""
    duty_accepted_at_ms: TimeMs | None = None
    """When the user accepted the clause on the labelling duty and liability."""
    log_retain_until_ms: TimeMs | None = None
    """Until when the recipient's record is kept (at least six calendar months)."""
    agreement_version: str | None = None
    """Version of the user agreement that states that duty and was accepted."""
    log_reference: str | None = None
    """Reference of the record of the recipient."""


class Moderation(Group, frozen=True):
    """What was decided about the output before it was delivered. Interim Measures arts. 4, 14; Deep Synthesis art. 10."""

    verdict: Literal["allow", "block", "review", "none"] | None = None
    """The verdict on the output; `none`: it was not moderated."""
    decided_at_ms: TimeMs | None = None
    """When it was reached."""
    engine_version: str | None = None
    """Version of the engine that reached it."""
    action: Literal["delivered", "blocked", "replaced"] | None = None
    """What the service did with the output."""
    input_verdict: Literal["allow", "block", "review", "none"] | None = None
    """The verdict on the user's input; `none`: it was not moderated."""
    risk_codes: tuple[RiskCode, ...] | None = None
    """The risk types found in the output (Appendix A of TC260-003 and GB/T 45654-2025); empty: looked, and found none."""
    minor_risk_classes: tuple[Literal[1, 2, 3, 4], ...] | None = None
    """Classes of information that may affect minors (可能影响未成年人身心健康的网络信息分类办法) found in the output; empty: none."""


class Likeness(Group, frozen=True):
    """Face or voice of an identifiable person in an edited or cloned output. Deep Synthesis art. 14; Civil Code arts. 1019, 1023."""

    kind: Literal["face", "voice", "none"]
    """What was edited or cloned; `none`: nothing of an identifiable person."""
    separate_consent: bool | None = None
    """Whether that person consented separately."""
    consent_reference: str | None = None
    """Reference of the consent."""


class CrisisResponse(Group, frozen=True):
    """What a companion service did about a user in extreme distress. Anthropomorphic Measures art. 13."""

    comfort_given: bool | None = None
    """Whether it answered with comforting content."""
    contact_informed: bool | None = None
    """Whether the guardian or emergency contact was informed."""


class WorkHit(Group, frozen=True):
    """A protected work that the output resembles."""

    work_id: str | None = None
    """Identifier of the work with its scheme, as `isbn:9787...`."""
    holder: str | None = None
    """The rights holder, as in the register of notices."""
    similarity_percent: Annotated[int, Meta(ge=0, le=100)] | None = None
    """How similar, by the deployer's measure."""


class ModelReference(Group, frozen=True):
    """The model that made the output."""

    id: str
    """The model's id, as in the deployer's filings."""
    version: str | None = None
    """Its version."""
    hosting_region: str | None = None
    """Where it runs: ISO 3166 country, or a cloud region that begins with it (`cn-north-1`)."""
    filing_number: str | None = None
    """The filing or registration number that the service shows for it."""


class Export(Group, frozen=True):
    """Personal information or important data provided abroad. PIPL ch. III; Cross-border Provisions (CAC Order 16)."""

    entity: str
    """The exporting legal entity, as named in the deployer's policy."""
    destination_country: Annotated[str, Meta(pattern=r"^[A-Z]{2}(?![\s\S])")] | None = None
    """ISO 3166-1 alpha-2 code of the recipient's country."""
    subjects: tuple[PersonKey, ...] | None = None
    """The persons whose information it holds; the event's user when absent. They are counted in the entity's ledger of the legal year."""
    exemption: Exemption | None = None
    """The exemption relied on (articles of the Cross-border Provisions)."""
    exemption_document: str | None = None
    """Reference of the document that proves the exemption (contract, collective agreement, FTZ registration)."""
    free_trade_zone: str | None = None
    """With exemption `art_6`: the zone whose negative list is relied on."""
    list_version: str | None = None
    """With exemption `art_6`: the version of that list."""
    recipient_kind: Literal["company", "authority", "other"] | None = None
    """Who receives it; `authority`: a foreign judicial or law-enforcement body. DSL art. 36, PIPL art. 41."""
    approval_document: str | None = None
    """Reference of the approval by the competent authority of the PRC. DSL art. 36, PIPL art. 41."""
    notice_given: bool | None = None
    """Whether the person was told recipient, contact, purpose, method, kinds of information and how to exercise rights. PIPL art. 39."""
    legal_basis: InformationBasis | None = None
    """Basis of the processing. PIPL art. 13."""
    separate_consent_reference: str | None = None
    """Reference of the separate consent to the export. PIPL art. 39."""
    impact_assessment_document: str | None = None
    """Reference of the personal information protection impact assessment. PIPL art. 55."""


class PromptRound(Group, frozen=True):
    """One round of creating: what the author tried. Beijing Internet Court, Li v Liu."""

    at_ms: TimeMs
    """When."""
    prompt_sha256: str | None = None
    """SHA-256 of the prompt kept by the deployer; never the prompt."""
    parameters_sha256: str | None = None
    """SHA-256 of the parameter set."""
    seed: str | None = None
    """The seed."""
    record_sha256: str | None = None
    """SHA-256 of the whole record of the round."""
    chain_sha256: str | None = None
    """SHA-256, in hex, of the text of the previous round's `chain_sha256` (empty for the first) and this `record_sha256`."""


class Authorship(Group, frozen=True):
    """Evidence of human authorship, captured while creating."""

    rounds: tuple[PromptRound, ...] | None = None
    """Rounds in order."""
    selected_output_sha256: str | None = None
    """SHA-256 of the output the author chose."""
    model_version: str | None = None
    """Version of the model used."""
    recorded_at_ms: TimeMs | None = None
    """When the record was closed."""
    reconstructed: bool | None = None
    """Whether rounds were made up again afterwards."""
    candidates: Annotated[int, Meta(ge=0)] | None = None
    """How many outputs the author chose among."""
    edits: Annotated[int, Meta(ge=0)] | None = None
    """How many edits by hand followed."""
    time_stamp_verified: bool | None = None
    """Whether the trusted time stamp over the last `chain_sha256` was verified."""
    terms_document: str | None = None
    """Reference of the archived terms of the tool at that date."""
    terms_give_rights: bool | None = None
    """Whether those terms leave the rights in outputs to the user."""
    contributors: Annotated[int, Meta(ge=0)] | None = None
    """How many persons contributed."""
    allocation_document: str | None = None
    """Reference of the agreement on who holds the rights."""


class GenerationEvent(Group, frozen=True):
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
    media: Media | None = None
    """Size and length of the content."""
    propagation: Propagation | None = None
    """What a service that spreads others' content found and showed."""
    log_retain_until_ms: TimeMs | None = None
    """Until when the generation log of this output is kept. CSL art. 23."""
    likeness: Likeness | None = None
    """Face or voice of an identifiable person."""
    age_band: Literal["under_14", "14_to_17", "adult"] | None = None
    """Age of the user."""
    guardian_consent_reference: str | None = None
    """Reference of the guardian's consent, for a user under 14. PIPL art. 31."""
    persona: Literal["virtual_relative", "virtual_partner", "other"] | None = None
    """Which person a companion service plays. Anthropomorphic Measures art. 14."""
    crisis_signal: bool | None = None
    """Whether the user showed extreme emotion or intent of self-harm."""
    crisis_response: CrisisResponse | None = None
    """What the service did about it."""
    training_consent_reference: str | None = None
    """Reference of the separate consent to training on this interaction. Anthropomorphic Measures art. 16."""
    work_hits: tuple[WorkHit, ...] | None = None
    """Protected works that the output resembles; empty: looked, and found none."""
    session_id: Annotated[str, Meta(min_length=1, max_length=512)] | None = None
    """The session of a companion service; an identifier: never in results."""
    usage_reminder_shown: bool | None = None
    """Whether, with this output, the user was reminded of the time of use. Anthropomorphic Measures art. 18."""
    input_number: Annotated[int, Meta(ge=0, lt=2**53)] | None = None
    """Number of this input among the user's inputs to the service, counting up by one: tells which were refused in a row. TC260-003 7."""
