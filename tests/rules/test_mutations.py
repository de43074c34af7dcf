"""The cases of a rule must notice when one of its answers is another: each `return` is turned round in turn.

PASS becomes a failure and everything else becomes PASS; a mutant that no case notices is a branch without a case.
"""

import ast
import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from hegui.rules import core
from hegui.rules.cases import run_cases
from hegui.rules.catalog import find_rules
from hegui.rules.core import Rule
from hegui.rules.localisation import storage

RULES = find_rules()


def returns(function: Callable[..., Any]) -> Iterator[ast.Return]:
    tree = ast.parse(inspect.getsource(function))
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Return))


def mutant(function: Callable[..., Any], number: int) -> Callable[..., Any]:
    """Return the function with its return of that number turned round."""
    tree = ast.parse(inspect.getsource(function))
    made = tree.body[0]
    assert isinstance(made, ast.FunctionDef)
    made.decorator_list = []
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Return)][number]
    passed = isinstance(found.value, ast.Name) and found.value.id == "PASS"
    found.value = ast.parse('_fail("mutant")' if passed else "_PASS", mode="eval").body
    scope = {**function.__globals__, "_PASS": core.PASS, "_fail": core.fail}
    exec(compile(ast.fix_missing_locations(tree), "<mutant>", "exec"), scope)
    return scope[function.__name__]


def answers(function: Callable[..., Any]) -> list[tuple[int, str]]:
    return [(number, ast.unparse(found)[:70]) for number, found in enumerate(returns(function))]


EVERY_RETURN = [
    pytest.param(rule, number, id=f"{rule.id} {answer}") for rule in RULES for number, answer in answers(rule.check)
]


@pytest.mark.parametrize(("rule", "number"), EVERY_RETURN)
def test_some_case_notices_a_changed_answer(rule: Rule, number: int) -> None:
    assert run_cases(replace(rule, check=mutant(rule.check, number)))


@pytest.mark.parametrize(("number", "answer"), answers(storage.judge_storage))
def test_some_case_notices_a_changed_answer_about_storage(number: int, answer: str) -> None:
    changed = mutant(storage.judge_storage, number)
    wrong = []
    for rule in RULES:
        if "judge_storage" in rule.check.__globals__:
            scope = {**rule.check.__globals__, "judge_storage": changed}
            tree = ast.parse(inspect.getsource(rule.check))
            made = tree.body[0]
            assert isinstance(made, ast.FunctionDef)
            made.decorator_list = []
            exec(compile(tree, "<rule>", "exec"), scope)
            wrong += run_cases(replace(rule, check=scope[rule.check.__name__]))
    assert wrong
