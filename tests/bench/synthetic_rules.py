"""Rule books larger than the real one, to show what a rule costs that can apply, and one that cannot.

`book(200)` is the real book and synthetic rules up to 200, guarded as real ones are: each by two guards of the event, spread
over their values, so that an event meets some of them. `padded(200)` fills up with rules that no event of the benchmark can
meet. All of them pass on sound events.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import get_args

from hegui.rules import law
from hegui.rules.catalog import find_rules
from hegui.rules.core import PASS, Check, Result, Rule, fail, inconclusive
from hegui.rules.events import Delivery, GenerationEvent, IngestEvent, Modality, SourceType
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from tests.bench import inlined

_MODALITIES = get_args(Modality)
_DELIVERIES = get_args(Delivery)
_SOURCES = get_args(SourceType)


def _label_check(number: int) -> Check:
    refused = f"refused words {number}"

    def check(event: GenerationEvent, facts: Facts) -> Result:
        label = event.explicit_label
        if label is None or label.present is None:
            return inconclusive("explicit_label.present")
        if label.present and label.text == refused:
            return fail("the label's words are refused", modality=Code(event.modality or "unknown"))
        return PASS

    return check


def _model_check(number: int) -> Check:
    refused = f"refused-model-{number}"

    def check(event: GenerationEvent, facts: Facts) -> Result:
        model = event.model
        if model is None:
            return inconclusive("model")
        if model.id == refused or (model.version is not None and model.version == refused):
            return fail("the model is refused", delivery=Code(event.delivery or "unknown"))
        if event.delivered_at_ms is not None and event.delivered_at_ms > facts.at_ms + 86_400_000:
            return fail("delivered a day after it happened")
        return PASS

    return check


def _ingest_check(number: int) -> Check:
    refused = f"refused-source-{number}"

    def check(event: IngestEvent, facts: Facts) -> Result:
        if event.source_id is None:
            return inconclusive("source_id")
        if event.source_id == refused or (event.purpose == "rag" and event.dataset == refused):
            return fail("the source is refused", source_type=Code(event.source_type or "unknown"))
        return PASS

    return check


def _guards(number: int) -> Mapping[str, frozenset[object]]:
    """Two guards of a generation rule; the values take turns."""
    turn = number // 4
    public: dict[str, frozenset[object]] = {"public_cn": frozenset({True})}
    kinds: tuple[Mapping[str, frozenset[object]], ...] = (
        {"modality": frozenset({_MODALITIES[turn % len(_MODALITIES)]}), **public},
        {
            "delivery": frozenset({_DELIVERIES[turn % len(_DELIVERIES)]}),
            "role": frozenset({"propagator" if turn % 3 == 2 else "generator"}),
        },
        {"deep_synthesis_category": frozenset({turn % 6}), **public},
        {
            "modality": frozenset({_MODALITIES[turn % len(_MODALITIES)]}),
            "delivery": frozenset({_DELIVERIES[(turn + turn // len(_DELIVERIES)) % len(_DELIVERIES)]}),
        },
    )
    return kinds[number % 4]


def _rule(number: int, on: type, when: Mapping[str, frozenset[object]], check: Check) -> Rule:
    return Rule(
        id=f"SYN{number:03d}",
        title=f"Synthetic rule {number}",
        title_zh=f"合成规则{number}",
        family="synthetic",
        on=on,
        severity="medium",
        stage="stable",
        basis=(law.LABELLING_MEASURES_ART_4,),
        when=when,
        needs=(),
        waivable=True,
        cases=(),
        check=check,
        doc="",
        in_force_from_ms=law.LABELLING_MEASURES_ART_4.in_force_from_ms,
    )


def _spread(number: int) -> Rule:
    if number % 4 == 3:
        source = frozenset[object]({_SOURCES[number // 4 % len(_SOURCES)]})
        return _rule(number, IngestEvent, {"source_type": source}, _ingest_check(number))
    make = _label_check if number % 2 else _model_check
    generation = number - number // 4  # counts the generation rules only
    return _rule(number, GenerationEvent, _guards(generation), make(number))


def _outside(number: int) -> Rule:
    """A rule that the traffic of `streams.simulation` cannot meet: no event of it has both values."""
    kind = number % 4
    if kind == 3:
        when: Mapping[str, frozenset[object]] = {
            "source_type": frozenset({"commercial"}),
            "biometric": frozenset({"face", "voice"}),
        }
        return _rule(number, IngestEvent, when, _ingest_check(number))
    generation: tuple[Mapping[str, frozenset[object]], ...] = (
        {"modality": frozenset({"scene"}), "deep_synthesis_category": frozenset({1})},
        {"modality": frozenset({"audio"}), "delivery": frozenset({"export", "copy"})},
        {"modality": frozenset({"video"}), "deep_synthesis_category": frozenset({2, 3, 4})},
    )
    return _rule(number, GenerationEvent, generation[kind], _label_check(number))


def book(size: int) -> tuple[Rule, ...]:
    """Return the real rules and synthetic ones up to `size`."""
    real = find_rules()
    return (*real, *(_spread(number) for number in range(size - len(real))))


def padded(size: int) -> tuple[Rule, ...]:
    """Return the real rules and, up to `size`, rules that the benchmark's events cannot meet."""
    real = find_rules()
    return (*real, *(_outside(number) for number in range(size - len(real))))


def named(name: str) -> tuple[Rule, ...]:
    """Return the book of a command line: `real`, `inlined` (the twenty of `tests.bench.inlined`), or a number of rules.

    Fewer rules than the real book has are its first ones, family by family in turn.
    """
    real = find_rules()
    if name == "real":
        return real
    if name == "inlined":
        return tuple(rule for rule in real if rule.id in inlined.RULES)
    return book(int(name)) if int(name) >= len(real) else _some(real, int(name))


def _some(rules: tuple[Rule, ...], count: int) -> tuple[Rule, ...]:
    families: dict[str, list[Rule]] = {}
    for rule in sorted(rules, key=lambda rule: rule.id != "MOD001"):  # a waiver of the example policy names it
        families.setdefault(rule.family, []).append(rule)
    turns = [rule for row in zip_longest(*families.values()) for rule in row if rule is not None]
    return tuple(turns[:count])
