"""Remembers which content was judged under which identity, for the last events of a source partition."""

from __future__ import annotations

from collections.abc import Sequence

from hegui.rules.events import Envelope


class IdentityWindow:
    """Identities of the last `events` events, at least; at most twice as many, and two runs. Not thread-safe.

    Holds two hashes an event (about 130 bytes), never the identity or the content.
    """

    __slots__ = ("_events", "_old", "_young")

    def __init__(self, events: int) -> None:
        self._events = events
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def reused(self, envelope: Envelope, value: bytes | None) -> bool:
        """Tell whether another content was seen under the envelope's identity and revision, and remember this one."""
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
        return before is not None and before != content

    def reused_in(self, envelopes: Sequence[Envelope], values: Sequence[bytes | None]) -> list[bool] | None:
        """Ask for a run of events at once, in their order; None when none of them is a reuse, as nearly always.

        Set operations on the whole run: their look-ups miss the cache side by side.
        """
        identities = [hash((e.tenant, e.source, e.id, e.revision)) for e in envelopes]
        met = dict(zip(identities, map(hash, values), strict=True))
        young = self._young
        if len(met) != len(identities) or not young.keys().isdisjoint(met) or not self._old.keys().isdisjoint(met):
            told = [self.reused(envelope, value) for envelope, value in zip(envelopes, values, strict=True)]
            return told if any(told) else None
        if len(young) >= self._events:
            self._old, self._young = young, met
        else:
            young.update(met)
        return None
