"""The topics of hegui: what each is for, how it is made, and the check at start that partition counts fit keyed state."""

from __future__ import annotations

from typing import Literal, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from hegui.streams.errors import TopicError
from hegui.streams.settings import Settings

DAY_MS = 86_400_000


class Topic(NamedTuple):
    """One topic."""

    name: str
    partitions: int
    direction: Literal["in", "out", "internal"]
    content: str
    """Key of `streams.schema.CONTENT`: what its records hold."""
    configuration: dict[str, str]
    fixed: bool = False
    """Whether another partition count would break keyed state."""


def changelog_name(settings: Settings) -> str:
    """Return the name of the changelog of the issue table."""
    return f"{settings.kafka.group_id}-state-issues-changelog"


def topics(settings: Settings) -> tuple[Topic, ...]:
    """Return every topic that the settings name."""
    names = settings.topics
    history = {"cleanup.policy": "delete", "retention.ms": str(names.retention_days * DAY_MS)}
    compacted = {"cleanup.policy": "compact"}
    # An evaluator that was down for less reads on from its snapshot of opt-outs (`streams/optout_index.md`).
    kept = {"optouts": compacted | {"delete.retention.ms": str(30 * DAY_MS)}}
    # The broker's append time is the time that an event's own is compared with, and from which the delay counts.
    inputs = {"message.timestamp.type": "LogAppendTime"}
    found = [Topic(t.name, t.partitions, "in", "event", inputs) for t in names.inputs]
    found += [
        Topic(name, 1, "in", fact.removesuffix("s"), kept.get(fact, compacted)) for fact, name in names.facts().items()
    ]
    found += [
        Topic(names.violations, names.output_partitions, "out", "violation", history),
        Topic(names.findings, names.state_partitions, "out", "finding", {"cleanup.policy": "compact"}, fixed=True),
        Topic(names.dead_letters, names.output_partitions, "out", "dead_letter", history),
        Topic(names.coverage_gaps, 1, "out", "coverage_gap", history),
        Topic(
            names.observations,
            names.state_partitions,
            "internal",
            "observation",
            {"cleanup.policy": "delete", "retention.ms": str(names.observations_days * DAY_MS)},
            fixed=True,
        ),
        Topic(names.sweeps, 1, "internal", "sweep", compacted),
        Topic(changelog_name(settings), names.state_partitions, "internal", "issue", compacted, fixed=True),
    ]
    return tuple(found)


async def create_topics(client: AIOKafkaAdminClient, settings: Settings) -> list[str]:
    """Create the topics that do not exist; return their names. Calling twice is safe.

    Raises:
        TopicError: the broker refuses one of them.
    """
    existing = set(await client.list_topics())
    created = []
    for topic in topics(settings):
        if topic.name in existing:
            continue
        new = NewTopic(
            topic.name, topic.partitions, settings.topics.replication_factor, topic_configs=dict(topic.configuration)
        )
        response = await client.create_topics([new])
        code, message = response.topic_errors[0][1], response.topic_errors[0][2]
        if code == TopicAlreadyExistsError.errno:
            continue
        if code:
            raise TopicError(
                f"topic {topic.name} was not created: {message or for_code(code).__name__}; check the replication factor and rights"
            )
        created.append(topic.name)
    return created


async def check_topics(client: AIOKafkaAdminClient, settings: Settings) -> dict[str, int]:
    """Return the partition count of every topic of the settings.

    Raises:
        TopicError: a topic is missing, or keyed state has another partition count than the settings say.
    """
    wanted = topics(settings)
    existing = set(await client.list_topics())
    for topic in wanted:
        if topic.name not in existing:
            raise TopicError(f"topic {topic.name} does not exist; create it with `hegui topics create`")
    counts = {d["topic"]: len(d["partitions"]) for d in await client.describe_topics([t.name for t in wanted])}
    for topic in wanted:
        if topic.fixed and counts[topic.name] != topic.partitions:
            raise TopicError(
                f"topic {topic.name} has {counts[topic.name]} partitions, the settings say topics.state_partitions = {topic.partitions}; "
                "keys would move away from their state: set it to the topic's count"
            )
    return counts
