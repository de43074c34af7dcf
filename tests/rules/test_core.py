"""The `@rule` decorator: what it makes of a function, and each of its refusals with its sentence."""

import re
from typing import Any

import pytest

from hegui.rules import law
from hegui.rules.core import (
    Case,
    Outcome,
    Result,
    RuleError,
    Situation,
    fail,
    fails,
    inconclusive,
    passes,
    skips,
    unclear,
)
from hegui.rules.events import GenerationEvent, IngestEvent, Moderation
from tests.rules.builders import DOC, a_rule, failing, saying

FROM_MEMORY = (law.CSL_ART_39,)


def passing(event: object, facts: object) -> bool:
    return True


REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("LBL1", {}, "needs an id of three capitals and three digits, as LBL001"),
    ("LBL0011", {}, "needs an id of three capitals and three digits, as LBL001"),
    ("LBL001\n", {}, "needs an id of three capitals and three digits, as LBL001"),
    ("lbl001", {}, "needs an id of three capitals and three digits, as LBL001"),
    ("LBL901", {"severity": "urgent"}, "severity 'urgent' is not one of critical, high, medium, low"),
    ("LBL901", {"stage": "beta"}, "stage 'beta' is not one of sandbox, stable, deprecated"),
    ("LBL901", {"basis": ()}, "needs at least one clause of hegui.rules.law as basis"),
    (
        "LBL901",
        {"basis": FROM_MEMORY},
        'rests on clauses known from memory only; give it stage="sandbox" until one is confirmed',
    ),
    ("LBL901", {"cases": (fails("bad"),)}, "needs at least one fails(...) and one passes(...) case"),
    ("LBL901", {"cases": (passes("good"), skips("x"))}, "needs at least one fails(...) and one passes(...) case"),
    ("LBL901", {"cases": (fails("one"), passes("one"))}, "has two cases of one name; give each its own"),
    ("LBL901", {"zh": ""}, "needs its title in Chinese (zh=...)"),
    ("LBL901", {"doc": ""}, "needs a docstring with a first line, `Why:` and `When it fires:`"),
    (
        "LBL901",
        {"doc": "Title.\n\nWhy: it is."},
        "needs a docstring with a first line, `Why:` and `When it fires:`",
    ),
    (
        "LBL901",
        {"doc": "Why: no title.\n\nWhen it fires:\n1. x"},
        "needs a docstring with a first line, `Why:` and `When it fires:`",
    ),
    (
        "LBL901",
        {"doc": "Title. Why: not a section. When it fires: nor this."},
        "needs a docstring with a first line, `Why:` and `When it fires:`",
    ),
    ("LBL901", {"needs": ("weather",)}, "needs= knows only optouts, filings"),
    ("LBL901", {"of": GenerationEvent}, "of= is Situation or absent"),
    (
        "LBL901",
        {"of": Situation, "needs": ("filings",)},
        "judges a situation and needs facts, which change while it lasts; let it judge the event",
    ),
    *(
        (
            "LBL901",
            {"depends": "model", **more},
            "has depends= together with of=, screen= or facts other than filings; take one",
        )
        for more in ({"of": Situation}, {"screen": passing}, {"needs": ("optouts",)}, {"needs": ("filings", "notices")})
    ),
    ("LBL901", {"depends": "colour"}, "depends on 'colour', which GenerationEvent does not have"),
    ("LBL901", {"depends": "model.id"}, "depends on 'model.id', which GenerationEvent does not have"),
    ("LBL901", {"on": Moderation}, "judges Moderation, which is no event type; take one of hegui.rules.events"),
    ("LBL901", {"on": IngestEvent, "when": {"role": {"generator"}}}, "has no guard 'role'; IngestEvent knows "),
    ("LBL901", {"when": {"modality": {"smell", 1}}}, "guard modality cannot be ['1', 'smell']; it is one of ['audio',"),
    (
        "LBL901",
        {"cases": (fails("bad", colour="red"), passes("good"))},
        "case 'bad' changes ['colour'], which GenerationEvent does not have",
    ),
]


@pytest.mark.parametrize(("rule_id", "changes", "sentence"), REFUSALS)
def test_an_incomplete_rule_is_refused_with_a_sentence(rule_id: str, changes: dict[str, Any], sentence: str) -> None:
    start = f"tests.rules.builders.says_pass: rule {rule_id} "
    with pytest.raises(RuleError, match="^" + re.escape(start + sentence)):
        a_rule(rule_id, **changes)


@pytest.mark.parametrize("stage", ["sandbox", "deprecated"])
def test_a_rule_from_memory_may_not_page(stage: str) -> None:
    assert a_rule(stage=stage, basis=FROM_MEMORY).stage == stage


def test_one_confirmed_clause_lets_a_rule_be_stable() -> None:
    assert a_rule(basis=(*FROM_MEMORY, law.PIPL_ART_40)).stage == "stable"


def test_the_decorator_keeps_what_it_was_told() -> None:
    made = a_rule("LBL901", failing, when={"modality": {"image"}}, needs=("optouts",), waivable=False)
    assert (made.id, made.title, made.title_zh) == ("LBL901", "Something is wrong", "规则")
    assert made.family == "rules"
    assert made.doc == DOC
    assert made.when == {"modality": frozenset({"image"})}
    assert made.needs == ("optouts",)
    assert not made.waivable
    assert made.check is failing
    assert made.on is GenerationEvent
    assert (made.of, made.any_time, made.depends, made.screen) == (None, False, None, None)


def test_the_decorator_keeps_the_ways_of_judging() -> None:
    assert a_rule(of=Situation, any_time=True).of is Situation
    assert a_rule(of=Situation, any_time=True).any_time
    assert a_rule(depends="model", needs=("filings",)).depends == "model"
    assert a_rule(screen=passing).screen is passing


def test_a_rule_is_in_force_from_its_earliest_clause_and_cites_those_of_the_time() -> None:
    old, new = law.DEEP_SYNTHESIS_ART_17, law.LABELLING_MEASURES_ART_4
    made = a_rule(basis=(new, old))
    assert made.in_force_from_ms == old.in_force_from_ms
    assert made.clauses_at(old.in_force_from_ms - 1) == ()
    assert made.clauses_at(old.in_force_from_ms) == (old,)
    assert made.clauses_at(new.in_force_from_ms - 1) == (old,)
    assert made.clauses_at(new.in_force_from_ms) == (new, old)


@pytest.mark.parametrize(
    ("severity", "stage", "expected"),
    [(None, None, ("high", "stable")), ("low", None, ("low", "stable")), (None, "sandbox", ("high", "sandbox"))],
)
def test_the_policy_may_change_severity_and_stage(severity: Any, stage: Any, expected: tuple[str, str]) -> None:
    made = a_rule()
    changed = made.with_policy(severity, stage)
    assert (changed.severity, changed.stage) == expected
    assert changed.check is made.check
    assert (made.severity, made.stage) == ("high", "stable")


def test_rules_are_compared_by_identity() -> None:
    one, other = a_rule(), a_rule()
    assert one != other
    assert len({one, other}) == 2


def test_the_hash_of_a_rule_without_a_file_is_that_of_its_code() -> None:
    scope: dict[str, Any] = {"__name__": "typed.in.a.shell", "PASS": Result(Outcome.PASS)}
    exec(compile("def one(event, facts):\n    return PASS\n", "<shell>", "exec"), scope)
    exec(compile("def two(event, facts):\n    return facts or PASS\n", "<shell>", "exec"), scope)
    one, two, filed = a_rule("LBL901", scope["one"]), a_rule("LBL902", scope["two"]), a_rule("LBL903", failing)
    assert len({one.source_sha256, two.source_sha256, filed.source_sha256}) == 3
    assert filed.source_sha256 == a_rule("LBL904", saying(Result(Outcome.PASS))).source_sha256


@pytest.mark.parametrize(
    ("make", "outcome"),
    [
        (fails, Outcome.FAIL),
        (passes, Outcome.PASS),
        (skips, Outcome.NOT_APPLICABLE),
        (unclear, Outcome.INCONCLUSIVE),
    ],
)
def test_cases_carry_their_outcome_and_changes(make: Any, outcome: Outcome) -> None:
    at = "2026-01-01T00:00:00+08:00"
    assert make("n", at=at, given={"optouts": None}, modality="text") == Case(
        "n", outcome, {"modality": "text"}, at, {"optouts": None}
    )
    assert make("n") == Case("n", outcome, {})


def test_fail_hashes_what_is_no_code_and_inconclusive_names_what_is_missing() -> None:
    assert fail("r", text="some content", n=3) == Result(
        Outcome.FAIL, "r", {"text": "sha256:290f493c44f5d63d06b374d0a5abd292", "n": 3}
    )
    assert inconclusive("a", "b") == Result(Outcome.INCONCLUSIVE, "cannot be decided without a, b", {"missing": "a, b"})
