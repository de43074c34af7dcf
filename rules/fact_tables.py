"""Fact tables: records of compacted topics as intervals, looked up as of an event's time.

A table is `undeclared` (nobody configured it), `loading` or `ready`; anything but ready makes the rules that need it
inconclusive. The tables are filled by `streams.facts_feed` between batches; rules only read.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Generic, Literal, Protocol, TypeVar

import msgspec
from msgspec import Meta

from hegui.rules.addresses import host_of_normal, normal_address
from hegui.rules.hosts import normal_host, site_of, site_of_origin
from hegui.rules.near_works import WorkCodes
from hegui.rules.values import TimeMs, is_person_key, key_id_of
from hegui.rules.works import normal_holder, work_key

MAX_ORIGINS = 10_000
"""Origins of URLs without opt-outs that a table keeps."""

OptOutScheme = Literal["user", "domain", "url_prefix", "url", "content", "work", "holder"]
OptOutCategory = Literal["train", "search", "input", "mine"]
NoticeScheme = Literal["work", "holder", "content", "fingerprint"]
OptOutValue = Literal["allow", "deny", "unknown"]


class FactStatus(StrEnum):
    """How far a fact table can be trusted."""

    UNDECLARED = "undeclared"
    LOADING = "loading"
    READY = "ready"


class OptOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """One statement of a user or rights holder, the value of a record on the opt-outs topic."""

    scheme: OptOutScheme
    """What `subject` is: user key, domain, prefix of URLs, one URL, content hash, work id or rights holder."""
    subject: Annotated[str, Meta(min_length=1, max_length=2048)]
    """The key itself, in normal form: domains in lower-case punycode, addresses as `example.com/a`, works as `isbn:978...`."""
    value: OptOutValue
    """What is said; `unknown` takes back what the source said before."""
    observed_at_ms: TimeMs
    """From when it counts (not retroactive)."""
    valid_to_ms: TimeMs | None = None
    """Until when, if it was limited."""
    category: OptOutCategory = "train"
    """The use spoken of: training (AIPREF `train-ai`), search, input to a model, text and data mining."""
    source: str = "registry"
    """Where it was said; statements of different sources are combined, later ones of one source replace earlier ones."""
    evidence: Annotated[str, Meta(max_length=2048)] = ""
    """Reference of what was read: the hash of a file and the line in it, a number in a register."""

    def key(self) -> tuple[str, str]:
        """Return the key under which events look it up."""
        return (self.scheme, normal_subject(self.scheme, self.subject))

    def interval(self) -> tuple[int, int | None]:
        """Return from and to, epoch milliseconds."""
        return (self.observed_at_ms, self.valid_to_ms)

    def note_user_key(self, earliest: dict[str, int]) -> None:
        """Note the key id of a user and the time, where it is the earliest under that key id; other schemes and forms are passed over."""
        if self.scheme == "user" and is_person_key(self.subject):
            note_earliest(earliest, key_id_of(self.subject), self.observed_at_ms)


def note_earliest(earliest: dict[str, int], name: str, at_ms: int) -> None:
    """Keep the earliest time under a name."""
    earliest[name] = min(at_ms, earliest.get(name, at_ms))


ADDRESSES = frozenset({"url_prefix", "url"})
"""Schemes whose subjects are addresses."""

NAMED_OTHERWISE = frozenset({"work", "holder", *ADDRESSES, "domain"})
"""Schemes whose subjects may be written in several ways."""

HOST = "url_host"
"""First part of the key that tells whether there is any statement about an address on a host."""


def normal_subject(scheme: OptOutScheme, subject: str) -> str:
    """Return a subject as events look it up; one that has no normal form stays as it is, and no event's key can equal it."""
    if scheme == "work":
        return work_key(subject)
    if scheme == "holder":
        return normal_holder(subject)
    try:
        if scheme == "domain":
            return normal_host(subject)
        if scheme in ADDRESSES:
            return normal_address(subject)
    except ValueError:
        pass
    return subject


def host_of_key(key: tuple[str, str]) -> str | None:
    """Return the host of a key (`OptOut.key`), which is asked for before an event's path is looked at; None for what is no address."""
    return host_of_normal(key[1]) if key[0] in ADDRESSES else None


def site_of_key(key: tuple[str, str]) -> str | None:
    """Return the site of a key (`OptOut.key`), which is asked for before an event's host is looked at; None for what is on no host, or is a site.

    Whoever asks for a site asks for the domain of this name and for what lies below it at once.
    """
    host = key[1] if key[0] == "domain" else host_of_key(key)
    site = None if host is None else site_of(host)
    return None if key == ("domain", site) else site


class Filing(msgspec.Struct, frozen=True, omit_defaults=True):
    """A model's filing or registration, the value of a record on the filings topic. Interim Measures art. 17."""

    model: str
    """The model's id."""
    number: str
    """Filing or registration number."""
    valid_from_ms: TimeMs
    """From when."""
    valid_to_ms: TimeMs | None = None
    """Until when."""

    def key(self) -> str:
        """Return the key under which events look it up."""
        return self.model

    def interval(self) -> tuple[int, int | None]:
        """Return from and to, epoch milliseconds."""
        return (self.valid_from_ms, self.valid_to_ms)


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rights holder's valid notice, the value of a record on the notices topic. Interim Measures art. 15; Civil Code arts. 1195-1197."""

    scheme: NoticeScheme
    """What `subject` is: work id, rights holder, content hash or fingerprint."""
    subject: Annotated[str, Meta(min_length=1, max_length=2048)]
    """The key itself, in the form in which events carry it."""
    received_at_ms: TimeMs
    """When it arrived."""
    resolved_at_ms: TimeMs | None = None
    """When it was withdrawn or found without ground; one that was followed stays open."""
    reference: str = ""
    """Its number at the deployer's."""

    def key(self) -> tuple[str, str]:
        """Return the key under which events look it up."""
        return (self.scheme, self.subject)

    def interval(self) -> tuple[int, int | None]:
        """Return from and to, epoch milliseconds."""
        return (self.received_at_ms, self.resolved_at_ms)


class CondemnedSource(msgspec.Struct, frozen=True, omit_defaults=True):
    """A source with too much illegal content, the value of a record that the state agents write. TC260-003 5.1 a)."""

    tenant: str
    """The tenant."""
    source: str
    """Reference of the source: `sha256:` and 32 hex digits of `source_id`."""
    condemned_at_ms: TimeMs
    """From when nothing may be taken from it."""
    cleared_at_ms: TimeMs | None = None
    """From when it may again: a later assessment passed."""
    episode: int = 1
    """Counts the times it was condemned."""

    def key(self) -> tuple[str, str]:
        """Return the key under which events look it up."""
        return (self.tenant, self.source)

    def interval(self) -> tuple[int, int | None]:
        """Return from and to, epoch milliseconds."""
        return (self.condemned_at_ms, self.cleared_at_ms)

    def record_key(self) -> bytes:
        """Return the key of the record on the topic."""
        return f"{self.tenant}|{self.source}|{self.episode}".encode()


class Suspension(msgspec.Struct, frozen=True, omit_defaults=True):
    """A user whom a service must not serve for a time, the value of a record that the state agents write. TC260-003 7 g)."""

    tenant: str
    """The tenant."""
    service: str
    """The service."""
    user: str
    """The user, as a keyed hash."""
    from_ms: TimeMs
    """The input that was one too many: the next one must not be served."""
    to_ms: TimeMs
    """Until when."""

    def key(self) -> tuple[str, str, str]:
        """Return the key under which events look it up."""
        return (self.tenant, self.service, self.user)

    def interval(self) -> tuple[int, int | None]:
        """Return from and to, epoch milliseconds: it begins after the input that was one too many."""
        return (self.from_ms + 1, self.to_ms)

    def record_key(self) -> bytes:
        """Return the key of the record on the topic."""
        return f"{self.tenant}|{self.service}|{self.user}|{self.from_ms}".encode()


MadeFact = CondemnedSource | Suspension
"""Facts that the state agents make."""


class Fact(Protocol):
    """What a table needs of a record."""

    def key(self) -> Hashable:
        """Return the key under which events look it up."""
        ...

    def interval(self) -> tuple[int, int | None]:
        """Return from and to, epoch milliseconds."""
        ...


FactRecord = TypeVar("FactRecord", bound=Fact)


class FactTable(Generic[FactRecord]):
    """Records of one fact topic, by the record's Kafka key (for replacement and tombstones) and by lookup key.

    Not thread-safe: the feed and the judgement share one event loop. `positions` is the next offset per partition that
    the table has not yet seen: it stands in every result.
    """

    def __init__(self, status: FactStatus = FactStatus.UNDECLARED) -> None:
        self.status = status
        self.positions: dict[int, int] = {}
        self.changes = 0
        """How often a record was put or removed."""
        self.records: dict[bytes, FactRecord] = {}
        """By the record's Kafka key. Only to be read."""
        self._by_key: dict[Hashable, tuple[tuple[int, int | None, FactRecord], ...]] = {}
        self._gates: dict[tuple[str, str], int] = {}
        """Hosts and sites, and how many records each has."""
        self._unspoken: dict[str, None] = {}
        """Origins of URLs without any, at most `MAX_ORIGINS`."""
        self.codes = WorkCodes()
        """The ISCC among the keys."""
        self.user_keys: dict[str, int] = {}
        """Key id of users to the earliest time of a statement under it, epoch milliseconds; those that are gone count too."""

    def put(self, record_key: bytes, record: FactRecord | None) -> None:
        """Take a record, or remove it when it is None (a tombstone). Calling twice with the same is safe."""
        self.changes += 1
        self._unspoken.clear()
        old = self.records.pop(record_key, None)
        if old is not None:
            rest = tuple(entry for entry in self._by_key[old.key()] if entry[2] is not old)
            if rest:
                self._by_key[old.key()] = rest
            else:
                del self._by_key[old.key()]
                self.codes.discard(old.key())
            self._count_gate(old, -1)
        if record is not None:
            self._count_gate(record, 1)
            if isinstance(record, OptOut):
                record.note_user_key(self.user_keys)
            self.records[record_key] = record
            key = record.key()
            if key not in self._by_key:
                self.codes.add(key)
            siblings = (*self._by_key.get(key, ()), (*record.interval(), record))
            self._by_key[key] = tuple(sorted(siblings, key=lambda entry: entry[0]))

    def _count_gate(self, record: FactRecord, more: int) -> None:
        if not isinstance(record, OptOut):
            return
        key = record.key()
        for scheme, name in ((HOST, host_of_key(key)), ("domain", site_of_key(key))):
            if name is not None and (count := self._gates.pop((scheme, name), 0) + more):
                self._gates[scheme, name] = count

    def at(self, key: Hashable, at_ms: int) -> tuple[FactRecord, ...]:
        """Return the records of `key` whose interval holds `at_ms`, oldest first."""
        records = self._by_key.get(key)
        if records is None:
            return ()
        valid: tuple[FactRecord, ...] = ()
        for start_ms, end_ms, record in records:
            if start_ms <= at_ms and (end_ms is None or at_ms < end_ms):
                valid = (*valid, record) if valid else (record,)
        return valid

    def is_unspoken(self, content_sha256: str | None, url: str | None) -> bool:
        """Tell quickly that nobody has said anything of a content and of a page, at whatever time: True is certain, False is not."""
        if content_sha256 is not None and ("content", content_sha256) in self._by_key:
            return False
        if url is None:
            return True
        end = url.find("/", 8)  # after "https://" or "http://x"
        origin = url[:end] if end > 0 else url
        # Crawls take many pages of one host.
        return origin in self._unspoken or self._is_unspoken_of(origin)

    def _is_unspoken_of(self, origin: str) -> bool:
        site = site_of_origin(origin)
        if site is None or (key := ("domain", site)) in self._by_key or key in self._gates:
            return False
        if len(self._unspoken) >= MAX_ORIGINS:
            self._unspoken.clear()
        self._unspoken[origin] = None
        return True

    def maybe_addressed(self, host: str) -> bool:
        """Tell whether there is a record about an address on a host in normal form, whatever its interval."""
        return (HOST, host) in self._gates

    def __contains__(self, key: Hashable) -> bool:
        return key in self._by_key

    def first_at(self, key: Hashable, at_ms: int) -> FactRecord | None:
        """Return the oldest record of `key` whose interval holds `at_ms`, or None."""
        for start_ms, end_ms, record in self._by_key.get(key, ()):
            if start_ms <= at_ms and (end_ms is None or at_ms < end_ms):
                return record
        return None

    def __iter__(self) -> Iterator[FactRecord]:
        return iter(self.records.values())

    def __len__(self) -> int:
        return len(self.records)


def loaded(records: Iterable[FactRecord]) -> FactTable[FactRecord]:
    """Return a ready table of the given records (for cases, offline checks and tests)."""
    table: FactTable[FactRecord] = FactTable(FactStatus.READY)
    for number, record in enumerate(records):
        table.put(b"%d" % number, record)
    return table
