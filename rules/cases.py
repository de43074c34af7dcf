"""The base events and base facts that a rule's cases change, and the judge that runs a case.

Everything here is synthetic. The base event passes every rule or lies outside it, so a case states only what matters.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from hegui.rules.core import Case, Outcome, Result, Rule
from hegui.rules.engine import Engine
from hegui.rules.events import (
    Event,
    ExplicitLabel,
    GenerationEvent,
    ImplicitLabel,
    IngestEvent,
    LabelSite,
    ModelReference,
    Moderation,
)
from hegui.rules.facts import Filing, OptOut, Snapshot, loaded
from hegui.rules.policy import Entity, ModelFiling, Policy, Service

BASE_AT = "2026-08-01T12:00:00+08:00"
BASE_AT_MS = 1_785_556_800_000

GOOD_LABEL = (
    '{"Label":"1","ContentProducer":"001191440300708461136T1XGW3","ProduceID":"4c8a5c1e","ReservedCode1":"",'
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
    explicit_label=ExplicitLabel(present=True, text="人工智能生成", in_file=True),
    implicit_label=ImplicitLabel(container=True, sites=(LabelSite("xmp", GOOD_LABEL),)),
    moderation=Moderation(verdict="allow", decided_at_ms=BASE_AT_MS - 50, engine_version="1.0", action="delivered"),
    delivered_at_ms=BASE_AT_MS,
    model=ModelReference(id="model-a", version="1", hosting_region="cn-north-1"),
    prompt_personal_information=False,
    sensitive_personal_information=False,
    exported=False,
    data_class="general",
    train_use=False,
    log_region="cn-north-1",
    authorship_claimed=False,
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
)

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
        ),
        Service(name="pipeline", team="data", public_cn=False, entity="company"),
    ),
    entities=(Entity(name="company", critical_infrastructure=False, many_persons=False),),
    filings=(
        ModelFiling(
            model="model-a", number="Beijing-0001", valid_from=datetime.fromisoformat("2023-09-01T00:00:00+08:00")
        ),
    ),
)

BASES: dict[type, Event] = {GenerationEvent: BASE_GENERATION, IngestEvent: BASE_INGEST}


def case_event(rule: Rule, case: Case) -> Event:
    """Return the event of a case: the base event with the case's changes."""
    return msgspec.structs.replace(BASES[rule.on], **case.changes)


def case_snapshot(case: Case) -> Snapshot:
    """Return the facts of a case.

    `given` may hold `optouts` and `filings` (None: not connected), `registered` (filings of the policy), changes of
    `company`, `svc` and `pipeline`, and fields of the policy.
    """
    given: dict[str, Any] = dict(case.given)
    registered: tuple[ModelFiling, ...] = given.pop("registered", BASE_POLICY.filings)
    optouts: tuple[OptOut, ...] | None = given.pop("optouts", ())
    filings: tuple[Filing, ...] | None = given.pop("filings", ())
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
    )


def judge_case(rule: Rule, case: Case) -> Result:
    """Return what the engine says of a case, guards and in-force dates included."""
    engine = Engine([rule], case_snapshot(case))
    event = case_event(rule, case)
    at_ms = round(datetime.fromisoformat(case.at or BASE_AT).timestamp() * 1000)
    plan, deviations = engine.evaluate(engine.group("default", event.service), event, at_ms)
    return plan.outcomes(deviations or ())[rule.id]


def run_cases(rule: Rule) -> list[tuple[Case, Outcome]]:
    """Return the cases whose outcome is not the stated one, with the outcome found."""
    found = [(case, judge_case(rule, case).outcome) for case in rule.cases]
    return [(case, outcome) for case, outcome in found if outcome is not case.outcome]
