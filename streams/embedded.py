"""A throw-away Kafka-compatible broker for the demo: no Docker, no Java.

The binary is `noida-db`, from the PyPI wheel of that name. It is for the demo only: one node, plain
text, all in memory. Production and the tests of the promises run on Apache Kafka.
"""

import ctypes
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Self

WHEEL = "noida-db"
HOST = "127.0.0.1"
_ELSEWHERE = "run the demo on a Kafka of your own with `BROKER=host:port make demo`"


class EmbeddedBrokerUnavailable(Exception):  # noqa: N818  a state of this machine, not a mistake
    """No embedded broker here; the message is one sentence that says why and what to do."""


class EmbeddedBroker:
    """Run the wheel's broker on a free port of 127.0.0.1, in a directory that goes with it.

    A context manager, or `start` and `stop`. `start` blocks until the broker answers in Kafka's protocol,
    `deadline` seconds at most. On Linux the broker dies with the thread that called `start`: use the main one.
    """

    def __init__(self, deadline: float = 10.0) -> None:
        self._deadline = deadline
        self._undo = ExitStack()
        self._bootstrap = ""

    @property
    def bootstrap(self) -> str:
        """The `host:port` that Kafka clients connect to, from `start` to `stop`."""
        if not self._bootstrap:
            raise RuntimeError("the embedded broker is not running: call start() first")
        return self._bootstrap

    def start(self) -> None:
        """Start the broker and wait until it answers; raise EmbeddedBrokerUnavailable if it cannot."""
        if self._bootstrap:
            raise RuntimeError("the embedded broker is already running")
        binary, port = find_binary(), _free_port()
        with ExitStack() as undo:
            home = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="hegui-demo-")))
            # The broker saves all it holds every two seconds: gigabytes of writes in a demo that keeps
            # nothing. A directory where its scratch file would go stops that, and the broker does not mind.
            (home / "kafka.tmp").mkdir()
            options = ["--only", "kafka", "--host", HOST, "--kafka-port", str(port), "--data-dir", str(home)]
            process = undo.enter_context(_spawn([str(binary), "start", *options], home / "broker.log"))
            undo.callback(process.kill)  # and then wait for it; a gentle end would first try to save
            self._wait(process, port, home / "broker.log")
            self._undo = undo.pop_all()
            self._bootstrap = f"{HOST}:{port}"

    def stop(self) -> None:
        """End the broker at once and remove its data; a second call does nothing."""
        self._bootstrap = ""
        self._undo.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        end = time.monotonic() + self._deadline
        while process.poll() is None and time.monotonic() < end:
            if _answers(port):
                return
            time.sleep(0.02)
        state = f"no answer in {self._deadline:g} s" if process.poll() is None else f"exit code {process.returncode}"
        said = ", ".join(log.read_text(errors="replace").split("\n")[-3:]).strip(", ") or "it printed nothing"
        raise EmbeddedBrokerUnavailable(f"the {WHEEL} broker did not start ({state}; {said}): {_ELSEWHERE}")


def find_binary() -> Path:
    """Where the wheel put its broker, or EmbeddedBrokerUnavailable if there is none for this machine."""
    spec = find_spec("noida_db")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / ("noida-db.exe" if sys.platform == "win32" else "noida-db")
        if binary.is_file():
            return binary
    raise EmbeddedBrokerUnavailable(
        f"the demo's broker, the wheel {WHEEL} (Linux with glibc 2.34 on x86-64 or 2.39 on arm64, macOS, Windows on x86-64),"
        f" is not installed here: `pip install hegui[demo]` on one of those, or {_ELSEWHERE}"
    )


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    try:
        with log.open("wb") as out:
            return subprocess.Popen(command, cwd=log.parent, stdout=out, stderr=out, preexec_fn=_die_with_parent())  # noqa: PLW1509
    except OSError as error:
        raise EmbeddedBrokerUnavailable(f"the {WHEEL} broker cannot run here ({error}): {_ELSEWHERE}") from error


def _die_with_parent() -> Callable[[], None] | None:
    """On Linux, what the child runs before the broker, so that a killed demo leaves no broker behind."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # found here: after the fork the child loads nothing more
    return lambda: prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    """Whether a Kafka broker answers: ApiVersions v0, correlation id 1, comes back with that id."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as link, link.makefile("rb") as reply:
            link.sendall(bytes.fromhex("0000000a 0012 0000 00000001 0000"))
            return reply.read(8)[4:] == b"\0\0\0\1"
    except OSError:
        return False
