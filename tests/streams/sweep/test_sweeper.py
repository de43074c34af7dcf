"""The sweeper against a broker in memory: every crash, any size of batches, ranges, and what it tells of itself."""

import asyncio

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from hegui.rules.facts import OptOut
from hegui.rules.ledgers.removals import removal_id
from hegui.rules.violations import Violation, result_uid
from hegui.streams.errors import SettingsError, StateVersionError
from hegui.streams.metrics import SweeperMetrics
from hegui.streams.simulation import crawled, encode, envelope
from hegui.streams.sweep.progress import SweepProgress
from hegui.streams.sweep.sweeper import Sweeper
from tests.streams.example import BOOK, POLICY, TOPIC, settings
from tests.streams.sweep.world import SWEPT_MS, DiedError, World

HOUR_MS = 3_600_000


def refusal(number: int, **more) -> OptOut:
    return OptOut("domain", f"site{number}.example", "deny", SWEPT_MS, source="list", **more)


def fill(
    world: World, records: int = 24, sites: int = 6, at_ms: int = SWEPT_MS, taken_ms: int = SWEPT_MS - HOUR_MS
) -> dict[int, str]:
    """Records of some sites in turn, older than the opt-outs; return site to the uids of its hits, by number of the record."""
    uids = {}
    for n in range(records):
        data = msgspec.structs.replace(crawled(n, at_ms), url=f"https://site{n % sites}.example/{n}")
        made = envelope(data, n, taken_ms, "world")
        world.append(TOPIC, None, encode(made), partition=n % 2, at_ms=at_ms)
        uids[n] = result_uid("OPT010", made.tenant, made.source, made.id)
    return uids


async def test_a_batch_is_swept_once_and_what_comes_later_in_its_turn(monkeypatch):
    world = World(monkeypatch)
    uids = fill(world)
    world.refuse(refusal(0), refusal(1))
    await world.follow()
    assert world.violations().keys() == {uid for n, uid in uids.items() if n % 6 in {0, 1}}
    assert world.value("compliance_sweep_records_total", topic=TOPIC) == 24
    assert world.value("compliance_sweep_duration_seconds_count") == 1
    assert world.value("compliance_sweep_progress_ratio") == 1
    assert world.value("compliance_sweep_remaining_records", topic=TOPIC, partition="0") is None
    world.refuse(refusal(2))
    await world.follow()
    assert world.violations().keys() == {uid for n, uid in uids.items() if n % 6 in {0, 1, 2}}
    assert world.value("compliance_sweep_records_total", topic=TOPIC) == 48
    await world.follow()  # nothing new
    assert world.value("compliance_sweep_records_total", topic=TOPIC) == 48
    assert world.value("compliance_sweep_pending_optouts") == 0


async def test_without_a_new_no_the_inputs_are_not_read(monkeypatch):
    world = World(monkeypatch)
    fill(world)
    world.refuse(OptOut("domain", "site0.example", "allow", 1), refusal(1, category="search"))
    world.append(world.optouts, b"x", b"no opt-out")
    world.append(world.optouts, None, b"{}")
    await world.follow()
    assert world.violations() == {}
    assert world.value("compliance_sweep_records_total", topic=TOPIC) == 0
    assert world.progress() == SweepProgress({"0": 4})


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lives=st.lists(st.integers(0, 30), max_size=6),
    refused=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    later=st.lists(st.integers(0, 5), max_size=3),
    most=st.integers(1, 10),
)
def test_whenever_it_dies_all_hits_are_told_and_nothing_else_always_in_the_same_words(lives, refused, later, most):
    async def play() -> None:
        with pytest.MonkeyPatch.context() as patch:
            world = World(patch, max_optouts=most)
            uids = fill(world)
            world.refuse(*(refusal(n) for n in refused))
            for left in lives:
                world.lives = left
                try:
                    await world.follow()
                except DiedError:
                    continue
            world.lives = 10**9
            world.refuse(*(refusal(n) for n in later))
            await world.follow()
            wanted = {*refused, *later}
            assert world.violations().keys() == {uid for n, uid in uids.items() if n % 6 in wanted}
            once = {uid: len(records) for uid, records in world.violations().items() if len(records) > 1}
            # Statements that are said again are swept again; else the record of a hit is one.
            assert not once or len(refused) + len(later) > len(wanted)
            assert world.cases() >= 1

    asyncio.run(play())


async def test_a_sweep_that_died_goes_on_where_it_was(monkeypatch):
    world = World(monkeypatch)
    monkeypatch.setattr("hegui.streams.sweep.sweeper.MAX_RECORDS", 4)
    monkeypatch.setattr("hegui.streams.sweep.sweeper.STORE_SECONDS", 0.0)
    uids = fill(world)
    world.refuse(*(refusal(n) for n in range(6)))
    world.lives = 12
    with pytest.raises(DiedError):
        await world.follow()
    running = world.progress().running
    assert running is not None
    done = sum(running.positions.values())
    assert 0 < done < 24
    world.lives = 10**9
    before = world.value("compliance_sweep_records_total", topic=TOPIC)
    assert 0 < world.value("compliance_sweep_progress_ratio") < 1
    await world.follow()
    assert world.violations().keys() == set(uids.values())
    assert world.value("compliance_sweep_records_total", topic=TOPIC) == before + 24 - done


async def test_a_new_process_that_goes_on_with_a_sweep_says_what_waits(monkeypatch):
    world = World(monkeypatch)
    fill(world)
    world.refuse(*(refusal(n) for n in range(6)))
    world.lives = 12
    with pytest.raises(DiedError):
        await world.follow()
    world.lives, world.metrics = 10**9, SweeperMetrics(CollectorRegistry())
    sweep = world.sweeper()
    send, told = sweep._send, []

    async def look(outputs):
        told.append(world.value("compliance_sweep_pending_optouts"))
        await send(outputs)

    monkeypatch.setattr(sweep, "_send", look)
    await asyncio.wait_for(sweep.follow(world.stop), 30)
    assert set(told) == {6}
    assert world.value("compliance_sweep_pending_optouts") == 0


@pytest.mark.parametrize("at", range(0, 12, 3))
async def test_a_broker_that_is_away_for_a_while_ends_nothing(monkeypatch, at):
    world = World(monkeypatch)
    monkeypatch.setattr("hegui.streams.sweep.sweeper.AGAIN_SECONDS", 0.0)
    uids = fill(world)
    world.refuse(*(refusal(n) for n in range(6)))
    world.lives, world.error = at, KafkaTimeoutError()
    await world.follow()
    assert world.violations().keys() == set(uids.values())


async def test_a_broker_that_refuses_ends_the_sweeper(monkeypatch):
    world = World(monkeypatch)
    fill(world)
    world.refuse(refusal(0))
    world.lives, world.error = 0, TopicAuthorizationFailedError()
    with pytest.raises(TopicAuthorizationFailedError):
        await world.follow()


async def test_a_stop_in_the_middle_stores_where_it_stands(monkeypatch):
    world = World(monkeypatch)
    monkeypatch.setattr("hegui.streams.sweep.sweeper.MAX_RECORDS", 4)
    uids = fill(world)
    world.refuse(*(refusal(n) for n in range(6)))
    sweep = world.sweeper()
    send = sweep._send

    async def stop_after(outputs):
        await send(outputs)
        world.stop.set()

    monkeypatch.setattr(sweep, "_send", stop_after)
    await sweep.follow(world.stop)
    running = world.progress().running
    assert running is not None
    assert sum(running.positions.values()) == 4
    await world.follow()
    assert world.violations().keys() == set(uids.values())


async def test_what_comes_after_the_sweep_began_is_left_to_the_evaluators(monkeypatch):
    world = World(monkeypatch)
    uids = fill(world)
    world.refuse(refusal(0))
    sweep = world.sweeper()
    planned = sweep._planned

    async def then_more(*arguments):
        running = await planned(*arguments)
        fill(world)
        return running

    monkeypatch.setattr(sweep, "_planned", then_more)
    await asyncio.wait_for(sweep.follow(world.stop), 30)
    assert world.value("compliance_sweep_records_total", topic=TOPIC) == 24
    assert world.violations().keys() == {uid for n, uid in uids.items() if n % 6 == 0}


async def test_what_retention_took_is_passed_over_and_topics_made_anew_are_read(monkeypatch):
    world = World(monkeypatch)
    uids = fill(world)
    world.begin[TopicPartition(TOPIC, 0)] = 6
    world.refuse(*(refusal(n) for n in range(6)))
    progress = SweepProgress({"0": 1000})  # of an older, longer topic
    key = world.settings.kafka.group_id.encode()
    world.append(world.settings.topics.sweeps, key, msgspec.json.encode(progress))
    world.append(world.settings.topics.sweeps, b"another", msgspec.json.encode(SweepProgress({"0": 3})))
    await world.follow()
    assert world.violations().keys() == {uid for n, uid in uids.items() if n % 2 or n >= 12}


async def test_by_hand_everything_is_swept_in_parts_and_the_stored_progress_left_alone(monkeypatch):
    world = World(monkeypatch, max_optouts=2)
    uids = fill(world)
    assert await world.once() == []
    world.refuse(*(refusal(n) for n in range(5)))
    done = await world.once()
    assert [(one.optouts, one.records, one.hits) for one in done] == [(2, 24, 8), (2, 24, 8), (1, 24, 4)]
    assert world.violations().keys() == {uid for n, uid in uids.items() if n % 6 < 5}
    assert world.progress() == SweepProgress()


async def test_by_hand_records_and_opt_outs_since_a_time(monkeypatch):
    world = World(monkeypatch)
    fill(world, at_ms=SWEPT_MS - HOUR_MS)
    world.refuse(refusal(0), at_ms=SWEPT_MS - HOUR_MS)
    world.refuse(refusal(1))
    assert [one[:3] for one in await world.once(None, SWEPT_MS)] == [(1, 24, 4)]
    assert [one[:3] for one in await world.once(SWEPT_MS - HOUR_MS, None)] == [(2, 24, 8)]
    assert [one[:3] for one in await world.once(SWEPT_MS, None)] == [(2, 0, 0)]
    assert await world.once(None, SWEPT_MS + 1) == []


async def test_a_newer_progress_is_not_touched(monkeypatch):
    world = World(monkeypatch)
    newer = msgspec.json.encode(SweepProgress(version=99))
    world.append(world.settings.topics.sweeps, world.settings.kafka.group_id.encode(), newer)
    with pytest.raises(StateVersionError, match="run a newer hegui"):
        await world.follow()


def test_a_sweeper_needs_a_topic_of_opt_outs(monkeypatch):
    world = World(monkeypatch)
    none = msgspec.structs.replace(settings(), topics=msgspec.structs.replace(settings().topics, optouts=""))
    with pytest.raises(SettingsError, match=r"topics\.optouts is empty"):
        Sweeper(none, lambda: (POLICY, BOOK), world.metrics)


async def test_the_rate_is_kept(monkeypatch):
    world = World(monkeypatch)
    fill(world)
    world.refuse(refusal(0))
    slow = msgspec.structs.replace(world.settings.sweep, records_per_second=4)
    world.settings = msgspec.structs.replace(world.settings, sweep=slow)
    waits = []

    async def note(stop, seconds):
        waits.append((seconds, world.value("compliance_sweep_records_total", topic=TOPIC)))

    monkeypatch.setattr("hegui.streams.sweep.sweeper._pause", note)
    await world.follow()
    assert [read for _, read in waits] == [4, 8, 12, 16, 20, 24]
    assert all(read / 4 - 1 < seconds <= read / 4 for seconds, read in waits)


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
async def test_what_the_evaluators_do_not_judge_is_not_reported(monkeypatch, delivery):
    world = World(monkeypatch)
    evaluator = msgspec.structs.replace(world.settings.evaluator, delivery=delivery)
    world.settings = msgspec.structs.replace(world.settings, evaluator=evaluator)
    uids = fill(world)
    world.aborted = world.log[TopicPartition(TOPIC, 0)][:6]  # those of the numbers 0, 2, 4 ... 10
    world.refuse(*(refusal(n) for n in range(6)))
    await world.follow()
    judged = {uid for n, uid in uids.items() if n % 2 or n >= 12 or delivery == "at_least_once"}
    assert world.violations().keys() == judged


async def test_a_sweep_waits_for_transactions_that_were_open_when_it_began(monkeypatch):
    world = World(monkeypatch)
    evaluator = msgspec.structs.replace(world.settings.evaluator, delivery="exactly_once")
    world.settings = msgspec.structs.replace(world.settings, evaluator=evaluator)
    uids = fill(world)
    world.open = {TopicPartition(TOPIC, 1): 3}
    world.refuse(*(refusal(n) for n in range(6)))
    idle = world.idle

    def committed() -> None:
        if len(world.violations()) == 15:
            world.open = {}
        idle()

    monkeypatch.setattr(world, "idle", committed)
    await world.follow()
    assert world.violations().keys() == set(uids.values())


@pytest.mark.parametrize("exception_first", [True, False])
async def test_a_no_and_its_exception_may_fall_into_two_batches(monkeypatch, exception_first):
    world = World(monkeypatch, max_optouts=1)
    uids = fill(world)
    no = OptOut("url_prefix", "site0.example/", "deny", SWEPT_MS, source="robots")
    part = OptOut("url_prefix", "site0.example/6", "unknown", SWEPT_MS, source="robots")
    world.refuse(*([part, no] if exception_first else [no, part]))
    await world.follow()
    assert world.violations().keys() == {uids[n] for n in (0, 12, 18)}


async def test_a_no_that_is_said_again_tells_the_same_removal(monkeypatch):
    world = World(monkeypatch)
    fill(world)
    world.refuse(refusal(0), at_ms=SWEPT_MS)
    await world.follow()

    def removals() -> set[str]:
        records = [one for many in world.violations().values() for one in many]
        return {
            result.evidence["removal"] for one in records for result in msgspec.json.decode(one, type=Violation).results
        }

    before, hits = removals(), set(world.violations())
    # Since then somebody took in more of the site, which the evaluators judged.
    fill(world, records=1, at_ms=SWEPT_MS + HOUR_MS)
    world.refuse(
        msgspec.structs.replace(refusal(0), observed_at_ms=SWEPT_MS + 2 * HOUR_MS), at_ms=SWEPT_MS + 2 * HOUR_MS
    )
    await world.follow()
    assert len(before) == 1
    assert (removals(), set(world.violations())) == (before, hits)


async def test_a_stop_while_the_older_opt_outs_are_read_begins_no_sweep(monkeypatch):
    world = World(monkeypatch)
    uids = fill(world)
    world.refuse(refusal(0))
    sweep = world.sweeper()
    read = sweep._optouts._add_others

    async def stopped(*arguments):
        world.stop.set()
        return await read(*arguments)

    monkeypatch.setattr(sweep._optouts, "_add_others", stopped)
    await sweep.follow(world.stop)
    assert world.progress() == SweepProgress()
    await world.follow()
    assert world.violations().keys() == {uid for n, uid in uids.items() if n % 6 == 0}


def removals(world: World) -> dict[int, set[str]]:
    """Offset of the hits to the removals that were told of them."""
    found: dict[int, set[str]] = {}
    for many in world.violations().values():
        for one in many:
            told = msgspec.json.decode(one, type=Violation)
            found.setdefault(told.partition + 2 * told.offset, set()).add(str(told.results[0].evidence["removal"]))
    return found


DAY_MS = 24 * HOUR_MS


async def test_what_an_exception_let_in_is_found_when_it_is_gone_and_has_a_removal_of_its_own(monkeypatch):
    world = World(monkeypatch)
    no = OptOut("url_prefix", "site0.example/", "deny", SWEPT_MS - 30 * DAY_MS, source="robots")
    part = OptOut("url_prefix", "site0.example/6", "unknown", SWEPT_MS - 30 * DAY_MS, source="robots")
    fill(world, at_ms=SWEPT_MS - 20 * DAY_MS, taken_ms=SWEPT_MS - 20 * DAY_MS)
    world.refuse(no, part, at_ms=SWEPT_MS - 30 * DAY_MS)
    await world.follow()
    assert removals(world) == {}  # what was not excepted, the evaluators refused
    again = msgspec.structs.replace(no, observed_at_ms=SWEPT_MS)
    world.refuse(again)
    await world.follow()
    assert removals(world) == {6: {removal_id(again)}}


@pytest.mark.parametrize("by_hand", [False, True])
async def test_an_exception_that_is_removed_starts_a_sweep_and_one_that_ends_is_found_by_hand(monkeypatch, by_hand):
    world = World(monkeypatch)
    ends_ms = SWEPT_MS if by_hand else None
    no = OptOut("url_prefix", "site0.example/", "deny", SWEPT_MS - 30 * DAY_MS, source="robots")
    part = OptOut("url_prefix", "site0.example/6", "unknown", SWEPT_MS - 30 * DAY_MS, ends_ms, source="robots")
    fill(world, at_ms=SWEPT_MS - 20 * DAY_MS, taken_ms=SWEPT_MS - 20 * DAY_MS)
    world.refuse(no, part, at_ms=SWEPT_MS - 30 * DAY_MS)
    await world.follow()
    assert removals(world) == {}
    if by_hand:
        monkeypatch.setattr("hegui.streams.sweep.sweeper.time.time_ns", lambda: (SWEPT_MS + 1) * 1_000_000)
        assert [one.hits for one in await world.once()] == [1]
    else:
        world.append(world.optouts, b"1", None)
        await world.follow()
    assert removals(world) == {6: {removal_id(msgspec.structs.replace(no, observed_at_ms=SWEPT_MS))}}


async def test_a_removal_of_what_stood_against_nothing_reads_no_inputs(monkeypatch):
    world = World(monkeypatch)
    fill(world)
    world.refuse(OptOut("domain", "site0.example", "allow", 1), refusal(1, valid_to_ms=SWEPT_MS + 1))
    await world.follow()
    before = world.value("compliance_sweep_records_total", topic=TOPIC)
    for key in (b"0", b"1", b"unknown"):
        world.append(world.optouts, key, None)
        await world.follow()
    assert world.value("compliance_sweep_records_total", topic=TOPIC) == before
