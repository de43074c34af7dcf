"""Whether anything was said of a subject: the filter of a snapshot, and the hashes of what came since.

Plain Python, which runs as it stands. Where a C compiler is found at the installation, Cython makes it twice as quick: `probe.pxd` names the types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xxhash import xxh3_64_intdigest as digest

from hegui.rules.fact_tables import HOST, MAX_ORIGINS
from hegui.rules.hosts import MAX_ORIGIN, site_of_origin
from hegui.streams.optout_index.layout import LEAST_FILTER_BITS, MASKS

NO_FILTER = bytes(1 << LEAST_FILTER_BITS)
"""Of no snapshot: it knows nothing."""


class Probe:
    """Answers for one filter and two tables of hashes, which may change under it. False is certain, True is not."""

    def __init__(
        self,
        bits: int,
        filter_: bytes | memoryview,
        seeds: Mapping[str, int],
        keys: dict[int, Any],
        gates: dict[int, int],
    ) -> None:
        """Nothing is copied.

        Args:
            bits: the filter has two to the power of it bytes.
            filter_: see `layout`.
            seeds: `keys.seeds_of`.
            keys: hashes of keys since the snapshot.
            gates: hashes of hosts and sites since then.
        """
        self._shift, self._last = 64 - bits, (1 << bits) - 1
        self._filter, self._masks = filter_, MASKS
        self._seeds = dict(seeds)
        self._content_seed, self._domain_seed, self._host_seed = seeds["content"], seeds["domain"], seeds[HOST]
        self._keys, self._gates = keys, gates
        self._unspoken: dict[str, None] = {}
        """Origins of URLs of which nothing is said, at most `MAX_ORIGINS`."""

    def changed(self) -> None:
        """Forget the answers that were kept: something was said."""
        self._unspoken.clear()

    def maybe(self, scheme: str, subject: str) -> bool:
        """Tell whether there may be a statement about a subject in normal form.

        Raises:
            KeyError: there is no such scheme.
        """
        found = digest(subject.encode(), self._seeds[scheme])
        return self._fits(found) or found in self._keys

    def maybe_addressed(self, host: str) -> bool:
        """Tell whether there may be a statement about an address on a host in normal form."""
        found = digest(host.encode(), self._host_seed)
        return self._fits(found) or found in self._gates

    def is_unspoken(self, content_sha256: str | None, url: str | None) -> bool:
        """See `rules.optout_table.OptOutTable`: here, True is certain."""
        if content_sha256 is not None:
            found = digest(content_sha256.encode(), self._content_seed)
            if self._fits(found) or found in self._keys:
                return False
        if url is None:
            return True
        end = url.find("/", 8)  # after "https://" or "http://x"
        origin = url[:end] if end > 0 else url
        # Crawls take many pages of one host.
        return origin in self._unspoken or self._is_unspoken_of(origin)

    def _is_unspoken_of(self, origin: str) -> bool:
        site = self._site_of(origin)
        if site is None:
            return False
        found = digest(site.encode(), self._domain_seed)
        if self._fits(found) or found in self._keys or found in self._gates:
            return False
        if len(self._unspoken) >= MAX_ORIGINS:
            self._unspoken.clear()
        self._unspoken[origin] = None
        return True

    def _site_of(self, origin: str) -> str | None:
        """Return `site_of_origin`: letter by letter, which takes a tenth of the time when it is compiled, where an origin is a plain host."""
        start = 8 if origin.startswith("https://") else 7 if origin.startswith("http://") else 0
        before = last = start - 1
        for place in range(start, len(origin)):
            sign = origin[place]
            if sign == "." and place > last + 1:
                before, last = last, place
            elif not ("a" <= sign <= "z" or "0" <= sign <= "9" or sign == "-"):
                return site_of_origin(origin)
        if start == 0 or last < start or len(origin) > MAX_ORIGIN or not "a" <= origin[last + 1 : last + 2] <= "z":
            return site_of_origin(origin)
        return origin[before + 1 :]

    def _fits(self, hash_: int) -> bool:
        # Nine in ten that are unknown fail the first of the two bytes.
        first = hash_ >> self._shift
        wanted = self._masks[hash_ & 255]
        if self._filter[first] & wanted != wanted:
            return False
        wanted = self._masks[first & 255]
        return self._filter[hash_ >> 8 & self._last] & wanted == wanted
