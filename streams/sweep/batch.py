"""The opt-outs of one sweep: a table of the new statements, of what was said beside them, and when each became known here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, zip_longest
from operator import itemgetter
from typing import NamedTuple

import msgspec

from hegui.rules.fact_tables import ADDRESSES, NAMED_OTHERWISE, FactStatus, FactTable, OptOut, host_of_key, loaded
from hegui.rules.hosts import site_of
from hegui.rules.optout_subjects import subject_defect
from hegui.rules.preferences import LONGEST_MATCH, NO_TO_TRAINING

KNOWN_WITHIN_MS = 60_000
"""How long after its record a statement may not yet have reached every evaluator: what came in by then may have passed unjudged."""

Saying = tuple[tuple[str, str], str, str]
"""Subject, source and category: of the statements with these three one overrides the other."""

SITE = "site"
"""First part of the subject of a saying that holds for a whole site."""

_decode = msgspec.json.Decoder(OptOut).decode


class _Glance(msgspec.Struct, gc=False):
    """What tells whether a statement can matter, before it is read: 1 us instead of 10 to 30."""

    scheme: str
    subject: str
    source: str = "registry"
    category: str = "train"


_glance = msgspec.json.Decoder(_Glance).decode

# The site of a subject whose host is in normal form already, as nearly all are.
_PLAIN_SITE = re.compile(r"(?:[a-z0-9-]+\.)*([a-z0-9-]+\.[a-z][a-z0-9-]*)(?:/|$)")
_ON_HOSTS = ADDRESSES | {"domain"}


def _read(value: bytes) -> OptOut | None:
    """Return a statement; None for what the evaluators bury."""
    try:
        found = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if subject_defect(found.scheme, found.subject) is None else None


def _site_of(key: tuple[str, str]) -> str | None:
    """Return the site of a subject, also of one that is a site; None for what is on no host."""
    host = key[1] if key[0] == "domain" else host_of_key(key)
    return None if host is None else site_of(host)


def saying_of(statement: OptOut) -> Saying:
    """Return which statements one overrides, or is overridden by: where the longest path counts all that its source says of a site, else of the subject."""
    key = statement.key()
    site = _site_of(key) if statement.source in LONGEST_MATCH else None
    return (key if site is None else (SITE, site), statement.source, statement.category)


def of_subject(statement: OptOut) -> Saying:
    """Return subject, source and category of a statement, whatever else it may override."""
    return (statement.key(), statement.source, statement.category)


def refuses_training(statement: OptOut) -> bool:
    """Tell whether a statement is a no to training."""
    return statement.value == "deny" and statement.category in NO_TO_TRAINING


def _excepts(statement: OptOut) -> bool:
    """Tell whether a no may come to count where a statement is taken away."""
    return statement.value != "deny" and statement.category in NO_TO_TRAINING


class Known(NamedTuple):
    """When a statement stood on the topic."""

    saying: Saying
    """Which others it overrides."""
    spans: list[tuple[int, int | None]]
    """Broker's times of its record and of the one that removed or replaced it, None: it still stands; for each record key."""


_Records = list[tuple[int, OptOut | None]]
"""Broker's time and statement of the records of one key, the oldest first; None: it was removed, or says nothing that matters here."""


def _followed(records: Sequence[tuple[int, OptOut | None]]) -> Iterator[tuple[OptOut | None, int, int | None]]:
    """Yield each statement of one record key with the broker's times of its record and of the next one."""
    for (from_ms, statement), following in zip_longest(records, records[1:]):
        yield statement, from_ms, None if following is None else following[0]


class Batch:
    """New statements. The same records make the same batch, so that a sweep that goes on finds the same."""

    def __init__(self) -> None:
        self.table: FactTable[OptOut] = FactTable(FactStatus.READY)
        self.as_of_ms = 0
        """As of when the statements are combined: the broker's time of the last record, epoch milliseconds. No statement can move it on."""
        self.records = 0
        """Records taken in, removals and broken ones too."""
        self._own: dict[bytes, _Records] = {}
        self._before: dict[bytes, _Records] = {}
        self._after: dict[bytes, _Records] = {}
        self._refused: set[Saying] = set()
        self._sources: set[tuple[str, str]] = set()
        """Sources and categories of what is refused."""
        self._sites: set[str] = set()
        """Sites of what is refused."""
        self._lifted: list[OptOut] = []

    def take(self, key: bytes | None, value: bytes | None, broker_ms: int) -> None:
        """Take in a record of the topic of opt-outs; one that is no opt-out says nothing (the evaluators bury it)."""
        self.records += 1
        self.as_of_ms = max(self.as_of_ms, broker_ms)
        if key is None:
            return
        statement = None if value is None else _read(value)
        if statement is None and value is not None:
            return
        old = self.table.records.get(key)
        if old is not None and old != statement and _excepts(old):
            self._look_for(old)
        if statement is not None and refuses_training(statement):
            self._look_for(statement)
        self._own.setdefault(key, []).append((broker_ms, statement))
        self.table.put(key, statement)

    def take_other(self, key: bytes | None, value: bytes | None, broker_ms: int, *, later: bool) -> None:
        """Take in a record from before or after the batch, when it bears on what is new; any other no has a sweep of its own.

        What a source with a new no said at other times does: it may have refused long before, have allowed in between or since, and may have
        taken a part out of the no, as `Allow` in a robots.txt.

        Args:
            key: of the record.
            value: of the record.
            broker_ms: the broker's time of it.
            later: whether it comes after the batch, and may replace a record of it.
        """
        if key is None:
            return
        own = self._own.get(key)
        if own is None and key not in self._before and key not in self._after and not self._may_matter(value):
            return  # nearly all
        statement = None if value is None else _read(value)
        if statement is None and value is not None:
            return
        if statement is not None:
            if not later and own is not None and own[0][1] != statement and _excepts(statement):
                self._lifted.append(statement)
            if saying_of(statement) not in self._refused:
                statement = None
        if statement is None and not later and key not in self._before:
            return
        (self._after if later else self._before).setdefault(key, []).append((broker_ms, statement))
        if later or own is None:
            self.table.put(key, statement)

    def _look_for(self, statement: OptOut) -> None:
        """Note that what its source says beside a statement matters."""
        self._refused.add(saying_of(statement))
        self._sources.add((statement.source, statement.category))
        if (site := _site_of(statement.key())) is not None:
            self._sites.add(site)

    def _may_matter(self, value: bytes | None) -> bool:
        if value is None:
            return False
        try:
            seen = _glance(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        if (seen.source, seen.category) not in self._sources:
            return False
        if seen.scheme in _ON_HOSTS:
            plain = _PLAIN_SITE.match(seen.subject)
            return plain is None or plain[1] in self._sites
        known = ((seen.scheme, seen.subject), seen.source, seen.category) in self._refused
        return known or seen.scheme in NAMED_OTHERWISE

    @property
    def removes(self) -> bool:
        """Whether a record was removed that may have been an exception or a yes: what it stood against may count since then."""
        return any(one is None for records in self._own.values() for _, one in records)

    def reads_again(self) -> bool:
        """Tell whether the other records must be taken in once more: an exception or a yes turned out to be gone, and what it stood against was passed over."""
        known = len(self._refused)
        for one in self._lifted:
            self._look_for(one)
        self._lifted = []
        if len(self._refused) == known:
            return False
        self._before, self._after = {}, {}
        return True

    def history(self) -> tuple[FactTable[OptOut], dict[OptOut, Known]]:
        """Return all statements, also those that were removed or replaced, and when each stood on the topic."""
        known: dict[OptOut, Known] = {}
        gone = False
        for key in {**self._before, **self._own, **self._after}:
            records = [*self._before.get(key, ()), *self._own.get(key, ()), *self._after.get(key, ())]
            for statement, same in groupby(_followed(records), key=itemgetter(0)):
                spans = [(from_ms, to_ms) for _, from_ms, to_ms in same]
                if statement is None:
                    continue
                found = known.get(statement) or known.setdefault(statement, Known(saying_of(statement), []))
                found.spans.append((spans[0][0], spans[-1][1]))
                gone = gone or spans[-1][1] is not None
        return loaded(known) if gone else self.table, known

    @property
    def refuses(self) -> bool:
        """Whether any statement refuses training: otherwise there is nothing to look for."""
        return any(refuses_training(one) for one in self.table)

    def ahead(self) -> dict[Saying, OptOut]:
        """Return the first no about each subject that begins only after the batch, by subject, source and category; one that never holds is left out."""
        found: dict[Saying, OptOut] = {}
        for one in self.table:
            ends = one.valid_to_ms is not None and one.valid_to_ms <= one.observed_at_ms
            if one.observed_at_ms <= self.as_of_ms or ends or not refuses_training(one):
                continue
            before = found.setdefault(of_subject(one), one)
            if one.observed_at_ms < before.observed_at_ms:
                found[of_subject(one)] = one
        return found
