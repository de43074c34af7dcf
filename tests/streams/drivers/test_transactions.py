"""The librdkafka driver with transactions, between fakes: results and positions count together or not at all."""

from typing import Any

import msgspec
import pytest
from aiokafka.errors import KafkaError

from hegui.streams.drivers import librdkafka_transactions
from hegui.streams.evaluator import Output
from tests.streams.drivers.librdkafka_fakes import FakeProducer, FakeTransactionalProducer, error, nothing
from tests.streams.drivers.test_librdkafka import FIRST, SECOND, Rig
from tests.streams.example import records
from tests.streams.fakes import FakePartition

EXACTLY_ONCE = {
    "EVALUATOR__CLIENT": "librdkafka",
    "EVALUATOR__DELIVERY": "exactly_once",
    "KAFKA__SESSION_TIMEOUT_SECONDS": "2000",  # more than any test's commit interval, else the settings are refused
}


class TransactionalRig(Rig):
    """Two producers: one with transactions, one for the sums."""

    def __init__(self, patch: pytest.MonkeyPatch, *given: Any, **named: Any) -> None:
        self.results, self.sums = FakeTransactionalProducer(), FakeProducer()
        super().__init__(patch, *given, **(EXACTLY_ONCE | named))

    def producer_for(self, *given: object, **_: object) -> FakeProducer:
        return self.results if len(given) > 2 and given[2] else self.sums

    @property
    def committed(self) -> int:
        return sum(r.topic == self.settings.topics.violations for r in self.results.committed)


async def test_results_and_positions_are_committed_together(monkeypatch):
    rig = TransactionalRig(monkeypatch, records(["LBL001", "image", "LBL001"]))
    await rig.run(3)
    assert rig.consumer.group == {FIRST: 3}
    assert rig.committed == 2
    assert not rig.results.aborted
    topics = rig.settings.topics
    assert {record.topic for record in rig.sums.produced} == {topics.observations}
    assert topics.observations not in {record.topic for record in rig.results.produced}
    assert rig.value("compliance_detection_delay_seconds_count") == 1


async def test_nothing_is_sent_to_the_broker_when_there_is_nothing_to_say(monkeypatch):
    rig = TransactionalRig(monkeypatch, records([]), committed={FIRST: 0}, EVALUATOR__TICK_SECONDS="1000")
    await rig.run(5)
    assert rig.results.calls.count("offsets") <= 1  # where the member begins
    assert not rig.results.produced


@pytest.mark.parametrize("call", ["offsets", "commit"])
async def test_what_an_aborted_transaction_held_is_judged_again(monkeypatch, call):
    rig = TransactionalRig(monkeypatch, records(["LBL001", "image", "LBL001"]), committed={FIRST: 0})
    rig.results.refusals[call] = [error("ILLEGAL_GENERATION", abort=True)]
    await rig.run(6)
    assert rig.results.calls.count("abort") == 1
    assert rig.consumer.group == {FIRST: 3}
    assert rig.committed == 2


async def test_a_dead_letter_of_the_facts_survives_an_abort_and_is_committed_once(monkeypatch):
    rig = TransactionalRig(monkeypatch, records(["LBL001"]), committed={FIRST: 0})
    rig.results.refusals["commit"] = [error("ILLEGAL_GENERATION", abort=True)]
    rig.driver.send_later(Output("dead_letters", None, b'{"offset":7,"reason":"of a fact"}', []))
    await rig.run(6)
    letters = [r.value for r in rig.results.committed if r.topic == rig.settings.topics.dead_letters]
    assert letters == [b'{"offset":7,"reason":"of a fact"}']
    assert len([r for r in rig.results.aborted if r.topic == rig.settings.topics.dead_letters]) == 1
    assert rig.committed == 1


async def test_an_unreadable_record_behind_an_aborted_transaction_is_met_again(monkeypatch):
    rig = TransactionalRig(monkeypatch, records(["LBL001", "image", "LBL001"]), committed={FIRST: 0})
    rig.consumer.defects[FIRST] = {1: "_BAD_MSG"}
    rig.results.refusals["commit"] = [error("ILLEGAL_GENERATION", abort=True)] * 2
    await rig.run(9)
    assert rig.consumer.group == {FIRST: 3}
    letters = [r for r in rig.results.committed if r.topic == rig.settings.topics.dead_letters]
    assert len(letters) == 1
    assert rig.committed == 2


async def test_what_stands_behind_a_gap_is_judged_when_the_transaction_before_the_gap_is_aborted(monkeypatch):
    log = {
        FIRST: FakePartition(records(["LBL001"] * 3, 5), beginning=5),
        SECOND: FakePartition(records(["LBL001"] * 3)),
    }
    rig = TransactionalRig(monkeypatch, log, committed={FIRST: 5, SECOND: 0}, EVALUATOR__COMMIT_SECONDS="1000")

    def more():
        log[SECOND].records += records(["LBL001"] * 3, 3)

    def gap():
        log[SECOND].records += records(["LBL001"] * 3, 6)
        log[FIRST] = FakePartition(records(["LBL001"] * 2, 20), beginning=20)
        rig.results.refusals["commit"] = [error("ILLEGAL_GENERATION", abort=True)]

    rig.consumer.pending = [nothing, more, gap]
    await rig.run(9)
    found = [
        (made["partition"], made["offset"])
        for sent in rig.results.committed
        if sent.topic == rig.settings.topics.violations
        for made in [msgspec.json.decode(sent.value)]
    ]
    assert sorted(found) == [*((FIRST[1], at) for at in (5, 6, 7, 20, 21)), *((SECOND[1], at) for at in range(9))]


async def test_a_broker_that_is_busy_is_asked_again(monkeypatch):
    rig = TransactionalRig(monkeypatch, records(["LBL001"]), committed={FIRST: 0})
    rig.results.refusals = {
        "init": [error("_TIMED_OUT", retriable=True)],
        "commit": [error("_TIMED_OUT", retriable=True)],
    }
    await rig.run(3)
    assert rig.committed == 1
    assert "abort" not in rig.results.calls


async def test_a_producer_that_may_not_go_on_ends_the_run(monkeypatch):
    rig = TransactionalRig(monkeypatch, records(["LBL001"]), committed={FIRST: 0})
    rig.results.refusals["commit"] = [error("_FENCED", fatal=True)]
    rig.results.refusals["abort"] = [error("_FENCED", fatal=True)]
    with pytest.raises(KafkaError, match="_FENCED"):
        await rig.run(5)
    assert not rig.committed
    assert rig.consumer.group == {FIRST: 0}
    assert rig.consumer.closed


async def test_an_abort_that_is_refused_ends_the_run(monkeypatch):
    rig = TransactionalRig(monkeypatch, records(["LBL001"]), committed={FIRST: 0})
    rig.results.refusals["commit"] = [error("ILLEGAL_GENERATION", abort=True)]
    rig.results.refusals["abort"] = [error("_FENCED", fatal=True, abort=True)] * 2
    with pytest.raises(KafkaError, match="_FENCED"):
        await rig.run(5)
    assert not rig.committed


async def test_lost_partitions_take_their_results_with_them(monkeypatch):
    rig = TransactionalRig(monkeypatch, records(["LBL001"]), committed={FIRST: 0}, EVALUATOR__COMMIT_SECONDS="1000")
    rig.driver._next_commit = float("inf")
    step = rig.driver._step
    steps = 0

    async def losing() -> None:
        nonlocal steps
        steps += 1
        if steps == 3:
            rig.consumer.coming.append(lambda: rig.consumer.rebalance([], lost=True))
        await step()

    rig.driver._step = losing  # type: ignore[method-assign]
    await rig.run(4)
    assert len(rig.results.aborted) == 1
    assert rig.consumer.group == {FIRST: 0}
    assert not rig.committed


async def test_a_revoked_partition_is_committed_before_it_goes(monkeypatch):
    rig = TransactionalRig(monkeypatch, records(["LBL001"]), committed={FIRST: 0})
    rig.driver._next_commit = float("inf")
    step = rig.driver._step
    steps = 0

    async def leaving() -> None:
        nonlocal steps
        steps += 1
        if steps == 3:
            rig.consumer.coming.append(lambda: rig.consumer.rebalance([]))
        await step()

    rig.driver._step = leaving  # type: ignore[method-assign]
    await rig.run(4)
    assert rig.committed == 1
    assert rig.consumer.group == {FIRST: 1}


def test_a_member_with_a_name_keeps_its_transactional_id(monkeypatch):
    from hegui.streams.settings import KafkaSettings

    named = KafkaSettings("b:1", group_instance_id="evaluator-3")
    options = librdkafka_transactions.transactional_options
    assert options(named)["transactional.id"] == options(named)["transactional.id"] == "hegui-evaluator-3"
    nameless = KafkaSettings("b:1")
    assert options(nameless)["transactional.id"] != options(nameless)["transactional.id"]
