"""Ends a process that stands still, so that whatever supervises it starts it again.

A thread looks on, so that a blocked event loop is seen too. Standing still means: lag and no commit moving for the stated
time, or an event loop that did not report for it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

EXIT_STALLED = 70
"""Exit code of a stalled process (EX_SOFTWARE)."""


class Progress:
    """What a worker reports. Writes are single assignments, so the watching thread needs no lock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._alive_at = self._moved_at = clock()
        self._lag = 0

    def alive(self) -> None:
        """The loop went round."""
        self._alive_at = self._clock()

    def committed(self) -> None:
        """A commit moved forward."""
        self._moved_at = self._clock()

    def lag(self, records: int) -> None:
        """So many records lie ahead; with none, standing still is right."""
        self._lag = records
        if records == 0:
            self._moved_at = self._clock()

    def alive_seconds(self) -> float:
        """Seconds since the loop went round."""
        return self._clock() - self._alive_at

    def stalled(self, limit_seconds: float) -> str | None:
        """Return why the worker counts as stalled, None when it does not."""
        now = self._clock()
        if now - self._alive_at > limit_seconds:
            return "loop_blocked"
        if self._lag and now - self._moved_at > limit_seconds:
            return "no_commit_moves"
        return None


def watch(progress: Progress, limit_seconds: float, exit_process: Callable[[int], None] = os._exit) -> threading.Event:
    """Start the watching thread; set the returned event to end it."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(min(5.0, limit_seconds / 4)):
            reason = progress.stalled(limit_seconds)
            if reason is not None:
                log.critical("process_stalled", reason=reason, limit_seconds=limit_seconds)
                exit_process(EXIT_STALLED)
                return

    threading.Thread(target=look, name="watchdog", daemon=True).start()
    return done
