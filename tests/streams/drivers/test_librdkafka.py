"""The librdkafka driver between fakes: what a real broker cannot be made to answer at the right moment."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from aiokafka.errors import KafkaError
from confluent_kafka import Message
from prometheus_client import CollectorRegistry

from hegui.streams.coverage_gaps import CoverageGap
from hegui.streams.drivers import librdkafka, librdkafka_calls
from hegui.streams.drivers.librdkafka_records import read_records
from hegui.streams.evaluator import Output, Partition
from hegui.streams.metrics import EvaluatorMetrics
from hegui.streams.watchdog import Progress
from tests.streams.drivers.librdkafka_fakes import FakeConsumer, FakeProducer, error, nothing
from tests.streams.example import RULES, TOPIC, evaluator, records, settings
from tests.streams.fakes import FakeClock, FakePartition, FakeRecord

EAGER = {"EVALUATOR__COMMIT_SECONDS": "1e-9", "EVALUATOR__TICK_SECONDS": "1e-9"}
FIRST, SECOND = (TOPIC, 0), (TOPIC, 1)


class Rig:
    """A driver with its fakes. Time-outs are so small that every step commits and ticks."""

    def __init__(
        self,
        patch: pytest.MonkeyPatch,
        log: Sequence[FakeRecord] | dict[Partition, FakePartition],
        *,
        committed: dict[Partition, int] | None = None,
        hold: bool = False,
        **environment: str,
    ) -> None:
        self.log = log if isinstance(log, dict) else {FIRST: FakePartition(list(log))}
        self.consumer = self.consumer_of(dict(committed or {}))
        self.producer = FakeProducer(hold=hold)
        patch.setattr(librdkafka_calls, "group_consumer", lambda *_, **__: self.consumer)
        patch.setattr(librdkafka_calls, "producer", self.producer_for)
        self.settings = settings(**(EAGER | environment))
        self.metrics = EvaluatorMetrics(CollectorRegistry())
        self.metrics.initialise(RULES, [TOPIC])
        self.clock = FakeClock()
        self.progress = Progress(self.clock)
        self.driver = librdkafka.LibrdkafkaDriver(
            self.settings, evaluator(**(EAGER | environment)), self.metrics, self.progress
        )

    def consumer_of(self, committed: dict[Partition, int]) -> FakeConsumer:
        return FakeConsumer(self.log, committed)

    def producer_for(self, *_: object, **__: object) -> FakeProducer:
        return self.producer

    async def run(self, steps: int) -> None:
        """Run as the daemon does, and stop clean after so many steps."""
        stop = asyncio.Event()
        step, taken = self.driver._step, 0

        async def counted() -> None:
            nonlocal taken
            await step()
            taken += 1
            if taken >= steps:
                stop.set()

        self.driver._step = counted  # type: ignore[method-assign]
        await self.driver.run(stop)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    @property
    def violations(self) -> int:
        return len(self.producer.of(self.settings.topics.violations))

    @property
    def letters(self) -> list[tuple[int, str]]:
        found = [msgspec.json.decode(r.value) for r in self.producer.of(self.settings.topics.dead_letters)]
        return [(letter["offset"], letter["reason"]) for letter in found]

    @property
    def gaps(self) -> list[tuple[int, int, str]]:
        found = [
            msgspec.json.decode(r.value, type=CoverageGap) for r in self.producer.of(self.settings.topics.coverage_gaps)
        ]
        return [(gap.from_offset, gap.to_offset, gap.cause) for gap in found]


async def test_a_run_judges_commits_and_leaves(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001", "image", "LBL001"]))
    rig.driver.send_later(Output("dead_letters", None, b'{"offset":7,"reason":"of a fact"}', []))
    await rig.run(3)
    assert rig.consumer.commits[0] == {FIRST: 0}  # fixes the start of a new group
    assert rig.consumer.group == {FIRST: 3}
    assert rig.violations == 2
    assert rig.letters == [(7, "of a fact")]
    assert rig.consumer.closed
    assert rig.driver.assigned.is_set()
    assert rig.value("compliance_events_total", stream="generation", service="image-studio") == 3
    assert rig.value("compliance_detection_delay_seconds_count") == 1


async def test_a_refused_result_ends_the_run_and_nothing_is_committed(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"]), committed={FIRST: 0})
    rig.producer.refusal = "_MSG_TIMED_OUT"
    with pytest.raises(KafkaError, match="_MSG_TIMED_OUT"):
        await rig.run(9)
    assert rig.consumer.commits == []
    assert rig.consumer.closed


async def test_nothing_is_committed_before_it_is_acknowledged(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"]), committed={FIRST: 0}, hold=True)
    run = asyncio.ensure_future(rig.run(3))
    async with asyncio.timeout(10):
        while not rig.violations:
            await asyncio.sleep(0.001)
    assert rig.consumer.commits == []
    rig.producer.answers.set()
    await run
    assert rig.consumer.group == {FIRST: 1}


async def test_a_cancelled_run_waits_for_no_answer_and_commits_nothing_more(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"]), committed={FIRST: 0}, hold=True)
    run = asyncio.ensure_future(rig.run(9))
    async with asyncio.timeout(10):
        while not rig.violations:
            await asyncio.sleep(0.001)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert rig.consumer.commits == []
    assert rig.consumer.closed


async def test_late_and_delayed_commits_are_no_reason_to_stop(monkeypatch):
    rig = Rig(monkeypatch, records(["image"] * 5), committed={FIRST: 0})
    rig.consumer.commit_errors = ["ILLEGAL_GENERATION", "_TIMED_OUT"]
    await rig.run(6)
    assert rig.consumer.group == {FIRST: 5}


@pytest.mark.parametrize("refusal", ["GROUP_AUTHORIZATION_FAILED", "FENCED_INSTANCE_ID"])
async def test_a_commit_that_will_never_succeed_ends_the_run(monkeypatch, refusal):
    rig = Rig(monkeypatch, records(["image"] * 5), committed={FIRST: 0})
    rig.consumer.commit_errors = [refusal]
    with pytest.raises(KafkaError, match=refusal):
        await rig.run(6)


async def test_a_full_queue_is_waited_for(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"] * 3), committed={FIRST: 0})
    rig.producer.full = 2
    await rig.run(2)
    assert rig.violations == 3


async def test_an_output_that_no_broker_takes_ends_the_run(monkeypatch):
    rig = Rig(monkeypatch, [], committed={FIRST: 0})
    rig.driver.send_later(Output("dead_letters", None, b"x" * 2_000_000, []))
    with pytest.raises(KafkaError, match="MSG_SIZE_TOO_LARGE"):
        await rig.run(2)


async def test_a_batch_that_cannot_be_unpacked_is_buried_record_by_record_and_what_follows_is_judged(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"] * 6), committed={FIRST: 0})
    rig.consumer.defects = {FIRST: {2: "_BAD_MSG", 3: "_BAD_MSG"}}
    await rig.run(5)
    assert rig.letters == [(2, "unreadable"), (3, "unreadable")]
    assert rig.violations == 4
    assert rig.consumer.group == {FIRST: 6}


async def test_an_error_in_one_partition_leaves_the_others_alone(monkeypatch):
    log = {
        FIRST: FakePartition(records(["LBL001"] * 3, 5), beginning=5),
        SECOND: FakePartition(records(["LBL001"] * 3)),
    }
    rig = Rig(monkeypatch, log, committed={FIRST: 5, SECOND: 0})
    rig.consumer.pending = [
        nothing,
        lambda: log.__setitem__(FIRST, FakePartition(records(["LBL001"] * 2, 20), beginning=20)),
    ]
    await rig.run(5)
    assert rig.gaps == [(8, 20, "retention")]
    assert rig.violations == 8
    assert rig.value("compliance_coverage_gap_records_total", topic=TOPIC) == 12
    assert rig.consumer.group == {FIRST: 22, SECOND: 3}


async def test_a_topic_made_anew_is_committed_from_its_new_start(monkeypatch):
    rig = Rig(monkeypatch, records(["image"] * 9), committed={FIRST: 0})
    rig.consumer.pending = [nothing, lambda: rig.log.__setitem__(FIRST, FakePartition(records(["LBL001"] * 2)))]
    await rig.run(5)
    assert rig.gaps == [(9, 0, "log_shorter_than_committed")]
    assert rig.consumer.group == {FIRST: 2}


async def test_records_fetched_before_a_rebalance_are_read_again(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"] * 3), committed={FIRST: 0})
    rig.consumer.pending = [nothing, lambda: rig.consumer.rebalance([FIRST])]
    await rig.run(3)
    assert rig.violations == 3
    assert rig.consumer.group == {FIRST: 3}


async def test_partitions_that_were_lost_are_not_committed(monkeypatch):
    log = {FIRST: FakePartition(records(["LBL001"] * 2))}
    rig = Rig(monkeypatch, log, committed={FIRST: 0}, EVALUATOR__COMMIT_SECONDS="1000", EVALUATOR__TICK_SECONDS="1000")
    # The first step commits and ticks in any case; what comes later is judged and not committed when the group gives us up.
    later = records(["LBL001"] * 2, 2)
    rig.consumer.pending = [nothing, lambda: log[FIRST].records.extend(later)]
    step = rig.driver._step

    async def lose_after_the_second() -> None:
        await step()
        if rig.violations == 4:
            rig.consumer.coming = [lambda: rig.consumer.rebalance([], lost=True)]

    rig.driver._step = lose_after_the_second  # type: ignore[method-assign]
    await rig.run(5)
    assert rig.violations == 4
    assert rig.driver.evaluator.sources == {}
    assert rig.consumer.group[FIRST] <= 2


async def test_what_is_acknowledged_after_its_partition_was_lost_is_not_committed(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"] * 2), committed={FIRST: 0}, hold=True)
    step = rig.driver._step

    async def lose_what_is_under_way() -> None:
        await step()
        if rig.violations:
            rig.consumer.coming = [lambda: rig.consumer.rebalance([], lost=True), rig.producer.answers.set]

    rig.driver._step = lose_what_is_under_way  # type: ignore[method-assign]
    await rig.run(4)
    assert rig.violations == 2
    assert rig.consumer.commits == []


async def test_results_refused_during_a_revoke_end_the_run_without_a_commit(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"] * 3), committed={FIRST: 0}, hold=True)

    def refuse_and_revoke() -> None:
        rig.producer.refusal = "_MSG_TIMED_OUT"
        rig.producer.answers.set()
        rig.consumer.rebalance([])

    rig.consumer.pending = [nothing, refuse_and_revoke]
    with pytest.raises(KafkaError, match="_MSG_TIMED_OUT"):
        await rig.run(5)
    assert rig.consumer.commits == []


async def test_a_lookup_is_tried_again_and_a_refusal_ends_the_run(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"]), committed={FIRST: 0})
    rig.consumer.lookup_errors = ["_TIMED_OUT", "COORDINATOR_NOT_AVAILABLE"]
    await rig.run(2)
    assert rig.violations == 1

    rig = Rig(monkeypatch, records(["LBL001"]), committed={FIRST: 0})
    rig.consumer.lookup_errors = ["GROUP_AUTHORIZATION_FAILED"]
    with pytest.raises(KafkaError, match="GROUP_AUTHORIZATION_FAILED"):
        await rig.run(2)
    assert rig.violations == 0


async def test_errors_of_the_client_pass_unless_they_cannot(monkeypatch):
    rig = Rig(monkeypatch, records(["LBL001"]), committed={FIRST: 0})
    rig.consumer.told = [Message(error=error("_MAX_POLL_EXCEEDED")), Message(error=error("_TRANSPORT"))]
    await rig.run(2)
    assert rig.violations == 1

    for told in (error("TOPIC_AUTHORIZATION_FAILED"), error("_FATAL", fatal=True)):
        rig = Rig(monkeypatch, records(["LBL001"]), committed={FIRST: 0})
        rig.consumer.told = [Message(error=told)]
        with pytest.raises(KafkaError, match=told.name()):
            await rig.run(3)


async def test_a_transaction_marker_at_the_end_is_no_lag(monkeypatch):
    rig = Rig(monkeypatch, {FIRST: FakePartition(records(["image"]), markers=1)}, committed={FIRST: 0})
    lag: list[float | None] = []
    step = rig.driver._step

    async def watched() -> None:
        await step()
        lag.append(rig.value("compliance_consumer_lag_records", topic=TOPIC, partition="0"))

    rig.driver._step = watched  # type: ignore[method-assign]
    await rig.run(3)
    assert lag[-1] == 0
    rig.clock.advance(1000)
    assert rig.progress.stalled(2000) is None


def test_records_keep_their_order_within_each_partition_and_their_fields():
    messages = [
        Message(topic=topic, partition=partition, offset=offset, value=value, headers=headers, timestamp=(1, 5))
        for topic, partition, offset, value, headers in (
            ("a", 0, 1, b"1", None),
            ("a", 0, 3, None, [("h", b"x"), ("h", None)]),
            ("b", 0, 7, b"7", None),
            ("a", 0, 4, b"4", None),
        )
    ]
    found = read_records(messages)
    assert found.read == 4
    assert {place: [record.offset for record in some] for place, some in found.batch.items()} == {
        ("a", 0): [1, 3, 4],
        ("b", 0): [7],
    }
    second = found.batch["a", 0][1]
    assert (second.value, second.timestamp, second.headers) == (None, 5, [("h", b"x"), ("h", None)])
    assert found.batch["b", 0][0].headers == ()
    assert read_records([]).batch == {}
