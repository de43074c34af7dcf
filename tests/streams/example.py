"""The example policy, its engine and events at fixed times: what the tests of this folder judge."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec.structs import replace

import hegui.streams
from hegui.rules.core import Outcome, Rule
from hegui.rules.engine import Engine
from hegui.rules.events import STREAMS, Envelope
from hegui.rules.facts import FactTable, Snapshot, loaded
from hegui.rules.violations import RECORDED, result_uid
from hegui.streams import simulation
from hegui.streams.evaluator import Evaluator
from hegui.streams.policy_file import load_policy
from hegui.streams.settings import Settings, load_settings
from hegui.streams.simulation import FAULTS, SOUND
from tests.data.make import START_MS
from tests.streams.fakes import FakeRecord

DATA = Path(__file__).parents[1] / "data"
EXAMPLES = Path(hegui.streams.__file__).parent / "examples"
POLICY, BOOK = load_policy(EXAMPLES / "policy.yaml")
RULES = tuple(rule for rule in BOOK if rule.on in STREAMS)
"""The rules that judge events."""
OPTOUTS = simulation.opt_outs(START_MS)
NOTICES = simulation.notices(START_MS)
SUSPENSIONS = simulation.suspensions(START_MS)
KINDS = {
    **SOUND,
    **FAULTS,
    "unkeyed": lambda number, at_ms: replace(FAULTS["LOC002"](number, at_ms), user_key=None),
}
NOT_IN_DATA = {"EVT002", "EVT004", "EVT005", "EVT006"}
"""Rules that no event's data can break: they ask for the broker's time, and for other events of the same identity."""
OF_DRAFTS = {rule for rule, kind in FAULTS.items() if kind is FAULTS["FIL002"]}
"""Rules that ask only for the service's entry in the registry: the unfinished service breaks all of them with each event."""
ALSO = {"AUT004": {"AUT001"}, "LOC004": {"TRN013"}, "OPT008": {"OPT002"}}
"""Rule to others that cannot but fail with it: a missing seed is a gap in the record too, important data is refused wherever it lies, a reservation
wherever it is used."""
NEEDS_NOTICES = {rule.id for rule in RULES if "notices" in rule.needs}
NEEDS_FACTS = {rule.id for rule in RULES if set(rule.needs) - {"filings"}}
"""Rules that stay undecided while nobody connects their facts. Filings stand in the policy."""
TOPIC = "events"
ENVIRONMENT = {"HEGUI_KAFKA__BOOTSTRAP_SERVERS": "localhost:9092"}


def settings(tmp_path: Path | None = None, text: str = "", **environment: str) -> Settings:
    """Settings with one input topic `events`."""
    file = (tmp_path or Path("/nonexistent")) / "hegui.toml"
    if tmp_path is not None:
        file.write_text(text, "utf-8")
    given = ENVIRONMENT | {f"HEGUI_{key}": value for key, value in environment.items()}
    found = load_settings(file if tmp_path is not None else None, given)
    return with_input(found)


def with_input(found: Settings) -> Settings:
    from hegui.streams.settings import InputTopic

    return replace(found, topics=replace(found.topics, inputs=(InputTopic(TOPIC),)))


def snapshot(optouts: FactTable | None = None) -> Snapshot:
    return Snapshot(
        POLICY,
        optouts if optouts is not None else loaded(OPTOUTS),
        notices=loaded(NOTICES),
        sources=loaded(()),
        suspensions=loaded(SUSPENSIONS),
    )


def engine(optouts: FactTable | None = None, rules: Sequence[Rule] = RULES) -> Engine:
    return Engine(rules, snapshot(optouts))


def evaluator(**environment: str) -> Evaluator:
    return Evaluator(settings(**environment), engine())


def envelope(kind: str, number: int = 0, at_ms: int | None = None, **changes: object) -> Envelope:
    """One event of a kind, a second after the one before."""
    at_ms = START_MS + number * 1000 if at_ms is None else at_ms
    return replace(simulation.envelope(KINDS[kind](number, at_ms), number, at_ms, "test"), **changes)


def record(kind: str, offset: int = 0, *, at_ms: int | None = None, broker_ms: int | None = None, **changes: object):
    """The record of an event; the broker appends it 20 ms after it happened unless told otherwise."""
    made = envelope(kind, offset, at_ms, **changes)
    event_ms = round(made.time.timestamp() * 1000)
    return FakeRecord(offset, event_ms + 20 if broker_ms is None else broker_ms, simulation.encode(made))


def records(kinds: Iterable[str], first: int = 0) -> list[FakeRecord]:
    return [record(kind, offset) for offset, kind in enumerate(kinds, first)]


Reference = Counter[tuple[str, str, Outcome]]


def reference(found: Engine, envelopes: Sequence[Envelope]) -> tuple[Reference, set[str]]:
    """Judge one by one, the plain way: (service, rule, outcome) to count, and the uids of results on record."""
    counts: Reference = Counter()
    uids: set[str] = set()
    for one in envelopes:
        group = found.group(one.tenant, one.data.service)
        plan, deviations = found.evaluate(group, one.data, round(one.time.timestamp() * 1000))
        for rule, result in plan.outcomes(deviations or ()).items():
            counts[group.label, rule, result.outcome] += 1
            if result.outcome in RECORDED:
                uids.add(result_uid(rule, one.tenant, one.source, one.id))
    return counts, uids
