"""The base events and base facts that a rule's cases change, and the judge that runs a case.

Everything here is synthetic. The base event passes every rule or lies outside it, so a case states only what matters.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from hegui.rules.core import Case, Outcome, Result, Rule
from hegui.rules.engine import Engine, Judged
from hegui.rules.events import (
    ContentCheck,
    ExplicitLabel,
    GenerationEvent,
    ImplicitLabel,
    IngestEvent,
    LabelSite,
    Likeness,
    Media,
    ModelReference,
    Moderation,
)
from hegui.rules.exports import ExportLedger
from hegui.rules.fact_tables import CondemnedSource, Suspension
from hegui.rules.facts import Filing, Notice, OptOut, Snapshot, loaded
from hegui.rules.ledgers.corpora import CorpusLedger
from hegui.rules.ledgers.deadlines import Deadline
from hegui.rules.ledgers.labels import ContentLabelLedger, ProduceIdLedger
from hegui.rules.ledgers.sessions import SessionClock
from hegui.rules.ledgers.sources import SourceLedger
from hegui.rules.policy import (
    Entity,
    ExportMechanism,
    ModelFiling,
    ModelTest,
    PassRate,
    Policy,
    RightsProtection,
    SafetyAssessment,
    SafetyAssets,
    Service,
    TrainingSwitch,
    UserAgreement,
    ZoneList,
)
from hegui.rules.values import Mechanism

BASE_AT = "2026-08-01T12:00:00+08:00"
BASE_AT_MS = 1_785_556_800_000

GOOD_LABEL = (
    '{"Label":"1","ContentProducer":"001191440300708461136T1XGW3","ProduceID":"4c8a5c1e","ReservedCode1":"sd-1",'
    '"ContentPropagator":"","PropagateID":"","ReservedCode2":""}'
)
"""A value of Annex E with a public sample code whose checksum is right."""

PERSON = "k1:" + "0123456789abcdef" * 4
"""A keyed hash of nobody."""

BASE_GENERATION = GenerationEvent(
    service="svc",
    modality="image",
    delivery="download",
    deep_synthesis_category=3,
    explicit_label=ExplicitLabel(
        present=True, text="人工智能生成", in_file=True, form="text", position="corner", height_px=40
    ),
    implicit_label=ImplicitLabel(container=True, sites=(LabelSite("xmp", GOOD_LABEL),), read_back=True),
    moderation=Moderation(
        verdict="allow",
        decided_at_ms=BASE_AT_MS - 50,
        engine_version="1.0",
        action="delivered",
        input_verdict="allow",
        risk_codes=(),
        minor_risk_classes=(),
    ),
    delivered_at_ms=BASE_AT_MS,
    model=ModelReference(id="model-a", version="1", hosting_region="cn-north-1", filing_number="Beijing-0001"),
    prompt_personal_information=False,
    sensitive_personal_information=False,
    exported=False,
    data_class="general",
    train_use=False,
    log_region="cn-north-1",
    authorship_claimed=False,
    media=Media(mime_type="image/png", width_px=1024, height_px=768),
    log_retain_until_ms=BASE_AT_MS + 200 * 86_400_000,
    likeness=Likeness(kind="none"),
    age_band="adult",
    persona="other",
    crisis_signal=False,
    work_hits=(),
)

BASE_INGEST = IngestEvent(
    service="pipeline",
    dataset="corpus-1",
    purpose="pretrain",
    source_type="licensed",
    source_id="source-1",
    licence_document="licence-1",
    personal_information=False,
    data_class="general",
    storage_region="cn-north-1",
    dataset_version="1",
    assessment_reference="assessment-1",
    assessed_at_ms=BASE_AT_MS - 86_400_000,
    legally_blocked=False,
    content_check=ContentCheck(illegal=False, filtered=False, engine_version="1.0", risk_codes=()),
    protected_work=False,
    rights_information_removed=False,
    sensitive_personal_information=False,
    minor_under_14=False,
    biometric="none",
    ai_generated=False,
)

_STARTED = datetime.fromisoformat("2023-09-01T00:00:00+08:00")
_PROTECTION = RightsProtection(
    policy_document="rights-1",
    officer="rights officer",
    complaint_channel="complaints-1",
    agreement_clause=True,
    keyword_filter_document="filter-1",
    user_warning_document="warning-1",
)
_PASSED = PassRate(tested=1000, passed=950)

BASE_POLICY = Policy(
    version="cases",
    services=(
        Service(
            name="svc",
            team="images",
            public_cn=True,
            role="generator",
            entity="company",
            provider_code="001191440300708461136T1XGW3",
            models=("model-a",),
            region="cn-north-1",
            companion=False,
            public_opinion=True,
            filing_number="Beijing-0001",
            filing_displayed=True,
            algorithm_filing_number="Algorithm-0001",
            safety_assessments=(
                SafetyAssessment(reference="safety-1", model="model-a", model_version="1", valid_from=_STARTED),
            ),
            safety_assets=SafetyAssets(
                keywords=10_000,
                test_questions=2_000,
                refusal_questions=500,
                non_refusal_questions=500,
                fewest_keywords_a1=200,
                fewest_keywords_a2=100,
                fewest_questions_a1_a2=50,
                fewest_questions_others=20,
            ),
            agreement=UserAgreement(
                version="2026-01", valid_from=_STARTED, describes_labels=True, states_labelling_duty=True
            ),
            labels_changed=_STARTED,
            label_function_offered=True,
            declaration_offered=True,
            limits_notice_shown=True,
            accuracy_measures_document="accuracy-1",
            training_switch=TrainingSwitch(offered=True, clicks=2),
            rights_protection=_PROTECTION,
            complaint_answer_hours=48,
        ),
        Service(
            name="pipeline",
            team="data",
            public_cn=False,
            entity="company",
            eu_facing=False,
            rights_protection=_PROTECTION,
        ),
    ),
    entities=(Entity(name="company", critical_infrastructure=False, many_persons=False),),
    filings=(ModelFiling(model="model-a", number="Beijing-0001", valid_from=_STARTED),),
    model_tests=(
        ModelTest(
            model="model-a",
            model_version="1",
            human=_PASSED,
            keywords=_PASSED,
            classifier=_PASSED,
            should_refuse=PassRate(tested=300, passed=295),
            should_not_refuse=PassRate(tested=300, passed=5),
        ),
    ),
    zone_lists=(ZoneList(zone="shanghai-lingang", version="2025"),),
)

BASE_LEDGER = ExportLedger(
    tenant="default",
    entity="company",
    year=2026,
    ordinary=1,
    sensitive=0,
    uncounted=0,
)


def holding(kind: Mechanism, valid_to: str = "2028-01-01T00:00:00+08:00", **company: object) -> dict[str, Any]:
    """Return the `given` of a case in which the company holds a mechanism for exports since 2025."""
    held = ExportMechanism(
        kind=kind,
        reference="x",
        valid_from=datetime.fromisoformat("2025-01-01T00:00:00+08:00"),
        valid_to=datetime.fromisoformat(valid_to),
    )
    return {"company": {"export_mechanisms": (held,), **company}}


BASES: dict[type, Judged] = {
    GenerationEvent: BASE_GENERATION,
    IngestEvent: BASE_INGEST,
    ExportLedger: BASE_LEDGER,
    SourceLedger: SourceLedger("default", "other", "sha256:" + "0" * 32, 1000, 50, 1000, 50, BASE_AT_MS - 86_400_000),
    CorpusLedger: CorpusLedger("default", "pipeline", 100_000, 4_000, 3_840, 10_000, 9_800),
    SessionClock: SessionClock("default", "svc", 7_200_000, named=True, told=True),
    Deadline: Deadline("default", "svc", "complaint", BASE_AT_MS - 48 * 3_600_000),
    ProduceIdLedger: ProduceIdLedger("default", "svc", 1, BASE_AT_MS),
    ContentLabelLedger: ContentLabelLedger("default", "svc", BASE_AT_MS - 2 * 86_400_000),
}


def case_event(rule: Rule, case: Case) -> Judged:
    """Return the event of a case: the base event with the case's changes."""
    return msgspec.structs.replace(BASES[rule.on], **case.changes)


def case_snapshot(case: Case) -> Snapshot:
    """Return the facts of a case.

    `given` may hold `identity` (whether it was used before; `unwatched`: nobody looks), `optouts`, `filings`, `notices`, `sources` and `suspensions` (None: not connected), `registered` (filings of the policy), changes of
    `company`, `svc` and `pipeline`, and fields of the policy.
    """
    given: dict[str, Any] = dict(case.given)
    given.pop("identity", None)
    registered: tuple[ModelFiling, ...] = given.pop("registered", BASE_POLICY.filings)
    optouts: tuple[OptOut, ...] | None = given.pop("optouts", ())
    filings: tuple[Filing, ...] | None = given.pop("filings", ())
    notices: tuple[Notice, ...] | None = given.pop("notices", ())
    sources: tuple[CondemnedSource, ...] | None = given.pop("sources", ())
    suspensions: tuple[Suspension, ...] | None = given.pop("suspensions", ())
    company: dict[str, Any] = given.pop("company", {})
    changed = {name: given.pop(name, {}) for name in ("svc", "pipeline")}
    policy = msgspec.structs.replace(
        BASE_POLICY,
        filings=registered,
        entities=tuple(msgspec.structs.replace(e, **company) for e in BASE_POLICY.entities),
        services=tuple(msgspec.structs.replace(s, **changed[s.name]) for s in BASE_POLICY.services),
    )
    policy = msgspec.structs.replace(policy, **given)
    return Snapshot(
        policy,
        None if optouts is None else loaded(optouts),
        None if filings is None else loaded(filings),
        None if notices is None else loaded(notices),
        None,
        None if sources is None else loaded(sources),
        None if suspensions is None else loaded(suspensions),
    )


def judge_case(rule: Rule, case: Case) -> Result:
    """Return what the engine says of a case, guards and in-force dates included."""
    identity = case.given.get("identity")
    engine = Engine([rule], case_snapshot(case), identities_watched=identity != "unwatched")
    event = case_event(rule, case)
    at_ms = round(datetime.fromisoformat(case.at or BASE_AT).timestamp() * 1000)
    group = engine.group("default", event.service)
    plan, deviations = engine.evaluate(group, event, at_ms, trusted=case.trusted, reused=identity == "reused")
    return plan.outcomes(deviations or ())[rule.id]


def run_cases(rule: Rule) -> list[tuple[Case, Outcome]]:
    """Return the cases whose outcome is not the stated one, with the outcome found."""
    found = [(case, judge_case(rule, case).outcome) for case in rule.cases]
    return [(case, outcome) for case, outcome in found if outcome is not case.outcome]
