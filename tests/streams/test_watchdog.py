"""The watchdog ends a process that stands still, and no other."""

import threading

import pytest

from hegui.streams.watchdog import EXIT_STALLED, Progress, watch
from tests.streams.fakes import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def progress(clock):
    return Progress(clock)


def test_a_loop_that_does_not_go_round_is_blocked(clock, progress):
    clock.advance(120)
    assert progress.stalled(120) is None
    clock.advance(1)
    assert progress.stalled(120) == "loop_blocked"
    progress.alive()
    assert progress.stalled(120) is None
    assert progress.alive_seconds() == 0


def test_lag_with_no_commit_moving_is_a_stall(clock, progress):
    progress.lag(5)
    clock.advance(121)
    progress.alive()
    assert progress.stalled(120) == "no_commit_moves"
    progress.committed()
    assert progress.stalled(120) is None


def test_standing_still_with_nothing_to_do_is_right(clock, progress):
    progress.lag(0)
    clock.advance(500)
    progress.alive()
    progress.lag(0)
    progress.lag(3)
    assert progress.stalled(120) is None


def test_a_stalled_process_is_ended_with_its_own_exit_code(clock, progress):
    codes, ended = [], threading.Event()
    clock.advance(1)

    def leave(code):
        codes.append(code)
        ended.set()

    watch(progress, 0.01, leave)
    assert ended.wait(5)
    assert codes == [EXIT_STALLED] == [70]


def test_a_watch_that_was_ended_ends_nothing(clock, progress):
    codes, looked = [], threading.Event()

    class Looked(Progress):
        def stalled(self, limit_seconds):
            looked.set()

    done = watch(Looked(clock), 0.01, codes.append)
    assert looked.wait(5)
    done.set()
    assert codes == []
