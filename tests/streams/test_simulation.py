"""The synthetic traffic: sound events pass the whole book, every fault breaks its own rule, and a seed gives the same events."""

from collections import Counter
from itertools import islice

import pytest

from hegui.rules.catalog import FAMILIES
from hegui.rules.core import Outcome
from hegui.rules.engine import Engine
from hegui.rules.facts import FactTable, Snapshot, loaded
from hegui.streams import simulation
from hegui.streams.decoders import decode_cloudevents
from hegui.streams.simulation import FAULTS, SHARES, SOUND, faults_in_turn, traffic
from tests.data.make import START_MS
from tests.streams.example import (
    ALSO,
    KINDS,
    NEEDS_FACTS,
    NOT_IN_DATA,
    OF_DRAFTS,
    POLICY,
    RULES,
    engine,
    envelope,
    reference,
)

NUMBERS = range(20)
"""Some kinds differ from event to event, with a period that divides this."""


def judged(kind, found=None):
    """Rule to its outcomes over some events of a kind."""
    counts, _ = reference(found or engine(), [envelope(kind, number) for number in NUMBERS])
    outcomes = {}
    for _, rule, outcome in counts:
        outcomes.setdefault(rule, set()).add(outcome)
    return outcomes


@pytest.mark.parametrize("kind", sorted(SOUND))
def test_a_sound_event_passes_every_rule_or_lies_outside_it(kind):
    assert set().union(*judged(kind).values()) == {Outcome.PASS, Outcome.NOT_APPLICABLE}


@pytest.mark.parametrize("kind", sorted(SOUND))
def test_without_facts_only_the_rules_that_need_them_are_undecided(kind):
    found = judged(kind, Engine(RULES, Snapshot(POLICY)))
    assert {rule for rule, outcomes in found.items() if Outcome.INCONCLUSIVE in outcomes} <= NEEDS_FACTS
    assert not any(Outcome.FAIL in outcomes for outcomes in found.values())


def test_every_rule_passes_on_some_sound_event():
    passed = {rule for kind in SOUND for rule, outcomes in judged(kind).items() if Outcome.PASS in outcomes}
    assert passed == {rule.id for rule in RULES}


def test_there_is_a_fault_for_every_rule():
    assert {rule.id for rule in RULES} == {kind for kind in FAULTS if kind[-1].isdigit()} | NOT_IN_DATA


@pytest.mark.parametrize("rule", [kind for kind in sorted(FAULTS) if kind[-1].isdigit()])
def test_a_fault_breaks_its_rule_and_no_other(rule):
    found = judged(rule)
    wanted = OF_DRAFTS if rule in OF_DRAFTS else {rule} | ALSO.get(rule, set())
    assert {broken for broken, outcomes in found.items() if Outcome.FAIL in outcomes} == wanted
    assert all(found[broken] == {Outcome.FAIL} for broken in wanted)
    assert not any(outcomes & {Outcome.ERROR, Outcome.WAIVED} for outcomes in found.values())


@pytest.mark.parametrize("fact", ["optouts", "notices"])
def test_the_facts_are_what_those_faults_run_into(fact):
    empty = Snapshot(POLICY, loaded(()), FactTable(), loaded(()))
    for rule in (rule.id for rule in RULES if fact in rule.needs):
        assert judged(rule, Engine(RULES, empty))[rule] == {Outcome.PASS}


def test_the_same_seed_gives_the_same_events_but_for_the_times():
    def events(seed, at_ms=START_MS):
        return [simulation.encode(e) for e in islice(traffic(lambda: at_ms, seed=seed, faults=0.2), 500)]

    assert events(3) == events(3)
    assert events(3) != events(4)
    shapes = [[(e.id, e.data.service) for e in islice(traffic(lambda t=t: t, seed=3), 500)] for t in (1, 10**12)]
    assert shapes[0] == shapes[1]


def test_the_chief_kinds_are_nine_tenths_of_the_sound_events_and_every_kind_comes():
    made = list(islice(traffic(lambda: START_MS, faults=0), 5000))
    of_data = {kind: {SOUND[kind](number, START_MS) for number in range(5000)} for kind in SOUND}
    counts = Counter(kind for event in made for kind, possible in of_data.items() if event.data in possible)
    assert sum(counts[kind] for kind in SHARES) > 0.9 * len(made)
    assert set(counts) == set(SOUND)


def test_the_share_of_faults_is_the_one_asked_for_and_few_of_them_show_every_family():
    def failing(count, faults):
        found, _ = reference(engine(), list(islice(traffic(lambda: START_MS, faults=faults), count)))
        return {rule for (_, rule, outcome) in found if outcome is Outcome.FAIL}

    assert failing(500, 0) == set()
    assert {rule[:3] for rule in failing(20, 1)} == set(FAMILIES.values())
    assert failing(len(faults_in_turn()), 1) == {rule.id for rule in RULES} - NOT_IN_DATA


def test_the_kinds_of_trouble_that_are_no_failure_are_what_they_say():
    assert judged("waived")["MOD001"] == {Outcome.WAIVED}
    assert judged("inconclusive")["LBL001"] == {Outcome.INCONCLUSIVE}
    for kind in ("waived", "inconclusive"):
        assert not any(Outcome.FAIL in outcomes for outcomes in judged(kind).values())


def test_events_survive_the_wire():
    for kind in KINDS:
        made = envelope(kind, 7)
        (found,) = decode_cloudevents(simulation.encode(made), ())
        assert found == made
