"""Runs one engine as a process of its own on a full topic and measures it from outside.

CPU: user and system seconds of the process from /proc (all threads), less what it had used when it was ready. Time: from the
first event judged until the group's committed offsets stand at the end of every partition (asked every 50 ms), or until an engine
that commits nothing says that it is done. Memory: the most that was resident. An engine may be several processes of one group.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from hegui.streams.settings import Settings, load_settings
from hegui.streams.topics import create_topics
from tests.bench.load import PARTITIONS
from tests.bench.marks import read_marks
from tests.bench.peer_judge import Found, found_in
from tests.bench.policy import POLICY
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
    commits: bool = True
    """Whether it commits offsets; else it marks its end with `done`."""
    processes: int = 1
    environment: str = ""
    """Folder of the virtual environment that it runs in, beside the checkout's files; empty: this one."""

    @property
    def label(self) -> str:
        return f"{self.name} {self.book}".rstrip()


class Run(msgspec.Struct, frozen=True):
    engine: str
    events: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    """Most resident memory, of all processes together."""
    violations: int
    ready_seconds: float = 0.0
    """From the start of the process until it is ready: policy, rules and facts loaded."""
    first_seconds: float = 0.0
    """From the start of the process to the first event judged."""

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


def peak_mib(pid: int) -> float:
    """Return the most resident memory of a process so far."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def write_settings(
    file: Path, bootstrap: str, topic: str, group: str, partitions: int = PARTITIONS, more: str = ""
) -> Settings:
    text = _SETTINGS.format(policy=POLICY, bootstrap=bootstrap, group=group, topic=topic, partitions=partitions)
    file.write_text(text + more, "utf-8")
    return load_settings(file, {})


class Runner:
    """Measures engines on one broker. `folder` holds `optouts.jsonl`; settings and logs are written there."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self._bootstrap = bootstrap
        self._folder = folder
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self._reader = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
        self.partitions: dict[str, int] = {}
        """Topic to its partitions, where it is not the usual number."""
        self.more = ""
        """Lines of TOML behind the settings of the next runs."""

    async def __aenter__(self) -> Self:
        await self._admin.start()
        await self._reader.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.stop()
        await self._admin.close()

    async def settings(self, topic: str, group: str) -> Settings:
        """Write settings for a group and make their topics."""
        partitions = self.partitions.get(topic, PARTITIONS)
        file = self._folder / f"{group}.toml"
        settings = write_settings(file, self._bootstrap, topic, group, partitions, self.more)
        await create_topics(self._admin, settings)
        return settings

    async def ends(self, topic: str) -> dict[TopicPartition, int]:
        return await self._reader.end_offsets(
            [TopicPartition(topic, p) for p in range(self.partitions.get(topic, PARTITIONS))]
        )

    async def run(self, engine: Engine, topic: str, expected: set[Found] | None) -> Run:
        """Run an engine to the end of a topic; `expected` is what its violations must say.

        Raises:
            RunError: the engine failed, or its violations are not the expected ones.
        """
        group = f"bench-{engine.label.replace(' ', '-')}-{uuid.uuid4().hex[:8]}"
        settings = await self.settings(topic, group)
        ends = await self.ends(topic)
        before = await self.ends(settings.topics.violations)
        logs = [self._folder / f"{group}.{number}.log" for number in range(engine.processes)]
        python = str(ROOT / engine.environment / "bin/python") if engine.environment else sys.executable
        command = [python, "-m", engine.module, str(self._folder / f"{group}.toml"), engine.book]
        begun = time.monotonic()
        processes = [spawn([*command, *engine.arguments], log=log, folder=ROOT) for log in logs]
        try:
            finished, cpu, peak = await self._watched(engine, processes, group, ends, logs)
            marks = [read_marks(log) for log in logs]
            found = None if expected is None else await self._violations(settings, before, len(expected))
        finally:
            await asyncio.gather(*(asyncio.to_thread(_end, process) for process in processes))
        if expected is not None and found is not None and (found.keys() != expected or found.total() != len(expected)):
            raise RunError(
                f"{engine.label}: {found.total()} violations instead of {len(expected)}, of which {len(expected - found.keys())} are missing"
            )
        first = min(m["first"].at for m in marks if "first" in m)
        return Run(
            engine=engine.label,
            events=sum(ends.values()),
            seconds=finished - first,
            cpu_seconds=cpu - sum(m["ready"].cpu for m in marks),
            peak_mib=peak,
            violations=0 if found is None else found.total(),
            ready_seconds=min(m["ready"].at for m in marks) - begun,
            first_seconds=first - begun,
        )

    async def _watched(
        self,
        engine: Engine,
        processes: Sequence[subprocess.Popen[bytes]],
        group: str,
        ends: dict[TopicPartition, int],
        logs: Sequence[Path],
    ) -> tuple[float, float, float]:
        """Wait until the engine is at the end; return when, its CPU seconds and its peak memory in MiB."""
        deadline = time.monotonic() + _DEADLINE_S
        peak = 0.0
        while True:
            if not engine.commits and (done := read_marks(logs[0]).get("done")):
                return done.at, done.cpu, peak
            for process, log in zip(processes, logs, strict=True):
                if process.poll() is not None and (engine.commits or process.returncode):
                    raise RunError(f"{group} ended with code {process.returncode}: {log.read_text('utf-8')[-3000:]}")
                if time.monotonic() > deadline:
                    raise RunError(f"{group} did not reach the end: {log.read_text('utf-8')[-3000:]}")
            peak = max(peak, sum(peak_mib(process.pid) for process in processes if process.poll() is None))
            if engine.commits and await self._committed(group, ends):
                return time.monotonic(), sum(cpu_seconds(process.pid) for process in processes), peak
            await asyncio.sleep(_POLL_S)

    async def reached(
        self, process: subprocess.Popen[bytes], group: str, ends: dict[TopicPartition, int], log: Path
    ) -> None:
        """Wait until a group has committed the given ends.

        Raises:
            RunError: its process ended, or it was late.
        """
        deadline = time.monotonic() + _DEADLINE_S
        while not await self._committed(group, ends):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RunError(f"{group} did not reach the end: {log.read_text('utf-8')[-3000:]}")
            await asyncio.sleep(_POLL_S)

    async def _committed(self, group: str, ends: dict[TopicPartition, int]) -> bool:
        try:
            committed = await self._admin.list_consumer_group_offsets(group)
        except GroupCoordinatorNotAvailableError:
            return False  # the broker makes its offsets topic for the first group
        return all(p in committed and committed[p].offset >= end for p, end in ends.items())

    async def _violations(self, settings: Settings, before: dict[TopicPartition, int], expected: int) -> Counter[Found]:
        """Read what was sent; an engine that commits before its sends are acknowledged gets five seconds for them."""
        deadline = time.monotonic() + 5
        reader = self._reader
        reader.assign(list(before))
        for partition, offset in before.items():
            reader.seek(partition, offset)
        found: Counter[Found] = Counter()
        while found.total() < expected and time.monotonic() < deadline:
            for records in (await reader.getmany(timeout_ms=100)).values():
                found.update(found_in(record.value) for record in records)
        for records in (await reader.getmany(timeout_ms=100)).values():  # none may be left
            found.update(found_in(record.value) for record in records)
        return found


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
