"""The sizing page's formula fits the measured curves: it is not allowed to go stale."""

import re
from pathlib import Path

import msgspec

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "streams" / "sizing.md").read_text("utf-8")
MARGIN = 1.4
"""The curves are measured on shared cores: neighbouring points differ by a fifth."""


def predicted(kilobytes, faulty):
    base, each_kilobyte, each_fault = map(
        float, re.search(r"c = ([\d.]+) \+ ([\d.]+) \* kB \+ ([\d.]+) \* f", PAGE).groups()
    )
    return base + each_kilobyte * kilobytes + each_fault * faulty


def test_the_formula_fits_size_and_failures():
    points = msgspec.json.decode((HERE / "curves.json").read_bytes())["points"]
    compared = 0
    for point in points:
        if point["curve"] == "bytes" and point["at"] >= 900:
            wanted = predicted(point["at"] / 1000, 0.02)
        elif point["curve"] == "faults":
            wanted = predicted(1, point["at"])
        else:
            continue
        compared += 1
        assert 1 / MARGIN < point["microseconds"] / wanted < MARGIN, point
    assert compared > 8
