"""The topics of one deployment on a shared broker: writing events, reading records and positions."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from confluent_kafka.admin import AdminClient

from hegui.rules.events import Envelope
from hegui.rules.facts import OptOut
from hegui.rules.observations import Observation
from hegui.streams.errors import TopicError
from hegui.streams.settings import load_settings
from hegui.streams.simulation import encode, opt_outs
from hegui.streams.state.issues import PROGRESS
from hegui.streams.topics import check_topics, create_topics
from tests.broker.processes import DEADLINE_S, Daemon, Role, now_ms, toml, until
from tests.broker.reference import Reference

EXAMPLE_POLICY = Path(__file__).parents[2] / "streams" / "examples" / "policy.yaml"


class Tail:
    """Everything on a topic; reads on from where it stands. Offsets must have no holes unless the test makes them."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.topic = topic
        self.records: list[ConsumerRecord[bytes, bytes]] = []
        self._bootstrap = bootstrap
        self._consumer: AIOKafkaConsumer | None = None
        self._partitions: list[TopicPartition] = []

    async def _open(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                self.topic,
                bootstrap_servers=self._bootstrap,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=20,
                max_partition_fetch_bytes=16 * 1024 * 1024,
            )
            await consumer.start()
            self._consumer = consumer
            self._partitions = sorted(TopicPartition(self.topic, p) for p in consumer.partitions_for_topic(self.topic))
        return self._consumer

    async def read(self) -> list[ConsumerRecord[bytes, bytes]]:
        """Read to the end as of now; return all records so far."""
        consumer = await self._open()
        ends = await consumer.end_offsets(self._partitions)
        begin = await consumer.beginning_offsets(self._partitions)
        for partition, end in ends.items():
            while begin[partition] < end and await consumer.position(partition) < end:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    self.records += batch
        return self.records

    async def ends(self) -> dict[int, int]:
        """Partition to the offset of the end."""
        consumer = await self._open()
        return {p.partition: end for p, end in (await consumer.end_offsets(self._partitions)).items()}

    async def close(self) -> None:
        if self._consumer is not None:
            await self._consumer.stop()
            self._consumer = None


class Topics:
    """Topics and a group of their own on a shared broker, and the processes on them."""

    def __init__(
        self, bootstrap: str, folder: Path, name: str, overrides: Mapping[str, Mapping[str, Any]], spare: int = 0
    ) -> None:
        self.bootstrap = bootstrap
        self.folder = folder
        self.name = name
        self.policy_path = folder / "policy.yaml"
        self.policy_path.write_bytes(EXAMPLE_POLICY.read_bytes())
        given: dict[str, dict[str, Any]] = {
            "kafka": {"bootstrap_servers": bootstrap, "group_id": name, "session_timeout_seconds": 6},
            "topics": {
                "inputs": [
                    {"name": f"{name}.generation", "partitions": 2},
                    {"name": f"{name}.ingest", "partitions": 1},
                ],
                "violations": f"{name}.violations",
                "observations": f"{name}.observations",
                "findings": f"{name}.findings",
                "dead_letters": f"{name}.dead-letters",
                "coverage_gaps": f"{name}.coverage-gaps",
                "optouts": f"{name}.optouts",
                "filings": f"{name}.filings",
                "notices": f"{name}.notices",
                "waivers": f"{name}.waivers",
                "sources": f"{name}.sources",
                "suspensions": f"{name}.suspensions",
                "sweeps": f"{name}.sweeps",
                "state_partitions": 2,
                "output_partitions": 2,
            },
            "evaluator": {"tick_seconds": 0.2, "commit_seconds": 0.2},
            "issues": {"update_seconds": 0.5},
        }
        if spare:
            given["topics"]["inputs"].append({"name": f"{name}.a-spare", "partitions": spare})
        for section, values in overrides.items():
            given[section] = {**given.get(section, {}), **values}
        self.given: dict[str, Any] = {"policy_file": str(self.policy_path), "policy_check_seconds": 0.2, **given}
        self.config = folder / "hegui.toml"
        self.config.write_text(toml(self.given), "utf-8")
        self.settings = load_settings(self.config, {})
        self.generation, self.ingest = (topic.name for topic in self.settings.topics.inputs[:2])
        self.partitions = [(t.name, p) for t in self.settings.topics.inputs for p in range(t.partitions)]
        self.optouts: list[OptOut] = opt_outs(now_ms())
        self.reference = Reference(self.settings, self.optouts)
        self.daemons: list[Daemon] = []
        self.sent = 0
        self.lost: list[tuple[str, int, int, int]] = []
        """Topic, partition, first offset, next offset: deleted by the test before it was judged."""
        self._tails: dict[str, Tail] = {}
        self._judged: Counter[str] = Counter()
        self._producer: AIOKafkaProducer | None = None
        self._admin: AIOKafkaAdminClient | None = None

    # -- processes

    def daemon(self, role: Role, **settings: Any) -> Daemon:
        """A process, not started yet."""
        made = Daemon(role, self.folder, {**self.given, **settings}, len(self.daemons))
        self.daemons.append(made)
        return made

    async def start(self, *roles: Role) -> list[Daemon]:
        """Start a process of each role, all at once: most of a start is waiting; wait until they are ready."""
        started = [self.daemon(role) for role in roles]
        await self._launch(started)
        return started

    async def crash(self) -> None:
        """Kill -9 every process, and start them again."""
        for daemon in self.daemons:
            daemon.kill()
        await self._launch(self.daemons)

    async def _launch(self, daemons: list[Daemon]) -> None:
        for daemon in daemons:
            daemon.launch()
        for daemon in daemons:
            await daemon.ready()

    # -- clients

    async def admin(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
            await admin.start()
            self._admin = admin
        return self._admin

    async def producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.bootstrap,
                acks="all",
                enable_idempotence=True,
                linger_ms=2,
                max_request_size=16_000_000,
            )
            await producer.start()
            self._producer = producer
        return self._producer

    def tail(self, topic: str) -> Tail:
        return self._tails.setdefault(topic, Tail(self.bootstrap, topic))

    async def read(self, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
        """Everything on a topic."""
        return await self.tail(topic).read()

    async def create(self) -> None:
        """Make the topics and send the opt-outs."""
        admin = await self.admin()
        await create_topics(admin, self.settings)

        await until(self._made, "topics made")
        assert self.settings.topics.optouts
        for number, statement in enumerate(self.optouts):
            await self.state_fact(b"%d" % number, statement)

    async def forget_group(self, group: str) -> None:
        """Delete a group that has no members, with all that it committed: it begins anew."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        await asyncio.to_thread(admin.delete_consumer_groups([group])[group].result, 30)

    async def recreate(self, topic: str) -> None:
        """Delete a topic and make it anew, empty."""
        admin = await self.admin()
        tail = self._tails.pop(topic, None)
        if tail is not None:
            await tail.close()
        await admin.delete_topics([topic])

        async def gone() -> bool:
            return topic not in await admin.list_topics()

        await until(gone, f"{topic} deleted")
        await create_topics(admin, self.settings)
        await until(self._made, "topics made")

    async def _made(self) -> bool:
        try:
            await check_topics(await self.admin(), self.settings)
        except TopicError:
            return False
        return True

    async def state_fact(self, key: bytes, statement: OptOut | None) -> None:
        """Put an opt-out on its topic, or its tombstone."""
        producer = await self.producer()
        value = None if statement is None else msgspec.json.encode(statement)
        await producer.send_and_wait(self.settings.topics.optouts, value, key=key)

    # -- events

    async def send(self, events: Iterable[Envelope], *, seconds: float = 0.0) -> None:
        """Send events round robin over the partitions of their topic, spread evenly over a time."""
        producer = await self.producer()
        batch = list(events)
        started = time.monotonic()
        waiting = []
        for number, event in enumerate(batch):
            topic = self.generation if "generation" in type(event).__name__.lower() else self.ingest
            count = 2 if topic == self.generation else 1
            waiting.append(await producer.send(topic, encode(event), partition=self.sent % count))
            self.sent += 1
            if seconds and number % 16 == 0:
                ahead = seconds * number / len(batch) - (time.monotonic() - started)
                await asyncio.sleep(max(0.0, ahead))  # the pace of the traffic, not a wait for a condition
        for sent in waiting:
            await sent

    # -- positions

    async def ends(self) -> dict[tuple[str, int], int]:
        """Input partition to the offset of its end."""
        found = {}
        for topic in (self.generation, self.ingest):
            found |= {(topic, p): end for p, end in (await self.tail(topic).ends()).items()}
        return found

    async def committed(self, group: str | None = None) -> dict[tuple[str, int], int]:
        """What the group has committed."""
        try:
            offsets = await (await self.admin()).list_consumer_group_offsets(group or self.name)
        except KafkaError:
            return {}
        return {(tp.topic, tp.partition): meta.offset for tp, meta in offsets.items() if meta.offset >= 0}

    async def caught_up(self, deadline_s: float = DEADLINE_S) -> None:
        """Wait until the evaluators have committed to the ends of the inputs and reported all their sums."""
        ends = await self.ends()

        async def committed() -> bool:
            found = await self.committed()
            return all(found.get(partition, 0) == end for partition, end in ends.items())

        try:
            await until(committed, "positions at the end", deadline_s)
            await until(self._observed(ends), "sums reported", deadline_s)
        except TimeoutError as error:
            logs = "\n".join(d.log_tail() for d in self.daemons)
            raise TimeoutError(f"{error}; committed {await self.committed()}, ends {ends}\n{logs}") from None

    def _observed(self, ends: Mapping[tuple[str, int], int]) -> Callable[[], Awaitable[bool]]:
        wanted = {
            (topic, partition, to)
            for (topic, partition), end in ends.items()
            if end
            for to in range(self.settings.topics.state_partitions)
        }

        async def holds() -> bool:
            reached = set()
            for record in await self.read(self.settings.topics.observations):
                seen = msgspec.json.decode(record.value, type=Observation)
                told = not (seen.entries or seen.exports)  # sums come last
                if told and ends.get((seen.topic, seen.partition)) == seen.upto:
                    reached.add((seen.topic, seen.partition, record.partition))
            return wanted <= reached

        return holds

    async def issues_settled(self, deadline_s: float = DEADLINE_S) -> None:
        """Wait until the state agents have counted all observations that are there now. Call after `caught_up`."""
        ends = await self.tail(self.settings.topics.observations).ends()

        async def counted() -> bool:
            table = await self.table()
            return all(
                not end
                or msgspec.json.decode(table.get(PROGRESS + b"%d" % p) or b'{"last_offset":-1}')["last_offset"]
                >= end - 1
                for p, end in ends.items()
            )

        try:
            await until(counted, "observations counted", deadline_s)
        except TimeoutError as error:
            logs = "\n".join(d.log_tail() for d in self.daemons)
            raise TimeoutError(f"{error}: ends {ends}\n{logs}") from None
