"""Runs the evaluator, alone or with the state agents, on a full topic and measures both from outside.

Time: from the first event judged until the group of the evaluator stands at the end of every partition, and that of the state agents
at the end of what the evaluator had told by then. CPU: of all processes, less what they had used when ready.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from hegui.streams.settings import Settings, load_settings
from hegui.streams.state.app import state_group
from hegui.streams.state.contents import LedgerContent, contents, read_table
from hegui.streams.topics import create_topics
from tests.bench.load import PARTITIONS, fill
from tests.bench.marks import read_marks
from tests.bench.policy import POLICY
from tests.bench.runner import ROOT, RunError, cpu_seconds
from tests.bench.state_load import Exports
from tests.servers import web
from tests.servers.ports import free_port
from tests.servers.spawn import spawn

_POLL_S = 0.05
_DEADLINE_S = 1800.0
_SETTINGS = """
policy_file = "{policy}"
[kafka]
bootstrap_servers = "{bootstrap}"
group_id = "{name}"
[topics]
inputs = [{{ name = "{topic}", format = "cloudevents", partitions = {partitions} }}]
violations = "{name}.violations"
observations = "{name}.observations"
findings = "{name}.findings"
dead_letters = "{name}.dead-letters"
coverage_gaps = "{name}.coverage-gaps"
[http]
port = 0
state_port = {port}
[log]
level = "warning"
"""


class PathRun(msgspec.Struct, frozen=True):
    """One run of the path."""

    kind: str
    events: int
    seconds: float
    cpu_seconds: float
    state_cpu_seconds: float
    """The part of `cpu_seconds` that the state process used."""
    persons: int
    """Persons in the ledger at the end."""

    @property
    def per_second(self) -> float:
        return self.events / self.seconds

    @property
    def per_cpu_second(self) -> float:
        return self.events / self.cpu_seconds


def write_settings(folder: Path, bootstrap: str, topic: str, name: str) -> Settings:
    """Write settings with topics of their own, but for the input."""
    file = folder / f"{name}.toml"
    text = _SETTINGS.format(
        policy=POLICY, bootstrap=bootstrap, name=name, topic=topic, partitions=PARTITIONS, port=free_port()
    )
    file.write_text(text, "utf-8")
    return load_settings(file, {})


class StateProcess:
    """`hegui run --role state`."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        name = settings.kafka.group_id
        self._log = folder / f"{name}-state.log"
        self._port = settings.http.state_port
        command = [
            sys.executable,
            "-m",
            "hegui.streams",
            "run",
            "--role",
            "state",
            "--config",
            str(folder / f"{name}.toml"),
        ]
        self.process = spawn(command, log=self._log, folder=ROOT)

    async def ready(self) -> None:
        """Wait until the table is recovered. Raises RunError when the process ends or is late."""
        deadline = time.monotonic() + _DEADLINE_S
        while not await asyncio.to_thread(self._answers):
            alive(self.process, "state", self._log)
            if time.monotonic() > deadline:
                raise RunError(f"the state process is not ready: {self._log.read_text('utf-8')[-3000:]}")
            await asyncio.sleep(_POLL_S)

    def _answers(self) -> bool:
        try:
            return web.request("GET", f"http://127.0.0.1:{self._port}/readyz", timeout_s=5.0)[0] == 200
        except OSError:
            return False

    def metrics(self) -> str:
        """What /metrics says."""
        return web.request("GET", f"http://127.0.0.1:{self._port}/metrics", timeout_s=30.0)[1].decode()


def alive(process: subprocess.Popen[bytes], what: str, log: Path) -> None:
    """Raise RunError when a process has ended."""
    if process.poll() is not None:
        raise RunError(f"{what} ended with code {process.returncode}: {log.read_text('utf-8')[-3000:]}")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, by force if it must be."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class StatePath:
    """Measures on one broker; settings and logs are written to `folder`."""

    def __init__(self, bootstrap: str, folder: Path, traffic: Exports) -> None:
        self._bootstrap = bootstrap
        self._folder = folder
        self._traffic = traffic
        self._events = 0
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self._reader = AIOKafkaConsumer(bootstrap_servers=bootstrap)

    async def __aenter__(self) -> Self:
        await self._admin.start()
        await self._reader.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.stop()
        await self._admin.close()

    async def fill(self, events: int) -> None:
        """Fill the topics: with exports, without, and a short one."""
        self._events = events
        for topic, count, values in (
            ("state.stateless", events, self._traffic.usual.values(events)),
            ("state.exports", events, self._traffic.values(events)),
            ("state.short", 4000, self._traffic.values(4000)),
        ):
            await create_topics(self._admin, write_settings(self._folder, self._bootstrap, topic, "state-loader"))
            await fill(self._bootstrap, topic, values)
            if sum((await self._ends(topic)).values()) != count:
                raise RunError(f"{topic} does not hold {count} records")

    async def run(self, kind: str, *, warm_up: bool = False) -> PathRun:
        """Run one of the kinds.

        Raises:
            RunError: a process failed, or the ledger is not exact.
        """
        topic = "state.short" if warm_up else "state.stateless" if kind == "stateless" else "state.exports"
        events = sum((await self._ends(topic)).values())
        name = f"state-{uuid.uuid4().hex[:8]}"
        settings = write_settings(self._folder, self._bootstrap, topic, name)
        await create_topics(self._admin, settings)
        log = self._folder / f"{name}.log"
        state = StateProcess(settings, self._folder) if kind == "exports and state" else None
        processes: list[subprocess.Popen[bytes]] = []
        try:
            state_before = 0.0
            if state is not None:
                processes.append(state.process)
                await state.ready()
                state_before = cpu_seconds(state.process.pid)
            command = [sys.executable, "-m", "tests.bench.hegui_engine", str(self._folder / f"{name}.toml"), "real"]
            evaluator = spawn(command, log=log, folder=ROOT)
            processes.append(evaluator)
            watched: Callable[[], None] = lambda: alive(evaluator, "evaluator", log)  # noqa: E731
            await self._committed(name, await self._ends(topic), watched)
            if state is not None:
                told = await self._ends(settings.topics.observations)
                await self._committed(state_group(settings), told, watched)
            finished, cpu = time.monotonic(), cpu_seconds(evaluator.pid)
            state_cpu = 0.0 if state is None else cpu_seconds(state.process.pid) - state_before
            marks = read_marks(log)
        finally:
            for process in processes:
                await asyncio.to_thread(end, process)
        persons = 0
        if state is not None:
            persons = await self._persons(settings)
            if persons != self._traffic.persons(events):
                raise RunError(f"{persons} persons in the ledger instead of {self._traffic.persons(events)}")
        used = cpu - marks["ready"].cpu + state_cpu
        return PathRun(kind, events, finished - marks["first"].at, used, state_cpu, persons)

    async def _persons(self, settings: Settings) -> int:
        found = contents(await read_table(settings))
        return sum(one.ordinary + one.sensitive for one in found if isinstance(one, LedgerContent))

    async def _ends(self, topic: str) -> dict[TopicPartition, int]:
        return await self._reader.end_offsets([TopicPartition(topic, p) for p in range(PARTITIONS)])

    async def _committed(self, group: str, ends: dict[TopicPartition, int], watched: Callable[[], None]) -> None:
        deadline = time.monotonic() + _DEADLINE_S
        while True:
            watched()
            if time.monotonic() > deadline:
                raise RunError(f"{group} did not reach the end")
            try:
                committed = await self._admin.list_consumer_group_offsets(group)
            except GroupCoordinatorNotAvailableError:
                committed = {}  # the broker makes its offsets topic for the first group
            if all(not end or (p in committed and committed[p].offset >= end) for p, end in ends.items()):
                return
            await asyncio.sleep(_POLL_S)
