"""Where opt-outs are kept: the compacted topic, or on a machine without a broker a file of JSON lines with the same records.

Either way a statement has one record key (`record_key`), so that importing it again changes nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from hegui.rules.fact_tables import OptOut
from hegui.streams.errors import SettingsError
from hegui.streams.optouts.normal_form import ends_sooner, record_key
from hegui.streams.settings import Settings

Take = Callable[[bytes, OptOut | None], None]
"""Called for each record in order: its key, and the statement; None when it was removed or cannot be read."""

MAX_UNACKNOWLEDGED = 10_000
"""Records sent to the broker before the next one waits."""

_decode = msgspec.json.Decoder(OptOut).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Written(NamedTuple):
    """What writing came to."""

    new: int
    """Records written."""
    known: int
    """Records that stood there before (the topic is not asked when writing)."""


class Store(Protocol):
    """Opt-outs that can be read whole and added to."""

    name: str
    """For people."""

    def read(self, take: Take) -> None:
        """Call `take` for every record."""
        ...

    def write(self, records: Iterable[OptOut]) -> Written:
        """Add records."""
        ...


def default_file() -> Path:
    """Return the file used when neither a broker nor a file is named, in the user's state folder (XDG Base Directory)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "hegui" / "optouts.jsonl"


class FileStore:
    """A file of JSON lines, as `hegui check --optouts` takes it. For one process at a time, and as many records as memory holds keys of (100 bytes)."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.name = str(file)

    def read(self, take: Take) -> None:
        """Call `take` for every record; a file that does not exist holds none.

        Raises:
            SettingsError: a line is no opt-out.
        """
        if not self.file.exists():
            return
        with self.file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    record = _decode(line)
                except _UNREADABLE:
                    raise SettingsError(
                        f"{self.file}: line {number} is no opt-out; correct or remove it (`hegui schema optout`)"
                    ) from None
                take(record_key(record), record)

    def write(self, records: Iterable[OptOut]) -> Written:
        """Append the records that are not there yet, or end sooner than there (`record_key`).

        Calling twice is safe; one that was cut off by a crash is told by the next `read`.
        """
        ends: dict[bytes, int | None] = {}

        def take(key: bytes, record: OptOut | None) -> None:
            if record is not None:
                ends[key] = record.valid_to_ms

        self.read(take)
        new = known = 0
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with open(self.file, "ab", opener=_for_the_owner) as lines:  # `Path.open` takes no opener
            if self._ends_within_a_line():
                lines.write(b"\n")
            for record in records:
                key = record_key(record)
                if key in ends and not ends_sooner(record.valid_to_ms, ends[key]):
                    known += 1
                    continue
                ends[key] = record.valid_to_ms
                lines.write(msgspec.json.encode(record) + b"\n")
                new += 1
            lines.flush()
            os.fsync(lines.fileno())
        return Written(new, known)

    def _ends_within_a_line(self) -> bool:
        with self.file.open("rb") as lines:
            if not lines.seek(0, os.SEEK_END):
                return False
            lines.seek(-1, os.SEEK_END)
            return lines.read(1) != b"\n"


def _for_the_owner(file: str, flags: int) -> int:
    """Open a file that, where it is new, its owner alone may read: it holds the hashes of users."""
    return os.open(file, flags, 0o600)


class TopicStore:
    """The topic of opt-outs that the settings name."""

    def __init__(self, settings: Settings) -> None:
        if not settings.topics.optouts:
            raise SettingsError("settings: topics.optouts is empty; name a topic, or use --store FILE")
        self.settings = settings
        self.topic = settings.topics.optouts
        self.name = f"topic {self.topic}"

    def read(self, take: Take) -> None:
        """Call `take` for every record of the topic as it stands now. Blocks until the end is reached.

        Raises:
            SettingsError: there is no such topic.
        """
        asyncio.run(self._read(take))

    async def _read(self, take: Take) -> None:
        from aiokafka import TopicPartition

        from hegui.streams.broker import admin, reader, start_with_retry

        client = admin(self.settings.kafka)
        await start_with_retry(client, "admin", self.settings.kafka)
        try:
            described = await client.describe_topics([self.topic])
        finally:
            await client.close()
        partitions = [TopicPartition(self.topic, each["partition"]) for each in described[0]["partitions"]]
        if not partitions:
            raise SettingsError(f"topic {self.topic} does not exist; create it with `hegui topics create`")
        consumer = reader(self.settings.kafka)
        await start_with_retry(consumer, "reader")
        try:
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            await consumer.seek_to_beginning(*partitions)
            while any([await consumer.position(each) < ends[each] for each in partitions]):
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    for record in records:
                        if record.key is not None:
                            take(record.key, _decoded(record.value))
        finally:
            await consumer.stop()

    def write(self, records: Iterable[OptOut]) -> Written:
        """Send records; they are acknowledged by all in-sync replicas when this returns.

        Raises:
            SettingsError: the broker took one of them not.
        """
        return asyncio.run(self._write(records))

    async def _write(self, records: Iterable[OptOut]) -> Written:
        from hegui.streams.broker import KafkaError, producer, start_with_retry

        client = producer(self.settings.kafka)
        await start_with_retry(client, "optouts", self.settings.kafka)
        sent = 0
        waiting: list[Any] = []
        try:
            for record in records:
                waiting.append(await client.send(self.topic, msgspec.json.encode(record), key=record_key(record)))
                sent += 1
                if len(waiting) >= MAX_UNACKNOWLEDGED:
                    await asyncio.gather(*waiting)
                    waiting = []
            await asyncio.gather(*waiting)
        except KafkaError as error:
            raise SettingsError(
                f"the broker did not take all opt-outs ({type(error).__name__}); import again, nothing is doubled"
            ) from None
        finally:
            await client.stop()
        return Written(sent, 0)


def _decoded(value: bytes | None) -> OptOut | None:
    try:
        return None if value is None else _decode(value)
    except _UNREADABLE:
        return None


def statements(store: Store) -> dict[bytes, OptOut]:
    """Return all statements of a store by record key."""
    found: dict[bytes, OptOut] = {}

    def take(key: bytes, record: OptOut | None) -> None:
        found.pop(key, None)
        if record is not None:
            found[key] = record

    store.read(take)
    return found
