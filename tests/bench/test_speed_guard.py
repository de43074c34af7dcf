"""The evaluator's judgement must not become slower: its cost beside bare decoding of the same records in the same run, under 20 s.

Measured with the whole book and all facts ready: 4.3 times bare decoding on a quiet machine (4.23 to 4.39 in five), 4.4 to 5.9 with a load of six on
two cores (twelve), since judging needs more of the cache than decoding. So the limit leaves a third above the quiet machine's, and five measurements
in turn must miss it. Each is a process of its own: a tool that counts lines would slow down one side only.
"""

import os
import subprocess
import sys
from pathlib import Path

LIMIT = 5.6
TRIES = 5
ROOT = Path(__file__).parents[2]


def ratio(decodings=1):
    command = [sys.executable, "-m", "tests.bench.engine_cost", "--ratio", str(decodings)]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_judging_costs_no_more_than_it_did_beside_bare_decoding():
    found = []
    for _ in range(TRIES):
        found.append(ratio())
        print(f"judging takes {found[-1]:.2f} times as long as decoding; the limit is {LIMIT}")
        if found[-1] <= LIMIT:
            return
    raise AssertionError(f"judging an event takes {found} times as long as decoding it; the limit is {LIMIT}")


def test_the_guard_would_notice_two_more_decodings():
    assert ratio(decodings=3) > LIMIT
