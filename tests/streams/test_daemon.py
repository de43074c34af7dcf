"""Start and stop of the evaluator role, and reloads of the policy, with the brokers' clients replaced."""

import asyncio
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import structlog
from aiohttp import ClientSession
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from hegui.streams.daemon import policy_watch, run_evaluator, serve, unless, wait_for_topics, watch_policy
from hegui.streams.errors import SettingsError, TopicError
from hegui.streams.http import HttpServer
from hegui.streams.metrics import EvaluatorMetrics
from hegui.streams.policy_file import in_force, load_policies
from hegui.streams.topics import topics
from tests.streams.example import EXAMPLES, records, settings
from tests.streams.fakes import FakeAdmin, FakeClock, FakeConsumer, FakePartition, FakeProducer, FakeRecord, turns

SETTINGS = replace(
    settings(EVALUATOR__COMMIT_SECONDS="1e-9", EVALUATOR__TICK_SECONDS="1e-9", HTTP__PORT="0"),
    policy_file=str(EXAMPLES / "policy.yaml"),
)
EVENTS = TopicPartition("events", 0)


class Nobody:
    async def on_partitions_revoked(self, partitions):
        pass

    async def on_partitions_assigned(self, partitions):
        pass


class World:
    """Every client that the role makes."""

    def __init__(self, patch, log):
        self.admin = FakeAdmin({topic.name: topic.partitions for topic in topics(SETTINGS)})
        self.consumer = FakeConsumer({EVENTS: FakePartition(list(log))}, {})
        self.producer = FakeProducer()
        facts = {TopicPartition(topic, 0): FakePartition() for topic in SETTINGS.topics.facts().values()}
        facts[TopicPartition("compliance.optouts.v1", 0)] = FakePartition([FakeRecord(0, 0, b"bad", key=b"k")])
        self.reader = FakeConsumer(facts, {})
        self.reader.subscribe([], Nobody())
        patch.setattr("hegui.streams.daemon.admin", lambda _: self.admin)
        patch.setattr("hegui.streams.drivers.aiokafka.group_consumer", lambda _: self.consumer)
        patch.setattr("hegui.streams.drivers.aiokafka.producer", lambda _: self.producer)
        patch.setattr("hegui.streams.facts_feed.reader", lambda _: self.reader)


async def test_the_role_starts_judges_answers_and_stops_clean(monkeypatch):
    world, stop = World(monkeypatch, records(["LBL001", "image"])), asyncio.Event()
    with structlog.testing.capture_logs() as logs:
        run = asyncio.ensure_future(run_evaluator(SETTINGS, stop))
        await turns(lambda: world.consumer.group.get(EVENTS) == 2 or run.done())
        port = next(line["port"] for line in logs if line["event"] == "http_serving")
        async with ClientSession() as client:
            async with client.get(f"http://127.0.0.1:{port}/readyz") as answer:
                assert answer.status == 200
            async with client.get(f"http://127.0.0.1:{port}/metrics") as answer:
                body = await answer.text()
        stop.set()
        await run
    assert 'compliance_facts_ready{fact="optouts"} 1.0' in body
    assert "compliance_readiness 1.0" in body
    assert 'compliance_dead_letters_total{reason="invalid_data",topic="compliance.optouts.v1"} 1.0' in body
    assert len(world.producer.of(SETTINGS.topics.violations)) == 1
    assert len(world.producer.of(SETTINGS.topics.dead_letters)) == 1
    assert world.consumer.stopped
    assert world.reader.stopped
    assert world.producer.stopped


async def test_a_missing_topic_ends_the_start(monkeypatch):
    world = World(monkeypatch, [])
    del world.admin.existing["compliance.findings.v1"]
    with pytest.raises(TopicError, match=r"compliance\.findings\.v1 does not exist"):
        await run_evaluator(SETTINGS, asyncio.Event())
    assert not world.consumer.started


async def test_the_group_is_not_joined_before_the_facts_are_loaded(monkeypatch):
    world, stop = World(monkeypatch, []), asyncio.Event()
    optouts = TopicPartition("compliance.optouts.v1", 0)
    world.reader.log[optouts].next_offset = 9
    run = asyncio.ensure_future(run_evaluator(SETTINGS, stop))
    await turns(lambda: world.reader.started)
    for _ in range(200):
        await asyncio.sleep(0)
    assert not world.consumer.started
    world.reader.log[optouts].next_offset = None
    await turns(lambda: world.consumer.started)
    stop.set()
    await run


async def test_facts_that_do_not_load_in_time_do_not_keep_the_group_waiting_for_ever(monkeypatch):
    world, stop = World(monkeypatch, records(["OPT001"])), asyncio.Event()
    world.reader.log[TopicPartition("compliance.optouts.v1", 0)].next_offset = 9
    hasty = replace(SETTINGS, evaluator=replace(SETTINGS.evaluator, facts_timeout_seconds=1e-9))
    run = asyncio.ensure_future(run_evaluator(hasty, stop))
    await turns(lambda: world.consumer.group.get(EVENTS) == 1)
    assert world.producer.of(SETTINGS.topics.violations) == []
    stop.set()
    await run


async def test_a_facts_reader_that_fails_ends_the_role(monkeypatch):
    world = World(monkeypatch, [])
    run = asyncio.ensure_future(run_evaluator(SETTINGS, asyncio.Event()))
    await turns(lambda: world.consumer.started)
    world.reader.errors = [KafkaTimeoutError()]
    with pytest.raises(KafkaTimeoutError):
        await run
    assert world.consumer.stopped


async def test_a_stop_while_waiting_for_the_broker_ends_the_wait(monkeypatch):
    stop, asked = asyncio.Event(), asyncio.Event()

    class Away(FakeAdmin):
        async def start(self):
            asked.set()
            await asyncio.Event().wait()

    monkeypatch.setattr("hegui.streams.daemon.admin", lambda _: Away({}))
    waiting = asyncio.ensure_future(wait_for_topics(SETTINGS, stop))
    await asked.wait()
    stop.set()
    await waiting


async def test_what_the_work_raises_is_raised():
    async def work():
        raise TopicError("x")

    with pytest.raises(TopicError):
        await unless(asyncio.Event(), work())


async def test_a_taken_port_is_told_with_a_remedy():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(SettingsError, match=rf"http\.port {port} on 127\.0\.0\.1 cannot be bound .*set another port"):
        await serve(
            replace(SETTINGS, http=replace(SETTINGS.http, port=port)),
            "port",
            HttpServer(CollectorRegistry(), {}, {}),
            lambda: asyncio.sleep(0),
        )
    server.close()


async def test_a_good_policy_is_swapped_in_and_a_bad_one_leaves_the_old_in_force(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("version: one", "utf-8")
    metrics, swapped = EvaluatorMetrics(CollectorRegistry()), []
    value = metrics.registry.get_sample_value
    found = replace(SETTINGS, policy_file=str(file), policy_check_seconds=1e-9)

    def swap(versions):
        swapped.append(in_force(versions)[0].version)
        return "hash"

    watching = asyncio.ensure_future(watch_policy(found, policy_watch(found), load_policies(file), metrics, swap))
    await asyncio.sleep(0)
    file.write_text("version: second", "utf-8")
    await turns(lambda: swapped == ["second"])
    assert value("compliance_policy_info", {"version": "second", "rule_set": "hash"}) == 1
    file.write_text("version: [", "utf-8")
    await turns(lambda: value("compliance_policy_last_reload_successful") == 0)
    assert swapped == ["second"]
    assert value("compliance_policy_info", {"version": "second", "rule_set": "hash"}) == 1
    file.write_text("version: third-one", "utf-8")
    await turns(lambda: swapped == ["second", "third-one"])
    assert value("compliance_policy_last_reload_successful") == 1
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_version_whose_time_comes_is_taken_into_use_without_a_change_of_the_file(tmp_path, monkeypatch):
    file = tmp_path / "policy.yaml"
    file.write_text("version: one", "utf-8")
    soon = datetime.fromtimestamp(time.time() + 3600, UTC).isoformat()
    (tmp_path / "next.yaml").write_text(f"version: two\neffective_from: {soon}", "utf-8")
    metrics, found = EvaluatorMetrics(CollectorRegistry()), replace(SETTINGS, policy_file=str(tmp_path))
    found = replace(found, policy_check_seconds=1e-9)
    versions = load_policies(tmp_path)
    told = []
    watching = asyncio.ensure_future(
        watch_policy(
            found, policy_watch(found), versions, metrics, lambda v: told.append(in_force(v)[0].version) or "h"
        )
    )
    for _ in range(20):
        await asyncio.sleep(0)
    assert told == []
    later = time.time() + 7200
    monkeypatch.setattr("hegui.streams.policy_file.time", SimpleNamespace(time=lambda: later))
    await turns(lambda: told == ["two"])
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_broker_that_came_late_does_not_make_the_watchdog_bite(monkeypatch):
    from hegui.streams.watchdog import Progress

    clock, stop, found = FakeClock(), asyncio.Event(), []

    class Late(FakeAdmin):
        async def start(self):
            clock.advance(600)

    world = World(monkeypatch, [])
    world.admin = Late(world.admin.existing)
    monkeypatch.setattr("hegui.streams.daemon.Progress", lambda: Progress(clock))

    def watch(progress, limit_seconds):
        found.append(progress.stalled(limit_seconds))
        return asyncio.Event()

    monkeypatch.setattr("hegui.streams.daemon.watch", watch)
    run = asyncio.ensure_future(run_evaluator(SETTINGS, stop))
    await turns(lambda: world.consumer.started or run.done())
    stop.set()
    await run
    assert found == [None]


async def test_a_policy_changed_while_the_broker_was_away_is_not_overlooked(monkeypatch, tmp_path):
    file, stop = tmp_path / "policy.yaml", asyncio.Event()
    text = (EXAMPLES / "policy.yaml").read_text("utf-8")
    file.write_text(text, "utf-8")
    world = World(monkeypatch, records(["LBL001"]))

    class Late(FakeAdmin):
        async def start(self):
            file.write_text(text.replace("example-1", "example-22"), "utf-8")

    world.admin = Late(world.admin.existing)
    found = replace(SETTINGS, policy_file=str(file), policy_check_seconds=1e-9)
    run = asyncio.ensure_future(run_evaluator(found, stop))
    with structlog.testing.capture_logs() as logs:
        await turns(lambda: world.consumer.started)
        for _ in range(300):
            await asyncio.sleep(0)
        stop.set()
        await run
    assert "example-22" in [line.get("version") for line in logs if line["event"] == "policy_loaded"]
