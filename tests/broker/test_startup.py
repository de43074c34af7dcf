"""Starts that cannot go on, starts that have to wait, and a policy that changes under way."""

import asyncio
import re
from typing import Any

import pytest

from hegui.streams.settings import load_settings
from tests.broker.harness import Deployment, deployment
from tests.broker.processes import Daemon, toml, until
from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.broker

ROLES = ("evaluator", "state")


async def refused(daemon: Daemon) -> str:
    """Start a process that must end with code 2; return the one sentence it says."""
    daemon.launch()
    return await refusal(daemon)


async def refusal(daemon: Daemon) -> str:
    """Wait until a process ends with code 2; return the one sentence it says."""
    assert await daemon.end() == 2, daemon.log
    lines = daemon.log.splitlines()
    sentences = [line for line in lines if not line.startswith("{")]
    assert len(sentences) == 1, daemon.log
    assert lines[-1] == sentences[0]
    assert "Traceback" not in daemon.log
    return sentences[0]


async def test_without_a_broker_a_process_stays_up_and_connects_when_it_appears():
    with KafkaServer() as kafka:
        async with deployment(kafka.bootstrap) as made:
            await asyncio.to_thread(kafka.stop)
            daemons = [made.daemon(role) for role in ROLES]
            for daemon in daemons:
                daemon.launch()
            for daemon in daemons:
                await until(lambda d=daemon: d.log.count('"broker_not_reached"') >= 2, f"{daemon.name} says it waits")
                assert await daemon.status("/livez") == 200
                assert await daemon.status("/readyz") == 503
                assert await daemon.metric("compliance_readiness") == 0
                assert daemon.running
            # A process that waits ends at once when it is asked to.
            waiting = made.daemon("evaluator")
            waiting.launch()
            await until(lambda: '"broker_not_reached"' in waiting.log, "it waits")
            assert await waiting.stop(5) == 0
            await asyncio.to_thread(kafka.start)
            for daemon in daemons:
                await daemon.ready()
                assert daemon.restarts == 0
                assert await daemon.metric("compliance_readiness") == 1
                assert await daemon.stop() == 0


@pytest.mark.parametrize("role", ROLES)
async def test_missing_topics_end_the_start_with_the_command_that_makes_them(kafka, role):
    async with deployment(kafka.bootstrap, create=False) as made:
        said = await refused(made.daemon(role))
        assert made.name in said
        assert "hegui topics create" in said


@pytest.mark.parametrize("role", ROLES)
async def test_another_partition_count_of_the_observations_ends_the_start(kafka, role):
    async with deployment(kafka.bootstrap) as made:
        given: dict[str, Any] = {**made.given["topics"], "state_partitions": 3}
        said = await refused(made.daemon(role, topics=given))
        assert "topics.state_partitions = 3" in said
        assert "2 partitions" in said


BAD = {
    "unknown key": ({"kafka": {"bootstrap": "x:1"}}, "kafka.bootstrap"),
    "no broker named": ({"kafka": {"group_id": "g"}}, "kafka.bootstrap_servers is not set"),
    "no port": ({"kafka": {"bootstrap_servers": "localhost"}}, "kafka.bootstrap_servers"),
    "wrong type": ({"evaluator": {"max_batch_records": "many"}}, "evaluator.max_batch_records"),
    "out of range": ({"evaluator": {"tick_seconds": 0}}, "evaluator.tick_seconds"),
    "unknown word": ({"log": {"level": "loud"}}, "log.level"),
    "topic twice": ({"topics": {"violations": "a", "findings": "a"}}, "twice"),
    "policy not there": ({"policy_file": "/nowhere/policy.yaml"}, "policy"),
    "key not Base64": ({"dead_letters": {"public_key": "no key"}}, "dead_letters.public_key"),
}


@pytest.mark.parametrize("what", BAD)
async def test_bad_settings_end_the_start_with_one_sentence(kafka, what):
    given, named = BAD[what]
    async with deployment(kafka.bootstrap, create=False) as made:
        said = await refused(made.daemon("evaluator", **given))
        assert named in said
        assert said.startswith(("settings: ", "policy: "))


async def test_a_bad_policy_ends_the_start_with_one_sentence(kafka):
    async with deployment(kafka.bootstrap, create=False) as made:
        made.policy_path.write_text("version: broken\nservices:\n  - name: 7\n", "utf-8")
        for role in ROLES:
            assert (await refused(made.daemon(role))).startswith("policy: ")


async def test_a_port_that_is_taken_ends_the_start_with_one_sentence(kafka):
    async with deployment(kafka.bootstrap) as made:
        first = await made.daemon("evaluator").start()
        second = made.daemon("evaluator")
        second.config.write_text(toml({**made.given, "http": {"port": first.port}}), "utf-8")
        assert "http.port" in await refused(second)
        assert load_settings(second.config, {}).http.port == first.port


async def version_of(daemon: Daemon) -> str | None:
    """The policy version that a process says is in force."""
    shown = [labels["version"] for labels, value in (await daemon.metrics()).all("compliance_policy_info") if value]
    return shown[0] if len(shown) == 1 else None


async def shows(made: Deployment, reload: float, version: str) -> None:
    """Wait until every process shows the outcome of the last reload and the version in force."""
    for daemon in made.daemons:

        async def holds(daemon: Daemon = daemon) -> bool:
            reloaded = await daemon.metric("compliance_policy_last_reload_successful")
            return reloaded == reload and await version_of(daemon) == version

        await until(holds, f"{daemon.name}: reload {reload}, version {version}", 15)


async def test_a_bad_policy_on_reload_leaves_the_old_one_and_a_good_one_is_taken(kafka):
    async with deployment(kafka.bootstrap) as made:
        for role in ROLES:
            made.daemon(role).launch()
        for daemon in made.daemons:
            await daemon.ready()
        await shows(made, 1, "example-1")
        good = made.policy_path.read_text("utf-8")

        for bad in ("version: [", "version: broken\nunknown_key: 1\n", ""):
            made.policy_path.write_text(bad, "utf-8")
            await shows(made, 0, "example-1")
            made.policy_path.write_text(good, "utf-8")
            await shows(made, 1, "example-1")
        made.policy_path.unlink()
        await shows(made, 0, "example-1")

        renamed = re.sub(r"^version: .*$", "version: example-2", good, flags=re.MULTILINE)
        made.policy_path.write_text(renamed.replace("select: [ALL]", "select: [LBL]"), "utf-8")
        await shows(made, 1, "example-2")
        for daemon in made.daemons:
            assert daemon.running
            assert daemon.log.count('"policy_rejected"') >= 4
            rules = {labels["rule"] for labels, _ in (await daemon.metrics()).all("compliance_rule_info")}
            assert rules
            assert all(rule.startswith("LBL") for rule in rules)
            assert await daemon.status("/readyz") == 200
