"""The cases of a rule must notice when its code is changed: one small change at a time, in the rule and in what it calls.

An answer is turned round (PASS fails, everything else passes), a comparison moves by one or becomes its contrary, `and`
becomes `or`, a part of them, a member of a set, a `not` or a guard falls away. A change that no case notices is a branch
without a case.
"""

import ast
import inspect
import pkgutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib import import_module
from textwrap import shorten
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import pytest

from hegui.rules.cases import judge_case
from hegui.rules.catalog import FAMILIES, find_rules
from hegui.rules.core import PASS, Rule, fail
from hegui.rules.labelling import annex_e

RULES = tuple(replace(rule, screen=None) for rule in find_rules())
"""Each called for every case; screens have tests of their own."""
MODULES = tuple(
    import_module(f"{package.__name__}.{info.name}")
    for package in (import_module(f"hegui.rules.{family}") for family in FAMILIES)
    for info in pkgutil.iter_modules(package.__path__)
)
"""The modules of all families: rules, and what they share."""

CONTRARY: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(),
    ast.Lt: ast.LtE(),
    ast.LtE: ast.Lt(),
    ast.Gt: ast.GtE(),
    ast.GtE: ast.Gt(),
    ast.In: ast.NotIn(),
    ast.NotIn: ast.In(),
    ast.Is: ast.IsNot(),
    ast.IsNot: ast.Is(),
}

EVIDENCE = frozenset({"fail", "inconclusive"})
"""Calls whose arguments say what is shown of an answer, and not which it is."""

SAME_ANSWER: dict[str, tuple[str, ...]] = {
    "a guard of the rule knows it: the test is for the type checker": (
        "CPR001: event.work_hits or () without ()",
        "FIL002: service is None or service.filing_number is None without service is None",
        "LBL026: implicit is None or implicit.read_back is None without implicit is None",
        "LIK001: likeness is None or likeness.separate_consent is None without likeness is None",
        "MOD002: moderation is None or moderation.action is None without moderation is None",
        "MOD006: moderation is None or moderation.action is None without moderation is None",
        "MOD006: moderation is not None and _FORBIDDEN.isdisjoint(moderation.risk_codes ... without moderation is not None",
        "MOD006: moderation.risk_codes or () without ()",
        "OPT006: event.work_hits or () without ()",
        "TRN001: event.source_type or 'unknown' without 'unknown'",
        "annex_e.labels: implicit is None or implicit.sites is None without implicit is None",
    ),
    "a line above has answered it: the test is for the type checker": (
        "storage.judge_storage: not bound and personal is not False and (entity.critical_infrastructure ... without not bound",
    ),
    "a short way to the answer that the lines below give too": (
        "LOG001: until_ms >= facts.at_ms + _LONGEST_MS -> until_ms > facts.at_ms + _LONGEST_MS",
    ),
    "only what is shown of the answer": (
        "LBL006: problem is None and registered is not None and (code != registered) without problem is None",
        "MOD002: moderation.risk_codes or ('unknown',) without moderation.risk_codes",
        "MOD006: moderation.risk_codes or () without () (2)",
        "annex_e._problem: not _CHARACTERS.fullmatch(values[key]) -> _CHARACTERS.fullmatch(values[key])",
    ),
    "nothing is registered under the name None": (
        "OPT005: notice is None and event.content_sha256 without event.content_sha256",
        "OPT005: notice is None and event.fingerprint without event.fingerprint",
        "OPT005: notice is None and event.holder without event.holder",
        "OPT006: notice is None and hit.holder without hit.holder",
    ),
    "LBL023 accepts a code of a maker as it accepts one of a propagator": (
        "provider_code.problem_of_propagator: problem_of(code) or GENERATION without GENERATION",
    ),
    "the form of a code leaves 18 characters": (
        "provider_code.social_credit_code_valid: len(code) != 18 or any((character not in _ALPHABET for character in code)) without len(code) != 18",
    ),
}
"""Reason to changes that no case can notice."""


class Change(NamedTuple):
    """One attribute of one node gets another value."""

    node: ast.AST
    attribute: str
    value: Any
    shown: str

    def code(self, function: FunctionType) -> CodeType:
        """Return the function's code with this change."""
        old = getattr(self.node, self.attribute)
        setattr(self.node, self.attribute, self.value)
        try:
            module = ast.fix_missing_locations(ast.Module([definition(function)], []))
            made = compile(module, "<changed>", "exec")
        finally:
            setattr(self.node, self.attribute, old)
        return next(part for part in made.co_consts if isinstance(part, CodeType) and part.co_name == function.__name__)


@cache
def definition(function: FunctionType) -> ast.FunctionDef:
    made = ast.parse(inspect.getsource(function)).body[0]
    assert isinstance(made, ast.FunctionDef)
    made.decorator_list = []
    return made


def is_name(node: ast.AST | None, *names: str) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def deciding(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that decide the answer: not what is only shown of it, and no assertion."""
    yield node
    if not (isinstance(node, ast.Call) and is_name(node.func, *EVIDENCE)):
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.Assert):
                yield from deciding(child)


def text(node: ast.AST) -> str:
    return shorten(ast.unparse(node), 75, placeholder=" ...")


def changes(function: FunctionType) -> Iterator[Change]:
    """Yield what can be changed in a function."""
    made = definition(function)
    gives_result = is_name(made.returns, "Result")
    for node in deciding(made):
        shown = text(node)
        match node:
            case ast.Return(value=ast.Constant(value=bool(answer))):
                yield Change(node, "value", ast.Constant(not answer), f"{shown} -> {not answer}")
            case ast.Return(value=value) if is_name(value, "PASS"):
                yield Change(node, "value", ast.parse('_fail("changed")', mode="eval").body, f"{shown} -> fail")
            case ast.Return() if gives_result:
                yield Change(node, "value", ast.Name("_PASS", ast.Load()), f"{shown} -> PASS")
            case ast.Return() if shown != "return None":
                yield Change(node, "value", ast.Constant(None), f"{shown} -> None")
            case ast.Compare():
                for number, operator in enumerate(node.ops):
                    turned = [*node.ops[:number], CONTRARY[type(operator)], *node.ops[number + 1 :]]
                    after = text(ast.Compare(node.left, turned, node.comparators))
                    yield Change(node, "ops", turned, f"{shown} -> {after}")
            case ast.BoolOp():
                other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
                yield Change(node, "op", other, f"{shown} -> {text(ast.BoolOp(other, node.values))}")
                for number, part in enumerate(node.values):
                    rest = [*node.values[:number], *node.values[number + 1 :]]
                    rest = [rest[0], *rest]  # an `and` of one part is none
                    yield Change(node, "values", rest, f"{shown} without {text(part)}")
            case ast.Set(elts=parts) if len(parts) > 1:
                for number, part in enumerate(parts):
                    yield Change(node, "elts", [*parts[:number], *parts[number + 1 :]], f"{shown} without {text(part)}")
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield Change(node, "operand", ast.UnaryOp(ast.Not(), operand), f"{shown} -> {text(operand)}")
            case ast.If(test=test) | ast.IfExp(test=test) if not is_turned_elsewhere(test):
                yield Change(node, "test", ast.UnaryOp(ast.Not(), test), f"if {text(test)} -> if not")


def is_turned_elsewhere(test: ast.expr) -> bool:
    """Tell whether another change already makes the contrary of a test."""
    if isinstance(test, ast.Compare):
        return len(test.ops) == 1 and not isinstance(test.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE)
    return isinstance(test, ast.UnaryOp)


def of_a_family(value: object) -> FunctionType | None:
    """Return a function of a family, without its cache; None for anything else."""
    found = inspect.unwrap(value) if callable(value) else None
    known = {module.__name__ for module in MODULES}
    return found if isinstance(found, FunctionType) and found.__module__ in known else None


def deciders(function: FunctionType) -> set[FunctionType]:
    """Return the function and the functions of families that decide with it, at any depth."""
    found: set[FunctionType] = set()
    waiting: list[FunctionType | None] = [function]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in found:
            found.add(one)
            names = (node.id for node in deciding(definition(one)) if isinstance(node, ast.Name))
            waiting += [of_a_family(one.__globals__.get(name)) for name in names]
    return found


def users() -> dict[FunctionType, list[Rule]]:
    """Return function to the rules that it decides for."""
    found: dict[FunctionType, list[Rule]] = {}
    for rule in RULES:
        assert isinstance(rule.check, FunctionType)
        for function in sorted(deciders(rule.check), key=lambda one: one.__name__):
            found.setdefault(function, []).append(rule)
    return found


USERS = users()


def named_changes() -> Iterator[tuple[str, FunctionType, Change]]:
    """Yield every change of every function, with a name of its own."""
    ids = {rule.check: rule.id for rule in RULES}
    seen: Counter[str] = Counter()
    for function in USERS:
        where = ids.get(function) or f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        for change in changes(function):
            name = f"{where}: {change.shown}"
            seen[name] += 1
            yield name if seen[name] == 1 else f"{name} ({seen[name]})", function, change


CHANGES = {name: (function, change) for name, function, change in named_changes()}
EXCUSED = [name for names in SAME_ANSWER.values() for name in names]
MEMOS: list[Any] = [
    value for module in MODULES for value in vars(module).values() if hasattr(value, "cache_clear") and callable(value)
]


def forget() -> None:
    """Empty the memos of the families' functions."""
    for memo in MEMOS:
        memo.cache_clear()
    annex_e._last = (None, None)


def notices(rule: Rule) -> bool:
    """Tell whether some case of a rule has another outcome than it states."""
    return any(judge_case(rule, case).outcome is not case.outcome for case in rule.cases)


def is_noticed(function: FunctionType, change: Change) -> bool:
    """Tell whether some case of some rule notices a change."""
    old = function.__code__
    forget()
    function.__globals__.update(_PASS=PASS, _fail=fail)
    function.__code__ = change.code(function)
    try:
        return any(map(notices, USERS[function]))
    finally:
        function.__code__ = old
        forget()


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in CHANGES if name not in EXCUSED])
def test_some_case_notices(name: str) -> None:
    assert is_noticed(*CHANGES[name])


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in EXCUSED])
def test_an_excuse_is_still_needed(name: str) -> None:
    assert not is_noticed(*CHANGES[name])


@pytest.mark.parametrize(
    ("rule", "guard"), [pytest.param(rule, guard, id=f"{rule.id} {guard}") for rule in RULES for guard in rule.when]
)
def test_some_case_notices_a_missing_guard(rule: Rule, guard: str) -> None:
    assert notices(replace(rule, when={name: values for name, values in rule.when.items() if name != guard}))


def test_what_rules_share_decides_for_some_rule() -> None:
    with_rules = {rule.check.__module__ for rule in RULES}
    shared = [module for module in MODULES if module.__name__ not in with_rules]
    functions = {found for module in shared for value in vars(module).values() if (found := of_a_family(value))}
    assert shared and functions <= set(USERS)


def test_every_answer_is_as_before_when_the_changes_are_gone() -> None:
    assert not [rule.id for rule in RULES if notices(rule)]
