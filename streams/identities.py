"""Remembers which content was judged under which identity, and what records counted as, for the last events of a source partition."""

from __future__ import annotations

from collections.abc import Sequence

from hegui.rules.events import Envelope
from hegui.rules.ledgers.recording import Counted


class IdentityWindow:
    """Identities of the last `events` events, at least; at most twice as many, and two runs. Not thread-safe.

    Holds two hashes an event (about 130 bytes), never the identity or the content.
    """

    __slots__ = ("_events", "_old", "_young")

    def __init__(self, events: int) -> None:
        self._events = events
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def reused(self, envelope: Envelope, value: bytes | None) -> bool | None:
        """Tell whether another content was seen under the envelope's identity and revision, and remember this one.

        None: the identity and revision were not seen.
        """
        identity = hash((envelope.tenant, envelope.source, envelope.id, envelope.revision))
        content = hash(value)  # SipHash of 1 kB: 0.2 us; a CRC takes longer
        young = self._young
        before = young.get(identity)
        if before is None:
            before = self._old.get(identity)
            if len(young) >= self._events:
                self._old = young
                young = self._young = {}
            young[identity] = content
        return None if before is None else before != content

    def reused_in(self, envelopes: Sequence[Envelope], values: Sequence[bytes | None]) -> list[bool | None] | None:
        """Ask for a run of events at once, in their order; None when none of them was seen before, as nearly always.

        Set operations on the whole run: their look-ups miss the cache side by side.
        """
        identities = [hash((e.tenant, e.source, e.id, e.revision)) for e in envelopes]
        met = dict(zip(identities, map(hash, values), strict=True))
        young = self._young
        if len(met) != len(identities) or not young.keys().isdisjoint(met) or not self._old.keys().isdisjoint(met):
            return [self.reused(envelope, value) for envelope, value in zip(envelopes, values, strict=True)]
        if len(young) >= self._events:
            self._old, self._young = young, met
        else:
            young.update(met)
        return None


class RecordWindow:
    """What the last `events` records counted as, at least; at most twice as many. Not thread-safe.

    Holds a hash a record (about 100 bytes), never the identity: what most records count as is one object.
    """

    __slots__ = ("_events", "_old", "_young")

    def __init__(self, events: int) -> None:
        self._events = events
        self._young: dict[int, Counted] = {}
        self._old: dict[int, Counted] = {}

    def known(self, record: int) -> Counted | None:
        """Return what a record counted as, None when that is not known any more."""
        found = self._young.get(record)
        return found if found is not None else self._old.get(record)

    def note(self, record: int, counted: Counted) -> None:
        """Remember what a record counts as."""
        if len(self._young) >= self._events:
            self._old, self._young = self._young, {}
        self._young[record] = counted
