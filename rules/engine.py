"""Judges one event by the rules that can apply to it. Pure: no clock, no I/O.

The cost of an event grows with the rules that can apply, not with the book: rules are indexed by their guards' values, by
the legal era of the event's time and by the readiness of the facts they need. All of that is folded into a `Plan`, looked
up once per event; outcomes are counted per plan, so that passing rules cost nothing beyond their call.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hegui.rules.core import NOT_APPLICABLE, PASS, Check, Outcome, Result, Rule, folder_sha256, inconclusive
from hegui.rules.events import Event
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts, FactStatus, Snapshot
from hegui.rules.guards import GUARDS
from hegui.rules.policy import OTHER, Service, Waiver

Deviation = tuple[Rule, Result]
"""A rule of the plan that was called and did not pass."""


class Plan:
    """What happens to every event of one service, event type, legal era and set of guard values. Compared by identity."""

    __slots__ = ("calls", "group", "inconclusive", "keys", "not_applicable", "on", "outcome_keys")

    def __init__(
        self,
        group: Group,
        on: type,
        calls: Sequence[tuple[Check, Rule]],
        unclear: Sequence[tuple[Rule, Result]],
        not_applicable: Sequence[Rule],
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
        self.keys = tuple((rule, (group.tenant, rule.id, group.label)) for _, rule in self.calls)
        """Called rules with tenant, rule id and service: what a sum is kept for."""
        self.outcome_keys = (
            *((group.label, rule.id, Outcome.PASS) for _, rule in self.calls),
            *((group.label, rule.id, Outcome.INCONCLUSIVE) for rule, _ in self.inconclusive),
            *((group.label, rule.id, Outcome.NOT_APPLICABLE) for rule in self.not_applicable),
        )
        """Service, rule id and outcome of every rule, for an event that no called rule deviates on."""

    def outcomes(self, deviations: Iterable[Deviation]) -> dict[str, Result]:
        """Return rule id to result for one event, in the order of the ids."""
        results = {rule.id: PASS for _, rule in self.calls}
        results.update({rule.id: NOT_APPLICABLE for rule in self.not_applicable})
        results.update({rule.id: result for rule, result in self.inconclusive})
        results.update({rule.id: result for rule, result in deviations})
        return dict(sorted(results.items()))


class Group:
    """The service of an event as the engine sees it; one object per service of the policy, and one for all others."""

    __slots__ = ("keys", "label", "latest", "plans", "service", "tenant")

    def __init__(self, tenant: str, label: str, service: Service | None) -> None:
        self.tenant = tenant
        self.label = label
        self.service = service
        # What the event itself claims of the service counts, and makes plans, only where the policy does not know it.
        self.keys = {on: guards.event_key(claims=service is None) for on, guards in GUARDS.items()}
        self.plans: dict[tuple[type, int], dict[object, Plan]] = {}
        """Event type and legal era to guard key to plan."""
        self.latest: dict[type, dict[object, Plan]] = {on: {} for on in GUARDS}
        """The same for the present era, which nearly all events belong to."""


UNTRUSTED = -1
"""Era of an event whose time cannot be trusted: which law was in force cannot be said."""


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
        self._boundaries = sorted({rule.in_force_from_ms for rule in self.rules})
        self._latest_boundary = self._boundaries[-1] if self._boundaries else 0
        self._latest_era = len(self._boundaries)
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
        if trusted and at_ms >= self._latest_boundary:
            era = self._latest_era
            plans = group.latest[on]
        else:
            era = bisect_right(self._boundaries, at_ms) if trusted else UNTRUSTED
            plans = group.plans.setdefault((on, era), {})
        key = group.keys[on](event)
        plan = plans.get(key)
        if plan is None:
            plan = plans[key] = self._plan(group, on, era, key)
        deviations: list[Deviation] | None = None
        if plan.calls:
            facts = Facts(self.snapshot, at_ms, group.tenant, group.service)
            for check, rule in plan.calls:
                try:
                    result = check(event, facts)
                    if result is PASS:
                        continue
                    outcome = result.outcome
                except Exception as error:  # noqa: BLE001 - whatever a rule raises, the others must still run
                    outcome = Outcome.ERROR
                    result = Result(outcome, "the rule raised " + type(error).__name__)
                if outcome is Outcome.FAIL:
                    result = self._waived(rule, group, at_ms, result)
                if deviations is None:
                    deviations = []
                deviations.append((rule, result))
        return plan, deviations

    def _plan(self, group: Group, on: type, era: int, key: object) -> Plan:
        values = GUARDS[on].values_of(group.service, key)
        calls: list[tuple[Check, Rule]] = []
        unclear: list[tuple[Rule, Result]] = []
        excluded: list[Rule] = []
        in_force_at = self._boundaries[era - 1] if era > 0 else -1
        for rule in self._by_type[on]:
            if era != UNTRUSTED and rule.in_force_from_ms > in_force_at:
                excluded.append(rule)
                continue
            unknown = [guard for guard in rule.when if values[guard] is None]
            if any(values[guard] is not None and values[guard] not in allowed for guard, allowed in rule.when.items()):
                excluded.append(rule)
            elif unknown:
                unclear.append((rule, inconclusive(*map(Code, unknown))))
            elif era == UNTRUSTED:
                unclear.append((rule, inconclusive("a time that agrees with the broker's")))
            elif missing := [name for name in rule.needs if self._status[name] is not FactStatus.READY]:
                unclear.append((rule, inconclusive(*(f"the facts {name} ({self._status[name]})" for name in missing))))
            else:
                calls.append((rule.check, rule))
        return Plan(group, on, calls, unclear, excluded)

    def _waived(self, rule: Rule, group: Group, at_ms: int, result: Result) -> Result:
        for waiver, start_ms, end_ms in self._waivers.get((rule.id, group.tenant, group.label), ()):
            if rule.waivable and start_ms <= at_ms < end_ms:
                return msgspec.structs.replace(result, outcome=Outcome.WAIVED, waiver=waiver.id)
        return result


def _index(waivers: Iterable[Waiver]) -> Mapping[tuple[str, str, str], list[tuple[Waiver, int, int]]]:
    index: dict[tuple[str, str, str], list[tuple[Waiver, int, int]]] = {}
    for waiver in waivers:
        interval = (waiver, round(waiver.valid_from.timestamp() * 1000), round(waiver.valid_to.timestamp() * 1000))
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
