"""A start that takes long because a large table is read back, beside one that stands: the watchdog tells them apart."""

import asyncio
from collections import Counter
from types import SimpleNamespace

import pytest

from hegui.streams.state import daemon
from hegui.streams.watchdog import Progress

LIMIT = 120


class Faust:
    """Reads a changelog back, `step` entries at a time, a minute each."""

    def __init__(self, clock, step):
        self.offsets = Counter({("changelog", 1): None})  # as Faust has it where nothing is known yet
        self.tables = SimpleNamespace(recovery=SimpleNamespace(active_offsets=self.offsets))
        self.clock, self.step = clock, step
        self.stalled = []

    async def start(self):
        for _ in range(10):
            self.offsets["changelog", 0] += self.step
            self.clock.now += 60
            for _ in range(20):  # lets the caller look
                await asyncio.sleep(0)
            self.stalled.append(self.progress.stalled(LIMIT))


@pytest.mark.parametrize(("step", "stands"), [(1000, False), (0, True)])
async def test_a_long_start_is_no_standstill_while_the_changelog_is_read(monkeypatch, step, stands):
    monkeypatch.setattr(daemon, "_LOOK_SECONDS", 0)
    clock = SimpleNamespace(now=0.0)
    app = Faust(clock, step)
    app.progress = Progress(lambda: clock.now)
    await daemon._start(app, app.progress)
    assert ("loop_blocked" in app.stalled) is stands


async def test_a_start_that_fails_is_told():
    app = Faust(SimpleNamespace(now=0.0), 0)
    app.progress = None
    with pytest.raises(AttributeError):
        await daemon._start(app, Progress())
