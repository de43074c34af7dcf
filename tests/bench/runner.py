"""Runs one engine as a process of its own on a full topic and measures it from outside.

CPU: user and system seconds of the process from /proc (all threads), less what it had used when it was ready. Time: from the
first event judged until the group's committed offsets stand at the end of every partition (asked every 50 ms).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from hegui.streams.settings import Settings, load_settings
from hegui.streams.topics import create_topics
from tests.bench.load import PARTITIONS, POLICY
from tests.bench.marks import read_marks
from tests.servers.spawn import spawn

ROOT = Path(__file__).parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")
_POLL_S = 0.05
_DEADLINE_S = 300.0
_SETTINGS = """
policy_file = "{policy}"
[kafka]
bootstrap_servers = "{bootstrap}"
group_id = "{group}"
[topics]
inputs = [{{ name = "{topic}", format = "cloudevents", partitions = {partitions} }}]
[http]
port = 0
[log]
level = "warning"
"""


class Engine(NamedTuple):
    name: str
    book: str
    """`real`, a number of rules, or empty for an engine without rules."""
    module: str
    arguments: tuple[str, ...] = ()
    slow: bool = False
    """Whether it gets the short topic."""

    @property
    def label(self) -> str:
        return f"{self.name} {self.book}".rstrip()


class Run(msgspec.Struct, frozen=True):
    engine: str
    events: int
    seconds: float
    cpu_seconds: float
    violations: int

    @property
    def per_second(self) -> float:
        return self.events / self.seconds

    @property
    def per_cpu_second(self) -> float:
        return self.events / self.cpu_seconds


class RunError(RuntimeError):
    """An engine ended by itself, was late, or did other work than the others."""


def cpu_seconds(pid: int) -> float:
    """Return user and system seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def write_settings(file: Path, bootstrap: str, topic: str, group: str) -> Settings:
    file.write_text(
        _SETTINGS.format(policy=POLICY, bootstrap=bootstrap, group=group, topic=topic, partitions=PARTITIONS), "utf-8"
    )
    return load_settings(file, {})


class Runner:
    """Measures engines on one broker. `folder` holds `optouts.jsonl`; settings and logs are written there."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self._bootstrap = bootstrap
        self._folder = folder
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self._reader = AIOKafkaConsumer(bootstrap_servers=bootstrap)

    async def __aenter__(self) -> Self:
        await self._admin.start()
        await self._reader.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.stop()
        await self._admin.close()

    async def settings(self, topic: str, group: str) -> Settings:
        """Write settings for a group and make their topics."""
        settings = write_settings(self._folder / f"{group}.toml", self._bootstrap, topic, group)
        await create_topics(self._admin, settings)
        return settings

    async def ends(self, topic: str) -> dict[TopicPartition, int]:
        return await self._reader.end_offsets([TopicPartition(topic, p) for p in range(PARTITIONS)])

    async def run(self, engine: Engine, topic: str, expected: int | None) -> Run:
        """Run an engine to the end of a topic; `expected` is the number of violations it must send.

        Raises:
            RunError: the engine failed, or its violations are not the expected ones.
        """
        group = f"bench-{engine.label.replace(' ', '-')}-{uuid.uuid4().hex[:8]}"
        settings = await self.settings(topic, group)
        ends = await self.ends(topic)
        before = sum((await self.ends(settings.topics.violations)).values())
        log = self._folder / f"{group}.log"
        command = [sys.executable, "-m", engine.module, str(self._folder / f"{group}.toml"), engine.book]
        process = spawn([*command, *engine.arguments], log=log, folder=ROOT)
        try:
            await self._finished(process, group, ends, log)
            finished, cpu = time.monotonic(), cpu_seconds(process.pid)
            marks = read_marks(log)
            violations = await self._violations(settings, before, expected)
        finally:
            await asyncio.to_thread(_end, process)
        if expected is not None and violations != expected:
            raise RunError(f"{engine.label}: {violations} violations instead of {expected}")
        events = sum(ends.values())
        return Run(engine.label, events, finished - marks["first"].at, cpu - marks["ready"].cpu, violations)

    async def _finished(
        self, process: subprocess.Popen[bytes], group: str, ends: dict[TopicPartition, int], log: Path
    ) -> None:
        deadline = time.monotonic() + _DEADLINE_S
        while True:
            if process.poll() is not None:
                raise RunError(f"{group} ended with code {process.returncode}: {log.read_text('utf-8')[-3000:]}")
            if time.monotonic() > deadline:
                raise RunError(f"{group} did not reach the end: {log.read_text('utf-8')[-3000:]}")
            try:
                committed = await self._admin.list_consumer_group_offsets(group)
            except GroupCoordinatorNotAvailableError:
                committed = {}  # the broker makes its offsets topic for the first group
            if all(p in committed and committed[p].offset >= end for p, end in ends.items()):
                return
            await asyncio.sleep(_POLL_S)

    async def _violations(self, settings: Settings, before: int, expected: int | None) -> int:
        """Count what was sent; an engine that commits before its sends are acknowledged gets five seconds for them."""
        deadline = time.monotonic() + 5
        while True:
            sent = sum((await self.ends(settings.topics.violations)).values()) - before
            if expected is None or sent >= expected or time.monotonic() > deadline:
                return sent
            await asyncio.sleep(_POLL_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
