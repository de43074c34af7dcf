"""Members of a group come and go."""

import asyncio
import json
import signal
from collections import Counter
from typing import Any

import pytest

from hegui.rules.ledgers.form import label_of
from hegui.rules.registry import OTHER
from hegui.streams.simulation import traffic
from tests.broker.harness import CLIENTS, COOPERATIVE, Deployment, carried_by, deployment
from tests.broker.processes import Daemon, now_ms, until

pytestmark = pytest.mark.broker


def flow(made: Deployment, run: str, *, events: int, seconds: float) -> asyncio.Task[None]:
    made_up = traffic(now_ms, seed=len(run), faults=0.3, run=run)
    return asyncio.create_task(made.send((next(made_up) for _ in range(events)), seconds=seconds))


async def judged(daemon: Daemon) -> float:
    return await daemon.metric("compliance_events_total") or 0.0


CHANGE_OF_CLIENT = ("aiokafka", "librdkafka", "aiokafka")


def with_client(client: str) -> dict[str, Any]:
    return {"tick_seconds": 0.2, "commit_seconds": 0.2, **carried_by(client)}


def begun(daemon: Daemon) -> list[int]:
    """How many partitions a daemon began at each rebalance, by its log."""
    lines = [json.loads(line) for line in daemon.log_tail(10_000).splitlines() if line.startswith("{")]
    return [line["partitions"] for line in lines if line["event"] == "partitions_assigned"]


@pytest.mark.parametrize(
    "clients", [*((client,) * 3 for client in (*CLIENTS, COOPERATIVE)), CHANGE_OF_CLIENT], ids="-".join
)
async def test_evaluators_that_leave_and_crash_lose_and_double_nothing(kafka, clients):
    settings = [with_client(client) for client in clients]
    async with deployment(kafka.bootstrap) as made:
        state = made.daemon("state")
        first = made.daemon("evaluator", evaluator=settings[0])
        second = made.daemon("evaluator", evaluator=settings[1])
        for daemon in (state, first, second):
            daemon.launch()
        for daemon in (state, first, second):
            await daemon.ready()

        sending = flow(made, "both", events=3000, seconds=4.0)

        async def both_work() -> bool:
            return await judged(first) > 100 and await judged(second) > 100

        await until(both_work, "both evaluators judge")
        assert await first.stop() == 0  # leaves the group
        before = await judged(second)

        async def more() -> bool:
            return await judged(second) > before + 100

        await until(more, "the one that stayed goes on")
        await sending
        await made.caught_up()
        if COOPERATIVE in clients:
            # Of three partitions come those that the other had; the second's own were not begun again.
            assert 0 < begun(second)[-1] < 3, begun(second)
        assert await made.evaluation_faults() == []

        third = await made.daemon("evaluator", evaluator=settings[2]).start()
        sending = flow(made, "crash", events=3000, seconds=4.0)

        async def third_works() -> bool:
            return await judged(third) > 100

        await until(third_works, "the new evaluator judges")
        second.kill()  # the group notices after the session time-out of 6 s
        await sending
        await made.caught_up()
        assert await made.evaluation_faults() == []
        await made.issues_settled()
        assert await made.state_faults() == []
        assert await third.stop() == 0


async def test_in_a_cooperative_group_who_stays_goes_on_while_others_come_and_go(kafka):
    async with deployment(kafka.bootstrap) as made:
        state = made.daemon("state")
        stays, guest = (made.daemon("evaluator", evaluator=with_client(COOPERATIVE)) for _ in range(2))
        state.launch()
        await stays.start()
        await state.ready()
        sending = flow(made, "guests", events=6000, seconds=20.0)
        for round_ in range(3):
            await guest.start()

            async def works() -> bool:
                return await judged(guest) > 100

            await until(works, "the guest judges")
            if round_ == 1:
                guest.kill()
                await guest.end()
            else:
                assert await guest.stop() == 0
        await sending
        await made.caught_up()
        assert await made.evaluation_faults() == []
        await made.issues_settled()
        assert await made.state_faults() == []
        # Three partitions at first; the one that a guest was given comes back (a killed one's may go to the next guest), no other is begun again.
        assert begun(stays)[0] == 3
        assert 2 <= sum(begun(stays)[1:]) <= 3, begun(stays)
        assert max(begun(stays)[1:]) == 1, begun(stays)
        assert await stays.stop() == 0


async def test_a_member_of_a_cooperative_group_that_was_thought_dead_goes_on_with_what_it_is_given(kafka):
    async with deployment(kafka.bootstrap, evaluator=with_client(COOPERATIVE)) as made:
        sleeper, other, state = made.daemon("evaluator"), made.daemon("evaluator"), made.daemon("state")
        state.launch()
        await sleeper.start()
        await state.ready()
        sending = flow(made, "asleep", events=3000, seconds=12.0)

        async def works() -> bool:
            return await judged(sleeper) > 100

        await until(works, "the first judges")
        assert sleeper._process is not None
        sleeper._process.send_signal(signal.SIGSTOP)
        await other.start()

        async def taken() -> bool:
            return await judged(other) > 300  # the group gives the sleeper up after 6 s

        await until(taken, "the other judges")
        sleeper._process.send_signal(signal.SIGCONT)
        await sending
        await flow(made, "awake", events=1000, seconds=3.0)
        await made.caught_up()
        assert await made.evaluation_faults() == []
        await made.issues_settled()
        assert await made.state_faults() == []
        assert await sleeper.stop() == 0
        assert await other.stop() == 0


async def owned(daemon: Daemon, topic: str) -> set[str]:
    """Partitions of the observations that a state process owns."""
    if not daemon.running:
        return set()
    samples = (await daemon.metrics()).all("compliance_consumer_lag_records")
    return {labels["partition"] for labels, _ in samples if labels["topic"] == topic}


async def open_issues(daemons: list[Daemon]) -> Counter[tuple[str, ...]]:
    """Issue key to the sum of its gauges over the processes."""
    found: Counter[tuple[str, ...]] = Counter()
    for daemon in daemons:
        metrics = await daemon.metrics()
        for name in ("compliance_open_issues", "compliance_suppressed_issues"):
            for labels, value in metrics.all(name):
                found[labels["tenant"], labels["rule"], labels["service"]] += int(value)
    return found


async def test_state_processes_share_the_partitions_and_no_issue_is_exposed_twice(kafka):
    async with deployment(kafka.bootstrap) as made:
        topic = made.settings.topics.observations
        evaluator, first = made.daemon("evaluator"), made.daemon("state")
        evaluator.launch()
        first.launch()
        await evaluator.ready()
        await first.ready()
        await flow(made, "alone", events=500, seconds=0.5)
        await made.caught_up()
        await made.issues_settled()

        async def wanted() -> Counter[tuple[str, ...]]:
            """The issues that are not closed, by the labels of their gauge: those of references share one."""
            issues = (await made.all_issues()).values()
            return Counter((i.tenant, i.rule, label_of(i.service)) for i in issues if i.status != "closed")

        async def settled(*daemons: Daemon) -> None:
            """Wait until every partition has one owner and every issue one gauge, as the changelog has it."""

            async def holds() -> bool:
                shares = [await owned(daemon, topic) for daemon in daemons]
                if Counter(p for share in shares for p in share) != {"0": 1, "1": 1} or not all(shares):
                    return False
                return await open_issues(list(daemons)) == await wanted()

            try:
                await until(holds, "gauges agree with the changelog", 40)
            except TimeoutError as error:
                shares = [await owned(daemon, topic) for daemon in daemons]
                issues = await wanted()
                shown = await open_issues(list(daemons))
                differ = {
                    k: (shown[k], issues.get(k)) for k in shown.keys() | issues.keys() if shown[k] != issues.get(k)
                }
                raise AssertionError(f"{error}: owned {shares}, gauge and changelog differ: {differ}") from None

        await settled(first)
        second = made.daemon("state")
        sending = flow(made, "joined", events=2000, seconds=4.0)
        await second.start()
        await sending
        await made.caught_up()
        await made.issues_settled()
        await settled(first, second)
        assert await made.state_faults() == []

        # Once settled, no scrape sees an issue twice, also while events flow.
        sending = flow(made, "steady", events=1000, seconds=2.0)
        scrapes = 0
        while not sending.done():
            # Issues of sources share a series as `other`: how many there are, only the changelog can say.
            seen = {key: n for key, n in (await open_issues([first, second])).items() if key[2] != OTHER}
            scrapes += 1
            assert max(seen.values()) == 1, {key: n for key, n in seen.items() if n > 1}
            await asyncio.sleep(0.05)  # the pace of the scrapes
        assert scrapes > 3
        await sending

        sending = flow(made, "left", events=1000, seconds=2.0)
        assert await first.stop() == 0
        await sending
        await made.caught_up()
        await made.issues_settled()
        await settled(second)
        assert await made.state_faults() == []

        third = await made.daemon("state").start()
        await settled(second, third)
        sending = flow(made, "crashed", events=1000, seconds=2.0)
        second.kill()
        await sending
        await made.caught_up()
        await made.issues_settled()
        await settled(third)
        assert await made.evaluation_faults() == []
        assert await made.state_faults() == []
