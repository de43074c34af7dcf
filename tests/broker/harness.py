"""Runs the daemon's processes on a real broker and compares what they wrote with a reference made in memory."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from hegui.rules.core import Outcome
from hegui.rules.engine import Engine
from hegui.rules.events import Envelope
from hegui.rules.facts import FactStatus, FactTable, OptOut, loaded
from hegui.rules.issues import Issue
from hegui.rules.observations import Mark, Observation, count
from hegui.rules.violations import RECORDED, Violation, violation
from hegui.streams.decoders import decode_cloudevents
from hegui.streams.errors import DecodeError, TopicError
from hegui.streams.facts_feed import snapshot_of
from hegui.streams.policy_file import load_policy
from hegui.streams.settings import Settings, load_settings
from hegui.streams.simulation import encode, opt_outs
from hegui.streams.state.issues import PROGRESS
from hegui.streams.topics import changelog_name, check_topics, create_topics
from prometheus_client.parser import text_string_to_metric_families

from tests.servers import web
from tests.servers.ports import free_port
from tests.servers.spawn import spawn

EXAMPLE_POLICY = Path(__file__).parents[2] / "streams" / "examples" / "policy.yaml"
MAX_EVENT_BYTES = 1_048_576
DEADLINE_S = 60.0

Role = str
Key = tuple[str, str, str]
"""Tenant, rule, service."""
Totals = dict[Key, tuple[int, int]]
"""Failures and waived failures."""


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Return as soon as the condition holds; ask again every 0.05 s. Raises TimeoutError naming `what`."""
    end = time.monotonic() + deadline_s
    while True:
        holds = condition()
        if not isinstance(holds, bool):
            holds = await holds
        if holds:
            return
        if time.monotonic() >= end:
            raise TimeoutError(f"not within {deadline_s:g} s: {what}")
        await asyncio.sleep(0.05)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


# --- processes -------------------------------------------------------------------------------------------------------


class Daemon:
    """One `hegui run --role ROLE`, with a port, a settings file and a log of its own. Ports stay over restarts."""

    def __init__(self, role: Role, folder: Path, settings: Mapping[str, Any], number: int) -> None:
        self.role = role
        self.port = free_port()
        self.restarts = -1
        self._folder = folder
        self.name = f"{role}-{number}"
        self.config = folder / f"{self.name}.toml"
        self.log_path = folder / f"{self.name}.log"
        key = "port" if role == "evaluator" else "state_port"
        self.config.write_text(toml({**settings, "http": {key: self.port}}), "utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start the process; do not wait."""
        assert not self.running
        command = [sys.executable, "-m", "hegui.streams", "run", "--role", self.role, "--config", str(self.config)]
        self._process = spawn(command, log=self.log_path, folder=self._folder)
        self.restarts += 1

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    async def start(self, deadline_s: float = DEADLINE_S) -> Self:
        """Start the process and wait until it is ready."""
        self.launch()
        await self.ready(deadline_s)
        return self

    async def ready(self, deadline_s: float = DEADLINE_S) -> None:
        """Wait for /readyz; an early end of the process is an error."""

        async def holds() -> bool:
            if not self.running:
                raise AssertionError(f"{self.name} ended with code {self.exit_code}\n{self.log_tail()}")
            return await self.status("/readyz") == 200

        try:
            await until(holds, f"{self.name} ready", deadline_s)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log_tail()}") from None

    async def status(self, path: str) -> int | None:
        """HTTP status of a path; None when nobody answers."""
        try:
            return (await asyncio.to_thread(web.request, "GET", f"http://127.0.0.1:{self.port}{path}", timeout_s=2.0))[0]
        except OSError:
            return None

    async def metrics(self) -> "Metrics":
        """What /metrics says."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        _, body = await asyncio.to_thread(web.request, "GET", url, timeout_s=5.0)
        return Metrics(body.decode())

    async def metric(self, name: str, **labels: str) -> float | None:
        """One value; None while the process does not answer."""
        try:
            return (await self.metrics()).value(name, **labels)
        except OSError:
            return None

    async def stop(self, grace_s: float = 30.0) -> int:
        """SIGTERM; return the exit code. A process that does not end in time is an error."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.to_thread(self._process.wait, grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"{self.name} did not end within {grace_s:g} s of SIGTERM\n{self.log_tail()}"
            ) from None

    async def end(self, deadline_s: float = DEADLINE_S) -> int:
        """Wait until the process ends by itself; return its code."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, deadline_s)

    def kill(self) -> None:
        """kill -9, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def log(self) -> str:
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    def log_tail(self, lines: int = 15) -> str:
        return f"log of {self.name}:\n" + "\n".join(self.log.splitlines()[-lines:])


class Metrics:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.samples = [s for family in text_string_to_metric_families(text) for s in family.samples]

    def all(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of every sample of a name."""
        return [(s.labels, s.value) for s in self.samples if s.name == name]

    def value(self, name: str, **labels: str) -> float | None:
        """The sum of the samples that carry the labels; None when there is none."""
        found = [v for given, v in self.all(name) if labels.items() <= given.items()]
        return sum(found) if found else None


def toml(value: Mapping[str, Any]) -> str:
    """Settings as TOML: sections of plain values, lists of tables as inline tables."""

    def plain(item: Any) -> str:
        if isinstance(item, list):
            return "[" + ", ".join(plain(i) for i in item) + "]"
        if isinstance(item, Mapping):
            return "{" + ", ".join(f"{k} = {plain(v)}" for k, v in item.items()) + "}"
        return msgspec.json.encode(item).decode()

    lines = [f"{k} = {plain(v)}" for k, v in value.items() if not isinstance(v, Mapping)]
    for name, section in value.items():
        if isinstance(section, Mapping):
            lines += ["", f"[{name}]", *(f"{k} = {plain(v)}" for k, v in section.items())]
    return "\n".join(lines) + "\n"


# --- topics ----------------------------------------------------------------------------------------------------------


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


# --- reference -------------------------------------------------------------------------------------------------------


class Reference:
    """What must come out, from the records of the input topics alone: decode, then the rules, one event after another."""

    def __init__(self, settings: Settings, optouts: Iterable[OptOut]) -> None:
        policy, rules = load_policy(Path(settings.policy_file) if settings.policy_file else None)
        tables: dict[str, FactTable[Any]] = {"optouts": loaded(optouts), "filings": FactTable(FactStatus.READY)}
        self.engine = Engine(rules, snapshot_of(policy, tables))
        self.events = 0
        self.violations: dict[str, Violation] = {}
        """Uid to the record, without the positions of facts."""
        self.totals: Totals = {}
        self.dead_letters: set[tuple[str, int, int, str]] = set()
        """Topic, partition, offset, reason."""
        self.outcomes: Counter[tuple[str, Outcome]] = Counter()
        self._future_ms = round(settings.evaluator.max_future_seconds * 1000)
        self._age_ms = round(settings.evaluator.max_age_days * 86_400_000)
        self._max_bytes = settings.evaluator.max_event_bytes

    def add(self, record: ConsumerRecord[bytes, bytes]) -> None:
        """Judge one record."""
        place = (record.topic, record.partition, record.offset)
        try:
            if record.value is None:
                raise DecodeError("tombstone")
            if len(record.value) > self._max_bytes:
                raise DecodeError("too_large")
            envelopes = decode_cloudevents(record.value, record.headers)
        except DecodeError as error:
            self.dead_letters.add((*place, error.reason))
            return
        for envelope in envelopes:
            self._judge(envelope, record, place)

    def _judge(
        self, envelope: Envelope, record: ConsumerRecord[bytes, bytes], place: tuple[str, int, int]
    ) -> None:
        self.events += 1
        at_ms = int(envelope.time.timestamp() * 1000)
        group = self.engine.group(envelope.tenant, envelope.data.service)
        trusted = -self._age_ms <= at_ms - record.timestamp <= self._future_ms
        plan, deviations = self.engine.evaluate(group, envelope.data, at_ms, trusted=trusted)
        deviations = deviations or []
        for rule_id, result in plan.outcomes(deviations).items():
            self.outcomes[rule_id, result.outcome] += 1
        for rule, result in deviations:
            if result.outcome in {Outcome.FAIL, Outcome.WAIVED}:
                key = (group.tenant, rule.id, group.label)
                failures, waived = self.totals.get(key, (0, 0))
                hit = result.outcome is Outcome.WAIVED
                self.totals[key] = (failures + (not hit), waived + hit)
        if not envelope.revision and not any(result.outcome in RECORDED for _, result in deviations):
            return
        made = violation(
            tenant=envelope.tenant,
            source=envelope.source,
            event_id=envelope.id,
            revision=envelope.revision,
            at_ms=at_ms,
            service=group.label,
            deviations=deviations,
            rule_set=self.engine.rule_set,
            policy=self.engine.snapshot.policy.version,
            facts={},
            position=place,
        )
        assert made.uid not in self.violations, "the reference wants every event once"
        self.violations[made.uid] = made


# --- deployment ------------------------------------------------------------------------------------------------------


class Deployment:
    """Topics and a group of their own on a shared broker, and the processes on them."""

    def __init__(self, bootstrap: str, folder: Path, name: str, overrides: Mapping[str, Mapping[str, Any]]) -> None:
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
                "state_partitions": 2,
                "output_partitions": 2,
            },
            "evaluator": {"tick_seconds": 0.2, "commit_seconds": 0.2},
            "issues": {"update_seconds": 0.5},
        }
        for section, values in overrides.items():
            given[section] = {**given.get(section, {}), **values}
        self.given: dict[str, Any] = {"policy_file": str(self.policy_path), "policy_check_seconds": 0.2, **given}
        self.config = folder / "hegui.toml"
        self.config.write_text(toml(self.given), "utf-8")
        self.settings = load_settings(self.config, {})
        self.generation, self.ingest = (topic.name for topic in self.settings.topics.inputs)
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
                bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True, linger_ms=2, max_request_size=16_000_000
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

        async def settled() -> bool:
            try:
                await check_topics(admin, self.settings)
            except TopicError:
                return False
            return True

        await until(settled, "topics made")
        assert self.settings.topics.optouts
        for number, statement in enumerate(self.optouts):
            await self.state_fact(b"%d" % number, statement)

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
                if ends[seen.topic, seen.partition] == seen.upto:
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
                or msgspec.json.decode(table.get(PROGRESS + b"%d" % p) or b'{"last_offset":-1}')["last_offset"] >= end - 1
                for p, end in ends.items()
            )

        try:
            await until(counted, "observations counted", deadline_s)
        except TimeoutError as error:
            logs = "\n".join(d.log_tail() for d in self.daemons)
            raise TimeoutError(f"{error}: ends {ends}\n{logs}") from None

    # -- results

    async def table(self) -> dict[bytes, bytes]:
        """The issue table, read back from its changelog."""
        found: dict[bytes, bytes] = {}
        for record in await self.read(changelog_name(self.settings)):
            if record.value is None:
                found.pop(record.key, None)
            else:
                found[record.key] = record.value
        return found

    async def issues(self) -> dict[Key, Issue]:
        """The issues in the changelog."""
        found = {}
        for key, value in (await self.table()).items():
            if not key.startswith(PROGRESS):
                issue = msgspec.json.decode(value, type=Issue)
                found[issue.tenant, issue.rule, issue.service] = issue
        return found

    async def update_reference(self) -> Reference:
        """Judge the input records that are new since the last call."""
        for topic in (self.generation, self.ingest):
            records = await self.read(topic)
            for record in records[self._judged[topic] :]:
                gone = any(
                    (record.topic, record.partition) == lost[:2] and lost[2] <= record.offset < lost[3]
                    for lost in self.lost
                )
                if not gone:
                    self.reference.add(record)
            self._judged[topic] = len(records)
        return self.reference

    async def violations(self) -> dict[str, list[Violation]]:
        """Uid to the different records of it, without the positions of facts."""
        found: dict[str, list[Violation]] = {}
        for record in await self.read(self.settings.topics.violations):
            made = msgspec.structs.replace(msgspec.json.decode(record.value, type=Violation), facts={})
            versions = found.setdefault(made.uid, [])
            if made not in versions:
                versions.append(made)
        return found

    async def observed_totals(self) -> Totals:
        """The sums per issue key, folded from the observations as the state agents fold them."""
        marks: dict[tuple[Key, str], Mark] = {}
        for record in await self.read(self.settings.topics.observations):
            seen = msgspec.json.decode(record.value, type=Observation)
            for sum_ in seen.sums:
                at = ((sum_.tenant, sum_.rule, sum_.service), seen.source)
                marks[at] = count(marks.get(at), seen, sum_) or marks[at]
        totals: Totals = {}
        for (key, _), mark in marks.items():
            failures, waived = totals.get(key, (0, 0))
            totals[key] = (failures + mark.total[0], waived + mark.total[1])
        return {key: total for key, total in totals.items() if any(total)}

    async def dead_letters(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(r.value) for r in await self.read(self.settings.topics.dead_letters)]

    # -- comparisons

    async def evaluation_faults(self) -> list[str]:
        """Where the evaluators' results differ from the reference; call after `caught_up`."""
        reference = await self.update_reference()
        faults = []
        found = await self.violations()
        if missing := reference.violations.keys() - found.keys():
            places = sorted((v.topic, v.partition, v.offset) for u, v in reference.violations.items() if u in missing)
            faults.append(f"{len(missing)} violations missing, e.g. {places[:5]}")
        if extra := found.keys() - reference.violations.keys():
            faults.append(f"{len(extra)} violations too many")
        differing = [uid for uid, versions in found.items() if len(versions) > 1]
        if differing:
            faults.append(f"{len(differing)} uids with differing content, e.g. {found[differing[0]]}")
        wrong = [uid for uid in found.keys() & reference.violations.keys() if found[uid][0] != reference.violations[uid]]
        if wrong:
            faults.append(f"{len(wrong)} violations unlike the reference, e.g. {found[wrong[0]]}")
        letters = {(r["topic"], r["partition"], r["offset"], r["reason"]) for r in await self.dead_letters()}
        if letters != reference.dead_letters:
            faults.append(f"dead letters differ: {letters ^ reference.dead_letters}")
        return faults + difference("sums of the observations", await self.observed_totals(), reference.totals)

    async def state_faults(self) -> list[str]:
        """Where the issues and findings differ from the reference; call after `issues_settled`."""
        reference = await self.update_reference()
        issues = await self.issues()
        faults = difference("issues", {k: (i.failures, i.waived) for k, i in issues.items()}, reference.totals)
        faults += [f"issue {key} is in episode {i.episode}" for key, i in issues.items() if i.episode != 1]
        uids = {issue.finding_uid: key for key, issue in issues.items()}
        sent: dict[bytes, Any] = {}
        for record in await self.read(self.settings.topics.findings):
            sent[record.key] = msgspec.json.decode(record.value)
        faults += [f"finding {key!r} belongs to no issue" for key in sent if key.decode() not in uids]
        faults += [f"issue {key} has no finding" for uid, key in uids.items() if uid.encode() not in sent]
        faults += [f"finding {key!r} carries another uid" for key, f in sent.items() if f["finding_info"]["uid"] != key.decode()]
        return faults

    async def everything_written(self) -> Iterator[bytes]:
        """All bytes that the daemons wrote: records of the output topics, and logs."""
        names = self.settings.topics
        written = [d.log.encode() for d in self.daemons]
        for topic in (
            names.violations,
            names.observations,
            names.findings,
            names.dead_letters,
            names.coverage_gaps,
            changelog_name(self.settings),
        ):
            for record in await self.read(topic):
                written += [record.key or b"", record.value or b"", *(v for _, v in record.headers)]
        return iter(written)

    async def close(self) -> None:
        for daemon in self.daemons:
            daemon.kill()
        for tail in self._tails.values():
            await tail.close()
        if self._producer is not None:
            await self._producer.stop()
        if self._admin is not None:
            await self._admin.close()


def difference(what: str, found: Totals, wanted: Totals) -> list[str]:
    """One line when two sets of totals differ."""
    wrong = {k: (found.get(k), wanted.get(k)) for k in found.keys() | wanted.keys() if found.get(k) != wanted.get(k)}
    return [f"{what}: {len(wrong)} differ (found, wanted): {dict(list(wrong.items())[:6])}"] if wrong else []


@asynccontextmanager
async def deployment(bootstrap: str, *, create: bool = True, **overrides: Mapping[str, Any]):
    """A deployment with its topics; its processes are killed and its folder removed at the end."""
    name = f"t{uuid.uuid4().hex[:10]}"
    folder = Path(tempfile.mkdtemp(prefix=f"hegui-broker-{name}-"))
    made = Deployment(bootstrap, folder, name, overrides)
    try:
        if create:
            await made.create()
        yield made
    except BaseException:
        for daemon in made.daemons:
            print(daemon.log_tail(30))
        raise
    finally:
        await made.close()
        if "KEEP" in os.environ:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def supervised(*daemons: Daemon):
    """Start again whatever ends by itself, as a supervisor would; `daemon.restarts` counts."""

    async def watch() -> None:
        while True:
            for daemon in daemons:
                if not daemon.running:
                    daemon.launch()
            await asyncio.sleep(0.1)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def dice() -> random.Random:
    """Random kill moments; the seed is printed and can be given as SEED."""
    seed = int(os.environ.get("SEED") or random.randrange(2**31))
    print(f"SEED={seed}")
    return random.Random(seed)
