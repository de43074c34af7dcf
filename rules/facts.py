"""Facts: what the world said at the time of an event. Intervals, looked up as of the event's time.

A fact table is `undeclared` (nobody configured it), `loading` or `ready`; anything but ready makes the rules that need it
inconclusive. The tables are filled by `streams.facts_feed` between batches; rules only read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from hegui.rules.addresses import address_of, prefixes_of
from hegui.rules.evidence import reference
from hegui.rules.fact_tables import (
    MAX_ORIGINS,
    NAMED_OTHERWISE,
    CondemnedSource,
    FactStatus,
    FactTable,
    Filing,
    Notice,
    NoticeScheme,
    OptOut,
    OptOutScheme,
    Suspension,
    loaded,
    normal_subject,
)
from hegui.rules.hosts import MAX_ORIGIN, domains_of, host_of
from hegui.rules.iscc import ContentUnit
from hegui.rules.optout_table import OptOutTable
from hegui.rules.policy import Entity, ModelTest, Policy, Service
from hegui.rules.preferences import UNKNOWN, Preference, combined
from hegui.rules.values import key_id_of
from hegui.rules.waivers import Waiver
from hegui.rules.works import readable_work

MAX_REGIONS = 1000


# An origin that is read alike whatever follows it, and is kept: nothing that is cut off at the end of a URL, no user, no empty port.
_KEPT = re.compile(r"https?://[^\s\x00-\x20\ufeff:@]+(?::[0-9]+)?")


def _origin_of(url: str) -> str:
    """Return a URL up to the first slash after "https://" or "http://x": nothing behind it changes the host."""
    end = url.find("/", 8)
    return url[:end] if end > 0 else url


class Snapshot:
    """Everything a judgement may look at beside the event: the policy and the fact tables."""

    def __init__(
        self,
        policy: Policy,
        optouts: OptOutTable | None = None,
        filings: FactTable[Filing] | None = None,
        notices: FactTable[Notice] | None = None,
        waivers: FactTable[Waiver] | None = None,
        sources: FactTable[CondemnedSource] | None = None,
        suspensions: FactTable[Suspension] | None = None,
    ) -> None:
        self.policy = policy
        self.sources: FactTable[CondemnedSource] = sources if sources is not None else FactTable()
        self.suspensions: FactTable[Suspension] = suspensions if suspensions is not None else FactTable()
        self.notices: FactTable[Notice] = notices if notices is not None else FactTable()
        self.waivers: FactTable[Waiver] = waivers if waivers is not None else FactTable()
        """Waivers of the topic; those of the policy stand there."""
        self.optouts: OptOutTable = optouts if optouts is not None else FactTable[OptOut]()
        self.filings: FactTable[Filing] = filings if filings is not None else FactTable()
        self._domains: dict[str, tuple[tuple[str, ...], bool]] = {}
        self._domains_at = -1
        self.regions: dict[str, bool] = {}
        """Region names judged before, at most `MAX_REGIONS`."""
        self.services: Mapping[tuple[str, str], Service] = {(s.tenant, s.name): s for s in policy.services}
        self.model_tests: Mapping[tuple[str, str], ModelTest] = {
            (t.model, t.model_version): t for t in policy.model_tests
        }
        self.entities: Mapping[str, Entity] = {e.name: e for e in policy.entities}
        policy_filings: FactTable[Filing] = FactTable(FactStatus.READY)
        for filing in policy.filings:
            end = None if filing.valid_to is None else round(filing.valid_to.timestamp() * 1000)
            record = Filing(filing.model, filing.number, round(filing.valid_from.timestamp() * 1000), end)
            policy_filings.put(f"{filing.model}/{filing.number}/{filing.valid_from}".encode(), record)
        self.filing_tables = (policy_filings, self.filings)
        """Where filings stand: those of the policy, those of the topic."""

    def registered(self, url: str) -> tuple[tuple[str, ...], bool]:
        """Return the URL's host and its parent domains as far as the table of opt-outs holds them, the nearest first.

        With them, whether there may be any statement about an address on that host.

        Raises:
            ValueError: the URL has no readable host.
        """
        # Crawls take many pages of one host: the answer is kept while the table stays as it is (0.2 us instead of 1.3).
        table, known = self.optouts, self._domains
        if self._domains_at != table.changes:
            self._domains_at = table.changes
            known.clear()
        origin = _origin_of(url)
        found = known.get(origin)
        if found is None:
            host = host_of(url)
            found = (tuple([d for d in domains_of(host) if ("domain", d) in table]), table.maybe_addressed(host))
            if len(origin) <= MAX_ORIGIN and _KEPT.fullmatch(origin):
                if len(known) >= MAX_ORIGINS:
                    known.clear()
                known[origin] = found
        return found

    def status(self) -> dict[str, FactStatus]:
        """Return the status of each fact table. Filings stated in the policy make an undeclared filings topic ready."""
        filings = self.filings.status
        if filings is FactStatus.UNDECLARED and self.policy.filings:
            filings = FactStatus.READY
        return {
            "optouts": self.optouts.status,
            "filings": filings,
            "notices": self.notices.status,
            "waivers": self.waivers.status,
            "sources": self.sources.status,
            "suspensions": self.suspensions.status,
        }

    def positions(self) -> dict[str, dict[str, int]]:
        """Return fact to partition to next offset: what a result saw."""
        tables = {
            "optouts": self.optouts.positions,
            "filings": self.filings.positions,
            "notices": self.notices.positions,
            "waivers": self.waivers.positions,
            "sources": self.sources.positions,
            "suspensions": self.suspensions.positions,
        }
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

    def preference(self, scheme: OptOutScheme, subject: str, *, grace_ms: int = 0) -> Preference:
        """Return what is known of the wish about training on `subject`, as of the event's time (AIPREF's combination).

        A refusal younger than the grace time is tolerated; one that is repeated keeps the age of the first.
        """
        if scheme in NAMED_OTHERWISE:
            subject = normal_subject(scheme, subject)
        return self._said_of((scheme, subject), grace_ms)

    def preference_for_work(self, text: str) -> tuple[Preference, bool]:
        """Return what is known of the wish about training on a work, and whether its identifier can be read."""
        found = readable_work(text)
        return self._said_of(("work", text if found is None else found), 0), found is not None

    def _said_of(self, key: tuple[str, str], grace_ms: int) -> Preference:
        records = self.snapshot.optouts.at(key, self.at_ms)
        if not records:  # nearly always
            return UNKNOWN
        return combined((records,), self.at_ms - grace_ms)

    def opted_out(self, scheme: OptOutScheme, subject: str, *, grace_ms: int = 0) -> OptOut | None:
        """Return the statement that refuses training on `subject`, or None."""
        found = self.preference(scheme, subject, grace_ms=grace_ms)
        return found.statement if found.value == "deny" else None

    def knows_key_of(self, user_key: str) -> bool:
        """Tell whether a refusal of a user would stand under this key: not when users have refused under other key ids alone.

        One person has another hash under each key (one for each controller and legal year), so that nothing under the one says
        nothing about the refusals under the others. Where no user has refused at all, there is nothing to be missed.
        """
        earliest = self.snapshot.optouts.user_keys
        if not earliest:
            return True
        first_ms = earliest.get(key_id_of(user_key))
        if first_ms is not None and first_ms <= self.at_ms:  # nearly always
            return True
        return all(other_ms > self.at_ms for other_ms in earliest.values())

    def filing(self, model: str) -> Filing | None:
        """Return a filing of the model in force at the event's time, or None."""
        at_ms = self.at_ms
        for table in self.snapshot.filing_tables:
            found = table.first_at(model, at_ms)
            if found is not None:
                return found
        return None

    def filing_numbers(self, model: str) -> tuple[str, ...]:
        """Return the numbers of the model's filings in force at the event's time."""
        numbers: tuple[str, ...] = ()
        for table in self.snapshot.filing_tables:
            for record in table.at(model, self.at_ms):
                numbers = (*numbers, record.number)
        return numbers

    def notice(self, scheme: NoticeScheme, subject: str) -> Notice | None:
        """Return an open notice of a rights holder that is older than the policy's grace time, or None."""
        from_ms = self.at_ms - self.policy.notice_grace_hours * 3_600_000
        for record in self.snapshot.notices.at((scheme, subject), self.at_ms):
            if record.received_at_ms <= from_ms:
                return record
        return None

    def near_refusal(self, units: Iterable[ContentUnit]) -> tuple[int, OptOut] | None:
        """Return the nearest registered work that is refused at the event's time, within the policy's distance, or None.

        Returns:
            Distance in bits and the statement.
        """
        for near in self.snapshot.optouts.codes.near(units, self.policy.iscc_max_distance_bits):
            refusal = self.opted_out("work", near.subject)
            if refusal is not None:
                return near.distance, refusal
        return None

    def near_notice(self, units: Iterable[ContentUnit]) -> tuple[int, Notice] | None:
        """Return the nearest work under an open notice that is older than the grace time, within the policy's distance, or None.

        Returns:
            Distance in bits and the notice.
        """
        for near in self.snapshot.notices.codes.near(units, self.policy.iscc_max_distance_bits):
            notice = self.notice("work" if near.scheme == "work" else "fingerprint", near.subject)
            if notice is not None:
                return near.distance, notice
        return None

    def condemned(self, source_id: str) -> CondemnedSource | None:
        """Return the verdict on a source that holds at the event's time, or None."""
        table = self.snapshot.sources
        if not table.records:  # nearly always: a hash costs 1 us
            return None
        return table.first_at((self.tenant, reference(source_id)), self.at_ms)

    def suspension(self, user_key: str) -> Suspension | None:
        """Return the suspension of a user of the event's service that is due at the event's time, or None."""
        table = self.snapshot.suspensions
        if not table.records or self.service is None:
            return None
        return table.first_at((self.tenant, self.service.name, user_key), self.at_ms)

    def model_test(self, model: str, version: str) -> ModelTest | None:
        """Return the safety test of one version of a model, or None."""
        return self.snapshot.model_tests.get((model, version))

    def preference_for_url(self, url: str) -> Preference:
        """Return what is known of the wish about training on a page: statements about its domains, prefixes and itself.

        Raises:
            ValueError: the URL has no readable host, or none that can be told apart from others on a host with statements.
        """
        table, at_ms = self.snapshot.optouts, self.at_ms
        domains, addressed = self.snapshot.registered(url)
        if not domains and not addressed:  # nearly always
            return UNKNOWN
        subjects = [table.at(("domain", domain), at_ms) for domain in reversed(domains)]
        if addressed:
            try:
                address = address_of(url)
            except ValueError:
                of_domain = combined(subjects, at_ms)
                if of_domain.value == "deny":  # whatever the path
                    return of_domain
                raise
            subjects += [table.at(("url_prefix", prefix), at_ms) for prefix in prefixes_of(address)]
            subjects.append(table.at(("url", address.text()), at_ms))
        return combined(subjects, at_ms)


__all__ = [
    "FactStatus",
    "FactTable",
    "Facts",
    "Filing",
    "Notice",
    "OptOut",
    "Snapshot",
    "host_of",
    "loaded",
]
