"""The deployer's own facts: services, legal entities, filings, waivers, and which rules are on. Pure data, checked as a whole.

The policy is the authority for what a service is. Loading it from YAML is `streams.policy_file`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hegui.rules.core import Severity, Stage
from hegui.rules.labelling.provider_code import GENERATION, problem_of, problem_of_propagator
from hegui.rules.law import SHANGHAI
from hegui.rules.registry import (
    OTHER,
    Entity,
    ExportMechanism,
    ExportSettlement,
    Instant,
    ModelFiling,
    ModelTest,
    Name,
    Part,
    PassRate,
    PersonKeyPeriod,
    PolicyError,
    RightsProtection,
    SafetyAssessment,
    SafetyAssets,
    Service,
    TrainingSwitch,
    UserAgreement,
    ZoneList,
)
from hegui.rules.waivers import Waiver, check_form, check_reach


class RuleOverride(Part, frozen=True):
    """The deployer's severity or stage of one rule."""

    severity: Severity | None = None
    """Another severity."""
    stage: Stage | None = None
    """Another stage."""


class RuleSelection(Part, frozen=True):
    """Which rules are on. A selector is a rule id, a prefix of ids (`LBL`) or `ALL`."""

    select: tuple[str, ...] = ("ALL",)
    """Rules to take."""
    ignore: tuple[str, ...] = ()
    """Rules to leave out."""
    override: dict[str, RuleOverride] = msgspec.field(default_factory=dict)
    """Rule id to severity or stage."""


class Policy(Part, frozen=True):
    """One version of the deployer's policy."""

    version: Name
    """Its version: stands in every result."""
    effective_from: Instant | None = None
    """From when it counts, in event time; absent: from always. Of several versions the one of the event's time counts."""
    services: tuple[Service, ...] = ()
    """The service registry."""
    entities: tuple[Entity, ...] = ()
    """Legal entities."""
    filings: tuple[ModelFiling, ...] = ()
    """Model filings and registrations."""
    waivers: tuple[Waiver, ...] = ()
    """Waivers."""
    model_tests: tuple[ModelTest, ...] = ()
    """Safety tests of models."""
    person_keys: tuple[PersonKeyPeriod, ...] = ()
    """The keys of persons in exports, one for each controller and legal year."""
    export_settlements: tuple[ExportSettlement, ...] = ()
    """What the deployer found of exports that could not be counted by person."""
    zone_lists: tuple[ZoneList, ...] = ()
    """Negative lists of free trade zones in force."""
    rules: RuleSelection = RuleSelection()
    """Which rules are on."""
    mainland_regions: tuple[str, ...] = ("cn",)
    """Prefixes of region names that lie in the mainland, compared up to a hyphen, whatever the case."""
    outside_regions: tuple[str, ...] = ("cn-hongkong", "cn-hk", "cn-macau", "cn-mo", "cn-taiwan", "cn-tw")
    """Prefixes that do not, although a prefix of `mainland_regions` fits (ISO 3166-2 and cloud regions of Hong Kong, Macao, Taiwan)."""
    opt_out_grace_seconds: Annotated[int, Meta(ge=0)] = 0
    """How long after a user's opt-out a use is still tolerated (the law gives no number)."""
    opt_out_unknown: Literal["pass", "inconclusive", "fail"] = "pass"
    """What a record of an open or crawled source comes to about which nobody has said yes or no (OPT003)."""
    robots_max_age_hours: Annotated[int, Meta(ge=1)] = 24
    """How old a robots.txt may be at fetch time."""
    similarity_percent: Annotated[int, Meta(ge=1, le=100)] = 90
    """From which similarity to a protected work on an output counts as infringing (no court set a number)."""
    iscc_max_distance_bits: Annotated[int, Meta(ge=0, le=15)] = 7
    """In how many of the 64 bits of their ISCC Content-Codes a record and a registered work may differ to be told as near duplicates (no law sets a number; 7 is the share that PDQ takes for pictures, 31 of 256)."""
    notice_grace_hours: Annotated[int, Meta(ge=0)] = 72
    """How long after a rights holder's notice a use is still tolerated (the law says "promptly")."""
    evidence_grace_minutes: Annotated[int, Meta(ge=0)] = 5
    """How long after the output the record of its creation may be closed."""
    speech_rate_from: Annotated[int, Meta(ge=120, le=160)] = 120
    """Slowest speech of a spoken label, characters a minute (GB 45438-2025 5.3, note)."""
    speech_rate_to: Annotated[int, Meta(ge=120, le=160)] = 160
    """Fastest speech of a spoken label, characters a minute."""
    incident_report_hours: Annotated[int, Meta(ge=1)] = 24
    """Within how many hours an incident must be reported to the authority (Interim Measures art. 14 says "promptly")."""
    source_min_sample: Annotated[int, Meta(ge=1)] = 400
    """Fewest checked records from which the share of illegal ones in a source is judged (the standard gives no number)."""
    session_pause_minutes: Annotated[int, Meta(ge=1)] = 10
    """After how long without an output continuous use of a companion service has ended (the law gives no number)."""
    suspension_hours: Annotated[int, Meta(ge=1)] = 24
    """How long a user must stay suspended after abusive inputs (the standard gives no number)."""
    label_index_days: Annotated[int, Meta(ge=1)] = 30
    """How long a labelled output stays in the label index."""
    export_forecast_days: Annotated[int, Meta(ge=1, le=366)] = 30
    """A limit of exports that is reached within so many days at the present pace is told (a contract or an assessment takes weeks)."""
    export_years_kept: Annotated[int, Meta(ge=2, le=100)] = 4
    """Legal years whose export ledgers are kept, the running one among them: records of processing are kept three years (PIPL art. 56). What is forgotten does not come back."""
    training_switch_clicks: Annotated[int, Meta(ge=1)] = 4
    """Most clicks to the switch that turns training on inputs off."""
    max_waiver_days: Annotated[int, Meta(ge=1, le=366)] = 366
    """Longest waiver."""

    def person_key(self, controller: str, year: int) -> str | None:
        """Return the id of the key under which a controller's persons are hashed in a legal year; None when none is registered."""
        for period in self.person_keys:
            if period.controller == controller and period.year == year:
                return period.key_id
        return None

    def hours_for(self, kind: str, tenant: str, service: str) -> int | None:
        """Return within how many hours a case must be dealt with: `notice`, `removal`, `complaint` or `incident`; None when nothing says so."""
        if kind in {"notice", "removal"}:
            return self.notice_grace_hours
        if kind == "incident":
            return self.incident_report_hours
        for one in self.services:
            if (one.tenant, one.name) == (tenant, service):
                return one.complaint_answer_hours
        return None

    def in_mainland(self, region: str) -> bool:
        """Tell whether a region name lies in the mainland: `cn`, `CN` and `cn-north-1` do, `cnx` does not."""
        return _begins(self.mainland_regions, region) and not _begins(self.outside_regions, region)


def _begins(prefixes: tuple[str, ...], region: str) -> bool:
    name = region.lower()
    return any(name == prefix or name.startswith(prefix + "-") for prefix in map(str.lower, prefixes))


def check_policy(policy: Policy, rules: Iterable[tuple[str, bool]]) -> None:
    """Check what the schema cannot: references, uniqueness, waivers.

    Args:
        policy: the policy.
        rules: id and "may be waived" of every known rule.

    Raises:
        PolicyError: the first contradiction, naming key, value and remedy.
    """
    for sentence in contradictions(policy, rules):
        raise PolicyError(sentence)


def contradictions(policy: Policy, rules: Iterable[tuple[str, bool]]) -> Iterator[str]:
    """Yield a sentence for every contradiction in a policy: key, value and remedy."""
    waivable = dict(rules)
    yield from _unique("services", [f"{s.tenant}/{s.name}" for s in policy.services])
    yield from _unique("entities", [e.name for e in policy.entities])
    yield from _unique("waivers", [w.id for w in policy.waivers])
    entities = {e.name for e in policy.entities}
    services = {(s.tenant, s.name) for s in policy.services}
    for service in policy.services:
        if service.entity is not None and service.entity not in entities:
            yield f"services: {service.name} names the entity {service.entity!r}; add it under `entities`"
    for service in policy.services:
        for key, value in (("service", service.name), ("tenant", service.tenant)):
            if value == OTHER:
                yield (f"services: the {key} {OTHER!r} is what hegui calls all that is not listed; choose another name")
    if OTHER in entities:
        yield f"entities: {OTHER!r} is what hegui calls all entities that are not listed; choose another name"
    for service in policy.services:
        yield from _of_service(service)
    for key, selectors in (("select", policy.rules.select), ("ignore", policy.rules.ignore)):
        for selector in selectors:
            if not selector or (selector != "ALL" and not any(rule_id.startswith(selector) for rule_id in waivable)):
                yield f"rules.{key}: no rule begins with {selector!r}; see `hegui rules list`"
    chosen, left_out = policy.rules.select, policy.rules.ignore
    if waivable and not any(_covers(chosen, rule_id) and not _covers(left_out, rule_id) for rule_id in waivable):
        yield "rules: no rule is on; select some, or ignore fewer"
    for rule_id in policy.rules.override:
        if rule_id not in waivable:
            yield (f"rules.override: there is no rule {rule_id!r}; an override names one rule, see `hegui rules list`")
    for entity in policy.entities:
        for mechanism in entity.export_mechanisms:
            if mechanism.valid_to <= mechanism.valid_from:
                yield (
                    f"entities: {entity.name}: {mechanism.kind} ends before it begins; set valid_to after valid_from"
                )
            longest = mechanism.valid_from + timedelta(days=3 * 366)  # 29 February is no reason to quarrel
            if mechanism.kind != "standard_contract" and mechanism.valid_to > longest:
                yield (
                    f"entities: {entity.name}: {mechanism.kind} runs from {mechanism.valid_from.date()} to {mechanism.valid_to.date()}; "
                    "results and certificates hold three years, enter a renewal as one of its own"
                )
    for test in policy.model_tests:
        for kind in ("human", "keywords", "classifier", "should_refuse", "should_not_refuse"):
            rate = getattr(test, kind)
            if rate is not None and rate.passed > rate.tested:
                yield (
                    f"model_tests: {test.model} {test.model_version}: {kind} passed {rate.passed} of {rate.tested}; correct one"
                )
    yield from _unique("model_tests", [f"{t.model}/{t.model_version}" for t in policy.model_tests])
    yield from _unique("person_keys", [f"{k.controller} {k.year}" for k in policy.person_keys])
    controllers = {e.controller or e.name for e in policy.entities}
    for period in policy.person_keys:
        if period.controller not in controllers:
            yield (
                f"person_keys: {period.controller!r} is no controller; name an entity, or what an entity has as `controller`"
            )
    for settlement in policy.export_settlements:
        yield from _of_settlement(settlement, entities)
    yield from _unique(
        "export_settlements",
        [f"{s.entity} {s.year} up to {s.up_to.astimezone(SHANGHAI).isoformat()}" for s in policy.export_settlements],
    )
    yield from _unique("zone_lists", [z.zone for z in policy.zone_lists])
    if policy.speech_rate_from > policy.speech_rate_to:
        yield f"speech_rate_from: {policy.speech_rate_from} is above speech_rate_to {policy.speech_rate_to}; exchange them"
    yield from _unique("filings", [f"{f.model} {f.number} {f.valid_from.isoformat()}" for f in policy.filings])
    for filing in policy.filings:
        if filing.valid_to is not None and filing.valid_to <= filing.valid_from:
            yield (f"filings: {filing.model} {filing.number} ends before it begins; set valid_to after valid_from")
    for waiver in policy.waivers:
        try:
            check_reach(waiver, check_form(waiver, policy.max_waiver_days), waivable, services)
        except PolicyError as error:
            yield str(error)


def _covers(selectors: tuple[str, ...], rule_id: str) -> bool:
    return any(selector == "ALL" or (selector and rule_id.startswith(selector)) for selector in selectors)


def _of_service(service: Service) -> Iterator[str]:
    code = service.provider_code
    if code is not None:
        problem = problem_of(code) if service.role == "generator" else problem_of_propagator(code)
        if problem not in {None, GENERATION}:
            yield f"services: {service.name}: provider_code {code!r} is not valid ({problem}); copy it from the registration"
    for assessment in service.safety_assessments or ():
        if service.models is not None and assessment.model not in service.models:
            yield (
                f"services: {service.name}: the assessment {assessment.reference} is of the model {assessment.model!r}, which is not "
                "under its `models`; add it there or correct one"
            )


def _of_settlement(settlement: ExportSettlement, entities: AbstractSet[str]) -> Iterator[str]:
    where = f"export_settlements: {settlement.entity} {settlement.year}"
    if settlement.entity not in {*entities, OTHER}:
        yield f"{where}: there is no such entity; name one of `entities`, or {OTHER!r} for exports of entities that were not listed"
    up_to = settlement.up_to.astimezone(SHANGHAI)
    # The first moment of the next year stands for the whole year.
    if settlement.year and settlement.year not in {up_to.year, (up_to - timedelta(milliseconds=1)).year}:
        yield f"{where}: up_to {up_to.isoformat()} lies outside the legal year; settle each year by itself"
    if (settlement.entity == OTHER or not settlement.year) and (settlement.ordinary or settlement.sensitive):
        yield f"{where}: adds persons to no ledger that has a limit; add them to the entity and the legal year that they belong to"


def _unique(key: str, names: list[str]) -> Iterator[str]:
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"{key}: {name!r} stands twice; keep one"


__all__ = [
    "OTHER",
    "Entity",
    "ExportMechanism",
    "ExportSettlement",
    "Instant",
    "ModelFiling",
    "ModelTest",
    "Name",
    "PassRate",
    "PersonKeyPeriod",
    "Policy",
    "PolicyError",
    "RightsProtection",
    "RuleOverride",
    "RuleSelection",
    "SafetyAssessment",
    "SafetyAssets",
    "Service",
    "TrainingSwitch",
    "UserAgreement",
    "Waiver",
    "ZoneList",
    "check_policy",
    "contradictions",
]
