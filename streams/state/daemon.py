"""Runs the state role: embeds the Faust application in our own loop, with one HTTP port and a watchdog."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry

from hegui.rules.catalog import find_rules
from hegui.rules.engine import rule_set_hash
from hegui.streams.broker import producer, reader, start_with_retry
from hegui.streams.daemon import policy_watch, serve, wait_for_topics, watch_policy
from hegui.streams.dead_letters import DeadLetter
from hegui.streams.http import Check, HttpServer, failing
from hegui.streams.metrics import StateMetrics
from hegui.streams.policy_file import Version, in_force, load_policies
from hegui.streams.settings import Settings
from hegui.streams.state.app import Refused, build_app, quit_process
from hegui.streams.state.issues import IssueKeeper
from hegui.streams.state.observation_gaps import ObservationGaps
from hegui.streams.watchdog import Progress, watch

log = structlog.get_logger()

_LOOK_SECONDS = 0.5
"""How often progress is looked at."""


async def run_state(settings: Settings, stop: asyncio.Event) -> None:
    """Run the state role until `stop` is set.

    Raises:
        SettingsError: the policy is bad. TopicError: the topics do not fit.
    """
    seen = policy_watch(settings)
    versions = load_policies(seen.file)
    metrics = StateMetrics(CollectorRegistry())
    keeper = IssueKeeper(
        settings.topics.state_partitions,
        settings.issues.timing(),
        metrics,
        version=version("hegui"),
        pages=settings.issues.pages_url,
    )

    def swap(versions: Sequence[Version]) -> str:
        policy, rules = in_force(versions)
        rule_set = rule_set_hash(rules)
        keeper.use(policy, rules, find_rules(), rule_set)
        return rule_set

    metrics.describe(*in_force(versions), swap(versions))
    progress = Progress()
    started: dict[str, Any] = {}
    limit = settings.watchdog.stalled_seconds

    def ready() -> str | None:
        app = started.get("app")
        if app is None:
            return "not started"
        if not app.tables.recovery.completed.is_set() or app.rebalancing:
            return "recovering the table"
        return None

    checks: dict[str, Check] = {
        "loop": lambda: None if progress.alive_seconds() < limit else "the loop stands still",
        "state": ready,
    }

    async def work() -> None:
        counts = await wait_for_topics(settings, stop)
        if stop.is_set():
            return
        keeper.inputs = {topic.name: counts[topic.name] for topic in settings.topics.inputs}
        letters = producer(settings.kafka)
        await start_with_retry(letters, "dead_letters")

        async def bury(partition: int, offset: int, value: bytes | None, why: Refused) -> None:
            topic = settings.topics.observations
            metrics.dead_letters.labels(topic, why.reason).inc()
            digest = None if value is None else hashlib.sha256(value).hexdigest()
            letter = DeadLetter(topic, partition, offset, 0, why.reason, why.detail, len(value or b""), digest)
            await letters.send_and_wait(settings.topics.dead_letters, msgspec.json.encode(letter))

        folder = TemporaryDirectory(prefix="hegui-state-", ignore_cleanup_errors=True)
        gaps = ObservationGaps(settings, metrics, lambda: reader(settings.kafka), letters)
        app = build_app(settings, keeper, folder.name, bury, gaps)
        progress.alive()
        done = watch(progress, limit)
        watching = asyncio.ensure_future(watch_policy(settings, seen, versions, metrics, swap))
        try:
            await _start(app, progress)
            started["app"] = app
            await _until_stopped(app, keeper, settings, metrics, progress, stop)
        finally:
            done.set()
            watching.cancel()
            started.clear()
            await app.stop()
            folder.cleanup()
            await letters.stop()

    def before_scrape() -> None:
        metrics.readiness.set(0 if failing(checks) else 1)

    server = HttpServer(metrics.registry, {"loop": checks["loop"]}, checks, before_scrape)
    await serve(settings, "state_port", server, work)


async def _start(app: Any, progress: Progress) -> None:
    """Start the application, which returns when the table is read back. That may take minutes: what is read counts as a sign of life."""
    starting = asyncio.ensure_future(app.start())
    read = 0
    while not starting.done():
        if (now := _read_back(app)) != read:
            read = now
            progress.alive()
        await asyncio.wait({starting}, timeout=_LOOK_SECONDS)
    await starting


def _read_back(app: Any) -> int:
    """Return how far the changelog was read: it moves only while Faust recovers a table."""
    return sum(offset or 0 for offset in app.tables.recovery.active_offsets.values())


async def _until_stopped(
    app: Any, keeper: IssueKeeper, settings: Settings, metrics: StateMetrics, progress: Progress, stop: asyncio.Event
) -> None:
    """Report progress and lag until `stop` is set; leave the process when Faust crashed."""
    topic = settings.topics.observations
    committed: dict[Any, int] = {}
    read = _read_back(app)
    while not stop.is_set():
        if app.crashed:
            quit_process("state_crashed", type(app.crash_reason).__name__)
        ends = app.monitor.tp_end_offsets
        # A partition that this process has not committed yet is known only to the consumer (private in Faust 0.15).
        known = {**app.consumer._committed_offset, **app.monitor.tp_committed_offsets}  # noqa: SLF001
        now = {tp: offset or 0 for tp, offset in known.items() if tp.topic == topic}
        if any(offset > committed.get(tp, -1) for tp, offset in now.items()):
            progress.committed()
            metrics.last_commit.set_to_current_time()
        committed = dict(now)
        if (
            now_read := _read_back(app)
        ) != read:  # a partition taken over is read back: nothing can be committed meanwhile
            read = now_read
            progress.committed()
        uncommitted = 0
        metrics.lag.clear()
        for tp in app.consumer.assignment():
            if tp.topic == topic and tp in ends and (counted := keeper.progress.get(tp.partition)) is not None:
                metrics.lag.labels(topic, str(tp.partition)).set(max(0, ends[tp] - counted.last_offset - 1))
                uncommitted += max(0, ends[tp] - now.get(tp, 0))
        progress.lag(uncommitted)
        progress.alive()
        try:
            await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
        except TimeoutError:
            continue
