"""Finds rules: those of this package, and those of rule packs (entry point group `hegui.rules`)."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
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

PACKS = "hegui.rules"
"""Entry point group of rule packs. An entry names a package or module with rules, or a function that returns them."""


def find_rules() -> tuple[Rule, ...]:
    """Return every known rule, by id.

    Raises:
        RuleError: two rules share an id, an id does not carry its family's prefix or carries that of a family of this package
            in a rule pack, or a rule pack cannot be loaded.
    """
    rules = [rule for family in FAMILIES for rule in _of_package(f"{package.__name__}.{family}")]
    for rule in rules:
        if not rule.id.startswith(FAMILIES[rule.family]):
            raise RuleError(
                f"rule {rule.id} lies in the family {rule.family}; its id must begin with {FAMILIES[rule.family]}"
            )
    seen: dict[str, Rule] = {}
    for rule in rules:
        _add(seen, rule)
    own = frozenset(seen)
    for entry in entry_points(group=PACKS):
        for rule in _of_pack(entry):
            _add(seen, rule)
            if rule.id not in own and rule.id[:3] in FAMILIES.values():
                raise RuleError(
                    f"{_name(entry)} has a rule {rule.id}; {rule.id[:3]} belongs to a family of hegui, take another prefix"
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


def _add(seen: dict[str, Rule], rule: Rule) -> None:
    other = seen.setdefault(rule.id, rule)
    if other is not rule:
        raise RuleError(
            f"rule id {rule.id} is used by {other.check.__module__} and {rule.check.__module__}; ids are never reused"
        )


def _name(entry: EntryPoint) -> str:
    by = f" of {entry.dist.name} {entry.dist.version}" if entry.dist is not None else ""
    return f"the rule pack {entry.name} = {entry.value}{by}"


def _of_pack(entry: EntryPoint) -> list[Rule]:
    try:
        loaded = entry.load()
        rules = list(_of_package(loaded.__name__) if isinstance(loaded, ModuleType) else loaded())
    except RuleError as error:
        raise RuleError(f"{_name(entry)} has a rule that is not well formed: {error}") from error
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise RuleError(f"{_name(entry)} cannot be loaded ({what}); mend or uninstall it") from error
    if not all(isinstance(rule, Rule) for rule in rules):
        raise RuleError(f"{_name(entry)} returns something that is no rule; return what `@rule` made")
    if not rules:
        raise RuleError(f"{_name(entry)} has no rules; they stand in the modules directly in the package")
    return rules


def _of_package(name: str) -> Iterator[Rule]:
    module = importlib.import_module(name)
    modules = [module]
    if hasattr(module, "__path__"):
        modules += [importlib.import_module(f"{name}.{info.name}") for info in pkgutil.iter_modules(module.__path__)]
    for found in modules:
        yield from (value for value in vars(found).values() if isinstance(value, Rule))
