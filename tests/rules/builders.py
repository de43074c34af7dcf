"""Rules, engines, observations and issues made for one test, each with as few words as the test needs."""

from collections.abc import Callable, Iterable
from typing import Any

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS, BASE_POLICY
from hegui.rules.core import PASS, Case, Result, Rule, fail, fails, passes, rule
from hegui.rules.engine import Engine, Plan
from hegui.rules.events import Event, GenerationEvent
from hegui.rules.facts import Snapshot, loaded

DOC = "Something is wrong.\n\nWhy: it is.\n\nWhen it fires:\n1. Mend it."
CASES: tuple[Case, ...] = (fails("bad", modality="image"), passes("good"))


def a_rule(rule_id: str = "LBL901", check: Callable[[Any, Any], Result] | None = None, /, **changes: Any) -> Rule:
    """Return a rule of the base clause that passes everything, but for the changes."""

    def says_pass(event: Event, facts: object) -> Result:
        return PASS

    check = check or says_pass
    doc = changes.pop("doc", DOC)
    check.__doc__ = doc
    settings: dict[str, Any] = {
        "on": GenerationEvent,
        "zh": "规则",
        "severity": "high",
        "basis": (law.LABELLING_MEASURES_ART_4,),
        "cases": CASES,
    }
    return rule(rule_id, **{**settings, **changes})(check)


def saying(result: Result) -> Callable[[Any, Any], Result]:
    """Return a check that always gives the same result."""

    def check(event: Event, facts: object) -> Result:
        return result

    return check


def failing(event: Event, facts: object) -> Result:
    """Fail, with one number as evidence."""
    return fail("always fails", number=1)


def raising(event: Event, facts: object) -> Result:
    """Raise with content in the message, as a careless rule would."""
    raise ValueError("some content of the event")


def an_engine(*rules: Rule, snapshot: Snapshot | None = None) -> Engine:
    """Return an engine of the rules over the base policy and empty, ready fact tables."""
    return Engine(rules, snapshot or Snapshot(BASE_POLICY, loaded(()), loaded(())))


def judged(
    engine: Engine, event: Event, at_ms: int = BASE_AT_MS, *, tenant: str = "default", **how: bool
) -> dict[str, Result]:
    """Return what every rule says of one event; `how` is `trusted` and `reused` of `Engine.evaluate`."""
    plan, deviations = evaluated(engine, event, at_ms, tenant=tenant, **how)
    return plan.outcomes(deviations)


def evaluated(
    engine: Engine, event: Event, at_ms: int = BASE_AT_MS, *, tenant: str = "default", **how: bool
) -> tuple[Plan, list[tuple[Rule, Result]]]:
    """Return plan and deviations of one event."""
    plan, deviations = engine.evaluate(engine.group(tenant, event.service), event, at_ms, **how)
    return plan, deviations or []


def rule_ids(rules: Iterable[Rule]) -> list[str]:
    """Return the ids of rules."""
    return [each.id for each in rules]
