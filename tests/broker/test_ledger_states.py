"""Ledgers, deadlines and windows on a real Kafka: whatever happens to the processes, they equal the reference."""

import asyncio
import os
import random
from itertools import islice

import msgspec
import pytest
from msgspec.structs import replace

from hegui.rules.case_events import ComplaintEvent, IncidentEvent
from hegui.rules.events import Envelope, SourceAssessment
from hegui.streams.simulation import SOUND, envelope
from hegui.streams.state.app import state_group
from hegui.streams.topics import changelog_name
from tests.broker.harness import Deployment, deployment
from tests.broker.kills import share
from tests.broker.ledger_states import events, index_labels, ledger_state_faults, stored
from tests.broker.processes import dice, now_ms, until
from tests.streams.state.ledger_conclusions import ledger_rules
from tests.streams.state.ledger_events import KINDS

pytestmark = pytest.mark.broker

ROUNDS = int(os.environ.get("KILL_ROUNDS") or 2)
HOUR_MS = 3_600_000


async def settled(made: Deployment) -> list[str]:
    await made.caught_up()
    await made.issues_settled()
    return await ledger_state_faults(made)


@pytest.mark.timeout(120 + 60 * ROUNDS)
@pytest.mark.parametrize(
    ("client", "victims"),
    [
        ("aiokafka", ("evaluator",)),
        ("librdkafka", ("evaluator",)),
        ("aiokafka", ("state",)),
        ("aiokafka", ("evaluator", "state")),
        ("librdkafka", ("evaluator", "state")),
    ],
    ids=lambda given: given if isinstance(given, str) else "-".join(given),
)
async def test_every_ledger_is_exact_after_kill_9_in_the_middle_of_an_update(kafka, client, victims):
    chance: random.Random = dice()
    async with deployment(kafka.bootstrap, evaluator={"client": client}) as made:
        index_labels(made)
        daemons = await made.start("evaluator", "state")
        for number in range(share(ROUNDS, client) if "evaluator" in victims else ROUNDS):
            told = islice(events(now_ms, seed=number, run=f"r{number}"), 1500)
            flow = asyncio.create_task(made.send(told, seconds=2.0))
            for daemon in daemons:
                if daemon.role in victims:
                    await asyncio.sleep(chance.uniform(0.1, 1.2))  # the random moment is what is tested
                    daemon.kill()
                    daemon.launch()
            await flow
            for daemon in daemons:
                await daemon.ready()
            assert await settled(made) == []
        findings = [msgspec.json.decode(r.value) for r in await made.read(made.settings.topics.findings)]
        assert {"TRN018", "TRN019", "LBL029", "LBL030"} <= {told["compliance"]["control"] for told in findings}
        assert await made.read(made.settings.topics.suspensions)
        assert {state["ledger"] for state in (await stored(made)).values()} == {
            "source",
            "corpus",
            "sample",
            "coverage",
            "session",
            "case",
            "abuse",
            "produce_id",
            "content_label",
        }


def failing_everywhere(at_ms: int) -> list[Envelope]:
    """What makes every rule of a ledger fail once everything is told, a session of more than two hours to now first."""
    moments = [at_ms - minute * 60_000 for minute in range(125, -1, -1)]
    use = [
        (replace(SOUND["companion"](n, at), session_id="long", usage_reminder_shown=False), at)
        for n, at in enumerate(moments)
    ]
    others = [KINDS["illegal"](n, at_ms) for n in range(10)]
    others += [KINDS["number twice"](n, at_ms) for n in range(2)]
    others += [KINDS["labelled"](0, at_ms), KINDS["spread"](0, at_ms), KINDS["release"](0, at_ms)]
    others += [KINDS["abusive"](3 * n, at_ms) for n in range(3)]
    others += [
        ComplaintEvent(service="chat-assistant", received_at_ms=at_ms - 1000 * HOUR_MS),
        IncidentEvent(service="image-studio", discovered_at_ms=at_ms - 1000 * HOUR_MS),
    ]
    told = [*use, *((data, at_ms) for data in others)]
    return [envelope(data, n, at, "all") for n, (data, at) in enumerate(told)]


async def test_every_rule_of_a_ledger_is_told_as_a_finding_and_not_again_after_a_crash(kafka):
    async with deployment(kafka.bootstrap) as made:
        index_labels(made)
        await made.send(failing_everywhere(now_ms()))
        await made.start("evaluator", "state")

        async def story() -> dict[str, list[tuple[str, str]]]:
            """Rule to uids and activities of its findings, but for updates: they tell that it goes on failing."""
            found: dict[str, list[tuple[str, str]]] = {}
            for record in await made.read(made.settings.topics.findings):
                told = msgspec.json.decode(record.value)
                at = (told["finding_info"]["uid"], told["activity_name"])
                if at[1] != "Update":
                    found.setdefault(told["compliance"]["control"], []).append(at)
            return {rule: sorted(set(at)) for rule, at in found.items() if rule in rules}

        rules = ledger_rules(made.reference.engine)
        assert await settled(made) == []
        assert await made.dead_letters() == []
        wanted = {"TRN018", "TRN019", "CMP002", "LBL029", "LBL030", "MOD009", "MOD010"}

        async def told() -> bool:
            return wanted <= (await story()).keys()

        await until(told, "every rule told of")
        before = await story()
        assert before.keys() == wanted
        assert {activity for at in before.values() for _, activity in at} == {"Create"}
        assert len(await made.read(made.settings.topics.suspensions)) == 1
        await made.crash()
        await made.send([envelope(KINDS["image"](0, now_ms()), 0, now_ms(), "after")])
        assert await settled(made) == []
        assert await story() == before


async def test_ledgers_move_between_two_processes_and_show_once(kafka):
    async with deployment(kafka.bootstrap) as made:
        index_labels(made)
        _, first = await made.start("evaluator", "state")
        told = events(now_ms, seed=1)
        await made.send(next(told) for _ in range(400))
        assert await settled(made) == []
        second = await made.daemon("state").start()
        await made.send(next(told) for _ in range(400))
        assert await settled(made) == []
        count = len(await stored(made))

        async def shown_once() -> bool:
            shown = [await daemon.metric("compliance_ledger_states") for daemon in (first, second)]
            return sum(filter(None, shown)) == count

        await until(shown_once, "every state shown by one process")
        first.kill()
        await made.send(next(told) for _ in range(200))
        assert await settled(made) == []


async def test_a_deadline_passes_on_an_idle_topic_and_stands_after_a_restart(kafka):
    async with deployment(kafka.bootstrap) as made:
        await made.start("evaluator", "state")
        at_ms = now_ms()
        due_ms = at_ms + 4000
        complaint = ComplaintEvent(service="chat-assistant", received_at_ms=due_ms - 72 * HOUR_MS)
        await made.send([envelope(complaint, 1, at_ms, "case")])

        async def findings() -> list[dict]:
            found = [msgspec.json.decode(r.value) for r in await made.read(made.settings.topics.findings)]
            return [f for f in found if f["compliance"]["control"] == "MOD010"]

        async def told() -> bool:
            return bool(await findings())

        await until(told, "the deadline told of")
        (first, *_) = await findings()
        assert first["activity_name"] == "Create"
        assert first["finding_info"]["first_seen_time"] > due_ms
        assert now_ms() > due_ms
        await made.crash()
        answered = msgspec.structs.replace(complaint, answered_at_ms=now_ms())
        await made.send([msgspec.structs.replace(envelope(answered, 1, now_ms(), "case"), revision=1)])
        assert await settled(made) == []
        uids = {f["finding_info"]["uid"] for f in await findings()}
        assert len(uids) == 1, "the same issue before and after the restart"


async def test_a_condemned_source_fails_in_the_evaluator_within_seconds(kafka):
    async with deployment(kafka.bootstrap) as made:
        await made.start("evaluator", "state")
        record = msgspec.structs.replace(SOUND["licensed"](1, 0), source_id="mirror-1")
        bad = msgspec.structs.replace(record, assessment=SourceAssessment(sampled=1000, illegal=51))
        await made.send([envelope(record, 0, now_ms(), "before"), envelope(bad, 1, now_ms(), "bad")])

        async def verdict() -> bool:
            return bool(await made.read(made.settings.topics.sources))

        await until(verdict, "the verdict on its topic")

        async def failing() -> set[str]:
            return {
                v.id
                for versions in (await made.violations()).values()
                for v in versions
                if any(result.rule == "TRN017" and result.outcome == "fail" for result in v.results)
            }

        number = 2

        async def refused() -> bool:
            nonlocal number
            await made.send([envelope(record, number, now_ms(), "after")])
            number += 1
            return any(name.startswith("after") for name in await failing())

        await until(refused, "a later record of the source fails")
        assert not {name for name in await failing() if name.startswith("before")}

        # The topic of verdicts is lost, and the table says what stood on it.
        told = [(r.key, r.value) for r in await made.read(made.settings.topics.sources)]
        for daemon in made.daemons:
            assert await daemon.stop() == 0
        await made.recreate(made.settings.topics.sources)
        for daemon in made.daemons:
            await daemon.start()
        await until(verdict, "the verdict on its topic again")
        assert [(r.key, r.value) for r in await made.read(made.settings.topics.sources)] == told


async def test_counts_of_another_deployment_on_the_same_topic_are_refused_and_told(kafka):
    async with deployment(kafka.bootstrap) as made:
        _, state = await made.start("evaluator", "state")
        told = events(now_ms, seed=3)
        await made.send(next(told) for _ in range(200))
        assert await settled(made) == []
        before = await stored(made)
        (record, *_) = await made.read(made.settings.topics.observations)
        foreign = msgspec.json.decode(record.value) | {"group": "somebody-else", "block": 10**6, "start": 0}
        producer = await made.producer()
        await producer.send_and_wait(made.settings.topics.observations, msgspec.json.encode(foreign), partition=0)

        async def buried() -> bool:
            return any(letter["reason"] == "foreign_group" for letter in await made.dead_letters())

        await until(buried, "the foreign observation buried")
        assert await state.metric("compliance_dead_letters_total") == 1
        assert await stored(made) == before


async def test_reading_the_whole_input_again_changes_no_state(kafka):
    async with deployment(kafka.bootstrap) as made:
        index_labels(made)
        evaluator, _ = await made.start("evaluator", "state")
        told = events(now_ms, seed=7)
        await made.send(next(told) for _ in range(600))
        assert await settled(made) == []
        before = await stored(made)
        assert await evaluator.stop() == 0
        await made.forget_group(made.name)
        await evaluator.start()

        async def judged_again() -> bool:
            return await evaluator.metric("compliance_events_total") == 600

        await until(judged_again, "the input judged again")
        assert await settled(made) == []
        assert await stored(made) == before


async def test_a_table_rebuilt_from_the_observations_is_the_same(kafka):
    async with deployment(kafka.bootstrap) as made:
        index_labels(made)
        _, state = await made.start("evaluator", "state")
        told = events(now_ms, seed=4)
        await made.send(next(told) for _ in range(600))
        assert await settled(made) == []
        before = await stored(made)
        assert await state.stop() == 0
        # The table is lost: its changelog is made anew, and the group begins with the first observation.
        await made.forget_group(state_group(made.settings))
        await made.recreate(changelog_name(made.settings))
        await state.start()
        await made.issues_settled()
        assert await stored(made) == before
