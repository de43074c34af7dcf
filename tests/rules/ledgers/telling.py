"""Tells states of ledgers what events say, at places of a source partition."""

from typing import Any, NamedTuple

from hegui.rules.catalog import find_rules
from hegui.rules.core import Outcome, Rule
from hegui.rules.engine import Engine
from hegui.rules.facts import Snapshot
from hegui.rules.ledgers.form import Entry, State
from hegui.rules.policy import Policy

POLICY = Policy(version="v")
RULES = find_rules()


class At(NamedTuple):
    """A place in a source partition."""

    block: int = 0
    start: int = 0
    upto: int = 10
    source: str = "events/0"


def told(*entries: tuple[At, Entry] | Entry) -> State[Any]:
    """Return the state after entries, each at its own place; without a place in one block, one after another."""
    state: State[Any] | None = None
    for number, given in enumerate(entries):
        at, entry = (At(upto=number + 1), given) if isinstance(given, Entry) else given
        state = (entry.begin() if state is None else state).step(at, entry)
    assert state is not None
    return state


def outcomes(state: State[Any], watermark_ms: int, policy: Policy = POLICY) -> dict[str, Outcome]:
    """Return what the rules say of a state at an event time; nothing when there is nothing to judge."""
    judgement = state.judgement(watermark_ms, policy)
    if judgement is None:
        return {}
    rules: list[Rule] = [rule for rule in RULES if rule.on is type(judgement.ledger)]
    engine = Engine(rules, Snapshot(policy))
    group = engine.group(judgement.ledger.tenant, judgement.ledger.service)
    plan, deviations = engine.evaluate(group, judgement.ledger, judgement.at_ms)
    return {rule: result.outcome for rule, result in plan.outcomes(deviations or ()).items()}
