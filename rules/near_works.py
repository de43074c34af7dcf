"""Finds registered works whose Content-Code differs from that of a record in at most so many bits. Exact: none is missed.

Multi-index hashing (Norouzi, Punjani, Fleet, CVPR 2012): of two codes of 64 bits that differ in at most `4 r + a` bits, one of the first
`a + 1` of four 16-bit parts differs in at most `r`, or one of the others in at most `r - 1`: otherwise they would differ in more. So the
few values around each part lead to all candidates, and counting the differing bits decides.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

from hegui.rules.iscc import ContentUnit, content_unit, is_iscc

MAX_DISTANCE = 15
"""Bits. From 16 on more than 2,788 values would have to be looked up for one record."""

_PARTS = (0, 16, 32, 48)
_AROUND = tuple(
    tuple(sum(1 << bit for bit in flipped) for n in range(radius + 1) for flipped in combinations(range(16), n))
    for radius in range(-1, MAX_DISTANCE // 4 + 1)
)
"""Radius, counted from -1, to what changes up to so many of 16 bits: 0, 1, 17, 137, 697 values."""
_CHANGES = tuple(
    tuple(_AROUND[most // 4 + (number <= most % 4)] for number in range(len(_PARTS)))
    for most in range(MAX_DISTANCE + 1)
)
"""Distance to what is tried for each part."""

_FEW = 32
"""Codes that are compared one by one: looking 68 values up, as for a distance of 7, takes longer."""

SCHEMES = frozenset({"work", "fingerprint"})
"""Schemes of opt-outs and notices whose subjects may be an ISCC."""


class NearWork(NamedTuple):
    """A registered work near a record."""

    distance: int
    """Differing bits of 64."""
    scheme: str
    """Of the opt-out or notice: `work` or `fingerprint`."""
    subject: str
    """As its table has it."""


class _OfKind:
    __slots__ = ("parts", "works")

    def __init__(self) -> None:
        self.works: dict[int, tuple[tuple[str, str], ...]] = {}
        self.parts: tuple[dict[int, list[int]], ...] = tuple({} for _ in _PARTS)

    def candidates(self, bits: int, most: int) -> Iterator[int]:
        for shift, part, around in zip(_PARTS, self.parts, _CHANGES[most], strict=True):
            middle = bits >> shift & 0xFFFF
            for change in around:
                yield from part.get(middle ^ change, ())


class WorkCodes:
    """The Content-Codes among the keys of a table of opt-outs or notices. A table adds and discards keys as they come and go.

    Takes about 800 bytes for a code of 64 bits. Says which keys are near; what holds of them at an event's time, the table says.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, _OfKind] = {}

    def __len__(self) -> int:
        """Return how many different codes there are."""
        return sum(len(kind.works) for kind in self._kinds.values())

    def add(self, key: Hashable) -> None:
        """Take a key (scheme, subject); one that is no ISCC with a Content-Code is passed over. Calling twice with the same is safe."""
        found = _unit_of(key)
        if found is None:
            return
        work, (name, bits) = found
        kind = self._kinds.setdefault(name, _OfKind())
        works = kind.works.get(bits, ())
        if work in works:
            return
        kind.works[bits] = (*works, work)
        if not works:
            for shift, part in zip(_PARTS, kind.parts, strict=True):
                part.setdefault(bits >> shift & 0xFFFF, []).append(bits)

    def discard(self, key: Hashable) -> None:
        """Forget a key. One that is not there is passed over."""
        found = _unit_of(key)
        if found is None:
            return
        work, (name, bits) = found
        kind = self._kinds.get(name)
        if kind is None or work not in kind.works.get(bits, ()):
            return
        rest = tuple(other for other in kind.works.pop(bits) if other != work)
        if rest:
            kind.works[bits] = rest
            return
        for shift, part in zip(_PARTS, kind.parts, strict=True):
            value = bits >> shift & 0xFFFF
            part[value].remove(bits)
            if not part[value]:
                del part[value]

    def near(self, units: Iterable[ContentUnit], most: int) -> list[NearWork]:
        """Return the works of the same kind that differ from one of `units` in at most `most` bits, the nearest first.

        Args:
            units: of the record.
            most: 0 to `MAX_DISTANCE`.
        """
        found: dict[tuple[str, str], int] = {}
        for name, bits in units:
            kind = self._kinds.get(name)
            if kind is None:
                continue
            if len(kind.works) <= _FEW:
                candidates: Iterable[int] = kind.works
            else:
                candidates = kind.candidates(bits, most)
            for code in candidates:
                distance = (code ^ bits).bit_count()
                if distance <= most:
                    for work in kind.works[code]:
                        found[work] = min(distance, found.get(work, distance))
        return sorted([NearWork(distance, *work) for work, distance in found.items()]) if found else []


def _unit_of(key: Hashable) -> tuple[tuple[str, str], ContentUnit] | None:
    if not isinstance(key, tuple) or key[0] not in SCHEMES or not is_iscc(key[1]):
        return None
    unit = content_unit(key[1])
    return None if unit is None else ((key[0], key[1]), unit)
