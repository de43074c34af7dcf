"""The benchmark's reference, which judges record by record, and the evaluator, which judges runs with all its facts ready, find the same."""

import msgspec

from hegui.rules.catalog import find_rules
from tests.bench.engine_cost import PARTITION, SETTINGS, Record, evaluator
from tests.bench.load import Traffic
from tests.bench.peer_judge import PeerJudge, found_in


def test_reference_and_evaluator_find_the_same(tmp_path):
    traffic = Traffic()
    opt_outs = tmp_path / "optouts.jsonl"
    opt_outs.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in traffic.opt_outs))
    values = list(traffic.values(len(traffic.envelopes)))
    made = evaluator(find_rules(), traffic)
    made.assign(PARTITION, 0, 0)
    judged = made.judge({PARTITION: [Record(n, traffic.now_ms, value) for n, value in enumerate(values)]})
    found = [found_in(output.value) for output in judged.outputs if output.destination == "violations"]
    expected = traffic.violations(len(values), traffic.expected(PeerJudge(SETTINGS, "real", opt_outs)))
    assert len(found) == len(expected) > 50
    assert set(found) == expected
