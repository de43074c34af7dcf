"""Judges one event by the rules that can apply to it. Pure: no clock, no I/O.

The cost of an event grows with the rules that can apply, not with the book: rules are indexed by their guards' values, by
the legal era of the event's time and by the readiness of the facts they need. All of that is folded into a `Plan`, looked
up once per event; outcomes are counted per plan, so that passing rules cost nothing beyond their call.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

import msgspec

from hegui.rules.core import NOT_APPLICABLE, PASS, Check, Outcome, Result, Rule, Situation, folder_sha256, inconclusive
from hegui.rules.events import Event
from hegui.rules.evidence import Code
from hegui.rules.exports import ExportLedger
from hegui.rules.facts import Facts, FactStatus, Snapshot
from hegui.rules.guards import GUARDS
from hegui.rules.ledgers.coverage import COVERAGE_RULES
from hegui.rules.ledgers.form import Judged as Ledger
from hegui.rules.ledgers.recording import Recorder, recorders
from hegui.rules.policy import OTHER, Service
from hegui.rules.waivers import WaiverIndex

Judged = Event | ExportLedger | Ledger
"""What rules judge: an event, or a state that the state agents keep."""

Deviation = tuple[Rule, Result]
"""A rule of the plan that was judged and did not pass."""


Calls = tuple[tuple[Check, Rule], ...]
"""Rules to call, each with its function."""


def _calls(rules: Iterable[Rule]) -> Calls:
    return tuple((rule.check, rule) for rule in rules)


MAX_ANSWERS = 1000
"""Values of one field whose answers a plan keeps."""


class Answers:
    """What the rules that depend on one field said of each value of it met so far."""

    __slots__ = ("calls", "field", "found", "known", "last")

    def __init__(self, field: str, calls: Calls) -> None:
        self.field = attrgetter(field)
        self.calls = calls
        self.known: dict[object, tuple[Deviation, ...]] = {}
        """Value to the rules that did not pass."""
        self.last: object = self
        """The value asked for last; at first none that an event has."""
        self.found: tuple[Deviation, ...] = ()
        """What was said of it."""


class Plan:
    """What happens to every event of one service, event type, legal era and set of guard values. Compared by identity."""

    __slots__ = (
        "answers",
        "calls",
        "coverage",
        "exports",
        "group",
        "inconclusive",
        "keys",
        "modality",
        "not_applicable",
        "on",
        "outcome_keys",
        "recorders",
        "screens",
        "settled",
    )

    def __init__(
        self,
        group: Group,
        on: type,
        called: Sequence[Rule],
        unclear: Sequence[tuple[Rule, Result]],
        not_applicable: Sequence[Rule],
        settled: Sequence[tuple[Rule, Result]],
    ) -> None:
        self.group = group
        """The service."""
        self.on = on
        """The event type."""
        self.calls: Calls = _calls(rule for rule in called if rule.screen is None and rule.depends is None)
        """Rules to call for every event."""
        self.screens = tuple(
            (screen, _calls(rule for rule in called if rule.screen is screen))
            for screen in dict.fromkeys(rule.screen for rule in called)
            if screen is not None
        )
        """Screens, each with the rules to call where it does not say that they pass."""
        self.answers = tuple(
            Answers(field, _calls(rule for rule in called if rule.depends == field))
            for field in dict.fromkeys(rule.depends for rule in called)
            if field is not None
        )
        """Rules whose answer follows from one field."""
        self.inconclusive = tuple(unclear)
        """Rules that cannot be decided for this group: a guard is unknown, a fact is not ready, the time is not trusted."""
        self.not_applicable = tuple(not_applicable)
        """Rules excluded by a guard or not yet in force."""
        self.settled = tuple((rule, result) for rule, result in settled if result is not PASS)
        """Rules that judge the plan's situation and did not pass: every event of the plan deviates by them."""
        judged = (*called, *(rule for rule, _ in settled))
        self.keys = tuple((rule, (group.tenant, rule.id, group.label)) for rule in judged)
        """Judged rules with tenant, rule id and service: what a sum is kept for."""
        self.exports = False
        """Whether events of the plan may have provided personal information abroad."""
        self.recorders: tuple[Recorder, ...] = ()
        """What must be asked of events of the plan for the ledgers."""
        self.modality = "unknown"
        """Kind of content of the plan's events."""
        self.coverage = tuple(
            (COVERAGE_RULES[rule.id], rule, judged)
            for rules, judged in ((judged, True), ([rule for rule, _ in unclear], False))
            for rule in rules
            if rule.id in COVERAGE_RULES
        )
        """Label, rule and "is judged" of the rules that tell the label coverage."""
        self.outcome_keys = (
            *((group.label, rule.id, Outcome.PASS) for rule in judged),
            *((group.label, rule.id, Outcome.INCONCLUSIVE) for rule, _ in self.inconclusive),
            *((group.label, rule.id, Outcome.NOT_APPLICABLE) for rule in self.not_applicable),
        )
        """Service, rule id and outcome of every rule, for an event that no judged rule deviates on."""

    def outcomes(self, deviations: Iterable[Deviation]) -> dict[str, Result]:
        """Return rule id to result for one event, in the order of the ids."""
        results = {rule.id: PASS for rule, _ in self.keys}
        results.update({rule.id: NOT_APPLICABLE for rule in self.not_applicable})
        results.update({rule.id: result for rule, result in self.inconclusive})
        results.update({rule.id: result for rule, result in deviations})
        return dict(sorted(results.items()))


class Group:
    """The service of an event as the engine sees it; one object per service of the policy, and one for all others."""

    __slots__ = ("label", "plans", "policy", "rule_set", "service", "tenant")

    def __init__(
        self, tenant: str, label: str, service: Service | None, policy: str = "none", rule_set: str = ""
    ) -> None:
        self.tenant = tenant
        self.label = label
        self.service = service
        self.policy = policy
        """Version of the policy."""
        self.rule_set = rule_set
        """Hash of the rules."""
        self.plans: dict[type, dict[int, dict[object, Plan]]] = {on: {} for on in GUARDS}
        """Event type to era to guard key to plan."""


UNTRUSTED = -1
"""Era of an event whose time cannot be trusted: which law was in force cannot be said."""


REUSED = "reused"
"""Marks the plans of events whose identity was used before."""

MAX_PLANS = 20_000
"""Plans kept for one group, event type and era. Sound producers need hundreds; odd values could make millions."""


class Engine:
    """A book of rules over one snapshot of facts.

    Build a new one when the policy changes or a fact table becomes ready: plans hold for one state of readiness
    (`is_current` tells).
    """

    def __init__(self, rules: Iterable[Rule], snapshot: Snapshot, *, identities_watched: bool = True) -> None:
        self.identities_watched = identities_watched
        """Whether the caller tells events whose identity was used before."""
        self.rules: tuple[Rule, ...] = tuple(sorted(rules, key=lambda rule: rule.id))
        self.snapshot = snapshot
        self.rule_set = rule_set_hash(self.rules)
        self._status = snapshot.status()
        self._changes = (snapshot.waivers.changes, snapshot.filings.changes)
        self._by_type: dict[type, tuple[Rule, ...]] = {on: tuple(r for r in self.rules if r.on is on) for on in GUARDS}
        # Within an era no law comes into force, and nothing that the policy or a filing dates begins or ends.
        law_days = {rule.in_force_from_ms for rule in self.rules}
        policy = {round(moment.timestamp() * 1000) for moment in _instants(snapshot.policy)}
        filings = {at_ms for filing in snapshot.filings for at_ms in filing.interval() if at_ms is not None}
        self._boundaries = sorted(law_days | policy | filings)
        self._turn(self._boundaries[-1] if self._boundaries else 0)
        self.keys = {on: guards.key for on, guards in GUARDS.items()}
        """Event type to the function that reads the guard key of an event."""
        self._known_plans: dict[int, dict[tuple[str, str, type, object], Plan]] = {}
        self.waivers = WaiverIndex(
            (*snapshot.policy.waivers, *snapshot.waivers),
            {rule.id: rule.waivable for rule in self.rules},
            snapshot.services,
        )
        versions = (snapshot.policy.version, self.rule_set)
        self.known_groups = {
            key: Group(key[0], key[1], service, *versions) for key, service in snapshot.services.items()
        }
        self._others = {
            tenant: Group(tenant, OTHER, None, *versions)
            for tenant in {t for t, _ in snapshot.services} | {"default", OTHER}
        }

    def is_current(self) -> bool:
        """Tell whether readiness of facts, waivers and filings are still those for which the plans were made."""
        now = self.snapshot
        return self._changes == (now.waivers.changes, now.filings.changes) and self._status == now.status()

    def groups(self) -> Iterator[Group]:
        """Iterate over all groups: the finite set of tenants and services that results and labels can name."""
        yield from self.known_groups.values()
        yield from self._others.values()

    def group(self, tenant: str, service: str) -> Group:
        """Return the group of an event's tenant and service."""
        found = self.known_groups.get((tenant, service))
        if found is not None:
            return found
        return self._others.get(tenant) or self._others[OTHER]

    def evaluate(
        self, group: Group, event: Judged, at_ms: int, trusted: bool = True, reused: bool = False
    ) -> tuple[Plan, list[Deviation] | None]:
        """Judge one event.

        Args:
            group: the event's group, from `group()`.
            event: the event's data, or a state.
            at_ms: the event's time, epoch milliseconds: the law and the facts of that time decide.
            trusted: whether that time agrees with the broker's; if not, every rule that could apply is inconclusive.
            reused: whether another content was judged before under the event's identity and revision.

        Returns:
            The plan, and the called rules that did not pass (None when all passed). A rule that raises is an `error`
            result and the others still run.
        """
        era = UNTRUSTED
        if trusted:
            # Nearly all events are of the era of the last one.
            if not self._era_from <= at_ms < self._era_to:
                self._turn(at_ms)
            era = self._era
        plan = self.plan(group, event, at_ms, era, reused=reused)
        return plan, self.deviations(plan, event, at_ms)

    def era(self, at_ms: int) -> int:
        """Return the legal era of a trusted time: between two of them no law comes into force, and nothing the policy dates changes."""
        return bisect_right(self._boundaries, at_ms)

    def known_plans(self, era: int) -> dict[tuple[str, str, type, object], Plan]:
        """Return the plans of an era met so far by `meet`: tenant, service, event type and guard key to plan."""
        return self._known_plans.setdefault(era, {})

    def meet(self, tenant: str, event: Event, at_ms: int, era: int, *, reused: bool = False) -> Plan:
        """Return the plan of an event, and note it in `known_plans` when the service is registered and the identity its own.

        One look-up there takes the place of three here: 0.2 us of the evaluator's time for an event.
        """
        group = self.group(tenant, event.service)
        plan = self.plan(group, event, at_ms, era, reused=reused)
        if group.service is not None and not reused:  # others have any names
            known = self.known_plans(era)
            if len(known) >= MAX_PLANS:
                known.clear()
            known[tenant, event.service, type(event), self.keys[type(event)](event)] = plan
        return plan

    def plan(self, group: Group, event: Judged, at_ms: int, era: int, *, reused: bool = False) -> Plan:
        """Return the plan of an event; arguments as for `evaluate`."""
        on = type(event)
        plans = group.plans[on].get(era)
        if plans is None:
            plans = group.plans[on][era] = {}
        values = self.keys[on](event)
        key: object = (REUSED, values) if reused else values
        plan = plans.get(key)
        if plan is None:
            if len(plans) >= MAX_PLANS:
                plans.clear()
            plan = plans[key] = self._plan(group, on, era, values, at_ms, reused=reused)
        return plan

    def deviations(self, plan: Plan, event: Judged, at_ms: int) -> list[Deviation] | None:
        """Return the rules of the plan that the event does not pass, None when there are none."""
        group = plan.group
        deviations: list[Deviation] | None = None
        if plan.settled:
            deviations = [(rule, self._waived(rule, group, at_ms, result)) for rule, result in plan.settled]
        facts = Facts(self.snapshot, at_ms, group.tenant, group.service)
        for answers in plan.answers:
            value = answers.field(event)
            if value != answers.last:  # a service has few models; a comparison is half the cost of a hash
                answers.last, answers.found = value, self._answer(answers, value, event, facts)
            if answers.found:
                deviations = deviations or []
                deviations += [(rule, self._waived(rule, group, at_ms, result)) for rule, result in answers.found]
        for check, rule in plan.calls:
            try:
                result = check(event, facts)
                if result is PASS:
                    continue
                outcome = result.outcome
            except Exception as error:  # noqa: BLE001 - whatever a rule raises, the others must still run
                outcome, result = Outcome.ERROR, _raised(error)
            if outcome is Outcome.FAIL:
                result = self._waived(rule, group, at_ms, result)
            if deviations is None:
                deviations = []
            deviations.append((rule, result))
        for screen, calls in plan.screens:
            try:
                if screen(event, facts):
                    continue
            except Exception as error:  # noqa: BLE001 - then each rule says for itself what is wrong
                del error
            found = _judged(calls, event, facts)
            if found:
                deviations = deviations or []
                deviations += [(rule, self._waived(rule, group, at_ms, result)) for rule, result in found]
        return deviations

    @staticmethod
    def _answer(answers: Answers, value: object, event: Judged, facts: Facts) -> tuple[Deviation, ...]:
        found = answers.known.get(value)
        if found is None:
            if len(answers.known) >= MAX_ANSWERS:
                answers.known.clear()
            found = answers.known[value] = _judged(answers.calls, event, facts)
        return found

    def _turn(self, at_ms: int) -> None:
        """Make the era of `at_ms` the present one."""
        era = bisect_right(self._boundaries, at_ms)
        self._era = era
        self._era_from = self._boundaries[era - 1] if era > 0 else -(2**63)
        self._era_to = self._boundaries[era] if era < len(self._boundaries) else 2**63

    def _plan(self, group: Group, on: type, era: int, key: tuple[object, ...], at_ms: int, *, reused: bool) -> Plan:
        values = GUARDS[on].values_of(group.service, key)
        identity: Literal["unique", "reused", "unwatched"] = "reused" if reused else "unique"
        situation = Situation(
            group.service, values, era != UNTRUSTED, identity if self.identities_watched else "unwatched"
        )
        called: list[Rule] = []
        unclear: list[tuple[Rule, Result]] = []
        excluded: list[Rule] = []
        settled: list[tuple[Rule, Result]] = []
        in_force_at = self._boundaries[era - 1] if era > 0 else -1
        for rule in self._by_type[on]:
            if not rule.any_time and era != UNTRUSTED and rule.in_force_from_ms > in_force_at:
                excluded.append(rule)
                continue
            unknown = [guard for guard in rule.when if values[guard] is None]
            if any(values[guard] is not None and values[guard] not in allowed for guard, allowed in rule.when.items()):
                excluded.append(rule)
            elif unknown:
                unclear.append((rule, inconclusive(*map(Code, unknown))))
            elif era == UNTRUSTED and not rule.any_time:
                unclear.append((rule, inconclusive("a time that agrees with the broker's")))
            elif missing := [name for name in rule.needs if self._status[name] is not FactStatus.READY]:
                unclear.append((rule, inconclusive(*(f"the facts {name} ({self._status[name]})" for name in missing))))
            elif rule.of is not Situation:
                called.append(rule)
            else:
                result = self._settle(rule, situation, Facts(self.snapshot, at_ms, group.tenant, group.service))
                if result.outcome is Outcome.INCONCLUSIVE:
                    unclear.append((rule, result))
                elif result.outcome is Outcome.NOT_APPLICABLE:
                    excluded.append(rule)
                else:
                    settled.append((rule, result))
        plan = Plan(group, on, called, unclear, excluded, settled)
        plan.recorders = recorders(on, group.service, values)
        plan.modality = str(values.get("modality") or "unknown")
        plan.exports = values.get("prompt_personal_information", False) is not False
        return plan

    @staticmethod
    def _settle(rule: Rule, situation: Situation, facts: Facts) -> Result:
        try:
            return rule.check(situation, facts)
        except Exception as error:  # noqa: BLE001 - as in evaluate
            return _raised(error)

    def _waived(self, rule: Rule, group: Group, at_ms: int, result: Result) -> Result:
        if result.outcome is not Outcome.FAIL:
            return result
        waiver, expired = self.waivers.at(rule.id, group.tenant, group.label, at_ms)
        if waiver is not None:
            return msgspec.structs.replace(result, outcome=Outcome.WAIVED, waiver=waiver.id)
        if expired is not None:
            return msgspec.structs.replace(result, expired_waiver=expired.id)
        return result


def _judged(calls: Calls, event: Judged, facts: Facts) -> tuple[Deviation, ...]:
    """Return the rules that do not pass an event, before waivers."""
    found = []
    for check, rule in calls:
        try:
            result = check(event, facts)
            if result is PASS or result.outcome is Outcome.PASS:
                continue
        except Exception as error:  # noqa: BLE001 - as in evaluate
            result = _raised(error)
        found.append((rule, result))
    return tuple(found)


def _raised(error: Exception) -> Result:
    return Result(Outcome.ERROR, "the rule raised " + type(error).__name__)


def _instants(part: object) -> Iterator[datetime]:
    """Iterate over the moments that a policy names, at any depth, but for those of waivers, which are looked up for each event."""
    if isinstance(part, datetime):
        yield part
    elif isinstance(part, msgspec.Struct):
        for name in part.__struct_fields__:
            if name != "waivers":
                yield from _instants(getattr(part, name))
    elif isinstance(part, tuple):
        for item in part:
            yield from _instants(item)


def rule_set_hash(rules: Iterable[Rule]) -> str:
    """Return 16 hex digits that change whenever a rule, its severity, its stage or its clauses change."""
    digest = hashlib.sha256(folder_sha256(Path(__file__).parent).encode())
    for rule in rules:
        parts: list[Any] = [rule.id, rule.severity, rule.stage, rule.source_sha256]
        parts += [(clause.id, clause.in_force_from) for clause in rule.basis]
        digest.update(repr(parts).encode())
    return digest.hexdigest()[:16]
