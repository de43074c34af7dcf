"""How an engine tells the runner where it stands: a line on standard output with the clock and the CPU seconds used so far."""

from __future__ import annotations

import os
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
    # Not by print: Faust makes a logger of sys.stdout, and its spinner leaves half lines.
    os.write(1, b"\n" + _PREFIX + msgspec.json.encode(made) + b"\n")


def read_marks(log: Path) -> dict[str, Mark]:
    lines = log.read_bytes().splitlines(keepends=True) if log.exists() else []
    whole = [line for line in lines if line.startswith(_PREFIX) and line.endswith(b"\n")]
    return {found.name: found for found in (msgspec.json.decode(line[len(_PREFIX) :], type=Mark) for line in whole)}
