"""Export ledgers on a real Kafka: whatever happens to the processes, they equal the reference to the person."""

import os
import subprocess
import sys
from datetime import datetime
from itertools import count

import msgspec
import pytest

from hegui.rules.exports import DAY_MS
from hegui.streams.simulation import person
from hegui.streams.state.export_table import ACCOUNT, PERSON
from tests.broker.exports import ANY_TIME, exports
from tests.broker.harness import CLIENTS, Deployment, deployment, ledger_differences
from tests.broker.kills import kill_round, share
from tests.broker.processes import Daemon, dice, now_ms, until
from tests.broker.reference import Reference
from tests.broker.topics import EXAMPLE_POLICY

pytestmark = pytest.mark.broker

ROUNDS = int(os.environ.get("KILL_ROUNDS") or 2)


def run_state(daemon: Daemon, words: str) -> str:
    """What `hegui state` prints."""
    command = [sys.executable, "-m", "hegui.streams", "state", words, "--config", str(daemon.config)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


async def settled(made: Deployment) -> list[str]:
    await made.caught_up()
    await made.issues_settled()
    return await made.evaluation_faults() + await made.state_faults()


@pytest.mark.timeout(120 + 60 * ROUNDS)
@pytest.mark.parametrize(
    ("client", "victim"), [("aiokafka", "evaluator"), ("librdkafka", "evaluator"), ("aiokafka", "state")]
)
async def test_ledgers_are_exact_after_kill_9_in_the_middle_of_an_update(kafka, client, victim):
    chance = dice()
    async with deployment(kafka.bootstrap, evaluator={**ANY_TIME, "client": client}) as made:
        daemons = await made.start("evaluator", "state")
        for number in range(share(ROUNDS, client) if victim == "evaluator" else ROUNDS):
            victims = [daemon for daemon in daemons if daemon.role == victim]
            done = await kill_round(made, victims, number, chance, exports)
            print(done)
            assert not done.faults, done
            assert done.killed_at
        assert {account.year for account in made.reference.ledgers} >= {2025, 2026, 2027}
        assert all(any(ledger) for ledger in made.reference.ledgers.values())


async def test_a_ledger_is_read_back_when_partitions_move_between_two_processes(kafka):
    async with deployment(kafka.bootstrap, evaluator=ANY_TIME) as made:
        evaluators = [made.daemon("evaluator", evaluator={**ANY_TIME, "client": client}) for client in CLIENTS]
        for evaluator in evaluators:
            await evaluator.start()
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
        for evaluator in evaluators:
            assert await evaluator.metric("compliance_events_total"), "either client judged a share"


@pytest.mark.parametrize("client", CLIENTS)
async def test_reading_the_whole_input_again_changes_no_ledger(kafka, client):
    async with deployment(kafka.bootstrap, evaluator={**ANY_TIME, "client": client}) as made:
        evaluator, _ = await made.start("evaluator", "state")
        events = exports(now_ms, seed=6)
        await made.send(next(events) for _ in range(800))
        assert await settled(made) == []
        before = await made.ledgers()
        assert await evaluator.stop() == 0
        await made.forget_group(made.name)
        observed = sum((await made.tail(made.settings.topics.observations).ends()).values())
        await evaluator.start()

        async def judged_again() -> bool:
            return await evaluator.metric("compliance_events_total") == 800

        await until(judged_again, "the input judged again")
        assert await evaluator.stop() == 0
        assert sum((await made.tail(made.settings.topics.observations).ends()).values()) > observed
        await made.issues_settled()
        assert await made.ledgers() == before
        assert await made.ledger_faults() == []


def years_kept(made: Deployment, years: int) -> None:
    """Let the policy keep so many legal years, and know a key of 2022."""
    text = EXAMPLE_POLICY.read_text("utf-8")
    key = '  - { controller: example-group, year: 2022, key_id: "1" }'
    assert "\nperson_keys:\n" in text
    text = text.replace("\nperson_keys:\n", f"\nperson_keys:\n{key}\n")
    made.policy_path.write_text(f"{text}\nexport_years_kept: {years}\n", "utf-8")


async def test_a_past_year_is_forgotten_in_portions_over_kill_9(kafka):
    first_day = round(datetime.fromisoformat("2022-03-01T00:00:00+08:00").timestamp() * 1000)
    async with deployment(kafka.bootstrap, evaluator=ANY_TIME) as made:
        years_kept(made, 9)
        made.reference = Reference(made.settings, made.optouts)
        _, state = await made.start("evaluator", "state")
        days = count()
        events = exports(lambda: first_day + next(days) % 200 * DAY_MS, seed=8)
        await made.send(next(events) for _ in range(1500))
        assert await settled(made) == []
        old = {account for account in made.reference.ledgers if account.year in {2021, 2022}}
        entries = len(await made.table())
        assert old and entries > 100  # several portions of 50
        years_kept(made, 4)
        await until(lambda: "export_years_forgotten" in state.log, "the year forgotten")
        state.kill()
        kept = {account: ledger for account, ledger in made.reference.ledgers.items() if account not in old}
        assert {account.year for account in kept} >= {2025, 2026, 2027}
        left = len(await made.table())
        await state.start()

        async def gone() -> bool:
            table = await made.table()
            return await made.ledgers() == kept and not any(orphan(key, table) for key in table)

        await until(gone, "entries of the year deleted")
        assert not ledger_differences("ledger", await made.ledgers(), kept)
        print(f"{entries} entries, {left} when the process was killed, {len(await made.table())} at the end")
        shown = {labels["year"] for labels, _ in (await state.metrics()).all("compliance_export_subjects")}
        assert shown == {str(account.year) for account in kept}


def orphan(key: bytes, table: dict[bytes, bytes]) -> bool:
    """Whether an entry of persons has lost its account."""
    return key.startswith(PERSON) and ACCOUNT + key[2:20] not in table


async def test_no_person_leaves_the_ledger(kafka):
    async with deployment(kafka.bootstrap, evaluator=ANY_TIME) as made:
        daemons = await made.start("evaluator", "state")
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
