"""The ledger keeper: the states of the ledgers in the partitions that this process owns, and what the rules say of them.

It knows nothing of Faust, and of a ledger only its form (`rules.ledgers.form`). The table holds one entry for a state. A state
is judged when an entry changes it, and when event time reaches a moment that it names; it is forgotten when it is over.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import structlog

from hegui.rules.core import Outcome, Result, Rule
from hegui.rules.engine import Engine
from hegui.rules.events import STREAMS
from hegui.rules.exports import ExportLedger
from hegui.rules.fact_tables import CondemnedSource, MadeFact
from hegui.rules.facts import Snapshot
from hegui.rules.ledgers.abuse import AbuseState
from hegui.rules.ledgers.corpora import CorpusState, CorpusSum
from hegui.rules.ledgers.coverage import CoverageState
from hegui.rules.ledgers.deadlines import CaseState, CaseUpdate
from hegui.rules.ledgers.form import Entry, State, label_of
from hegui.rules.ledgers.labels import ContentLabelState, ProduceIdState
from hegui.rules.ledgers.samples import SampleState
from hegui.rules.ledgers.sessions import SessionState
from hegui.rules.ledgers.sources import SourceState
from hegui.rules.observations import Observation
from hegui.rules.policy import Policy
from hegui.streams.errors import StateVersionError
from hegui.streams.metrics import StateMetrics
from hegui.streams.state.ledger_gauges import LedgerGauges
from hegui.streams.state.ledger_partition import LedgerPartition
from hegui.streams.state.observation_gaps import undecided
from hegui.streams.state.verdicts import IssueOf, Verdict
from hegui.streams.stored import decode_stored, encode_stored

log = structlog.get_logger()

LEDGER = b"\x01l"
"""Prefix of the table key of a state: then 2 bytes partition, 16 bytes hash of kind, place and name."""

VERSION = 2
"""Version of the states that this process writes; it reads older ones. 2: samples as sets, inputs and contents by their events."""

AnyState = (
    SourceState
    | CorpusState
    | SampleState
    | CoverageState
    | SessionState
    | CaseState
    | AbuseState
    | ProduceIdState
    | ContentLabelState
)

PORTION = 50
"""States whose standing facts are told again with one observation."""

MAX_PORTIONS = 50
"""Portions of one state that one observation forgets: their writes must fit Faust's buffer, as those of `MAX_DUE` states."""

LOST_SHOWN_MS = 190 * 86_400_000
"""How long what passes is undecided after observations were lost: as long as results are kept."""

_state: msgspec.json.Decoder[Any] = msgspec.json.Decoder(AnyState)


class LedgerStep(NamedTuple):
    """What an observation leads to."""

    writes: dict[bytes, bytes | None]
    """Table key to value; None: forget it."""
    verdicts: list[Verdict]
    facts: list[MadeFact]
    """Facts for the evaluators, to be sent before the writes are stored."""
    retracted: list[MadeFact]
    """Facts to be removed from their topics."""
    judged_all: bool
    """Whether every state was judged: issues of which no state says anything can close."""


def ledger_place(partition: int, kind: type[Entry], place: str, name: str) -> bytes:
    """Return the table key of the state of an entry's kind, place and name."""
    told = f"{kind.__struct_config__.tag}\0{place}\0{name}".encode("utf-8", "surrogatepass")
    return LEDGER + partition.to_bytes(2, "big") + hashlib.sha256(told).digest()[:16]


class LedgerKeeper:
    """The states of the owned partitions. Not thread-safe."""

    def __init__(self, metrics: StateMetrics) -> None:
        self._gauges = LedgerGauges(metrics)
        self._metrics = metrics
        self._partitions: dict[int, LedgerPartition] = {}
        self._policy = Policy(version="none")
        self._engine = Engine((), Snapshot(self._policy))

    def use(self, policy: Policy, rules: Iterable[Rule]) -> None:
        """Take a policy and its rules; every state is judged again with the next observation."""
        judged = [rule for rule in rules if rule.on not in STREAMS and rule.on is not ExportLedger]
        self._policy, self._engine = policy, Engine(judged, Snapshot(policy))
        self._gauges.policy = policy
        for held in self._partitions.values():
            held.judge_all = True

    def unfounded(self, partition: int, issue: IssueOf) -> bool:
        """Tell whether an issue is one of a ledger's, and no state of the partition says anything against it any more.

        A crash between two writes can leave such an issue open: its state is forgotten, and the issue was not closed yet.
        """
        return issue not in self._partitions[partition].counts

    def states(self) -> Iterator[State[Any]]:
        """Iterate over all states."""
        for held in self._partitions.values():
            yield from held.states.values()

    def load(self, table: Mapping[bytes, bytes], owned: Iterable[int]) -> None:
        """Take over the owned partitions from a recovered table.

        Raises:
            StateVersionError: a state was written by a newer version, which this one must not change.
        """
        self._partitions = {partition: LedgerPartition() for partition in owned}
        self._gauges.clear()
        for key, value in table.items():
            if key.startswith(LEDGER) and (held := self._partitions.get(int.from_bytes(key[2:4], "big"))) is not None:
                held.states[key] = state = read_state(value)
                if isinstance(state, CaseState) and not _in_place(key, state):
                    raise StateVersionError(
                        "a case lies where an older hegui kept it, by service; rebuild the state (streams/state.md)"
                    )
                if isinstance(state, SampleState):
                    held.samples.take(_version_of(int.from_bytes(key[2:4], "big"), state), key, state.words)
                self._gauges.replace(key, None, state)
                if state.standing():
                    held.untold.append(key)

    def lack(self, partition: int, lost_ms: int) -> None:
        """Note that observations of events up to a time were lost; states that may lack some of them are judged again.

        What passes is undecided, until results of that time are kept no longer (`LOST_SHOWN_MS`).
        """
        held = self._partitions[partition]
        held.lost_ms, held.judge_all = lost_ms, True

    def release(self, partition: int) -> None:
        """Give up a partition: its part of the gauges vanishes, so that sums over processes never count twice."""
        self.hide(partition)
        self._partitions.pop(partition, None)

    def hide(self, partition: int) -> None:
        """Take a partition out of the gauges; `load` brings back those that stay."""
        held = self._partitions.get(partition)
        if held is None or not held.shown:
            return
        held.shown = False
        for key, state in held.states.items():
            self._gauges.replace(key, state, None)
        for issue, counts in held.counts.items():
            self._gauges.outcomes(issue, counts, Counter())
        held.counts.clear()
        held.said.clear()

    def step(self, partition: int, observation: Observation, since_ms: int, watermark_ms: int) -> LedgerStep:
        """Count the entries of an observation, and let time pass from one moment at which something is due to the next.

        So however far time goes at once, states are judged as if it had passed second by second: after an outage, or in a rebuild.

        Args:
            partition: partition of the observations topic.
            observation: the record.
            since_ms: event time that all known sources had reached before it.
            watermark_ms: event time that they have reached with it.
        """
        held = self._partitions[partition]
        self._gauges.now_ms = watermark_ms
        done = LedgerStep({}, [], [], [], held.judge_all)
        changed: dict[bytes, State[Any] | None] = {}
        """State to what it was before."""
        entries: tuple[Any, ...] = observation.entries
        for entry in entries:
            key = ledger_place(partition, type(entry), entry.place, entry.name)
            before = held.states.get(key)
            stepped: State[Any] = (before if before is not None else entry.begin()).step(observation, entry)
            if stepped is before:
                continue
            after = stepped.admitted(before, watermark_ms, self._policy)
            if after is None:
                # Nothing is known of it any more: to judge it now would be to judge it without what else there was.
                late_ms = stepped.late_ms(self._policy)
                if late_ms is not None and late_ms <= watermark_ms and held.late(observation, key):
                    self._metrics.late_entries.labels(str(entry.__struct_config__.tag)).inc()
                continue
            if after == before:
                continue
            changed.setdefault(key, before)
            held.states[key] = after
            if isinstance(after, SampleState):
                version = _version_of(partition, after)
                held.samples.take(version, key, after.words)
                if version in held.states:
                    changed.setdefault(version, held.states[version])
        now = dict.fromkeys(changed)
        if held.judge_all:
            now.update(dict.fromkeys(held.states))
        # What has been due for long, and had to wait, comes first: for an issue time never goes back.
        self._judge(held, now, held.reached(since_ms), changed, done)
        for moment_ms, keys in held.due(watermark_ms):
            self._judge(held, keys, moment_ms, changed, done)
            now.update(dict.fromkeys(keys))
        # A failure lasts until now: its issue must not look older than it is.
        failing = [key for key in now if Outcome.FAIL in held.said.get(key, {}).values()]
        self._judge(held, failing, held.reached(watermark_ms), changed, done)
        held.judge_all = False
        for key, over_ms in held.unfinished.items():
            held.wake(key, [max(over_ms, watermark_ms)])
        held.unfinished.clear()
        held.heard(observation)
        for _ in range(min(PORTION, len(held.untold))):
            if (standing := held.states.get(held.untold.popleft())) is not None:
                done.facts.extend(standing.standing())
        return done

    def _judge(
        self,
        held: LedgerPartition,
        keys: Iterable[bytes],
        at_ms: int,
        changed: dict[bytes, State[Any] | None],
        done: LedgerStep,
    ) -> None:
        """Judge states as of an event time; then forget what is over, whose failures have been told by then."""
        touched: dict[IssueOf, int] = {}
        over: dict[bytes, State[Any] | None] = {}
        for key in keys:
            state = held.states.get(key)
            if state is None:
                continue
            self._look_at(held, key, state, at_ms, changed, touched, done)
            left = held.states[key].left(at_ms, self._policy)
            if left is not held.states[key]:
                over[key] = left
        self._conclude(held, touched, done)
        touched = {}
        for key, left in over.items():
            changed[key] = state = held.states[key]
            if left is not None:
                held.states[key] = left
                self._look_at(held, key, left, at_ms, changed, touched, done)
                continue
            touched.update(dict.fromkeys(self._say(held, key, {}), at_ms))
            if not self._without_portions(held, key, done):
                held.unfinished[key] = at_ms
                del changed[key]
                continue
            del held.states[key], changed[key]
            done.writes[key] = None
            done.retracted.extend(state.retracted())
            self._gauges.replace(key, state, None)
        self._conclude(held, touched, done)

    def _without_portions(self, held: LedgerPartition, key: bytes, done: LedgerStep) -> bool:
        """Forget the portions of a state that is over, `MAX_PORTIONS` at a time; tell whether none is left."""
        portions = held.samples.portions(key)
        for portion in [*portions][:MAX_PORTIONS]:
            self._gauges.replace(portion, held.states.pop(portion), None)
            done.writes[portion] = None
            del portions[portion]
        if not portions:
            held.samples.forget(key)
        return not portions

    def _conclude(self, held: LedgerPartition, touched: Mapping[IssueOf, int], done: LedgerStep) -> None:
        """Say what all states of an issue come to."""
        for issue, event_ms in touched.items():
            counts = held.counts.get(issue, Counter[Outcome]())
            outcome = next((found for found in _WORST if counts[found]), Outcome.PASS)
            if outcome is not Outcome.FAIL and outcome is not Outcome.WAIVED:
                outcome = Outcome.INCONCLUSIVE if held.holding.get(issue) else Outcome.PASS
            done.verdicts.append(Verdict(issue, outcome, event_ms, *held.take_shown(issue)))

    def _look_at(
        self,
        held: LedgerPartition,
        key: bytes,
        state: State[Any],
        moment_ms: int,
        changed: dict[bytes, State[Any] | None],
        touched: dict[IssueOf, int],
        done: LedgerStep,
    ) -> None:
        """Judge a state, draw the conclusion, store it, and note when to look at it again."""
        before = changed.pop(key, state)
        if isinstance(state, CorpusState) and (counts := held.samples.counts(key)) != state.sampled:
            state = msgspec.structs.replace(state, sampled=counts)
        judgement = state.judgement(moment_ms, self._policy)
        results = {} if judgement is None else self._results(judgement.ledger, judgement.at_ms)
        outcomes = {rule: result.outcome for rule, result in results.items()}
        at_ms = moment_ms if judgement is None else judgement.at_ms
        conclusion = state.conclude(outcomes, at_ms, self._policy)
        done.facts.extend(conclusion.facts)
        done.retracted.extend(conclusion.retracted)
        if self._lacks(held, state, moment_ms):
            # Only what is said of it: a fact (a source is cleared) rests on what is known.
            outcomes = undecided(outcomes)
        held.shows((state.tenant, state.subject), results)
        issues = {
            (state.tenant, rule, state.subject): outcome
            for rule, outcome in outcomes.items()
            if outcome not in _NOTHING
        }
        passed = {(state.tenant, rule, state.subject) for rule, outcome in outcomes.items() if outcome is Outcome.PASS}
        for issue in {*self._say(held, key, issues), *passed}:
            touched[issue] = max(at_ms, touched.get(issue, 0))
        after = held.states[key] = conclusion.state
        if after is not before:
            done.writes[key] = encode_stored(after, VERSION)
        moments = (after.wake_ms(moment_ms, self._policy), after.over_ms(self._policy))
        held.wake(key, [ms for ms in moments if ms is not None and ms > moment_ms])
        self._gauges.replace(key, before, after)

    def _lacks(self, held: LedgerPartition, state: State[Any], at_ms: int) -> bool:
        lost_ms = held.lost_ms
        return lost_ms is not None and at_ms <= lost_ms + LOST_SHOWN_MS and state.may_lack(lost_ms, self._policy)

    def _say(self, held: LedgerPartition, key: bytes, now: dict[IssueOf, Outcome]) -> set[IssueOf]:
        """Note what the rules say of a state; return the issues that this concerns."""
        before = held.said.pop(key, {})
        if now:
            held.said[key] = now
        for issue in before.keys() | now.keys():
            self._hold(held, key, issue, before.get(issue), now.get(issue))
            counts = held.counts.setdefault(issue, Counter())
            old = Counter(counts)
            if issue in before:
                counts[before[issue]] -= 1
            if issue in now:
                counts[now[issue]] += 1
            self._gauges.outcomes(issue, old, counts)
            if not +counts:
                del held.counts[issue]
        return {*before, *now}

    @staticmethod
    def _hold(held: LedgerPartition, key: bytes, issue: IssueOf, before: Outcome | None, now: Outcome | None) -> None:
        """Note whether a state holds its issue open although it cannot be decided; after a start, every such state may have failed."""
        holding = held.holding.setdefault(issue, set())
        if now in _UNKNOWN and (before is Outcome.FAIL or key in holding or held.judge_all):
            holding.add(key)
        else:
            holding.discard(key)
        if not holding:
            del held.holding[issue]

    def _results(self, ledger: Any, at_ms: int) -> dict[str, Result]:
        engine = self._engine
        plan, deviations = engine.evaluate(engine.group(ledger.tenant, ledger.service), ledger, at_ms)
        for rule, result in deviations or ():
            if result.outcome is Outcome.ERROR:
                log.error("rule_raised", rule=rule.id, service=label_of(ledger.service))
        return plan.outcomes(deviations or ())


def _in_place(key: bytes, state: CaseState) -> bool:
    return key == ledger_place(int.from_bytes(key[2:4], "big"), CaseUpdate, state.place, state.case)


def _version_of(partition: int, state: SampleState) -> bytes:
    """Return the table key of the dataset version that a portion of samples belongs to."""
    return ledger_place(partition, CorpusSum, state.place, state.dataset)


def read_state(value: bytes) -> State[Any]:
    """Return the state of a table entry.

    Raises:
        StateVersionError: it was written by a newer version.
    """
    state: State[Any] = decode_stored(value, _state, VERSION, "the state of a ledger")
    return state


MADE_FACTS = ("sources", "suspensions")
"""Fact tables that the state agents fill."""


def fact_name(fact: MadeFact) -> str:
    """Return the fact table that a record belongs to."""
    return "sources" if isinstance(fact, CondemnedSource) else "suspensions"


_NOTHING = frozenset({Outcome.PASS, Outcome.NOT_APPLICABLE})
_UNKNOWN = frozenset({Outcome.INCONCLUSIVE, Outcome.ERROR})
_WORST = (Outcome.FAIL, Outcome.ERROR, Outcome.INCONCLUSIVE, Outcome.WAIVED)
"""Outcomes, the worst first."""
