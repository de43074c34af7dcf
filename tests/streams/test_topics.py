"""The list of topics, their making, and the check that partition counts fit the keyed state."""

import pytest
from aiokafka.errors import InvalidReplicationFactorError, TopicAlreadyExistsError

from hegui.streams.errors import TopicError
from hegui.streams.schema import json_schemas
from hegui.streams.topics import changelog_name, check_topics, create_topics, topics
from tests.streams.example import settings
from tests.streams.fakes import FakeAdmin

SETTINGS = settings()


def counts(**changes: int) -> dict[str, int]:
    return {topic.name: topic.partitions for topic in topics(SETTINGS)} | {
        f"compliance.{k}.v1": n for k, n in changes.items()
    }


def test_every_topic_of_the_settings_is_listed_once():
    names = [topic.name for topic in topics(SETTINGS)]
    assert len(set(names)) == len(names)
    listed = SETTINGS.topics
    for name in (listed.violations, listed.findings, listed.observations, listed.dead_letters, listed.coverage_gaps):
        assert name in names
    assert {listed.optouts, listed.filings, listed.inputs[0].name, changelog_name(SETTINGS)} <= set(names)


def test_a_fact_topic_that_is_not_declared_is_not_listed():
    assert "compliance.optouts.v1" not in {topic.name for topic in topics(settings(TOPICS__OPTOUTS=""))}


def test_every_topic_has_a_schema():
    assert {topic.content for topic in topics(SETTINGS)} <= set(json_schemas())


def test_keyed_state_lives_in_topics_of_one_fixed_partition_count():
    fixed = {topic.name: topic.partitions for topic in topics(settings(TOPICS__STATE_PARTITIONS="7")) if topic.fixed}
    assert set(fixed) == {"compliance.observations.v1", "compliance.findings.v1", "hegui-state-issues-changelog"}
    assert set(fixed.values()) == {7}


def test_facts_findings_and_state_are_compacted_and_history_is_kept_as_the_law_asks():
    made = {topic.name: topic.configuration for topic in topics(SETTINGS)}
    for name in ("compliance.optouts.v1", "compliance.filings.v1", "compliance.findings.v1", changelog_name(SETTINGS)):
        assert made[name]["cleanup.policy"] == "compact"
    assert int(made["compliance.violations.v1"]["retention.ms"]) >= 184 * 86_400_000
    # A snapshot on disk rests on them.
    assert made["compliance.optouts.v1"]["delete.retention.ms"] == str(30 * 86_400_000)
    assert "delete.retention.ms" not in made["compliance.filings.v1"]


def test_events_carry_the_brokers_own_time():
    assert topics(SETTINGS)[0].configuration["message.timestamp.type"] == "LogAppendTime"


def test_observations_are_kept_longer_than_state_agents_may_stand_still():
    (made,) = [topic for topic in topics(SETTINGS) if topic.name == SETTINGS.topics.observations]
    assert made.configuration == {"cleanup.policy": "delete", "retention.ms": str(30 * 86_400_000)}
    (longer,) = [t for t in topics(settings(TOPICS__OBSERVATIONS_DAYS="90")) if t.name == SETTINGS.topics.observations]
    assert longer.configuration["retention.ms"] == str(90 * 86_400_000)


async def test_missing_topics_are_made_and_existing_ones_left_alone():
    admin = FakeAdmin({"compliance.violations.v1": 9})
    created = await create_topics(admin, SETTINGS)
    assert set(created) == {topic.name for topic in topics(SETTINGS)} - {"compliance.violations.v1"}
    assert admin.existing["compliance.violations.v1"] == 9
    assert admin.configurations["compliance.findings.v1"] == {"cleanup.policy": "compact"}
    assert await create_topics(admin, SETTINGS) == []
    assert (await check_topics(admin, SETTINGS))["compliance.violations.v1"] == 9


async def test_a_topic_made_by_somebody_else_meanwhile_is_no_error():
    admin = FakeAdmin({}, refusals={"compliance.findings.v1": TopicAlreadyExistsError.errno})
    assert "compliance.findings.v1" not in await create_topics(admin, SETTINGS)


async def test_a_broker_that_refuses_is_told_with_a_remedy():
    admin = FakeAdmin({}, refusals={"compliance.findings.v1": InvalidReplicationFactorError.errno})
    with pytest.raises(
        TopicError, match=r"compliance\.findings\.v1 was not created: InvalidReplication.*replication factor"
    ):
        await create_topics(admin, SETTINGS)


async def test_topics_that_fit_are_counted():
    assert await check_topics(FakeAdmin(counts()), SETTINGS) == counts()


async def test_a_missing_topic_is_told_with_the_command_that_makes_it():
    existing = counts()
    del existing["compliance.findings.v1"]
    with pytest.raises(
        TopicError, match=r"compliance\.findings\.v1 does not exist; create it with `hegui topics create`"
    ):
        await check_topics(FakeAdmin(existing), SETTINGS)


@pytest.mark.parametrize("name", ["observations", "findings"])
async def test_another_partition_count_of_keyed_state_is_refused(name):
    with pytest.raises(
        TopicError, match=r"has 8 partitions, the settings say topics\.state_partitions = 4; .*set it to"
    ):
        await check_topics(FakeAdmin(counts(**{name: 8})), SETTINGS)


async def test_another_partition_count_of_a_changelog_is_refused():
    existing = counts() | {changelog_name(SETTINGS): 5}
    with pytest.raises(TopicError, match="has 5 partitions"):
        await check_topics(FakeAdmin(existing), SETTINGS)


async def test_more_partitions_of_events_or_violations_are_welcome():
    found = await check_topics(FakeAdmin(counts(violations=32) | {"events": 64}), SETTINGS)
    assert (found["events"], found["compliance.violations.v1"]) == (64, 32)
