"""Facts: what the world said at the time of an event. Intervals, looked up as of the event's time.

A fact table is `undeclared` (nobody configured it), `loading` or `ready`; anything but ready makes the rules that need it
inconclusive. The tables are filled by `streams.facts_feed` between batches; rules only read.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Generic, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from hegui.rules.events import TimeMs
from hegui.rules.policy import Entity, Policy, Service

OptOutScheme = Literal["user", "domain", "content", "work", "holder"]
OptOutValue = Literal["allow", "deny"]


class FactStatus(StrEnum):
    """How far a fact table can be trusted."""

    UNDECLARED = "undeclared"
    LOADING = "loading"
    READY = "ready"


class OptOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """One statement of a user or rights holder, the value of a record on the opt-outs topic."""

    scheme: OptOutScheme
    """What `subject` is: user key, domain, content hash, work id or rights holder."""
    subject: Annotated[str, Meta(min_length=1, max_length=2048)]
    """The key itself, in the form in which events carry it; domains in lower-case punycode."""
    value: OptOutValue
    """What is said."""
    observed_at_ms: TimeMs
    """From when it counts (not retroactive)."""
    valid_to_ms: TimeMs | None = None
    """Until when, if it was limited."""
    category: Literal["train"] = "train"
    """The use spoken of."""
    source: str = "registry"
    """Where it was said; statements of different sources are combined, later ones of one source replace earlier ones."""

    def key(self) -> tuple[str, str]:
        """Return the key under which events look it up."""
        if self.scheme != "domain":
            return (self.scheme, self.subject)
        try:
            return (self.scheme, normal_host(self.subject))
        except UnicodeError:  # no event's host can equal it either
            return (self.scheme, self.subject)

    def interval(self) -> tuple[int, int | None]:
        """Return from and to, epoch milliseconds."""
        return (self.observed_at_ms, self.valid_to_ms)


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
        self._by_record_key: dict[bytes, FactRecord] = {}
        self._by_key: dict[Hashable, tuple[tuple[int, int | None, FactRecord], ...]] = {}

    def put(self, record_key: bytes, record: FactRecord | None) -> None:
        """Take a record, or remove it when it is None (a tombstone). Calling twice with the same is safe."""
        old = self._by_record_key.pop(record_key, None)
        if old is not None:
            rest = tuple(entry for entry in self._by_key[old.key()] if entry[2] is not old)
            if rest:
                self._by_key[old.key()] = rest
            else:
                del self._by_key[old.key()]
        if record is not None:
            self._by_record_key[record_key] = record
            key = record.key()
            siblings = (*self._by_key.get(key, ()), (*record.interval(), record))
            self._by_key[key] = tuple(sorted(siblings, key=lambda entry: entry[0]))

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

    def __contains__(self, key: Hashable) -> bool:
        return key in self._by_key

    def first_at(self, key: Hashable, at_ms: int) -> FactRecord | None:
        """Return the oldest record of `key` whose interval holds `at_ms`, or None."""
        for start_ms, end_ms, record in self._by_key.get(key, ()):
            if start_ms <= at_ms and (end_ms is None or at_ms < end_ms):
                return record
        return None

    def __len__(self) -> int:
        return len(self._by_record_key)


MAX_REGIONS = 1000


class Snapshot:
    """Everything a judgement may look at beside the event: the policy and the fact tables."""

    def __init__(
        self, policy: Policy, optouts: FactTable[OptOut] | None = None, filings: FactTable[Filing] | None = None
    ) -> None:
        self.policy = policy
        self.optouts: FactTable[OptOut] = optouts if optouts is not None else FactTable()
        self.filings: FactTable[Filing] = filings if filings is not None else FactTable()
        self.regions: dict[str, bool] = {}
        """Region names judged before, at most `MAX_REGIONS`."""
        self.services: Mapping[tuple[str, str], Service] = {(s.tenant, s.name): s for s in policy.services}
        self.entities: Mapping[str, Entity] = {e.name: e for e in policy.entities}
        policy_filings: FactTable[Filing] = FactTable(FactStatus.READY)
        for filing in policy.filings:
            end = None if filing.valid_to is None else round(filing.valid_to.timestamp() * 1000)
            record = Filing(filing.model, filing.number, round(filing.valid_from.timestamp() * 1000), end)
            policy_filings.put(f"{filing.model}/{filing.number}/{filing.valid_from}".encode(), record)
        self.filing_tables = (policy_filings, self.filings)
        """Where filings stand: those of the policy, those of the topic."""

    def status(self) -> dict[str, FactStatus]:
        """Return the status of each fact table. Filings stated in the policy make an undeclared filings topic ready."""
        filings = self.filings.status
        if filings is FactStatus.UNDECLARED and self.policy.filings:
            filings = FactStatus.READY
        return {"optouts": self.optouts.status, "filings": filings}

    def positions(self) -> dict[str, dict[str, int]]:
        """Return fact to partition to next offset: what a result saw."""
        tables = {"optouts": self.optouts.positions, "filings": self.filings.positions}
        return {name: {str(p): offset for p, offset in sorted(at.items())} for name, at in tables.items() if at}


class Facts(msgspec.Struct, frozen=True, gc=False):
    """The facts as of one event."""

    snapshot: Snapshot
    at_ms: int
    """The event's time, epoch milliseconds."""
    tenant: str
    """The event's tenant."""
    service: Service | None
    """The registry's entry of the event's service."""

    def in_mainland(self, region: str) -> bool:
        """Tell whether a region name lies in the mainland, by the policy."""
        known = self.snapshot.regions
        found = known.get(region)
        if found is None:
            found = self.snapshot.policy.in_mainland(region)
            if len(known) < MAX_REGIONS:  # region names come from events
                known[region] = found
        return found

    @property
    def policy(self) -> Policy:
        """The deployer's policy."""
        return self.snapshot.policy

    def entity(self, name: str | None = None) -> Entity | None:
        """Return the named legal entity, or that of the event's service."""
        name = name or (self.service.entity if self.service is not None else None)
        return self.snapshot.entities.get(name) if name is not None else None

    def opted_out(self, scheme: OptOutScheme, subject: str, *, grace_ms: int = 0) -> OptOut | None:
        """Return the statement that refuses training on `subject`, or None.

        The latest statement of each source counts; any refusal among the sources wins (AIPREF's combination). A refusal
        younger than the grace time is tolerated; one that is repeated keeps the age of the first.
        """
        since: dict[str, tuple[OptOut, int]] = {}
        for record in self.snapshot.optouts.at((scheme, subject), self.at_ms):
            before = since.get(record.source)
            repeated = before is not None and before[0].value == record.value
            since[record.source] = (record, before[1] if before is not None and repeated else record.observed_at_ms)
        for record, from_ms in since.values():
            if record.value == "deny" and from_ms <= self.at_ms - grace_ms:
                return record
        return None

    def filing(self, model: str) -> Filing | None:
        """Return a filing of the model in force at the event's time, or None."""
        at_ms = self.at_ms
        for table in self.snapshot.filing_tables:
            found = table.first_at(model, at_ms)
            if found is not None:
                return found
        return None

    def refused_domain(self, url: str) -> OptOut | None:
        """Return the statement that refuses training on the URL's host or a parent domain of it, or None.

        Raises:
            ValueError: the URL has no readable host.
        """
        host = host_of(url)
        labels = host.split(".")
        last = 1 if _is_address(host) else max(1, len(labels) - 1)
        known = self.snapshot.optouts
        for first in range(last):
            domain = ".".join(labels[first:]) if first else host
            if ("domain", domain) in known and (record := self.opted_out("domain", domain)) is not None:
                return record
        return None


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|//")
_NO_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?![0-9]+(?:[/?#]|$))")


# Host in small letters and nothing odd before it, as nearly all addresses are: 0.6 us instead of 4.
_PLAIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::[0-9]+)?(?:[/?#]|$)")


def _is_address(host: str) -> bool:
    """Tell whether a host is an IP address: no domain ends with a digit or holds a colon."""
    return host[-1].isdigit() or ":" in host


def normal_host(host: str) -> str:
    """Return a host in lower-case punycode without trailing dot.

    Raises:
        UnicodeError: it cannot be encoded (a ValueError too).
    """
    bare = host.strip().rstrip(".").lower()
    return bare if bare.isascii() else bare.encode("idna").decode("ascii")


def host_of(url: str) -> str:
    """Return the host of a URL in lower-case punycode, without user, port and trailing dot.

    Raises:
        ValueError: there is none, or it cannot be read.
    """
    if plain := _PLAIN.match(url):
        return plain[1]
    if _SCHEME.match(url) is None:
        if _NO_AUTHORITY.match(url):
            raise ValueError("the url has no host")
        url = "//" + url
    host = normal_host(urlsplit(url).hostname or "")
    if not host:
        raise ValueError("the url has no host")
    return host


def loaded(records: Iterable[FactRecord]) -> FactTable[FactRecord]:
    """Return a ready table of the given records (for cases, offline checks and tests)."""
    table: FactTable[FactRecord] = FactTable(FactStatus.READY)
    for number, record in enumerate(records):
        table.put(b"%d" % number, record)
    return table
