"""Splitting an export among the entities of one controller: who counts among those that stay below a limit, and what mends it."""

import msgspec

from hegui.rules.engine import rule_set_hash
from hegui.rules.policy import Entity, ExportMechanism
from tests.streams.example import BOOK, POLICY
from tests.streams.state.export_ledgers import Ledgers, day, ms

LONG_AGO = day("2026-03-01")


def held(kind, valid_from="2025-01-01T00:00:00+08:00"):
    moments = {"valid_from": valid_from, "valid_to": "2028-01-01T00:00:00+08:00"}
    return msgspec.convert({"kind": kind, "reference": "m-1", **moments}, ExportMechanism)


def policy(**mechanisms):
    """Entities of one controller, each with what it holds."""
    entities = tuple(
        Entity(name=name, controller="group", export_mechanisms=tuple(map(held, kinds)))
        for name, kinds in mechanisms.items()
    )
    return msgspec.structs.replace(POLICY, entities=entities)


def tell(ledgers, entity, ordinary=(), sensitive=(), **how):
    return ledgers.tell(ordinary, sensitive, entity=entity, controller="group", day=LONG_AGO, **how)


def split(ledgers):
    return {entity for rule, entity in ledgers.open() if rule == "LOC014"}


def use(ledgers, changed):
    ledgers.keeper.use(changed, BOOK, BOOK, rule_set_hash(BOOK))
    return ledgers.tick()


def test_persons_of_several_entities_count_once_and_exactly():
    ledgers = Ledgers(policy=policy(a=["certification"], b=["certification"]))
    tell(ledgers, "a", (), range(6_000))
    tell(ledgers, "b", (), range(4_000))
    assert split(ledgers) == set()  # the same persons
    tell(ledgers, "b", (), range(6_000, 9_999))
    assert split(ledgers) == set()
    findings = tell(ledgers, "b", (), [9_999])
    assert split(ledgers) == {"a", "b"}
    evidence = [f["unmapped"]["evidence"] for f in findings if f["compliance"]["control"] == "LOC014"]
    assert [{**one, "entity": "?"} for one in evidence] == 2 * [
        {"entity": "?", "year": 2026, "entities": 2, "ordinary": 0, "sensitive": 10_000, "limit": 10_000}
    ]
    again = Ledgers(ledgers.table, policy=ledgers.policy)
    again.tick()
    assert split(again) == {"a", "b"}


def test_it_is_mended_when_the_entities_are_assessed():
    ledgers = Ledgers(policy=policy(a=["certification"], b=["certification"]))
    for entity, first in (("a", 0), ("b", 6_000)):
        tell(ledgers, entity, (), range(first, first + 6_000))
    assert split(ledgers) == {"a", "b"}
    use(ledgers, policy(a=["security_assessment"], b=["certification"]))
    assert split(ledgers) == set()  # what is left lies below the limit
    assert ledgers.open() == set()


def test_an_entity_over_the_limit_or_assessed_makes_no_splitter_of_its_sister():
    for mechanism in ("security_assessment", "certification"):
        ledgers = Ledgers(policy=policy(a=[mechanism], b=["certification"]))
        tell(ledgers, "a", (), range(12_000))
        tell(ledgers, "b", (), [50_000])
        assert split(ledgers) == set()


def test_the_others_are_told_when_one_is_over_the_limit_by_itself():
    ledgers = Ledgers(policy=policy(a=["certification"], b=["certification"], c=["certification"]))
    for entity, first, persons in (("a", 0, 12_000), ("b", 20_000, 5_000), ("c", 30_000, 5_000)):
        tell(ledgers, entity, (), range(first, first + persons))
    assert split(ledgers) == {"b", "c"}


def test_splitting_below_the_number_that_needs_a_contract_is_told():
    ledgers = Ledgers(policy=policy(a=[], b=[]))
    tell(ledgers, "a", range(60_000))
    tell(ledgers, "b", range(50_000, 99_999))
    assert split(ledgers) == set()
    tell(ledgers, "b", [99_999])
    assert split(ledgers) == {"a", "b"}
    use(ledgers, policy(a=["standard_contract"], b=[]))
    assert split(ledgers) == set()
    use(ledgers, policy(a=[], b=[]))
    assert split(ledgers) == {"a", "b"}


def test_persons_who_come_later_count_in_the_set_that_was_made():
    ledgers = Ledgers(policy=policy(a=[], b=[]))
    tell(ledgers, "a", range(60_000))
    tell(ledgers, "b", range(20_000, 70_000))  # 110,000 together, 70,000 persons
    assert split(ledgers) == set()
    tell(ledgers, "a", range(60_000, 99_000))
    assert split(ledgers) == set()
    tell(ledgers, "b", range(99_000, 99_999))
    assert split(ledgers) == set()
    tell(ledgers, "b", [99_999])
    assert split(ledgers) == {"a", "b"}


def test_what_a_sister_could_not_count_leaves_it_undecided():
    ledgers = Ledgers(policy=policy(a=[], b=[]))
    tell(ledgers, "a", [1])
    tell(ledgers, "b", [2], uncounted={"no_subject": 1})
    assert ledgers.gauge("ledger_outcome", entity="a", rule="LOC014", outcome="inconclusive") == 1


def test_splitting_of_each_year_is_its_own():
    ledgers = Ledgers(policy=policy(a=["certification"], b=["certification"]))
    tell(ledgers, "a", (), range(6_000))
    tell(ledgers, "b", (), range(6_000, 12_000), year=2027, at_ms=ms("2027-01-01T00:00:00+08:00"))
    assert split(ledgers) == set()
