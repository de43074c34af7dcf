"""The dataset-ingest event: one record taken into a training corpus, and the groups of fields in it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from hegui.rules.values import DataClass, Group, InformationBasis, PersonKey, RiskCode, SourceType, TimeMs


class CrawlRecord(Group, frozen=True):
    """How a record was crawled. TC260-003 5.1; signals are those seen at fetch time."""

    fetched_at_ms: TimeMs | None = None
    """When."""
    robots: Literal["allow", "disallow", "absent", "not_fetched"] | None = None
    """What robots.txt said for our user agent; `absent`: there is none, `not_fetched`: the crawler did not look."""
    robots_seen_at_ms: TimeMs | None = None
    """When that robots.txt was read."""
    tdm_reservation: Literal[0, 1] | None = None
    """The TDMRep signal."""
    noai: bool | None = None
    """Whether a `noai` header or meta tag was seen."""
    usage_preference: Literal["allow", "deny", "unknown"] | None = None
    """What AIPREF's `Content-Usage`, a `Content-Signal` or a C2PA assertion seen at the fetch said of training, any no first; `unknown`: nothing. Absent counts as nothing: crawlers need not know these."""
    collection_record: str | None = None
    """Reference of the collection record (time, method, address, user agent)."""
    behind_login: bool | None = None
    """Whether it lay behind a login."""
    technical_measures_bypassed: bool | None = None
    """Whether a technical measure against access was got round."""


class ContentCheck(Group, frozen=True):
    """What filtering before training found. TC260-003 5; Interim Measures art. 7."""

    illegal: bool | None = None
    """Whether the record holds unlawful or harmful content."""
    filtered: bool | None = None
    """Whether it was taken out again."""
    engine_version: str | None = None
    """Version of the filter."""
    risk_codes: tuple[RiskCode, ...] | None = None
    """The risk types found."""


class Annotation(Group, frozen=True):
    """How the record was annotated. Interim Measures art. 8; GB/T 45674-2025."""

    rules_version: str | None = None
    """Version of the annotation rules."""
    annotators_trained: bool | None = None
    """Whether the annotators were trained."""
    review_reference: str | None = None
    """Reference of the review by sample."""


class SourceAssessment(Group, frozen=True):
    """What the assessment of a source before collection found. TC260-003 5.1 a)."""

    sampled: Annotated[int, Meta(ge=0)]
    """Records looked at."""
    illegal: Annotated[int, Meta(ge=0)]
    """Those of them that hold unlawful or harmful content."""


class Inspection(Group, frozen=True):
    """How the record fared when the corpus was sampled. TC260-003 9.

    Sent with the record itself, or in a revision of it. A record counts once; of several revisions, the highest that says something.
    """

    human_passed: bool | None = None
    """Whether it passed sampling by persons; absent: not sampled by them."""
    technical_passed: bool | None = None
    """Whether it passed sampling by keywords and classifiers; absent: not sampled by them."""


class IngestEvent(Group, frozen=True):
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
    dataset_version: str | None = None
    """Version of the dataset."""
    assessment_reference: str | None = None
    """Reference of the safety assessment of the source before collection. TC260-003 5.1 a)."""
    assessed_at_ms: TimeMs | None = None
    """When the source was assessed."""
    legally_blocked: bool | None = None
    """Whether the content is blocked under Chinese law. TC260-003 5.1."""
    content_check: ContentCheck | None = None
    """What filtering found. For the source it counts with the record itself, not with a revision of it."""
    protected_work: bool | None = None
    """Whether it is, or holds, a protected work."""
    work_licensed: bool | None = None
    """Whether that work is licensed for training."""
    holder: str | None = None
    """The rights holder, as in the register of notices."""
    fingerprint: str | None = None
    """Perceptual or text fingerprint with its scheme, as `iscc:...`."""
    rights_information_removed: bool | None = None
    """Whether rights-management information was stripped."""
    sensitive_personal_information: bool | None = None
    """Whether some of the personal information is sensitive. PIPL art. 28."""
    minor_under_14: bool | None = None
    """Whether it is of a minor under 14. PIPL art. 31."""
    biometric: Literal["face", "voice", "none"] | None = None
    """Whether it holds a face or a voice that identifies a person."""
    information_basis: InformationBasis | None = None
    """Basis of processing the personal information. PIPL art. 13."""
    consent_reference: str | None = None
    """Reference of the consent."""
    separate_consent_reference: str | None = None
    """Reference of the separate consent, for sensitive information. PIPL art. 29."""
    guardian_consent_reference: str | None = None
    """Reference of the guardian's consent. PIPL art. 31."""
    ai_generated: bool | None = None
    """Whether the record is itself generated (source type synthetic, or a label was found)."""
    lineage_tagged: bool | None = None
    """Whether it is tagged as generated in the dataset's lineage."""
    annotation: Annotation | None = None
    """How it was annotated; absent when it was not."""
    assessment: SourceAssessment | None = None
    """What the assessment of the source, made at `assessed_at_ms`, found."""
    inspection: Inspection | None = None
    """How it fared when the corpus was sampled; absent when it was not."""


class ReleaseEvent(Group, frozen=True):
    """A version of a dataset was released for training: its records and samples count as complete."""

    service: Annotated[str, Meta(min_length=1, max_length=128)]
    """The training pipeline, as named in the deployer's policy."""
    dataset: Annotated[str, Meta(min_length=1)]
    """The dataset, as ingest events name it."""
    dataset_version: Annotated[str, Meta(min_length=1)]
    """Its version."""

    user_key: ClassVar[PersonKey | None] = None
