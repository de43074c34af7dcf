"""How an engine tells the runner where it stands: a line on standard output with the clock and the CPU seconds used so far."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

_PREFIX = b"MARK "


class Mark(msgspec.Struct, frozen=True):
    name: str
    at: float
    """`time.monotonic()`: on Linux one clock for all processes."""
    cpu: float
    """CPU seconds of the process, user and system, all threads."""


def mark(name: str) -> None:
    made = Mark(name, time.monotonic(), time.process_time())
    print((_PREFIX + msgspec.json.encode(made)).decode(), flush=True)


def read_marks(log: Path) -> dict[str, Mark]:
    lines = log.read_bytes().splitlines(keepends=True) if log.exists() else []
    whole = [line for line in lines if line.startswith(_PREFIX) and line.endswith(b"\n")]
    return {found.name: found for found in (msgspec.json.decode(line[len(_PREFIX) :], type=Mark) for line in whole)}
