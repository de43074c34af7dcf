"""What must hold of what is concluded of ledgers (suspensions, condemned sources, issues, findings), in whatever order the events were told."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hegui.rules.core import Outcome
from hegui.rules.engine import Engine
from hegui.rules.events import STREAMS, Envelope
from hegui.rules.exports import ExportLedger
from hegui.rules.fact_tables import CondemnedSource, Suspension
from hegui.rules.facts import Facts
from hegui.rules.issues import Issue
from hegui.rules.ledgers.abuse import MAX_INPUTS, AbuseState, AbusiveInput, AbusiveInputs, suspension_due
from hegui.rules.ledgers.form import State
from hegui.rules.ledgers.sources import SourceState

Told = Sequence[tuple[Envelope, int]]
"""Events and the times that they count with, epoch milliseconds."""


def ledger_rules(engine: Engine) -> set[str]:
    """Rules of the ledgers of `rules/ledgers`."""
    return {rule.id for rule in engine.rules if rule.on not in STREAMS and rule.on is not ExportLedger}


def refused_inputs(engine: Engine, told: Told) -> dict[str, set[AbusiveInput]]:
    """User to all inputs that were refused."""
    found: dict[str, set[AbusiveInput]] = defaultdict(set)
    for envelope, at_ms in told:
        group = engine.group(envelope.tenant, envelope.data.service)
        plan, _ = engine.evaluate(group, envelope.data, at_ms)
        facts = Facts(engine.snapshot, at_ms, group.tenant, group.service)
        for recorder in plan.recorders:
            for entry in recorder(envelope, facts, at_ms, at_ms):
                if isinstance(entry, AbusiveInputs):
                    found[entry.user].update(entry.inputs)
    return found


def user_faults(state: AbuseState, inputs: set[AbusiveInput], told: set[Suspension], engine: Engine) -> Iterator[str]:
    """What is wrong with a user's state. Which of late inputs was one too many depends on which came first; that one was does not."""
    name = f"user {state.user[:9]}"
    lasts_ms = engine.snapshot.policy.suspension_hours * 3_600_000
    before_ms = 0
    for at_ms in state.told:
        known = tuple(sorted(one for one in inputs if before_ms < one.at_ms <= at_ms))
        if not known or known[-1].at_ms != at_ms or suspension_due(known) is None:
            yield f"{name}: a suspension at {at_ms} that no inputs ask for: {known}"
        before_ms = at_ms + lasts_ms
    if state.until_ms != before_ms:
        yield f"{name}: suspended until {state.until_ms}, wanted {before_ms}"
    left = tuple(sorted(one for one in inputs if one.at_ms > before_ms)[-MAX_INPUTS:])
    if state.inputs != left:
        yield f"{name}: inputs {state.inputs}, wanted {left}"
    if suspension_due(left) is not None:
        yield f"{name}: a suspension is due and was not told"
    if inputs and state.last_ms != max(one.at_ms for one in inputs):
        yield f"{name}: last input {state.last_ms}, wanted {max(one.at_ms for one in inputs)}"
    if {(one.from_ms, one.to_ms) for one in told} != {(at_ms, at_ms + lasts_ms) for at_ms in state.told}:
        yield f"{name}: suspensions on the topic {told}, in the table {state.told}"


def source_faults(state: SourceState, told: Mapping[int, CondemnedSource], engine: Engine) -> Iterator[str]:
    """What is wrong with a source's state. When it was condemned depends on what was told first; whether it is does not."""
    name = f"source {state.source}"
    failing = any(True for _ in failures([(state.last_ms, state)], engine))
    if failing is not (state.condemned_at_ms is not None):
        yield f"{name}: condemned at {state.condemned_at_ms}, and the rule {'fails' if failing else 'does not fail'}"
    if told.keys() != set(range(1, state.episode + 1)):
        yield f"{name}: episodes on the topic {sorted(told)}, in the table {state.episode}"
    for episode, fact in told.items():
        stands = failing and episode == state.episode
        if (fact.cleared_at_ms is None) is not stands or (stands and fact.condemned_at_ms != state.condemned_at_ms):
            yield f"{name}: episode {episode} on the topic {fact}, in the table {state}"


def failures(states: Iterable[tuple[int, State[Any]]], engine: Engine) -> Iterator[tuple[str, str, str]]:
    """Tenant, rule and subject of what fails, judged as of a time."""
    for at_ms, state in states:
        judgement = state.judgement(at_ms, engine.snapshot.policy)
        if judgement is None:
            continue
        group = engine.group(judgement.ledger.tenant, judgement.ledger.service)
        _, deviations = engine.evaluate(group, judgement.ledger, judgement.at_ms)
        for rule, result in deviations or ():
            if result.outcome is Outcome.FAIL:
                yield state.tenant, rule.id, state.subject


def issue_faults(issues: Iterable[Issue], failing: set[tuple[str, str, str]]) -> Iterator[str]:
    """Issues that are open and must not be, or the other way round."""
    opened = {(issue.tenant, issue.rule, issue.service) for issue in issues if issue.status != "closed"}
    for what, wrong in (("open, and nothing fails", opened - failing), ("not open, and it fails", failing - opened)):
        for key in sorted(wrong):
            yield f"issue {key} is {what}"


def finding_faults(issues: Iterable[Issue], findings: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Findings that tell another story than the issues: every episode was opened, and all but an open one closed."""
    activities: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        activities[finding["finding_info"]["uid"]].append(finding["activity_name"])
    for issue in issues:
        for episode in range(1, issue.episode + 1):
            uid = hashlib.sha256(f"{issue.key}|{episode}".encode()).hexdigest()[:32]
            story, closed = activities[uid], episode < issue.episode or issue.status == "closed"
            if story[:1] != ["Create"] or (story[-1] == "Close") is not closed:
                yield f"finding of {issue.key}, episode {episode} of {issue.episode} ({issue.status}): {story}"
