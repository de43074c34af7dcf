"""The form of a rule: outcomes, results, cases and the `@rule` decorator.

A rule is one decorated pure function in one file. Its decorator carries the legal basis, severity, stage, guards and its
own good and bad cases; its docstring is its page and its runbook. The decorator refuses an incomplete rule at import.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from hegui.rules.evidence import EvidenceValue, safe
from hegui.rules.law import Clause

if TYPE_CHECKING:
    from hegui.rules.facts import Facts
    from hegui.rules.policy import Service

Severity = Literal["critical", "high", "medium", "low"]
Stage = Literal["sandbox", "stable", "deprecated"]
FactName = Literal["optouts", "filings", "notices", "sources", "suspensions"]


class Outcome(StrEnum):
    """What one rule said of one event; the words follow XCCDF results, cut to what a stream needs."""

    PASS = "pass"  # noqa: S105 - the word of the standard
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    WAIVED = "waived"


class Result(msgspec.Struct, frozen=True):
    """One rule's answer.

    `reason` is a constant sentence; `evidence` holds field values that passed `evidence.safe`, hashes and references,
    never content and never a raw personal identifier.
    """

    outcome: Outcome
    reason: str = ""
    evidence: dict[str, EvidenceValue] = {}
    waiver: str | None = None
    """The waiver that applied."""
    expired_waiver: str | None = None
    """A waiver of this rule and service that no longer applies."""


PASS = Result(Outcome.PASS)
NOT_APPLICABLE = Result(Outcome.NOT_APPLICABLE)


def fail(reason: str, **evidence: object) -> Result:
    """Return a failing result; each evidence value goes through `evidence.safe`."""
    return Result(Outcome.FAIL, reason, {key: safe(value) for key, value in evidence.items()})


def inconclusive(*missing: str) -> Result:
    """Return "cannot be decided": the named fields or facts are absent. Never a silent pass."""
    return Result(
        Outcome.INCONCLUSIVE, "cannot be decided without " + ", ".join(missing), {"missing": ", ".join(missing)}
    )


class Case(msgspec.Struct, frozen=True):
    """One example of a rule: `changes` are field differences from the base event of the rule's event type.

    `at` is the event's time (ISO 8601 with offset); `given` replaces parts of the base facts (see `rules.cases`); `trusted` is
    whether that time agrees with the broker's.
    """

    name: str
    outcome: Outcome
    changes: dict[str, Any]
    at: str | None = None
    given: dict[str, Any] = {}
    trusted: bool = True


def _case(outcome: Outcome) -> Callable[..., Case]:
    def make(
        name: str, /, at: str | None = None, given: dict[str, Any] | None = None, trusted: bool = True, **changes: Any
    ) -> Case:
        return Case(name, outcome, changes, at, given or {}, trusted)

    return make


fails = _case(Outcome.FAIL)
passes = _case(Outcome.PASS)
skips = _case(Outcome.NOT_APPLICABLE)
unclear = _case(Outcome.INCONCLUSIVE)

Check = Callable[[Any, "Facts"], Result]
Screen = Callable[[Any, "Facts"], bool]


class Situation(msgspec.Struct, frozen=True):
    """What many events have in common: all that a rule needs which asks for the service and not for the single event.

    Such a rule (`of=Situation`) is judged once for all events of the same service, guard values and legal era. It may compare
    the event's time with moments that the policy names, and with nothing else.
    """

    service: Service | None
    """The registry's entry of the service; None when the registry does not know it."""
    guards: Mapping[str, object]
    """Guard name to value (`rules.guards`); None is unknown."""
    time_trusted: bool
    """Whether the event's time agrees with the broker's."""
    identity: Literal["unique", "reused", "unwatched"]
    """Whether another content was judged before under the event's identity and revision."""


@cache
def folder_sha256(folder: Path) -> str:
    """Return the hash of the Python files directly in a folder, names and contents."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


class RuleError(ValueError):
    """A rule is not well formed; the sentence says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A rule as the catalogue holds it. Compared by identity; ids are unique in a catalogue."""

    id: str
    title: str
    title_zh: str
    family: str
    on: type
    severity: Severity
    stage: Stage
    basis: tuple[Clause, ...]
    when: Mapping[str, frozenset[object]]
    needs: tuple[FactName, ...]
    waivable: bool
    cases: tuple[Case, ...]
    check: Check
    doc: str
    in_force_from_ms: int = field(default=0)
    of: type | None = None
    any_time: bool = False
    depends: str | None = None
    screen: Screen | None = None
    _clause_ids: dict[int, tuple[str, ...]] = field(default_factory=dict, repr=False, init=False)

    def with_policy(self, severity: Severity | None, stage: Stage | None) -> Rule:
        """Return this rule with the deployer's severity or stage."""
        return replace(self, severity=severity or self.severity, stage=stage or self.stage)

    @property
    def source_sha256(self) -> str:
        """Hash of the rule's folder (a rule may share code with its neighbours): part of the rule-set hash in every result."""
        source = inspect.getsourcefile(self.check)
        if source is None or not Path(source).exists():
            return hashlib.sha256(self.check.__code__.co_code).hexdigest()
        return folder_sha256(Path(source).parent)

    def clause_ids_at(self, at_ms: int) -> tuple[str, ...]:
        """Return the ids of the clauses in force at `at_ms`; there are few legal eras, so the answers are kept."""
        # How many clauses have begun or ended by then: each such number is one set of clauses.
        era = sum([at_ms >= moment for clause in self.basis for moment in clause.moments_ms()])
        found = self._clause_ids.get(era)
        if found is None:
            found = self._clause_ids[era] = tuple(clause.id for clause in self.clauses_at(at_ms))
        return found

    def clauses_at(self, at_ms: int) -> tuple[Clause, ...]:
        """Return the clauses of the basis in force at `at_ms` (epoch milliseconds)."""
        return tuple(clause for clause in self.basis if clause.in_force_at(at_ms))


def rule(
    rule_id: str,
    *,
    on: type,
    zh: str,
    severity: Severity,
    basis: tuple[Clause, ...],
    cases: tuple[Case, ...],
    since: Clause | None = None,
    stage: Stage = "stable",
    when: Mapping[str, frozenset[object] | set[object]] | None = None,
    needs: tuple[FactName, ...] = (),
    waivable: bool = True,
    of: type | None = None,
    any_time: bool = False,
    depends: str | None = None,
    screen: Screen | None = None,
) -> Callable[[Check], Rule]:
    """Make a `Rule` of a pure function.

    Args:
        rule_id: family prefix and number, as `LBL001`; never reused.
        on: the event struct that the rule judges.
        zh: the title in Chinese.
        severity: who is woken; see `rules/README.md`.
        basis: the clauses the rule checks. The rule is in force from the earliest of them on; in a stable rule those known from
            memory do not count for that.
        since: the clause of the basis that carries the condition, when an earlier one does not: the rule is in force from it on.
        cases: at least one `fails` and one `passes`.
        stage: `sandbox` is counted and never pages; a basis known only from memory allows nothing else.
        when: cheap guards as data, guard name to the values for which the rule applies. The engine indexes rules by
            them, so an event meets only the rules that can apply. An unknown guard makes the rule inconclusive.
        needs: fact tables without which the rule cannot decide.
        waivable: whether the deployer may waive it.
        of: what the function gets. The event when absent; `Situation` for a rule that asks for the service only.
        depends: the one field of the event that the rule reads beside its guards, when its answer follows from that field, the
            service, the policy and the filings alone: the engine then keeps the answer for each value it meets. For fields
            with few values.
        screen: a quick look that several rules share. Where it says True all of them pass and none is called; it must never
            say so of an event that one of them would not pass (tested with arbitrary events).
        any_time: judge events whatever their time, and even one that does not agree with the broker's.

    Raises:
        RuleError: the rule is incomplete; the sentence says what to do.
    """

    def make(check: Check) -> Rule:
        where = f"{check.__module__}.{check.__name__}: rule {rule_id}"
        doc = inspect.cleandoc(check.__doc__ or "")
        wanted = [
            (
                bool(re.fullmatch(r"[A-Z]{3}[0-9]{3}", rule_id)),
                "needs an id of three capitals and three digits, as LBL001",
            ),
            (severity in get_args(Severity), f"severity {severity!r} is not one of {', '.join(get_args(Severity))}"),
            (stage in get_args(Stage), f"stage {stage!r} is not one of {', '.join(get_args(Stage))}"),
            (bool(basis), "needs at least one clause of hegui.rules.law as basis"),
            (
                stage != "stable" or any(c.confidence != "M" for c in basis),
                'rests on clauses known from memory only; give it stage="sandbox" until one is confirmed',
            ),
            (
                {c.outcome for c in cases} >= {Outcome.FAIL, Outcome.PASS},
                "needs at least one fails(...) and one passes(...) case",
            ),
            (len({c.name for c in cases}) == len(cases), "has two cases of one name; give each its own"),
            (bool(zh), "needs its title in Chinese (zh=...)"),
            (
                re.match(r"(?!Why:|When it fires:|False positives:)\S", doc) is not None
                and all(re.search(rf"^{section}:", doc, re.MULTILINE) for section in ("Why", "When it fires")),
                "needs a docstring with a first line, `Why:` and `When it fires:`",
            ),
            (all(n in get_args(FactName) for n in needs), f"needs= knows only {', '.join(get_args(FactName))}"),
            (of in (None, Situation), "of= is Situation or absent"),
            (since is None or since in basis, "names a clause in since= that is not in its basis; add it there"),
            (
                depends is None or (of is None and screen is None and set(needs) <= {"filings"}),
                "has depends= together with of=, screen= or facts other than filings; take one",
            ),
            (
                depends is None or depends in getattr(on, "__struct_fields__", ()),
                f"depends on {depends!r}, which {on.__name__} does not have",
            ),
            (
                of is None or not needs,
                "judges a situation and needs facts, which change while it lasts; let it judge the event",
            ),
        ]
        for holds, sentence in wanted:
            if not holds:
                raise RuleError(f"{where} {sentence}")
        _check_guards(where, on, when or {})
        _check_changes(where, on, cases)
        return Rule(
            id=rule_id,
            title=doc.splitlines()[0].rstrip("."),
            title_zh=zh,
            family=(check.__module__.rpartition(".")[0] or check.__module__).rpartition(".")[2],
            on=on,
            severity=severity,
            stage=stage,
            basis=basis,
            when={guard: frozenset(values) for guard, values in (when or {}).items()},
            needs=needs,
            waivable=waivable,
            cases=cases,
            check=check,
            doc=doc,
            in_force_from_ms=_in_force_from_ms(basis, since, stage),
            of=of,
            any_time=any_time,
            depends=depends,
            screen=screen,
        )

    return make


def _in_force_from_ms(basis: tuple[Clause, ...], since: Clause | None, stage: Stage) -> int:
    if since is not None:
        return since.in_force_from_ms
    counting = [clause for clause in basis if stage == "sandbox" or clause.confidence != "M"]
    return min(clause.in_force_from_ms for clause in counting or basis)


def _check_guards(where: str, on: type, when: Mapping[str, frozenset[object] | set[object]]) -> None:
    from hegui.rules.guards import GUARDS

    known = GUARDS[on].values if on in GUARDS else None
    if known is None:
        raise RuleError(f"{where} judges {on.__name__}, which is no event type; take one of hegui.rules.events")
    for guard, values in when.items():
        if guard not in known:
            raise RuleError(f"{where} has no guard {guard!r}; {on.__name__} knows {', '.join(known)}")
        if strange := set(values) - known[guard]:
            raise RuleError(
                f"{where} guard {guard} cannot be {sorted(map(str, strange))}; it is one of {sorted(map(str, known[guard]))}"
            )


def _check_changes(where: str, on: type, cases: tuple[Case, ...]) -> None:
    fields = set(on.__struct_fields__)  # type: ignore[attr-defined]
    for case in cases:
        if strange := set(case.changes) - fields:
            raise RuleError(f"{where} case {case.name!r} changes {sorted(strange)}, which {on.__name__} does not have")
