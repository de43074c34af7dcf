import os

import msgspec
import pytest
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

from hegui.streams.simulation import traffic
from tests.broker.harness import CLIENTS, COOPERATIVE, carried_by, deployment
from tests.broker.kills import kill_round, share
from tests.broker.processes import dice, now_ms, until

pytestmark = pytest.mark.broker

ROUNDS = int(os.environ.get("KILL_ROUNDS") or 3)


@pytest.mark.timeout(120 + 60 * ROUNDS)
@pytest.mark.parametrize(
    ("client", "victim"),
    [
        ("aiokafka", "evaluator"),
        ("librdkafka", "evaluator"),
        (COOPERATIVE, "evaluator"),
        ("aiokafka", "state"),
        ("aiokafka", "either"),
        ("librdkafka", "either"),
    ],
)
async def test_kill_9_in_mid_stream_loses_nothing_and_doubles_nothing(kafka, client, victim):
    chance = dice()
    async with deployment(kafka.bootstrap, evaluator=carried_by(client)) as made:
        daemons = {"evaluator": made.daemon("evaluator"), "state": made.daemon("state")}
        for daemon in daemons.values():
            daemon.launch()
        for daemon in daemons.values():
            await daemon.ready()
        for number in range(share(ROUNDS, client) if victim == "either" else ROUNDS):
            both = list(daemons.values())
            victims = chance.choice([both[:1], both[1:], both]) if victim == "either" else [daemons[victim]]
            done = await kill_round(made, victims, number, chance)
            print(done)
            assert not done.faults, done
            assert done.killed_at
        assert made.reference.violations, "a run without failures shows nothing"
        episodes: dict[str, set[str]] = {}
        for record in await made.read(made.settings.topics.findings):
            finding = ComplianceFinding.model_validate_json(record.value)
            assert finding.finding_info.uid == record.key.decode()
            parts = msgspec.json.decode(record.value)
            issue = msgspec.json.encode([parts["compliance"].get("control"), parts.get("resources")], order="sorted")
            episodes.setdefault(issue.decode(), set()).add(finding.finding_info.uid)
        assert len(set().union(*episodes.values())) == len(await made.all_issues())


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_start_behind_a_backlog_judges_no_event_twice_and_sums_are_exact(kafka, client):
    """With many partitions to look up. A new owner begins at the start of the committed block; what the client fetched at the committed position is not judged."""
    async with deployment(kafka.bootstrap, evaluator={"client": client}, spare=40) as made:
        evaluator = await made.daemon("evaluator").start()
        events = traffic(now_ms, seed=22, faults=0.3)
        await made.send(next(events) for _ in range(400))
        await made.caught_up()
        for number in range(3):
            assert await evaluator.stop() == 0
            await made.send(next(events) for _ in range(200))
            evaluator.launch()
            await evaluator.ready()
            await made.caught_up()
            assert await made.evaluation_faults() == [], f"start {number}"

            async def counted() -> bool:
                return await evaluator.metric("compliance_events_total") == 200

            await until(counted, "the backlog counted once", 10)
