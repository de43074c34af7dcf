"""Every failing case, with content put into one text field after the other: the record never shows it."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from hegui.rules.cases import BASE_AT_MS, GOOD_LABEL, case_event, case_snapshot
from hegui.rules.catalog import find_rules
from hegui.rules.core import Case, Outcome, Rule
from hegui.rules.engine import Engine
from hegui.rules.violations import violation
from tests.rules.builders import evaluated
from tests.rules.test_properties import MARKERS, assert_no_content

FAILING = [
    pytest.param(rule, case, id=f"{rule.id} {case.name}")
    for rule in find_rules()
    for case in rule.cases
    if case.outcome is Outcome.FAIL and case.at is None
]


def variants(value: Any, texts: tuple[str, ...]) -> Iterator[Any]:
    """Yield the value with each text in it replaced in turn; also texts inside a metadata label."""
    match value:
        case str() if value == GOOD_LABEL:
            for marked in texts:
                yield marked
                yield from (value.replace(f'"{part}"', f'"{marked}"') for part in ("1", "4c8a5c1e"))
        case str():
            yield from texts
        case tuple():
            for place, item in enumerate(value):
                yield from ((*value[:place], changed, *value[place + 1 :]) for changed in variants(item, texts))
        case msgspec.Struct():
            for name in value.__struct_fields__:
                if name != "service":
                    yield from (replace(value, **{name: new}) for new in variants(getattr(value, name), texts))


@pytest.mark.parametrize(("rule", "case"), FAILING)
def test_a_failing_case_shows_nothing_of_the_events_texts(rule: Rule, case: Case) -> None:
    engine = Engine([rule], case_snapshot(case))
    how = {"trusted": case.trusted, "reused": case.given.get("identity") == "reused"}
    assert evaluated(engine, case_event(rule, case), **how)[1]
    for event in variants(case_event(rule, case), MARKERS):
        plan, deviations = evaluated(engine, event, **how)
        record = violation(
            tenant="default",
            source=MARKERS[4],
            event_id=MARKERS[2],
            revision=0,
            at_ms=BASE_AT_MS,
            service=plan.group.label,
            deviations=deviations,
            rule_set=engine.rule_set,
            policy="v",
            facts={},
        )
        assert_no_content(msgspec.json.encode(record).decode())
        for result in plan.outcomes(deviations).values():
            assert_no_content(f"{result.reason} {result.evidence}")
