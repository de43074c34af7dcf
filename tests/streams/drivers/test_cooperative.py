"""The librdkafka driver in a cooperative group, between fakes: partitions that stay are neither read again nor left out."""

from typing import Any

import pytest
from aiokafka.errors import KafkaError
from confluent_kafka import Message

from hegui.rules.observations import BLOCK_OFFSETS
from hegui.streams.evaluator import Partition
from tests.streams.drivers.librdkafka_fakes import CooperativeConsumer, error, nothing
from tests.streams.drivers.test_librdkafka import FIRST, SECOND, Rig
from tests.streams.example import records
from tests.streams.fakes import FakePartition

COOPERATIVE = {"EVALUATOR__CLIENT": "librdkafka", "EVALUATOR__ASSIGNMENT": "cooperative-sticky"}


class CooperativeRig(Rig):
    """A driver in a cooperative group; `rebalance` takes the partitions that this member has afterwards."""

    consumer: CooperativeConsumer

    def __init__(self, patch: pytest.MonkeyPatch, log: Any, **named: Any) -> None:
        super().__init__(patch, log, **(COOPERATIVE | named))

    def consumer_of(self, committed: dict[Partition, int]) -> CooperativeConsumer:
        return CooperativeConsumer(self.log, committed)


def two(first: int, second: int) -> dict[Partition, FakePartition]:
    return {FIRST: FakePartition(records(["LBL001"] * first)), SECOND: FakePartition(records(["LBL001"] * second))}


async def test_a_run_judges_commits_and_leaves(monkeypatch):
    rig = CooperativeRig(monkeypatch, two(3, 2), committed={FIRST: 0, SECOND: 0})
    await rig.run(3)
    assert not rig.consumer.pending
    assert rig.violations == 5
    assert rig.consumer.group == {FIRST: 3, SECOND: 2}
    assert rig.consumer.closed


@pytest.mark.parametrize("after", [[FIRST], [FIRST, SECOND]], ids=["nothing comes", "one comes"])
async def test_what_came_in_one_call_with_a_rebalance_is_judged_if_its_partition_stays(monkeypatch, after):
    rig = CooperativeRig(monkeypatch, two(3, 2), committed={FIRST: 0, SECOND: 0})
    rig.consumer.subscribe = lambda _, **given: _join(rig, given)  # type: ignore[method-assign]
    more = records(["LBL001"] * 2, 3)
    rig.consumer.pending = [
        nothing,
        lambda: rig.log[FIRST].records.extend(more),
        lambda: rig.consumer.rebalance(after),
    ]
    await rig.run(6)
    assert not rig.consumer.pending
    assert rig.violations == 5 + (2 if SECOND in after else 0)
    assert rig.consumer.group == {FIRST: 5, SECOND: 2 if SECOND in after else 0}
    # The first partition was begun, and read again as of the call in which it came; not for the second's sake.
    assert [list(places) for places in rig.consumer.read_anew if FIRST in places] == [[FIRST], [FIRST]]


def _join(rig: CooperativeRig, listener: dict[str, Any]) -> None:
    rig.consumer._listener = listener
    rig.consumer.coming.append(lambda: rig.consumer.rebalance([FIRST]))


async def test_a_partition_that_comes_is_begun_and_what_was_fetched_of_it_before_is_read_again(monkeypatch):
    rig = CooperativeRig(monkeypatch, two(3, 3), committed={FIRST: 0, SECOND: 0})

    def taken_and_given_back() -> None:
        rig.consumer.rebalance([FIRST])
        rig.consumer.rebalance([FIRST, SECOND])

    more = {FIRST: records(["LBL001"] * 2, 3), SECOND: records(["LBL001"] * 2, 3)}

    def come() -> None:
        for place, some in more.items():
            rig.log[place].records.extend(some)

    rig.consumer.pending = [nothing, come, taken_and_given_back]
    await rig.run(7)
    assert not rig.consumer.pending
    assert rig.violations == 10
    assert rig.consumer.group == {FIRST: 5, SECOND: 5}
    assert rig.driver.evaluator.sources == {}
    assert {place for places in rig.consumer.read_anew[2:] for place in places} == {SECOND}
    # Judged once each: what was fetched of the second before it was taken is not judged without its beginning.
    assert rig.value("compliance_events_total", stream="generation", service="image-studio") == 10


async def test_a_partition_that_goes_is_committed_and_its_records_are_left_to_others(monkeypatch):
    rig = CooperativeRig(monkeypatch, two(3, 3), committed={FIRST: 0, SECOND: 0})
    more = records(["LBL001"] * 2, 3)
    rig.consumer.pending = [
        nothing,
        lambda: rig.log[SECOND].records.extend(more),
        lambda: rig.consumer.rebalance([FIRST]),
    ]
    sources: list[set[Partition]] = []
    step = rig.driver._step

    async def watched() -> None:
        await step()
        sources.append(set(rig.driver.evaluator.sources))

    rig.driver._step = watched  # type: ignore[method-assign]
    await rig.run(5)
    assert not rig.consumer.pending
    assert rig.violations == 6
    assert sources[-1] == {FIRST}
    assert rig.consumer.group == {FIRST: 3, SECOND: 3}


async def test_what_waits_in_the_client_is_not_dropped_for_a_partition_of_another(monkeypatch):
    log = {FIRST: FakePartition(records(["LBL001"] * 9)), SECOND: FakePartition(records(["LBL001"] * 2))}
    rig = CooperativeRig(monkeypatch, log, committed={FIRST: 0, SECOND: 0}, EVALUATOR__MAX_BATCH_RECORDS="3")
    rig.consumer.subscribe = lambda _, **given: _join(rig, given)  # type: ignore[method-assign]
    rig.consumer.pending = [nothing, nothing, lambda: rig.consumer.rebalance([FIRST, SECOND])]
    await rig.run(9)
    assert not rig.consumer.pending
    assert rig.violations == 11
    assert rig.consumer.group == {FIRST: 9, SECOND: 2}
    assert sum(FIRST in places for places in rig.consumer.read_anew) == 2  # as it came


async def test_lost_partitions_are_not_committed_and_come_back(monkeypatch):
    rig = CooperativeRig(monkeypatch, two(3, 2), committed={FIRST: 0, SECOND: 0})
    rig.driver._next_commit = float("inf")
    step = rig.driver._step
    sources: list[set[Partition]] = []

    def lose() -> None:
        rig.consumer.rebalance([], lost=True)
        sources.append(set(rig.driver.evaluator.sources))
        rig.consumer.rebalance([FIRST, SECOND])

    async def lose_once() -> None:
        await step()
        if rig.violations == 5 and not sources:
            rig.consumer.coming = [lose]

    rig.driver._step = lose_once  # type: ignore[method-assign]
    await rig.run(6)
    assert sources == [set()]
    assert rig.violations == 10  # judged again from the last commit on
    assert rig.consumer.commits == [{FIRST: 3, SECOND: 2}]


async def test_a_partition_in_error_is_begun_anew_and_the_others_lose_nothing(monkeypatch):
    log = {
        FIRST: FakePartition(records(["LBL001"] * 3, 5), beginning=5),
        SECOND: FakePartition(records(["LBL001"] * 3)),
    }
    rig = CooperativeRig(monkeypatch, log, committed={FIRST: 5, SECOND: 0})
    rig.consumer.pending = [
        nothing,
        lambda: log.__setitem__(FIRST, FakePartition(records(["LBL001"] * 2, 20), beginning=20)),
    ]
    rig.consumer.defects = {SECOND: {1: "_BAD_MSG"}}
    await rig.run(7)
    assert not rig.consumer.pending
    assert rig.gaps == [(8, 20, "retention")]
    assert rig.letters == [(1, "unreadable")]
    assert rig.violations == 7
    assert rig.consumer.group == {FIRST: 22, SECOND: 3}


async def test_an_error_that_comes_with_a_rebalance_is_met_again_or_heeded(monkeypatch):
    rig = CooperativeRig(monkeypatch, two(3, 3), committed={FIRST: 0, SECOND: 0})
    rig.consumer.defects = {SECOND: {0: "_BAD_MSG"}}  # in the call in which its partition comes
    await rig.run(5)
    assert rig.letters == [(0, "unreadable")]
    assert rig.violations == 5
    rig = CooperativeRig(monkeypatch, two(1, 1), committed={FIRST: 0, SECOND: 0})
    rig.consumer.told = [Message(error=error("TOPIC_AUTHORIZATION_FAILED"))]
    with pytest.raises(KafkaError, match="TOPIC_AUTHORIZATION_FAILED"):
        await rig.run(3)


async def test_a_new_owner_begins_at_the_block_and_the_sums_cover_it_once(monkeypatch):
    committed = {FIRST: 2, SECOND: BLOCK_OFFSETS + 1}
    log = {
        FIRST: FakePartition(records(["LBL001"] * 4)),
        SECOND: FakePartition(records(["LBL001"] * 3, BLOCK_OFFSETS), beginning=BLOCK_OFFSETS),
    }
    rig = CooperativeRig(monkeypatch, log, committed=committed)
    await rig.run(4)
    assert rig.consumer.read_anew[0] == {FIRST: 0, SECOND: BLOCK_OFFSETS}
    assert rig.violations == 4  # those before the commit were judged by another
