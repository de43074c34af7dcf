"""Starts and stops a role: order of start, signals, drain, order of stop. One role is one process with one HTTP port."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import prometheus_client
import structlog
from prometheus_client import CollectorRegistry

from hegui.rules.engine import Engine, rule_set_hash
from hegui.rules.facts import FactStatus
from hegui.rules.versions import Versions
from hegui.streams.broker import admin, start_with_retry
from hegui.streams.dead_letters import dead_letter, sealer
from hegui.streams.drivers.choice import Driver, driver_class
from hegui.streams.errors import DecodeError, SettingsError
from hegui.streams.evaluator import Evaluator, Output
from hegui.streams.facts_feed import FactsFeed, declared_tables, snapshot_of
from hegui.streams.http import Check, HttpServer, failing
from hegui.streams.memory import keep_memory
from hegui.streams.metrics import EvaluatorMetrics, ProcessMetrics
from hegui.streams.policy_file import PolicyWatch, Version, in_force, load_policies
from hegui.streams.settings import Settings
from hegui.streams.topics import check_topics
from hegui.streams.watchdog import Progress, watch

log = structlog.get_logger()


def run_in_loop(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run a role in uvloop until SIGTERM or SIGINT; a second signal ends it at once."""
    try:
        import uvloop

        factory: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
    except ImportError:  # Windows
        factory = None
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_until_signal(main))


async def _until_signal(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(main(stop))

    def on_signal(name: str) -> None:
        if stop.is_set():
            task.cancel()
        log.info("stop_requested", signal=name)
        stop.set()

    for sign in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            loop.add_signal_handler(sign, on_signal, sign.name)
    with suppress(asyncio.CancelledError):
        await task


async def wait_for_topics(settings: Settings, stop: asyncio.Event) -> dict[str, int]:
    """Wait for the broker and check the topics; return topic to partitions. Returns early, with nothing, when `stop` is set.

    Raises:
        SettingsError: the broker refuses the settings. TopicError: a topic is missing or has the wrong partition count.
    """

    async def look() -> None:
        client = admin(settings.kafka)
        await start_with_retry(client, "admin", settings.kafka)
        try:
            counts.update(await check_topics(client, settings))
        finally:
            await client.close()

    counts: dict[str, int] = {}
    await unless(stop, look())
    return counts


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Await `work`, but give it up when `stop` is set first."""
    task = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    else:
        task.result()


def policy_watch(settings: Settings) -> PolicyWatch:
    """Return the watch over the policy file of the settings."""
    return PolicyWatch(Path(settings.policy_file) if settings.policy_file else None)


async def _pulse(progress: Progress, until: asyncio.Event) -> None:
    """Report a live loop while the process waits for facts, broker and group; afterwards the driver reports itself."""
    while not until.is_set():
        progress.alive()
        with suppress(TimeoutError):
            await asyncio.wait_for(until.wait(), 1.0)


Swap = Callable[[Sequence[Version]], str]
"""Takes all versions of the policy into use; returns the hash of the rules now in force."""


async def watch_policy(
    settings: Settings, seen: PolicyWatch, versions: Sequence[Version], metrics: ProcessMetrics, swap: Swap
) -> None:
    """Look at the policy now and then; swap in a good one, keep the old one when it is bad. Runs until cancelled.

    A version whose effective time comes is told of by metrics and log like a new one.

    Args:
        settings: how often to look.
        seen: made before `versions` were loaded, so that no change in between is overlooked.
        versions: in use at present.
        metrics: told of the version in force.
        swap: called with all versions of a policy that changed.
    """
    policy, _ = in_force(versions)
    while True:
        await asyncio.sleep(settings.policy_check_seconds)
        changed = seen.changed()
        if changed:
            try:
                versions = load_policies(seen.file)
            except SettingsError as error:
                metrics.policy_reload.set(0)
                log.error("policy_rejected", error=str(error))  # noqa: TRY400 - the sentence is all an operator needs
                continue
        elif in_force(versions)[0] is policy:
            continue
        policy, rules = in_force(versions)
        rule_set = swap(versions)
        metrics.describe(policy, rules, rule_set)
        metrics.policy_reload.set(1)
        log.info("policy_loaded", version=policy.version, rule_set=rule_set, rules=len(rules), versions=len(versions))


async def run_evaluator(settings: Settings, stop: asyncio.Event) -> None:
    """Run the evaluator role until `stop` is set.

    Raises:
        SettingsError: the policy is bad, or the client is not installed. TopicError: the topics do not fit. KafkaError: results were refused.
    """
    make_driver = driver_class(settings)
    seen = policy_watch(settings)
    versions = load_policies(seen.file)
    tables = declared_tables(settings)
    metrics = EvaluatorMetrics(CollectorRegistry())

    def engines(versions: Sequence[Version]) -> Versions:
        watched = settings.evaluator.identity_window_events > 0
        return Versions(
            [Engine(rules, snapshot_of(policy, tables), identities_watched=watched) for policy, rules in versions]
        )

    evaluator = Evaluator(settings, engines(versions), sealer(settings.dead_letters.public_key))
    policy, rules = in_force(versions)
    metrics.describe(policy, rules, rule_set_hash(rules))
    metrics.initialise(rules, [*(t.name for t in settings.topics.inputs), *settings.topics.facts().values()])
    progress = Progress()
    # Made once the broker is there: clients that never start would be left open.
    driver: Driver | None = None

    def present() -> Engine:
        return evaluator.versions.at(time.time_ns() // 1_000_000)[0]

    def bury(topic: str, partition: int, record: Any, error: DecodeError) -> None:
        metrics.dead_letters.labels(topic, error.reason).inc()
        letter = dead_letter(topic, partition, record, error)
        assert driver is not None
        driver.send_later(Output("dead_letters", None, letter, [("content-type", b"application/json")]))

    feed = FactsFeed(settings, tables, time.monotonic, bury, lambda: present().snapshot.policy.max_waiver_days)
    limit = settings.watchdog.stalled_seconds
    readiness: dict[str, Check] = {
        "group": lambda: None if driver is not None and driver.assigned.is_set() else "no partitions assigned yet",
        "loop": lambda: None if progress.alive_seconds() < limit else "the loop stands still",
    }

    def before_scrape() -> None:
        metrics.readiness.set(0 if failing(readiness) else 1)
        for fact, status in present().snapshot.status().items():
            if status is not FactStatus.UNDECLARED:  # what nobody connected is no outage
                metrics.facts_ready.labels(fact).set(1 if status is FactStatus.READY else 0)
        metrics.show_waivers(present().waivers, time.time_ns() // 1_000_000)
        metrics.show_optouts(tables["optouts"])
        for fact, seconds in feed.staleness_seconds().items():
            metrics.facts_staleness.labels(fact).set(seconds)

    def swap(versions: Sequence[Version]) -> str:
        evaluator.versions = engines(versions)
        _, rules = in_force(versions)
        metrics.initialise(rules, ())
        return rule_set_hash(rules)

    async def work() -> None:
        nonlocal driver
        await wait_for_topics(settings, stop)
        if stop.is_set():
            return
        driver = make_driver(settings, evaluator, metrics, progress)
        feeding = asyncio.ensure_future(feed.run())
        watching = asyncio.ensure_future(watch_policy(settings, seen, versions, metrics, swap))
        progress.alive()
        done = watch(progress, limit)
        starting = asyncio.ensure_future(_pulse(progress, driver.assigned))
        try:
            try:
                await asyncio.wait_for(feed.loaded.wait(), settings.evaluator.facts_timeout_seconds)
            except TimeoutError:
                log.error(  # noqa: TRY400 - a time-out has no traceback worth reading
                    "facts_not_ready", facts=[f for f, t in tables.items() if t.status is FactStatus.LOADING]
                )
            progress.alive()
            # What stands now stands for good: the collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            # Records and events die by reference counts. With the default of 700 every batch of records is looked at twice
            # while it lives, 2.5 % of the process' time.
            gc.set_threshold(50_000, 20, 100)
            keep_memory()
            await _first_of(driver.run(stop), feeding, watching)
        finally:
            starting.cancel()
            done.set()

    await serve(
        settings,
        "port",
        HttpServer(metrics.registry, {"loop": readiness["loop"]}, readiness, before_scrape),
        work,
    )


async def _first_of(main: Coroutine[Any, Any, None], *background: asyncio.Future[None]) -> None:
    """Await `main`, then end the background tasks; a background task that ends with an error ends `main` too.

    Raises:
        Exception: whatever `main` or a background task raised.
    """
    task = asyncio.ensure_future(main)
    running: set[asyncio.Future[None]] = {task, *background}
    try:
        while not task.done():
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()
    finally:
        for other in running:
            other.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def serve(
    settings: Settings,
    key: Literal["port", "state_port", "sweep_port"],
    server: HttpServer,
    work: Callable[[], Awaitable[None]],
) -> None:
    """Serve HTTP while `work` runs.

    Raises:
        SettingsError: the HTTP address is taken.
    """
    try:
        port = getattr(settings.http, key)
        bound = await server.start(settings.http.host, port)
    except OSError as error:
        raise SettingsError(
            f"settings: http.{key} {port} on {settings.http.host} cannot be bound ({error.strerror}); set another port"
        ) from None
    log.info("http_serving", host=settings.http.host, port=bound)
    try:
        await work()
    finally:
        await server.stop()
