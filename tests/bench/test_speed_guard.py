"""The evaluator's judgement must not become slower: its cost beside bare decoding of the same records in the same run, under 20 s.

Measured with the whole book: 3.72 times bare decoding; 25 measurements on a machine with a load of 3 on two cores lay between 3.56 and 3.90.
The limit leaves 18 % above the median, four times that spread's half; three measurements in turn must miss it.
"""

import pytest

from hegui.rules.catalog import find_rules
from tests.bench import engine_cost
from tests.bench.engine_cost import Record, evaluator
from tests.bench.load import Traffic

LIMIT = 4.4
ROUNDS = 11
TRIES = 3


@pytest.fixture(scope="module")
def traffic():
    return Traffic()


def ratio(traffic, decodings=1):
    """CPU time of judging over that of decoding; the least of each over rounds in turn: noise only adds."""
    values = list(traffic.values(6000))
    records = [Record(number, traffic.now_ms, value) for number, value in enumerate(values)]
    decode = engine_cost.decoders._structured.decode
    judging = engine_cost._judging(evaluator(find_rules(), traffic), records)

    def decoding():
        for value in values:
            decode(value)

    def work():
        judging()
        for _ in range(decodings - 1):
            decoding()

    taken = [(engine_cost._timed(decoding), engine_cost._timed(work)) for _ in range(ROUNDS)][1:]
    return min(judged for _, judged in taken) / min(decoded for decoded, _ in taken)


def test_judging_costs_no_more_than_it_did_beside_bare_decoding(traffic):
    found = []
    for _ in range(TRIES):
        found.append(ratio(traffic))
        if found[-1] <= LIMIT:
            return
    raise AssertionError(f"judging an event takes {found} times as long as decoding it; the limit is {LIMIT}")


def test_the_guard_would_notice_a_second_decoding(traffic):
    assert max(ratio(traffic, decodings=2) for _ in range(TRIES)) > LIMIT
