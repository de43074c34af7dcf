"""Export ledgers on a real Kafka: whatever happens to the processes, they equal the reference to the person."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec
import pytest
from msgspec.structs import replace

from hegui.rules.events import Envelope, Export
from hegui.streams.settings import load_settings
from hegui.streams.simulation import chat, envelope, person
from hegui.streams.topics import create_topics
from tests.broker.harness import Deployment, deployment
from tests.broker.kills import kill_round
from tests.broker.processes import Daemon, dice, now_ms, toml, until

pytestmark = pytest.mark.broker

ROUNDS = int(os.environ.get("KILL_ROUNDS") or 2)
DAY_MS = 86_400_000
YEAR_ENDS = tuple(
    round(datetime.fromisoformat(text).timestamp() * 1000)
    for text in (
        "2026-12-31T23:59:59+08:00",
        "2027-01-01T00:00:00+08:00",
        "2025-12-31T23:59:59.999+08:00",
        "2026-01-01T00:00:00+08:00",
    )
)
"""Last and first moments of legal years."""
ANY_TIME = {
    "max_future_seconds": 20_000 * 86_400.0,
    "max_age_days": 20_000.0,
    "tick_seconds": 0.2,
    "commit_seconds": 0.2,
}


def exports(
    clock_ms: Callable[[], int], *, seed: int, faults: float = 0.3, run: str = "export", persons: int = 400
) -> Iterator[Envelope]:
    """Yield exports of two entities of one controller, for persons who come again and again; of `faults` some cannot be counted."""
    chance = random.Random(seed)
    number = 0
    while True:
        at_ms = chance.choice(YEAR_ENDS) if chance.random() < 0.3 else clock_ms()
        subjects = tuple(person(chance.randrange(persons)) for _ in range(chance.randrange(1, 9)))
        export = Export(entity=chance.choice(["example-company", "example-infrastructure"]), subjects=subjects)
        data = replace(
            chat(number, at_ms),
            exported=True,
            export=export,
            prompt_personal_information=True,
            sensitive_personal_information=chance.random() < 0.2,
            data_class="general",
        )
        if chance.random() < faults:
            strange = ("k9:" + subjects[0][3:], "no key at all".ljust(67))
            other = chance.choice(
                [
                    replace(data, export=replace(export, subjects=(chance.choice(strange),))),
                    replace(data, export=replace(export, subjects=())),
                    replace(data, export=replace(export, entity="nobody")),
                    replace(data, sensitive_personal_information=None),
                    replace(data, exported=False),
                ]
            )
            data = other
        yield envelope(data, number, at_ms, run)
        number += 1


def run_state(daemon: Daemon, words: str) -> str:
    """What `hegui state` prints."""
    command = [sys.executable, "-m", "hegui.streams", "state", words, "--config", str(daemon.config)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


async def settled(made: Deployment) -> list[str]:
    await made.caught_up()
    await made.issues_settled()
    return await made.evaluation_faults() + await made.state_faults()


@pytest.mark.timeout(120 + 60 * ROUNDS)
@pytest.mark.parametrize("victim", ["evaluator", "state"])
async def test_ledgers_are_exact_after_kill_9_in_the_middle_of_an_update(kafka, victim):
    chance = dice()
    async with deployment(kafka.bootstrap, evaluator=ANY_TIME) as made:
        daemons = [await made.daemon(role).start() for role in ("evaluator", "state")]
        for number in range(ROUNDS):
            victims = [daemon for daemon in daemons if daemon.role == victim]
            done = await kill_round(made, victims, number, chance, exports)
            print(done)
            assert not done.faults, done
            assert done.killed_at
        assert {account.year for account in made.reference.ledgers} >= {2025, 2026, 2027}
        assert all(any(ledger) for ledger in made.reference.ledgers.values())


async def test_a_ledger_is_read_back_when_partitions_move_between_two_processes(kafka):
    async with deployment(kafka.bootstrap, evaluator=ANY_TIME) as made:
        await made.daemon("evaluator").start()
        first = await made.daemon("state").start()
        events = exports(now_ms, seed=5)
        await made.send(next(events) for _ in range(500))
        assert await settled(made) == []
        second = await made.daemon("state").start()
        await made.send(next(events) for _ in range(500))
        assert await settled(made) == []
        subjects = sum(len(o) + len(s) for o, s, _ in made.reference.ledgers.values())

        async def shown_once() -> bool:
            shown = [await daemon.metric("compliance_export_subjects") for daemon in (first, second)]
            return sum(filter(None, shown)) == subjects

        await until(shown_once, "every person shown by one process")
        first.kill()
        await made.send(next(events) for _ in range(200))
        assert await settled(made) == []


async def test_reading_the_whole_input_again_changes_no_ledger(kafka):
    async with deployment(kafka.bootstrap, evaluator=ANY_TIME) as made:
        evaluator = await made.daemon("evaluator").start()
        await made.daemon("state").start()
        events = exports(now_ms, seed=6)
        await made.send(next(events) for _ in range(800))
        assert await settled(made) == []
        before = await made.ledgers()
        assert await evaluator.stop() == 0
        again = {**made.given, "kafka": {**made.given["kafka"], "group_id": f"{made.name}-again"}}
        replaying = made.daemon("evaluator", **again)
        config = made.folder / "again.toml"
        config.write_text(toml(again), "utf-8")
        await create_topics(await made.admin(), load_settings(config, {}))  # the changelog of its group
        observed = sum((await made.tail(made.settings.topics.observations).ends()).values())
        await replaying.start()

        async def judged_again() -> bool:
            return await replaying.metric("compliance_events_total") == 800

        await until(judged_again, "the input judged again")
        assert await replaying.stop() == 0
        assert sum((await made.tail(made.settings.topics.observations).ends()).values()) > observed
        await made.issues_settled()
        assert await made.ledgers() == before
        assert await made.ledger_faults() == []


async def test_no_person_leaves_the_ledger(kafka):
    async with deployment(kafka.bootstrap, evaluator=ANY_TIME) as made:
        daemons = [await made.daemon(role).start() for role in ("evaluator", "state")]
        events = exports(now_ms, seed=7, persons=40)
        await made.send(next(events) for _ in range(300))
        assert await settled(made) == []
        persons = [person(number)[3:].encode() for number in range(40)]
        names = made.settings.topics
        written = [d.log.encode() for d in daemons]
        for topic in (names.violations, names.findings, names.dead_letters):
            written += [part for r in await made.read(topic) for part in (r.key or b"", r.value or b"")]
        written += [str((await daemon.metrics()).samples).encode() for daemon in daemons]
        assert not [text for text in written if any(one in text for one in persons)]
        findings = [msgspec.json.decode(r.value) for r in await made.read(names.findings)]
        shown, exported = (run_state(daemons[1], words) for words in ("show", "export"))
        assert "ordinary" in shown and "LOC012" in shown
        assert not [text for text in (shown, exported) if any(one.decode() in text for one in persons)]
        told = [one for one in map(msgspec.json.decode, exported.splitlines()) if one["kind"] == "export_ledger"]
        wanted = {(a.entity, a.year): (len(o), len(s)) for a, (o, s, _) in made.reference.ledgers.items()}
        assert {(one["entity"], one["year"]): (one["ordinary"], one["sensitive"]) for one in told} == wanted
        assert {"LOC012"} <= {finding["compliance"]["control"] for finding in findings}
