"""Judges one event by the rules that can apply to it. Pure: no clock, no I/O.

The cost of an event grows with the rules that can apply, not with the book: rules are indexed by their guards' values, by
the legal era of the event's time and by the readiness of the facts they need. All of that is folded into a `Plan`, looked
up once per event; outcomes are counted per plan, so that passing rules cost nothing beyond their call.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from hegui.rules.core import NOT_APPLICABLE, PASS, Check, Outcome, Result, Rule, Situation, folder_sha256, inconclusive
from hegui.rules.events import Event
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts, FactStatus, Snapshot
from hegui.rules.guards import GUARDS
from hegui.rules.policy import OTHER, Service, Waiver

Deviation = tuple[Rule, Result]
"""A rule of the plan that was judged and did not pass."""


class Plan:
    """What happens to every event of one service, event type, legal era and set of guard values. Compared by identity."""

    __slots__ = ("calls", "group", "inconclusive", "keys", "not_applicable", "on", "outcome_keys", "settled")

    def __init__(
        self,
        group: Group,
        on: type,
        calls: Sequence[tuple[Check, Rule]],
        unclear: Sequence[tuple[Rule, Result]],
        not_applicable: Sequence[Rule],
        settled: Sequence[tuple[Rule, Result]],
    ) -> None:
        self.group = group
        """The service."""
        self.on = on
        """The event type."""
        self.calls = tuple(calls)
        """Rules to call."""
        self.inconclusive = tuple(unclear)
        """Rules that cannot be decided for this group: a guard is unknown, a fact is not ready, the time is not trusted."""
        self.not_applicable = tuple(not_applicable)
        """Rules excluded by a guard or not yet in force."""
        self.settled = tuple((rule, result) for rule, result in settled if result is not PASS)
        """Rules that judge the plan's situation and did not pass: every event of the plan deviates by them."""
        judged = (*(rule for _, rule in calls), *(rule for rule, _ in settled))
        self.keys = tuple((rule, (group.tenant, rule.id, group.label)) for rule in judged)
        """Judged rules with tenant, rule id and service: what a sum is kept for."""
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

    __slots__ = ("label", "plans", "service", "tenant")

    def __init__(self, tenant: str, label: str, service: Service | None) -> None:
        self.tenant = tenant
        self.label = label
        self.service = service
        self.plans: dict[type, dict[int, dict[object, Plan]]] = {on: {} for on in GUARDS}
        """Event type to era to guard key to plan."""


UNTRUSTED = -1
"""Era of an event whose time cannot be trusted: which law was in force cannot be said."""


MAX_PLANS = 20_000
"""Plans kept for one group, event type and era. Sound producers need hundreds; odd values could make millions."""


class Engine:
    """A book of rules over one snapshot of facts.

    Build a new one when the policy changes or a fact table becomes ready: plans hold for one state of readiness
    (`is_current` tells).
    """

    def __init__(self, rules: Iterable[Rule], snapshot: Snapshot) -> None:
        self.rules: tuple[Rule, ...] = tuple(sorted(rules, key=lambda rule: rule.id))
        self.snapshot = snapshot
        self.rule_set = rule_set_hash(self.rules)
        self._status = snapshot.status()
        self._by_type: dict[type, tuple[Rule, ...]] = {on: tuple(r for r in self.rules if r.on is on) for on in GUARDS}
        # Within an era no law comes into force and nothing that the policy dates begins or ends.
        law_days = {rule.in_force_from_ms for rule in self.rules}
        self._boundaries = sorted(law_days | {_ms(moment) for moment in _instants(snapshot.policy)})
        self._turn(self._boundaries[-1] if self._boundaries else 0)
        self._keys = {on: guards.key for on, guards in GUARDS.items()}
        self._waivers = _index(snapshot.policy.waivers)
        self.known_groups = {key: Group(key[0], key[1], service) for key, service in snapshot.services.items()}
        self._others = {
            tenant: Group(tenant, OTHER, None) for tenant in {t for t, _ in snapshot.services} | {"default", OTHER}
        }

    def is_current(self) -> bool:
        """Tell whether the readiness of the facts is still that for which the plans were made."""
        return self._status == self.snapshot.status()

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
        self, group: Group, event: Event, at_ms: int, trusted: bool = True
    ) -> tuple[Plan, list[Deviation] | None]:
        """Judge one event.

        Args:
            group: the event's group, from `group()`.
            event: the event's data.
            at_ms: the event's time, epoch milliseconds: the law and the facts of that time decide.
            trusted: whether that time agrees with the broker's; if not, every rule that could apply is inconclusive.

        Returns:
            The plan, and the called rules that did not pass (None when all passed). A rule that raises is an `error`
            result and the others still run.
        """
        on = type(event)
        if trusted:
            # Nearly all events are of the era of the last one.
            if not self._era_from <= at_ms < self._era_to:
                self._turn(at_ms)
            era = self._era
        else:
            era = UNTRUSTED
        plans = group.plans[on].get(era)
        if plans is None:
            plans = group.plans[on][era] = {}
        key = self._keys[on](event)
        plan = plans.get(key)
        if plan is None:
            if len(plans) >= MAX_PLANS:
                plans.clear()
            plan = plans[key] = self._plan(group, on, era, key, at_ms)
        deviations: list[Deviation] | None = None
        if plan.settled:
            deviations = [(rule, self._waived(rule, group, at_ms, result)) for rule, result in plan.settled]
        if plan.calls:
            facts = Facts(self.snapshot, at_ms, group.tenant, group.service)
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
        return plan, deviations

    def _turn(self, at_ms: int) -> None:
        """Make the era of `at_ms` the present one."""
        era = bisect_right(self._boundaries, at_ms)
        self._era = era
        self._era_from = self._boundaries[era - 1] if era > 0 else -(2**63)
        self._era_to = self._boundaries[era] if era < len(self._boundaries) else 2**63

    def _plan(self, group: Group, on: type, era: int, key: tuple[object, ...], at_ms: int) -> Plan:
        values = GUARDS[on].values_of(group.service, key)
        situation = Situation(group.service, values, era != UNTRUSTED)
        calls: list[tuple[Check, Rule]] = []
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
                calls.append((rule.check, rule))
            else:
                result = self._settle(rule, situation, Facts(self.snapshot, at_ms, group.tenant, group.service))
                if result.outcome is Outcome.INCONCLUSIVE:
                    unclear.append((rule, result))
                elif result.outcome is Outcome.NOT_APPLICABLE:
                    excluded.append(rule)
                else:
                    settled.append((rule, result))
        return Plan(group, on, calls, unclear, excluded, settled)

    @staticmethod
    def _settle(rule: Rule, situation: Situation, facts: Facts) -> Result:
        try:
            return rule.check(situation, facts)
        except Exception as error:  # noqa: BLE001 - as in evaluate
            return _raised(error)

    def _waived(self, rule: Rule, group: Group, at_ms: int, result: Result) -> Result:
        if result.outcome is not Outcome.FAIL:
            return result
        for waiver, start_ms, end_ms in self._waivers.get((rule.id, group.tenant, group.label), ()):
            if rule.waivable and start_ms <= at_ms < end_ms:
                return msgspec.structs.replace(result, outcome=Outcome.WAIVED, waiver=waiver.id)
        return result


def _raised(error: Exception) -> Result:
    return Result(Outcome.ERROR, "the rule raised " + type(error).__name__)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _instants(part: object) -> Iterator[datetime]:
    """Iterate over the moments that a policy names, at any depth."""
    if isinstance(part, datetime):
        yield part
    elif isinstance(part, msgspec.Struct):
        for name in part.__struct_fields__:
            yield from _instants(getattr(part, name))
    elif isinstance(part, tuple):
        for item in part:
            yield from _instants(item)


def _index(waivers: Iterable[Waiver]) -> Mapping[tuple[str, str, str], list[tuple[Waiver, int, int]]]:
    index: dict[tuple[str, str, str], list[tuple[Waiver, int, int]]] = {}
    for waiver in waivers:
        interval = (waiver, _ms(waiver.valid_from), _ms(waiver.valid_to))
        index.setdefault((waiver.rule, waiver.tenant, waiver.service), []).append(interval)
    return index


def rule_set_hash(rules: Iterable[Rule]) -> str:
    """Return 16 hex digits that change whenever a rule, its severity, its stage or its clauses change."""
    digest = hashlib.sha256(folder_sha256(Path(__file__).parent).encode())
    for rule in rules:
        parts: list[Any] = [rule.id, rule.severity, rule.stage, rule.source_sha256]
        parts += [(clause.id, clause.in_force_from) for clause in rule.basis]
        digest.update(repr(parts).encode())
    return digest.hexdigest()[:16]
