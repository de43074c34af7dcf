"""Remembers which content was judged under which identity, for the last events of a source partition."""

from __future__ import annotations

from hegui.rules.events import Envelope


class IdentityWindow:
    """Identities of the last `events` events, at least; at most twice as many. Not thread-safe.

    Holds two hashes an event (about 130 bytes), never the identity or the content.
    """

    __slots__ = ("_events", "_old", "_young")

    def __init__(self, events: int) -> None:
        self._events = events
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def reused(self, envelope: Envelope, value: bytes) -> bool:
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
