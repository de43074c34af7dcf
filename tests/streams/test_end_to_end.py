"""Evaluators and issue keeper together, with crashes and replays at every moment, against a plain reference. Blocks of 8 offsets."""

from collections import defaultdict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from hegui.rules.core import Outcome
from hegui.rules.engine import rule_set_hash
from hegui.rules.issues import Timing, issue_key
from hegui.rules.observations import Observation
from hegui.rules.violations import Violation
from hegui.streams.coverage_gaps import plan_start
from hegui.streams.metrics import StateMetrics
from hegui.streams.state.issues import IssueKeeper
from tests.data.make import START_MS
from tests.streams.example import KINDS, POLICY, RULES, TOPIC, engine, envelope, evaluator, records, reference

BLOCK = 8
STATE_PARTITIONS = 4
SOURCES = 2
NEVER = Timing(quiet_ms=10**12, update_ms=10**12)


@pytest.fixture(autouse=True, scope="module")
def _small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hegui.streams.observations.BLOCK_OFFSETS", BLOCK)
        yield


class World:
    """Topics of a broker that loses nothing, and processes that die whenever the test says so."""

    def __init__(self, kinds, timing=NEVER, rules=RULES):
        self.rules = rules
        self.logs = [records(kinds[p::SOURCES]) for p in range(SOURCES)]
        self.committed = {}
        self.observations = defaultdict(list)
        self.violations = []
        self.findings = []
        self.facts = []
        self.tables = defaultdict(dict)
        self.state_committed = defaultdict(int)
        self.timing = timing
        self.evaluator = None
        self.keeper = None

    def start_evaluator(self):
        self.evaluator = evaluator()
        self.position = {}
        for p, log in enumerate(self.logs):
            start = plan_start(
                TOPIC,
                p,
                committed=self.committed.get(p),
                beginning=0,
                end=len(log),
                new_group="earliest",
                block_offsets=BLOCK,
                now_ms=0,
            )
            self.evaluator.assign((TOPIC, p), start.position, start.resume_at)
            self.position[p] = start.position

    def send(self, outputs):
        for output in outputs:
            if output.destination == "observations":
                self.observations[output.partition].append(output.value)
            elif output.destination == "violations":
                self.violations.append(output.value)

    def judge(self, source, size, survives, commits):
        """Judge a batch; `survives` is the share of its results that was sent before the process died, None: it lives on."""
        at = self.position[source]
        batch = self.logs[source][at : at + size]
        if not batch:
            return
        judgement = self.evaluator.judge({(TOPIC, source): batch})
        if survives is not None:
            self.send(judgement.outputs[: round(survives * len(judgement.outputs))])
            self.start_evaluator()
            return
        self.send(judgement.outputs)
        self.position[source] = at + len(batch)
        if commits:
            for (_, p), offset in judgement.positions.items():
                self.committed[p] = offset

    def start_keeper(self):
        self.keeper = IssueKeeper(STATE_PARTITIONS, self.timing, StateMetrics(CollectorRegistry()), version="0")
        self.keeper.use(POLICY, self.rules, self.rules, rule_set_hash(self.rules))
        merged = {key: value for table in self.tables.values() for key, value in table.items()}
        self.keeper.load(merged, range(STATE_PARTITIONS))
        self.next = {p: self.state_committed[p] for p in range(STATE_PARTITIONS)}

    def count(self, partition, survives, commits):
        """Count one observation; `survives` as above, over findings first and table writes after them."""
        at = self.next[partition]
        if at >= len(self.observations[partition]):
            return
        observation = msgspec.json.decode(self.observations[partition][at], type=Observation)
        step = self.keeper.step(partition, at, START_MS + at, observation)
        todo = [("finding", finding) for finding in step.findings] + [("fact", fact) for fact in step.facts]
        todo += [("write", write) for write in step.writes.items()]
        done = todo if survives is None else todo[: round(survives * len(todo))]
        for kind, what in done:
            if kind == "finding":
                self.findings.append(msgspec.json.decode(what[1]))
            elif kind == "fact":
                self.facts.append(what)
            else:
                key, value = what
                if value is None:
                    self.tables[partition].pop(key, None)
                else:
                    self.tables[partition][key] = value
        if survives is not None:
            self.start_keeper()
            return
        self.next[partition] = at + 1
        if commits:
            self.state_committed[partition] = at + 1

    def finish(self):
        for p, log in enumerate(self.logs):
            self.judge(p, len(log), None, commits=True)
        self.send(self.evaluator.tick({}))
        for partition in range(STATE_PARTITIONS):
            while self.next[partition] < len(self.observations[partition]):
                self.count(partition, None, commits=True)


deaths = st.one_of(st.none(), st.none(), st.none(), st.floats(0, 1))
steps = st.one_of(
    st.tuples(st.just("judge"), st.integers(0, SOURCES - 1), st.integers(1, 7), deaths, st.booleans()),
    st.tuples(st.just("tick")),
    st.tuples(st.just("count"), st.integers(0, STATE_PARTITIONS - 1), deaths, st.booleans()),
    st.tuples(st.just("late"), st.integers(0, STATE_PARTITIONS - 1), st.integers(0, 30)),
    st.tuples(st.just("restart evaluator")),
    st.tuples(st.just("restart keeper")),
)


def play(world, schedule):
    world.start_evaluator()
    world.start_keeper()
    for name, *given_values in schedule:
        if name == "judge":
            world.judge(*given_values)
        elif name == "tick":
            world.send(world.evaluator.tick({}))
        elif name == "count":
            world.count(*given_values)
        elif name == "late":
            # A process that was given up still had a record under way: it arrives once more, late.
            log = world.observations[given_values[0]]
            if log:
                log.append(log[given_values[1] % len(log)])
        elif name == "restart evaluator":
            world.start_evaluator()
        else:
            world.start_keeper()
    world.finish()
    return world


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=10, max_size=60), st.lists(steps, max_size=40))
def test_whatever_dies_the_failures_of_every_issue_equal_the_reference(kinds, schedule):
    world = play(World(kinds), schedule)
    judged = [envelope(kind, n) for p in range(SOURCES) for n, kind in enumerate(kinds[p::SOURCES])]
    counts, uids = reference(engine(), judged)
    found = {issue.key: (issue.failures, issue.waived) for issue in world.keeper.open()}
    wanted = defaultdict(lambda: [0, 0])
    for (service, rule, outcome), n in counts.items():
        if outcome in {Outcome.FAIL, Outcome.WAIVED}:
            wanted[issue_key("default", rule, service)][outcome is Outcome.WAIVED] += n
    assert found == {key: tuple(both) for key, both in wanted.items()}
    sent = {result.uid for value in world.violations for result in msgspec.json.decode(value, type=Violation).results}
    assert sent == uids


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=10, max_size=60), st.lists(steps, max_size=40))
def test_whatever_dies_there_is_one_finding_for_every_issue(kinds, schedule):
    world = play(World(kinds), schedule)
    uids = defaultdict(set)
    for finding in world.findings:
        issue = (finding["metadata"]["tenant_uid"], finding["metadata"]["event_code"], finding["resources"][0]["uid"])
        uids[issue, finding["unmapped"]["episode"]].add(finding["finding_info"]["uid"])
    assert all(len(found) == 1 for found in uids.values())
    assert {issue for issue, _ in uids} == {(i.tenant, i.rule, i.service) for i in world.keeper.open()}


def test_an_issue_that_was_quiet_closes_and_the_next_failure_opens_the_next_episode():
    kinds = ["LBL001", "LBL001", *["image"] * 30, "LBL001", "LBL001"]
    world = World(kinds, Timing(quiet_ms=5_000, update_ms=1))
    world.start_evaluator()
    world.start_keeper()
    for _ in range(len(kinds)):
        for source in range(SOURCES):
            world.judge(source, 1, None, commits=True)
        world.send(world.evaluator.tick({}))
    world.finish()
    told = [
        (f["unmapped"]["episode"], f["activity_name"])
        for f in world.findings
        if f["metadata"]["event_code"] == "LBL001" and f["activity_name"] != "Update"
    ]
    assert told == [(1, "Create"), (1, "Close"), (2, "Create")]
    (issue,) = [i for i in world.keeper.open() if i.rule == "LBL001"]
    assert issue.failures == 2


def test_a_group_that_began_with_the_last_block_counts_all_of_it_and_nothing_before():
    world = World(["LBL001"] * 24)
    log = world.logs[0]
    first = plan_start(TOPIC, 0, committed=None, beginning=0, end=10, new_group="latest", block_offsets=BLOCK, now_ms=0)
    world.evaluator = evaluator()
    world.evaluator.assign((TOPIC, 0), first.position, first.resume_at)
    world.committed[0] = first.resume_at
    world.start_evaluator()  # it dies before its first batch; the next one starts from the committed offset
    judgement = world.evaluator.judge({(TOPIC, 0): log[world.position[0] :]})
    outputs = [*judgement.outputs, *world.evaluator.tick({})]
    failed = [
        s for o in outputs if o.destination == "observations" for s in msgspec.json.decode(o.value).get("sums", ())
    ]
    assert max(s.get("failures", 0) for s in failed if s["rule"] == "LBL001") == len(log) - first.position
    assert first.position == 10 // BLOCK * BLOCK > 0
