"""Runs: records judged together come to the same as records judged one by one, whatever stands among them."""

import random
from dataclasses import replace

import pytest

from hegui.rules.engine import Engine
from hegui.rules.facts import FactStatus, FactTable, Snapshot, loaded
from hegui.rules.versions import Versions
from hegui.streams.evaluator import Evaluator, Output
from hegui.streams.runs import RUN, part_before
from tests.data.make import START_MS
from tests.streams.example import KINDS, NOTICES, OPTOUTS, POLICY, RULES, TOPIC, record, settings
from tests.streams.fakes import FakeRecord

PLACE = (TOPIC, 0)
DAY_MS = 86_400_000
TIMES = (START_MS, START_MS, START_MS, START_MS, START_MS - 900 * DAY_MS, START_MS - 3000 * DAY_MS, START_MS + DAY_MS)
"""Mostly one day; days under older law and under no law; the day after, which has a policy of its own."""


def odd(chance: random.Random, one: FakeRecord) -> FakeRecord:
    """A record with something about it that a plain run does not have; most have nothing."""
    match chance.randrange(60):
        case 0:
            return replace(one, value=None)
        case 1:
            return replace(one, value=b"{")
        case 2:
            return replace(one, value=(one.value or b"").replace(b'"user_key":"k', b'"user_key":"x'))
        case 3 | 4:
            return replace(one, headers=[("traceparent", b"00-1")])
        case 5:
            return replace(one, value=b" " * 5000 + (one.value or b""))
        case 6:
            return replace(one, timestamp=one.timestamp + 1000 * DAY_MS)
        case 7:
            return replace(one, timestamp=one.timestamp - 10 * DAY_MS)
    return one


def traffic(seed: int, count: int) -> list[FakeRecord]:
    chance = random.Random(seed)
    made: list[FakeRecord] = []
    offset = 0
    for number in range(count):
        offset += chance.choice((1, 1, 1, 1, 1, 7))
        changes: dict[str, object] = {"revision": 1} if chance.random() < 0.05 else {}
        if number and chance.random() < 0.05:
            changes["id"] = f"test-{chance.randrange(offset)}"  # of an event before, perhaps
        at_ms = chance.choice(TIMES) + number * 1000
        made.append(odd(chance, record(chance.choice(sorted(KINDS)), offset, at_ms=at_ms, **changes)))
    return made


def judged(records: list[FakeRecord], size: int, resume_at: int) -> tuple[list[Output], object, object]:
    """Outputs, tallies and watermark of records handed over so many at once."""
    tomorrow = replace_policy()
    engines = [
        Engine(RULES, Snapshot(policy, loaded(OPTOUTS), FactTable(FactStatus.READY), loaded(NOTICES)))
        for policy in (POLICY, tomorrow)
    ]
    ours = Evaluator(settings(EVALUATOR__MAX_EVENT_BYTES="5000"), Versions(engines))
    ours.assign(PLACE, 0, resume_at)
    outputs: list[Output] = []
    for first in range(0, len(records), size):
        outputs += ours.judge({PLACE: records[first : first + size]}).outputs
    outputs += ours.tick({})
    tallies = ours.tallies
    return outputs, (tallies.dead_letters, tallies.events, tallies.evaluations), ours.sources[PLACE].watermark_ms


def replace_policy() -> object:
    from datetime import UTC, datetime

    import msgspec

    return msgspec.structs.replace(
        POLICY, version="tomorrow", effective_from=datetime.fromtimestamp((START_MS + DAY_MS) / 1000, UTC)
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("resume_at", [0, 100])
def test_many_at_once_come_to_the_same_as_one_by_one(
    seed: int, resume_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hegui.streams.observations.BLOCK_OFFSETS", 256)
    records = traffic(seed, 6 * RUN)
    alone = judged(records, 1, resume_at)
    assert {output.destination for output in alone[0]} == {"violations", "observations", "dead_letters"}
    for size in (2, RUN + 1, len(records)):
        assert judged(records, size, resume_at) == alone


def test_a_run_ends_before_a_limit_and_when_it_is_full() -> None:
    records = [FakeRecord(offset, 0, b"") for offset in range(0, 4 * RUN, 2)]
    assert part_before(records, 0, 1000) == records[:RUN]
    assert part_before(records, 3, 10) == records[3:5]
    assert part_before(records, 3, 11) == records[3:6]
    assert part_before(records, len(records) - 1, 1000) == records[-1:]
