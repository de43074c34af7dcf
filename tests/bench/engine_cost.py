"""`python -m tests.bench.engine_cost`: what judging an event costs with more and more rules in the book, in this process.

The events stay the same and so do the rules that apply to them: the others are guarded by values that no event has. Times are
microseconds an event, and ratios to bare decoding of the same records in the same rounds. `--ratio`: only that of the real book.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

from hegui.rules.catalog import find_rules
from hegui.rules.core import Rule
from hegui.rules.engine import Engine
from hegui.rules.facts import FactStatus, FactTable, Snapshot, loaded
from hegui.streams import decoders
from hegui.streams.evaluator import Evaluator
from hegui.streams.policy_file import load_policy
from hegui.streams.settings import InputTopic, KafkaSettings, Settings, TopicSettings
from tests.bench.load import Traffic
from tests.bench.policy import POLICY
from tests.bench.synthetic_rules import padded

BOOKS = (96, 150, 200, 400)
PARTITION = ("bench.events", 0)
_EMPTY = ("filings", "notices", "waivers", "sources", "suspensions")
SETTINGS = Settings(KafkaSettings("localhost:9092"), topics=TopicSettings(inputs=(InputTopic(PARTITION[0]),)))


class Record(NamedTuple):
    """As much of a client's record as the evaluator reads."""

    offset: int
    timestamp: int
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


class Cost(NamedTuple):
    rules: int
    microseconds: float
    """Median of the rounds, one event."""
    to_decode: float
    """Median of the ratios to bare decoding in the same round."""
    to_first: float
    """Median of the ratios to the first book in the same round."""


def evaluator(rules: Sequence[Rule], traffic: Traffic) -> Evaluator:
    """Return an evaluator over the example policy and loaded facts."""
    policy, _ = load_policy(POLICY)
    known: dict[str, Any] = {name: FactTable(FactStatus.READY) for name in _EMPTY}
    return Evaluator(SETTINGS, Engine(rules, Snapshot(policy, loaded(traffic.opt_outs), **known)))


def _timed(work: Callable[[], object]) -> float:
    gc.collect()
    started = time.process_time()
    work()
    return time.process_time() - started


def _judging(made: Evaluator, records: Sequence[Record]) -> Callable[[], object]:
    batches = [{PARTITION: records[first : first + 1000]} for first in range(0, len(records), 1000)]

    def work() -> None:
        # A new assignment each time: the records come again with the same offsets.
        made.revoke(PARTITION)
        made.assign(PARTITION, 0, 0)
        for batch in batches:
            made.judge(batch)

    return work


def costs(books: Sequence[Sequence[Rule]], *, events: int = 8000, rounds: int = 7) -> list[Cost]:
    """Measure all books and bare decoding in turn; the first round warms up and does not count."""
    traffic = Traffic()
    values = list(traffic.values(events))
    records = [Record(number, traffic.now_ms, value) for number, value in enumerate(values)]
    decode = decoders._structured.decode

    def decoding() -> None:
        for value in values:
            decode(value)

    works = [decoding, *(_judging(evaluator(rules, traffic), records) for rules in books)]
    found = [[_timed(work) for work in works] for _ in range(rounds + 1)][1:]
    return [
        Cost(
            len(rules),
            median(taken[column] for taken in found) / events * 1e6,
            median(taken[column] / taken[0] for taken in found),
            median(taken[column] / taken[1] for taken in found),
        )
        for column, rules in enumerate(books, 1)
    ]


def ratio_to_decoding(decodings: int = 1, *, events: int = 6000, rounds: int = 20) -> float:
    """Return CPU time of judging over that of decoding, the least of each over rounds in turn: noise only adds.

    `decodings` of the judged records take place beside the judging: more than one shows what a guard would see.
    """
    traffic = Traffic()
    values = list(traffic.values(events))
    records = [Record(number, traffic.now_ms, value) for number, value in enumerate(values)]
    decode = decoders._structured.decode
    judging = _judging(evaluator(find_rules(), traffic), records)

    def decoding() -> None:
        for value in values:
            decode(value)

    def work() -> None:
        judging()
        for _ in range(decodings - 1):
            decoding()

    taken = [(_timed(decoding), _timed(work)) for _ in range(rounds + 1)][1:]
    return min(judged for _, judged in taken) / min(decoded for decoded, _ in taken)


def main() -> int:
    if sys.argv[1:2] == ["--ratio"]:
        print(ratio_to_decoding(*map(int, sys.argv[2:])))
        return 0
    print("| rules in the book | us an event | to bare decoding | to the smallest book |\n|---|---|---|---|")
    for cost in costs([padded(size) for size in BOOKS], events=20_000, rounds=9):
        print(f"| {cost.rules} | {cost.microseconds:.2f} | {cost.to_decode:.2f}x | {cost.to_first:.2f}x |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
