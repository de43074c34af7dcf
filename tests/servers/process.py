"""What all the servers of the tests share: start, wait until ready, stop, kill, log."""

import atexit
import signal
import subprocess
import tempfile
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.spawn import spawn

POLL_INTERVAL_S = 0.05
LOG_TAIL_LINES = 30


class ServerError(RuntimeError):
    """A server is missing, did not start, or answered with an error."""


def wait_until(condition: Callable[[], bool], deadline_s: float, what: str) -> None:
    """Return as soon as `condition()` is true; ask again every 0.05 s.

    For states of an external process, which cannot notify us.
    Raises TimeoutError naming `what` when it is still false after `deadline_s` seconds.
    """
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() >= end:
            raise TimeoutError(f"not within {deadline_s:g} s: {what}")
        time.sleep(POLL_INTERVAL_S)


class Server(ABC):
    """A server program on 127.0.0.1 with its own temporary folder, as a context manager.

    `start`, `stop` and `kill` may follow each other any number of times: folder, data and port
    stay the same. `close` (the end of the `with` block) stops the server and removes the folder.
    """

    def __init__(self, name: str, *, deadline_s: float) -> None:
        """`name` is used in messages; `deadline_s` is the time a start may take, in seconds."""
        self.name = name
        self.deadline_s = deadline_s
        self._temporary = tempfile.TemporaryDirectory(prefix=f"hegui-{name.lower()}-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        self.log_path = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        _open_servers.add(self)

    @abstractmethod
    def _prepare(self) -> Sequence[str]:
        """Write the files the server needs and return its command (absolute path first)."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Whether the running server answers requests."""

    @property
    def pid(self) -> int | None:
        """The id of the running process, None when there is none."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process is alive (it may not be ready yet)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and return once it answers; does nothing when it is running.

        Raises ServerError, with the end of the log, when it exits or is late.
        """
        if self.running:
            return
        self._process = spawn(self._prepare(), log=self.log_path, folder=self.folder)
        try:
            wait_until(lambda: not self.running or self._is_ready(), self.deadline_s, f"{self.name} ready")
        except TimeoutError:
            self.kill()
            raise ServerError(f"{self.name} did not answer within {self.deadline_s:g} s; {self.log_tail()}") from None
        except BaseException:
            self.kill()
            raise
        if not self.running:
            code = self._process.returncode
            raise ServerError(f"{self.name} exited with code {code}; {self.log_tail()}")

    def stop(self, grace_s: float = 30.0) -> None:
        """Ask the server to end (SIGTERM) and wait; SIGKILL after `grace_s` seconds."""
        self._end(signal.SIGTERM, grace_s)

    def kill(self) -> None:
        """End the server at once (SIGKILL), as a crash would, and wait until it is gone."""
        self._end(signal.SIGKILL, 30.0)

    def close(self) -> None:
        """Stop the server and remove its folder; may be called twice."""
        self.stop()
        self._temporary.cleanup()
        _open_servers.discard(self)

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """The last `lines` lines of the server's log, with a heading."""
        text = self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""
        return "its log ends with:\n" + ("\n".join(text.splitlines()[-lines:]) or "(empty)")

    def _end(self, first: signal.Signals, grace_s: float) -> None:
        process = self._process
        if process is None:
            return
        process.send_signal(first)  # does nothing when the process has been waited for
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


_open_servers: weakref.WeakSet[Server] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Close what a test left open, also where the death signal of Linux does not exist."""
    for server in list(_open_servers):
        server.close()
