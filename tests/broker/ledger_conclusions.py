"""What the ledgers of a deployment concluded beside what must hold of it: the table, the topics of verdicts, issues and findings."""

from collections import defaultdict
from collections.abc import Mapping

import msgspec

from hegui.rules.fact_tables import CondemnedSource, Suspension
from hegui.rules.issues import LEVEL
from hegui.rules.ledgers.abuse import AbuseState
from hegui.rules.ledgers.sources import SourceState
from hegui.streams.state.issues import PROGRESS, read_progress
from hegui.streams.state.ledgers import LEDGER, read_state
from tests.broker.harness import Deployment
from tests.streams.state.ledger_conclusions import (
    Told,
    failures,
    finding_faults,
    issue_faults,
    ledger_rules,
    refused_inputs,
    source_faults,
    user_faults,
)


async def conclusion_faults(made: Deployment, told: Told) -> list[str]:
    """Where conclusions differ from what follows from the events; call after `issues_settled`."""
    engine, names = made.reference.engine, made.settings.topics
    table = await made.table()
    states = [(key, read_state(value)) for key, value in table.items() if key.startswith(LEDGER)]
    suspended: dict[str, set[Suspension]] = defaultdict(set)
    for record in await made.read(names.suspensions or ""):
        suspension = msgspec.json.decode(record.value, type=Suspension)
        suspended[suspension.user].add(suspension)
    condemned: dict[str, dict[int, CondemnedSource]] = defaultdict(dict)
    for record in await made.read(names.sources or ""):
        fact = msgspec.json.decode(record.value, type=CondemnedSource)
        condemned[fact.source][fact.episode] = fact
    inputs = refused_inputs(engine, told)
    faults: list[str] = []
    for _, state in states:
        if isinstance(state, AbuseState):
            faults += user_faults(state, inputs[state.user], suspended[state.user], engine)
        elif isinstance(state, SourceState):
            faults += source_faults(state, condemned[state.source], engine)
    if gone := suspended.keys() - inputs.keys():
        faults.append(f"{len(gone)} users suspended of whom no input was refused")
    reached = reached_ms(made, table)
    failing = set(failures(((reached[int.from_bytes(key[2:4], "big")], state) for key, state in states), engine))
    issues = [issue for issue in (await made.all_issues()).values() if LEVEL in issue.marks]
    faults += issue_faults([issue for issue in issues if issue.rule in ledger_rules(engine)], failing)
    findings = [msgspec.json.decode(record.value) for record in await made.read(names.findings)]
    return [*faults, *finding_faults(issues, findings)]


def reached_ms(made: Deployment, table: Mapping[bytes, bytes]) -> dict[int, int]:
    """Partition to the event time that all sources have reached."""
    sources = {topic.name: topic.partitions for topic in made.settings.topics.inputs}
    return {
        int(key.removeprefix(PROGRESS)): read_progress(value).reached_ms(sources)
        for key, value in table.items()
        if key.startswith(PROGRESS)
    }
