"""One round of kill -9 in mid-stream: for test_kill.py and for the figures of rounds.py."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hegui.rules.events import Envelope
from hegui.streams.simulation import traffic
from tests.broker.harness import Deployment
from tests.broker.ledger_states import ledger_state_faults
from tests.broker.processes import Daemon, now_ms

EVENTS = 2500
SECONDS = 2.0


def share(rounds: int, client: str) -> int:
    """How many rounds a client has where both share them out: a round takes some 10 s."""
    return max(1, (rounds + (client == "aiokafka")) // 2)


class Round(NamedTuple):
    """What a round came to."""

    number: int
    killed_at: list[tuple[str, float]]
    """Process and seconds since the round began."""
    restarts: int
    faults: list[str]
    seconds: float


async def kill_round(
    deployment: Deployment,
    daemons: list[Daemon],
    number: int,
    chance: random.Random,
    make: Callable[..., Iterator[Envelope]] = traffic,
) -> Round:
    """Send events, kill each of `daemons` once at a random moment, start it again, settle, compare.

    A process that ends by itself counts as a fault unless it says (by its code 75) that it has to start anew.
    """
    begun = time.monotonic()
    killed: list[tuple[str, float]] = []
    before = sum(daemon.restarts for daemon in daemons)
    seed = chance.randrange(2**31)
    events = make(now_ms, seed=seed, faults=0.3, run=f"r{number}")
    flow = asyncio.create_task(deployment.send((next(events) for _ in range(EVENTS)), seconds=SECONDS))  # noqa: RUF006 - awaited below

    async def crash(daemon: Daemon, after: float) -> None:
        await asyncio.sleep(after)  # the random moment is what is tested
        daemon.kill()
        killed.append((daemon.role, round(time.monotonic() - begun, 2)))
        daemon.launch()

    # Now and then a process is killed again while it starts and recovers.
    moments = [(daemon, chance.uniform(0.0, SECONDS)) for daemon in daemons]
    again = [(daemon, first + chance.uniform(0.2, 4.0)) for daemon, first in moments if chance.random() < 0.3]
    for daemon, moment in sorted(moments + again, key=lambda m: m[1]):
        await crash(daemon, max(0.0, moment - (time.monotonic() - begun)))
    await flow
    faults: list[str] = []
    try:
        for daemon in deployment.daemons:
            await daemon.ready()
        await deployment.caught_up()
        faults += await deployment.evaluation_faults()
        if any(daemon.role == "state" for daemon in deployment.daemons):
            await deployment.issues_settled()
            faults += await deployment.state_faults()
            faults += await ledger_state_faults(deployment)
    except (TimeoutError, AssertionError) as error:
        faults.append(str(error))
    restarts = sum(daemon.restarts for daemon in daemons) - before
    return Round(number, killed, restarts, faults, time.monotonic() - begun)
