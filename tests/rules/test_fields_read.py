"""Which fields of an event a rule reads: found by running its cases, and never fewer than its source names."""

import ast
import inspect
from typing import Any, get_args

import msgspec
import pytest

from hegui.rules.catalog import find_rules
from hegui.rules.core import PASS, Result, Rule, Situation, fail, fails, passes
from hegui.rules.events import Authorship, ExplicitLabel, GenerationEvent, IngestEvent, PromptRound, WorkHit
from hegui.rules.facts import Facts
from hegui.rules.fields_read import fields_read
from hegui.rules.guards import GUARDS
from tests.rules.builders import a_rule

RULES = find_rules()
EVERY_RULE = [pytest.param(rule, id=rule.id) for rule in RULES]


def struct_of(kind: Any) -> type[msgspec.Struct] | None:
    """Return the struct in the type of a field, also in a union and in a tuple."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next((found for part in get_args(kind) if (found := struct_of(part)) is not None), None)


def kind_of(struct: type[msgspec.Struct], name: str) -> Any:
    """Return the type of a field by its dotted name; fails when there is none."""
    first, _, rest = name.partition(".")
    kind = next(field.type for field in msgspec.structs.fields(struct) if field.name == first)
    if not rest:
        return kind
    inner = struct_of(kind)
    assert inner is not None
    return kind_of(inner, rest)


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_every_name_is_a_field_of_the_event(rule: Rule) -> None:
    for name in fields_read(rule):
        kind_of(rule.on, name)


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_names_are_in_order_and_a_group_stands_only_where_no_field_of_it_does(rule: Rule) -> None:
    found = fields_read(rule)
    assert list(found) == sorted(set(found))
    assert not [(one, other) for one in found for other in found if other.startswith(one + ".")]


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_every_field_that_the_source_names_is_found(rule: Rule) -> None:
    tree = ast.parse(inspect.getsource(rule.check))
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    event = function.args.args[0].arg
    named = {
        node.attr
        for node in ast.walk(ast.Module(function.body, []))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == event
    }
    if rule.of is None:
        assert named <= {name.partition(".")[0] for name in fields_read(rule)}


def test_all_rules_but_those_of_the_registry_and_the_transport_read_the_event() -> None:
    silent = {rule.id for rule in RULES if not fields_read(rule)}
    by_registry = {r.id for r in RULES if r.of is Situation and not set(r.when) & set(GUARDS[r.on].of_event)}
    assert silent == by_registry - {"EVT001"}  # which compares the event's own word with the registry


def read(check: Any, **changes: Any) -> tuple[str, ...]:
    cases = changes.pop("cases", (fails("bad"), passes("good")))
    return fields_read(a_rule("LBL901", check, cases=cases, **changes))


def test_a_plain_field_a_field_of_a_group_and_the_group_alone() -> None:
    def looking(event: GenerationEvent, facts: Facts) -> Result:
        if event.modality == "image" and event.explicit_label is not None and event.explicit_label.present:
            return fail("no") if event.media is None else PASS
        return PASS

    assert read(looking) == ("explicit_label.present", "media", "modality")


def test_fields_of_list_members_are_named_without_brackets() -> None:
    def looking(event: GenerationEvent, facts: Facts) -> Result:
        for hit in event.work_hits or ():
            assert hit.holder
        for step in event.authorship.rounds if event.authorship is not None else ():
            assert step.seed
        return PASS

    evidence = Authorship(rounds=(PromptRound(at_ms=1, seed="s"),))
    cases = (fails("a hit", work_hits=(WorkHit(holder="h"),)), passes("a round", authorship=evidence))
    assert read(looking, cases=cases) == ("authorship.rounds.seed", "work_hits.holder")


def test_guards_of_the_event_count_and_those_of_the_registry_do_not() -> None:
    when = {
        "moderation.verdict": {"block"},
        "unlabelled_request": {True},
        "claims.role": {"generator"},
        "public_cn": {True},
    }
    assert read(None, when=when) == ("moderation.verdict", "role", "unlabelled_request")


def test_what_only_one_case_makes_a_rule_read_is_found() -> None:
    def looking(event: GenerationEvent, facts: Facts) -> Result:
        return fail("no") if event.modality == "video" and event.user_key else PASS

    assert read(looking) == ("modality",)
    assert read(looking, cases=(fails("a video", modality="video"), passes("good"))) == ("modality", "user_key")


def test_a_case_on_which_the_function_raises_is_no_hindrance() -> None:
    def looking(event: GenerationEvent, facts: Facts) -> Result:
        return PASS if event.explicit_label.text else fail("no")

    cases = (fails("none", explicit_label=None), passes("some", explicit_label=ExplicitLabel(text="x")))
    assert read(looking, cases=cases) == ("explicit_label.text",)


def test_a_rule_of_the_situation_reads_the_guards_it_asks_for() -> None:
    def looking(situation: Situation, facts: Facts) -> Result:
        assert situation.service is not None
        return PASS if situation.guards["claims.role"] == "generator" and situation.guards["exported"] else fail("no")

    assert read(looking, of=Situation, cases=(fails("bad", role="generator"), passes("good"))) == ("exported", "role")
    assert read(None, of=Situation) == ()


def test_events_of_both_kinds_are_watched() -> None:
    def looking(event: IngestEvent, facts: Facts) -> Result:
        return fail("no") if event.dataset and event.content_check.risk_codes is None else PASS

    assert read(looking, on=IngestEvent, cases=(fails("bad"), passes("good"))) == (
        "content_check.risk_codes",
        "dataset",
    )
