"""The samples of the dataset versions of one partition, all portions of a version together: each record once, with the last words about it."""

from __future__ import annotations

from collections import Counter

from hegui.rules.ledgers.samples import Words, last_word, sampled, unpacked


class Samples:
    """Records that were sampled, by dataset version: about 180 bytes each. Not thread-safe."""

    def __init__(self) -> None:
        self._words: dict[bytes, Words] = {}
        self._counts: dict[bytes, Counter[str]] = {}
        self._portions: dict[bytes, dict[bytes, None]] = {}

    def take(self, version: bytes, portion: bytes, told: bytes) -> None:
        """Take a portion in.

        Args:
            version: table key of the dataset version.
            portion: table key of the portion.
            told: its records and words.
        """
        self._portions.setdefault(version, {})[portion] = None
        words = self._words.setdefault(version, {})
        counts = self._counts.setdefault(version, Counter())
        for record, said in unpacked(told).items():
            known = words.get(record, 0)
            last = last_word(known, said)
            if last != known:
                words[record] = last
                counts.subtract(sampled(known))
                counts.update(sampled(last))

    def counts(self, version: bytes) -> dict[str, int]:
        """Return the samples of a version: of `ledgers.corpora.COUNTS`, each how many."""
        return {name: n for name, n in sorted(self._counts.get(version, Counter()).items()) if n}

    def portions(self, version: bytes) -> dict[bytes, None]:
        """Return the table keys of the portions of a version."""
        return self._portions.get(version, {})

    def forget(self, version: bytes) -> None:
        """Forget a version."""
        for held in (self._words, self._counts, self._portions):
            held.pop(version, None)
