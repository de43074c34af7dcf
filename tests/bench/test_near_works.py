"""Near duplicates: a look-up among 100,000 registered works beside an exact look-up and a comparison with all of them."""

import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pytest

from hegui.rules.iscc import ContentUnit
from hegui.rules.near_works import WorkCodes, _OfKind

pytestmark = pytest.mark.bench
WORKS, RECORDS, ROUNDS = 100_000, 200, 5


def seconds(look: Callable[[int], object], asked: list[int]) -> float:
    """Median time of one look-up."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for bits in asked:
            look(bits)
        rounds.append((time.perf_counter() - start) / len(asked))
    return median(rounds)


@pytest.fixture(scope="module")
def works() -> tuple[list[int], WorkCodes, float]:
    """Codes, the index of them, and its bytes a code."""
    draw = random.Random(7)
    codes = [draw.getrandbits(64) for _ in range(WORKS)]
    made = WorkCodes()
    tracemalloc.start()
    kind = made._kinds["text"] = _OfKind()
    for bits in codes:
        kind.works[bits] = (("work", f"iscc:{bits}"),)
        for place, part in enumerate(kind.parts):
            part.setdefault(bits >> 16 * place & 0xFFFF, []).append(bits)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return codes, made, taken / WORKS


@pytest.mark.parametrize(("most", "budget"), [(3, 0.5), (7, 3.0), (8, 5.0), (11, 20.0)])
def test_optouts_near_works(works: Any, most: int, budget: float, capsys: pytest.CaptureFixture[str]):
    codes, index, size = works
    draw = random.Random(most)
    changed = [codes[draw.randrange(WORKS)] ^ sum(1 << b for b in draw.sample(range(64), most)) for _ in range(RECORDS)]
    packed = np.array(codes, dtype=np.uint64)

    def all_of_them(bits: int) -> Any:
        return np.flatnonzero(np.bitwise_count(packed ^ np.uint64(bits)) <= most)

    assert [len(index.near([ContentUnit("text", bits)], most)) for bits in changed] == [
        len(all_of_them(bits)) for bits in changed
    ]
    exact = dict.fromkeys(codes, 1)
    near_s = seconds(lambda bits: index.near([ContentUnit("text", bits)], most), changed)
    all_s, exact_s = seconds(all_of_them, changed), seconds(exact.get, changed)
    with capsys.disabled():
        print(
            f"\nnear, {most} bits, {WORKS:,} works: {near_s * 1e6:.1f} us; {near_s / exact_s:,.0f} times an exact look-up, "
            f"{near_s / all_s:.2f} of a numpy comparison with all; {size:.0f} bytes a code",
            file=sys.stderr,
        )
    assert near_s < budget * all_s
