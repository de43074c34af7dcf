"""Finds rules: those of this package, and those of rule packs (entry point group `hegui.rules`)."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from types import ModuleType

import hegui.rules as package
from hegui.rules.core import Rule, RuleError
from hegui.rules.policy import RuleSelection

FAMILIES: dict[str, str] = {
    "labelling": "LBL",
    "opt_out": "OPT",
    "localisation": "LOC",
    "training_data": "TRN",
    "moderation": "MOD",
    "filing": "FIL",
    "authorship": "AUT",
    "copyright": "CPR",
    "likeness": "LIK",
    "minors": "MIN",
    "companion": "CMP",
    "log_retention": "LOG",
    "contract": "EVT",
}
"""Family (folder) to the prefix of its rule ids."""


def find_rules() -> tuple[Rule, ...]:
    """Return every known rule, by id.

    Raises:
        RuleError: two rules share an id, or an id does not carry its family's prefix.
    """
    rules = [rule for family in FAMILIES for rule in _of_package(f"{package.__name__}.{family}")]
    for rule in rules:
        if not rule.id.startswith(FAMILIES[rule.family]):
            raise RuleError(
                f"rule {rule.id} lies in the family {rule.family}; its id must begin with {FAMILIES[rule.family]}"
            )
    for entry in entry_points(group="hegui.rules"):
        loaded = entry.load()
        rules.extend(_of_package(loaded.__name__) if isinstance(loaded, ModuleType) else loaded())
    seen: dict[str, Rule] = {}
    for rule in rules:
        other = seen.setdefault(rule.id, rule)
        if other is not rule:
            raise RuleError(
                f"rule id {rule.id} is used by {other.check.__module__} and {rule.check.__module__}; ids are never reused"
            )
    return tuple(sorted(seen.values(), key=lambda rule: rule.id))


def choose(rules: Iterable[Rule], selection: RuleSelection) -> tuple[Rule, ...]:
    """Return the rules that the policy selects, with its severities and stages. Deprecated rules are left out unless named."""

    def matches(rule: Rule, selectors: tuple[str, ...]) -> bool:
        return any(selector == "ALL" or rule.id.startswith(selector) for selector in selectors)

    chosen = []
    for rule in rules:
        taken = matches(rule, selection.select) and not matches(rule, selection.ignore)
        if taken and (rule.stage != "deprecated" or rule.id in selection.select):
            override = selection.override.get(rule.id)
            chosen.append(rule.with_policy(override.severity, override.stage) if override else rule)
    return tuple(chosen)


def _of_package(name: str) -> Iterator[Rule]:
    module = importlib.import_module(name)
    modules = [module]
    if hasattr(module, "__path__"):
        modules += [importlib.import_module(f"{name}.{info.name}") for info in pkgutil.iter_modules(module.__path__)]
    for found in modules:
        yield from (value for value in vars(found).values() if isinstance(value, Rule))
