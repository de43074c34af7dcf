"""The cost of an event grows with the rules that can apply to it, not with the book. In ratios: the machine may be busy."""

from hegui.rules.catalog import find_rules
from hegui.rules.core import Outcome
from tests.bench.engine_cost import costs, evaluator
from tests.bench.load import Traffic
from tests.bench.synthetic_rules import book, padded


def test_rules_that_cannot_apply_cost_next_to_nothing():
    _, larger = costs([find_rules(), padded(200)], events=4000, rounds=9)
    assert larger.rules == 200
    assert larger.to_first < 1.5


def test_padding_changes_no_result():
    # Else the measurement above would compare different work.
    traffic = Traffic(templates=1000)
    engines = [evaluator(rules, traffic).versions.engines[0] for rules in (find_rules(), padded(200))]
    for envelope in traffic.envelopes:
        data, at_ms = envelope.data, int(envelope.time.timestamp() * 1000)
        real, larger = (
            plan.outcomes(deviations or ())
            for plan, deviations in (e.evaluate(e.group(envelope.tenant, data.service), data, at_ms) for e in engines)
        )
        added = {rule: result.outcome for rule, result in larger.items() if rule.startswith("SYN")}
        assert set(added.values()) <= {Outcome.NOT_APPLICABLE}
        assert {rule: result for rule, result in larger.items() if rule not in added} == real


def test_the_spread_book_has_rules_that_apply_and_rules_that_do_not():
    traffic = Traffic(templates=1000)
    engine = evaluator(book(200), traffic).versions.engines[0]
    met = 0
    for envelope in traffic.envelopes:
        data, at_ms = envelope.data, int(envelope.time.timestamp() * 1000)
        plan, _ = engine.evaluate(engine.group(envelope.tenant, data.service), data, at_ms)
        met += sum(rule.id.startswith("SYN") for _, rule in plan.calls)
    assert 2 < met / len(traffic.envelopes) < 40
