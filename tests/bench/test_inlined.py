"""What the peers do is what the rules say: else the benchmark would compare different work."""

from hegui.rules.core import Outcome
from tests.bench.engine_cost import evaluator
from tests.bench.inlined import RULES, Suspicion
from tests.bench.load import Traffic
from tests.bench.synthetic_rules import named


def test_the_inlined_rules_suspect_every_event_that_fails_one_and_few_others():
    rules = named("inlined")
    assert {rule.id for rule in rules} == RULES
    assert len(rules) == 20
    suspected = failing = sound = 0
    for faults in (0.02, 1.0):
        traffic = Traffic(templates=2000, faults=faults)
        engine = evaluator(rules, traffic).versions.engines[0]
        suspicion = Suspicion(engine.snapshot)
        for envelope in traffic.envelopes:
            data, at_ms = envelope.data, int(envelope.time.timestamp() * 1000)
            _, deviations = engine.evaluate(engine.group(envelope.tenant, data.service), data, at_ms)
            fails = any(result.outcome is Outcome.FAIL for _, result in deviations or ())
            suspects = suspicion.suspected(envelope.tenant, data, at_ms)
            assert suspects or not fails
            failing += fails
            if faults < 1:
                sound += 1
                suspected += suspects
    assert failing > 200
    assert suspected < sound / 10
