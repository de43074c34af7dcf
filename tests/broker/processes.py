"""Starts, kills and asks the daemon's processes."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from tests.servers import web
from tests.servers.ports import free_port
from tests.servers.spawn import spawn

DEADLINE_S = 60.0
Role = str


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Return as soon as the condition holds; ask again every 0.05 s. Raises TimeoutError naming `what`."""
    end = time.monotonic() + deadline_s
    while True:
        holds = condition()
        if not isinstance(holds, bool):
            holds = await holds
        if holds:
            return
        if time.monotonic() >= end:
            raise TimeoutError(f"not within {deadline_s:g} s: {what}")
        await asyncio.sleep(0.05)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Daemon:
    """One `hegui run --role ROLE`, with a port, a settings file and a log of its own. Ports stay over restarts."""

    def __init__(self, role: Role, folder: Path, settings: Mapping[str, Any], number: int) -> None:
        self.role = role
        self.port = free_port()
        self.restarts = -1
        self.program = ["-m", "hegui.streams"]
        """What Python runs."""
        self._folder = folder
        self.name = f"{role}-{number}"
        self.config = folder / f"{self.name}.toml"
        self.log_path = folder / f"{self.name}.log"
        key = {"evaluator": "port", "state": "state_port", "sweeper": "sweep_port"}[role]
        self.config.write_text(toml({**settings, "http": {key: self.port}}), "utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start the process; do not wait."""
        assert not self.running
        command = [sys.executable, *self.program, "run", "--role", self.role, "--config", str(self.config)]
        self._process = spawn(command, log=self.log_path, folder=self._folder)
        self.restarts += 1

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    async def start(self, deadline_s: float = DEADLINE_S) -> Self:
        """Start the process and wait until it is ready."""
        self.launch()
        await self.ready(deadline_s)
        return self

    async def ready(self, deadline_s: float = DEADLINE_S) -> None:
        """Wait for /readyz; an early end of the process is an error."""

        async def holds() -> bool:
            if not self.running:
                raise AssertionError(f"{self.name} ended with code {self.exit_code}\n{self.log_tail()}")
            return await self.status("/readyz") == 200

        try:
            await until(holds, f"{self.name} ready", deadline_s)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log_tail()}") from None

    async def status(self, path: str) -> int | None:
        """HTTP status of a path; None when nobody answers."""
        try:
            return (await asyncio.to_thread(web.request, "GET", f"http://127.0.0.1:{self.port}{path}", timeout_s=2.0))[
                0
            ]
        except OSError:
            return None

    async def metrics(self) -> "Metrics":
        """What /metrics says."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        _, body = await asyncio.to_thread(web.request, "GET", url, timeout_s=5.0)
        return Metrics(body.decode())

    async def metric(self, name: str, **labels: str) -> float | None:
        """One value; None while the process does not answer."""
        try:
            return (await self.metrics()).value(name, **labels)
        except OSError:
            return None

    async def stop(self, grace_s: float = 30.0) -> int:
        """SIGTERM; return the exit code. A process that does not end in time is an error."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.to_thread(self._process.wait, grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"{self.name} did not end within {grace_s:g} s of SIGTERM\n{self.log_tail()}"
            ) from None

    async def end(self, deadline_s: float = DEADLINE_S) -> int:
        """Wait until the process ends by itself; return its code."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, deadline_s)

    def kill(self) -> None:
        """kill -9, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def log(self) -> str:
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    def log_tail(self, lines: int = 15) -> str:
        return f"log of {self.name}:\n" + "\n".join(self.log.splitlines()[-lines:])


class Metrics:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.samples = [s for family in text_string_to_metric_families(text) for s in family.samples]

    def all(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of every sample of a name."""
        return [(s.labels, s.value) for s in self.samples if s.name == name]

    def value(self, name: str, **labels: str) -> float | None:
        """The sum of the samples that carry the labels; None when there is none."""
        found = [v for given, v in self.all(name) if labels.items() <= given.items()]
        return sum(found) if found else None


def toml(value: Mapping[str, Any]) -> str:
    """Settings as TOML: sections of plain values, lists of tables as inline tables."""

    def plain(item: Any) -> str:
        if isinstance(item, list):
            return "[" + ", ".join(plain(i) for i in item) + "]"
        if isinstance(item, Mapping):
            return "{" + ", ".join(f"{k} = {plain(v)}" for k, v in item.items()) + "}"
        return msgspec.json.encode(item).decode()

    lines = [f"{k} = {plain(v)}" for k, v in value.items() if not isinstance(v, Mapping)]
    for name, section in value.items():
        if isinstance(section, Mapping):
            lines += ["", f"[{name}]", *(f"{k} = {plain(v)}" for k, v in section.items())]
    return "\n".join(lines) + "\n"


@asynccontextmanager
async def supervised(*daemons: Daemon):
    """Start again whatever ends by itself, as a supervisor would; `daemon.restarts` counts."""

    async def watch() -> None:
        while True:
            for daemon in daemons:
                if not daemon.running:
                    daemon.launch()
            await asyncio.sleep(0.1)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def dice() -> random.Random:
    """Random kill moments; the seed is printed and can be given as SEED."""
    seed = int(os.environ.get("SEED") or random.randrange(2**31))
    print(f"SEED={seed}")
    return random.Random(seed)
