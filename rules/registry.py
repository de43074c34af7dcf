"""The service registry and the legal entities of the deployer's policy: the authority for what a service is.

An unknown (left out) value makes the rules that need it inconclusive.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hegui.rules.values import Mechanism, Role

OTHER = "other"
"""Name that stands for every service and tenant that the policy does not list: labels and keys stay finite."""

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}(?![\s\S])")]
Instant = Annotated[datetime, Meta(tz=True)]


class PolicyError(ValueError):
    """The policy contradicts itself; the sentence names key, value and remedy."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the policy: an unknown key is a mistake."""


class SafetyAssets(Part, frozen=True):
    """What a provider tests and filters with. TC260-003 7-9 and GB/T 45654-2025."""

    keywords: int | None = None
    """Entries of the keyword library (at least 10,000)."""
    test_questions: int | None = None
    """Questions of the output test bank (at least 2,000)."""
    refusal_questions: int | None = None
    """Questions that must be refused."""
    non_refusal_questions: int | None = None
    """Questions that must not be refused."""
    fewest_keywords_a1: int | None = None
    """Fewest keywords for one risk of A.1."""
    fewest_keywords_a2: int | None = None
    """Fewest keywords for one risk of A.2."""
    fewest_questions_a1_a2: int | None = None
    """Fewest test questions for one risk of A.1 or A.2."""
    fewest_questions_others: int | None = None
    """Fewest test questions for one risk of A.3 to A.5."""


class SafetyAssessment(Part, frozen=True):
    """An assessment of a service with one version of a model."""

    reference: Annotated[str, Meta(min_length=1)]
    """Its number."""
    model: Name
    """The model's id."""
    model_version: str
    """The version assessed."""
    valid_from: Instant
    """From when it stands."""


class UserAgreement(Part, frozen=True):
    """The user agreement in force. Labelling Measures arts. 8 and 9."""

    version: str
    """Its version."""
    valid_from: Instant
    """From when it is in force."""
    describes_labels: bool | None = None
    """Whether it describes methods and styles of labelling."""
    states_labelling_duty: bool | None = None
    """Whether it states the user's duty and liability for unlabelled outputs."""


class TrainingSwitch(Part, frozen=True):
    """How users switch off training on their inputs. TC260-003 7."""

    offered: bool | None = None
    """Whether there is a switch."""
    clicks: int | None = None
    """Clicks from the main screen."""


class RightsProtection(Part, frozen=True):
    """Measures for the rights of others. TC260-003 5.2 b); Interim Measures arts. 4, 15."""

    policy_document: str | None = None
    """Reference of the intellectual property policy."""
    officer: str | None = None
    """The responsible person or post."""
    complaint_channel: str | None = None
    """Where complaints are taken."""
    agreement_clause: bool | None = None
    """Whether the user agreement holds a clause on intellectual property."""
    keyword_filter_document: str | None = None
    """Reference of the filter for protected names and characters."""
    user_warning_document: str | None = None
    """Reference of the warning given to users."""


class Service(Part, frozen=True):
    """An AI service or a training pipeline."""

    name: Name
    """As events name it."""
    team: str
    """The owning team: told to the person on call."""
    tenant: Name = "default"
    """The tenant it belongs to."""
    public_cn: bool | None = None
    """Offered to the public in the mainland (Interim Measures art. 2)."""
    role: Role = "generator"
    """Makes content, or spreads it."""
    entity: Name | None = None
    """The legal entity that runs it."""
    provider_code: Annotated[str, Meta(pattern=r"^[0-9A-Z]{27}(?![\s\S])")] | None = None
    """Its 27-character provider code, as registered."""
    models: tuple[Name, ...] | None = None
    """The models it answers with."""
    region: str | None = None
    """Where its models run: ISO 3166 country, or a cloud region that begins with it; a prefix."""
    companion: bool | None = None
    """Offers sustained emotional interaction in the manner of a person (拟人化互动); customer service, knowledge and work assistants do not."""
    public_opinion: bool | None = None
    """Has public-opinion attributes or the capacity for social mobilisation. Interim Measures art. 17."""
    eu_facing: bool | None = None
    """Serves users in the European Union."""
    filing_number: str | None = None
    """Number of its filing (备案) or registration (上线编号). Empty: it has none."""
    filing_displayed: bool | None = None
    """Whether model name and that number are displayed conspicuously."""
    algorithm_filing_number: str | None = None
    """Number of the filing of its algorithm. Empty: it has none."""
    algorithm_filing_due: Instant | None = None
    """From when it is late without one (ten working days after the service began)."""
    safety_assessments: tuple[SafetyAssessment, ...] | None = None
    """Its safety assessments, by version of the model."""
    safety_assets: SafetyAssets | None = None
    """What it tests and filters with."""
    agreement: UserAgreement | None = None
    """Its user agreement."""
    labels_changed: Instant | None = None
    """When its labels were last changed."""
    label_function_offered: bool | None = None
    """Whether users can label outputs themselves, and are told so. Deep Synthesis art. 17 paragraph 2."""
    declaration_offered: bool | None = None
    """For a service that spreads content: whether users can declare it generated, and are reminded to. Labelling Measures art. 6."""
    limits_notice_shown: bool | None = None
    """Whether a visible notice tells the limits of generated content."""
    accuracy_measures_document: str | None = None
    """Reference of the measures for accuracy that are usual in the industry. Empty: none."""
    training_switch: TrainingSwitch | None = None
    """How users switch off training on their inputs."""
    rights_protection: RightsProtection | None = None
    """Measures for the rights of others."""
    complaint_answer_hours: Annotated[int, Meta(ge=1)] | None = None
    """Time limit it publishes for answering complaints, hours. Interim Measures art. 15."""
    continuous_use_of: Literal["session", "user"] = "session"
    """Whose use of a companion service is continuous: that of one session, or of one user over sessions (the law's wording is open)."""
    label_index: bool = False
    """Whether the labels of its outputs are indexed, so that a number used twice and a label lost downstream are found: state for every labelled output."""


class ExportMechanism(Part, frozen=True):
    """A passed security assessment, a filed standard contract or a certificate, with its validity."""

    kind: Mechanism
    """Which of the three."""
    reference: Annotated[str, Meta(min_length=1)]
    """Its number."""
    valid_from: Instant
    """From when it holds."""
    valid_to: Instant
    """Until when (assessment results and certificates: three years)."""


class Entity(Part, frozen=True):
    """A legal entity."""

    name: Name
    """As services and exports name it."""
    controller: Name | None = None
    """The ultimate controller, when it is not the entity itself: persons exported by all its entities are counted together."""
    critical_infrastructure: bool | None = None
    """Operator of critical information infrastructure (CIIO)."""
    many_persons: bool | None = None
    """Processes personal information of as many persons as the authority's number for storage at home (PIPL art. 40)."""
    export_mechanisms: tuple[ExportMechanism, ...] = ()
    """What it holds for providing personal information abroad."""


class PersonKeyPeriod(Part, frozen=True):
    """The key under which a controller's persons are hashed in one legal year. Another key would count the same persons again."""

    controller: Name
    """The controller: an entity, or what entities name as theirs."""
    year: Annotated[int, Meta(ge=2020, le=9999)]
    """Legal year, Asia/Shanghai."""
    key_id: Annotated[str, Meta(pattern=r"^[a-z0-9]{1,16}(?![\s\S])")]
    """The key's id, as in `k<keyid>:`."""


class ExportSettlement(Part, frozen=True):
    """What the deployer found of exports that could not be counted by person: it settles those of one entity and legal year up to a moment."""

    entity: Name
    """The exporting entity; `other` for exports of entities that were not in the policy."""
    year: Annotated[int, Meta(ge=0, le=9999)]
    """Legal year, Asia/Shanghai; 0 for exports whose time could not be trusted."""
    up_to: Instant
    """The latest export that was looked into; when one that comes later cannot be counted either, the ledger is undecided again."""
    reference: Annotated[str, Meta(min_length=1)]
    """The document that says how it was found out."""
    ordinary: Annotated[int, Meta(ge=0)] = 0
    """Persons to be added to the count of the year, not sensitive."""
    sensitive: Annotated[int, Meta(ge=0)] = 0
    """Persons to be added whose information was sensitive."""


class ModelFiling(Part, frozen=True):
    """A model's filing or registration. Interim Measures art. 17."""

    model: Name
    """The model's id as events name it."""
    number: str
    """Filing number (备案) or registration number (上线编号)."""
    valid_from: Instant
    """From when."""
    valid_to: Instant | None = None
    """Until when, if withdrawn."""


class PassRate(Part, frozen=True):
    """One kind of test: how many were run, how many passed."""

    tested: Annotated[int, Meta(ge=0)]
    """Test prompts."""
    passed: Annotated[int, Meta(ge=0)]
    """Of these, passed; for refusals: refused."""


class ModelTest(Part, frozen=True):
    """The safety test of one version of a model before release. TC260-003 9."""

    model: Name
    """The model's id."""
    model_version: str
    """The version tested."""
    human: PassRate | None = None
    """Judged by people."""
    keywords: PassRate | None = None
    """Judged by keywords."""
    classifier: PassRate | None = None
    """Judged by a classifier."""
    should_refuse: PassRate | None = None
    """Prompts that must be refused; `passed` counts the refusals."""
    should_not_refuse: PassRate | None = None
    """Prompts that must not be refused; `passed` counts the refusals."""


class ZoneList(Part, frozen=True):
    """The current negative list of a free trade zone. Cross-border Provisions art. 6."""

    zone: str
    """The zone, as exports name it."""
    version: str
    """The version of its list in force."""
