"""Runs the sweeper role: one HTTP port, a watchdog, the policy watched."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from prometheus_client import CollectorRegistry

from hegui.rules.engine import rule_set_hash
from hegui.streams.daemon import policy_watch, serve, wait_for_topics, watch_policy
from hegui.streams.http import Check, HttpServer, failing
from hegui.streams.metrics import SweeperMetrics
from hegui.streams.policy_file import Version, in_force, load_policies
from hegui.streams.settings import Settings
from hegui.streams.sweep.sweeper import Sweeper
from hegui.streams.watchdog import Progress, watch

log = structlog.get_logger()


async def run_sweeper(settings: Settings, stop: asyncio.Event) -> None:
    """Run the sweeper role until `stop` is set. Without a topic of opt-outs it has nothing to do.

    Raises:
        SettingsError: the policy is bad. TopicError: the topics do not fit. KafkaError: what was found was refused.
    """
    seen = policy_watch(settings)
    versions: Sequence[Version] = load_policies(seen.file)
    metrics = SweeperMetrics(CollectorRegistry())
    progress = Progress()
    started: list[Sweeper] = []
    limit = settings.watchdog.stalled_seconds

    def swap(changed: Sequence[Version]) -> str:
        nonlocal versions
        versions = changed
        return rule_set_hash(in_force(versions)[1])

    metrics.describe(*in_force(versions), swap(versions))
    checks: dict[str, Check] = {
        "loop": lambda: None if progress.alive_seconds() < limit else "the loop stands still",
        "sweeper": lambda: None if started and started[0].started.is_set() else "not started",
    }

    async def work() -> None:
        await wait_for_topics(settings, stop)
        if stop.is_set():
            return
        if not settings.topics.optouts:
            log.info("no_optouts_to_sweep")
            await stop.wait()
            return
        sweeper = Sweeper(settings, lambda: in_force(versions), metrics, progress.alive)
        started.append(sweeper)
        progress.alive()
        done = watch(progress, limit)
        watching = asyncio.ensure_future(watch_policy(settings, seen, versions, metrics, swap))
        try:
            await sweeper.follow(stop)
        finally:
            done.set()
            watching.cancel()

    def before_scrape() -> None:
        metrics.readiness.set(0 if failing(checks) else 1)

    await serve(
        settings, "sweep_port", HttpServer(metrics.registry, {"loop": checks["loop"]}, checks, before_scrape), work
    )
