"""What sampling said of each record of a dataset version: sets of records, so that one sampled twice counts once. TC260-003 9.

A record is 8 bytes that stand for its identity, and the last word of persons and of technical means about it: the highest
revision that says something; of one revision that says both, that it failed. Kept in portions, one for each block of offsets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from struct import Struct
from typing import Self

import msgspec

from hegui.rules.blocks import Place
from hegui.rules.ledgers.form import Entry, State
from hegui.rules.policy import Policy

Words = dict[bytes, int]
"""What stands for a record to the last words about it."""

_RECORD = Struct(">8sQ")
_HALF = 1 << 32
_LAST = (1 << 30) - 1
"""Revisions from here on are one."""


def record_of(tenant: str, source: str, event_id: str) -> bytes:
    """Return 8 bytes that stand for a record's identity: of ten million records, two are the same in one corpus of 370,000."""
    return hashlib.sha256(f"{tenant}\0{source}\0{event_id}".encode("utf-8", "surrogatepass")).digest()[:8]


def word(revision: int, human_passed: bool | None, technical_passed: bool | None) -> int:
    """Return what an inspection says; 0: nothing."""
    return _half(revision, human_passed) * _HALF + _half(revision, technical_passed)


def _half(revision: int, passed: bool | None) -> int:
    return 0 if passed is None else 2 * (min(revision, _LAST) + 1) + (not passed)


def last_word(one: int, other: int) -> int:
    """Return the last words of two."""
    return max(one // _HALF, other // _HALF) * _HALF + max(one % _HALF, other % _HALF)


def sampled(said: int) -> dict[str, int]:
    """Return what the words about one record count as, by the names of `ledgers.corpora.COUNTS`."""
    found = {}
    for name, half in (("human", said // _HALF), ("technical", said % _HALF)):
        if half:
            found[name] = 1
            if half % 2 == 0:
                found[f"{name}_passed"] = 1
    return found


def packed(words: Mapping[bytes, int]) -> bytes:
    """Return records and words, 16 bytes each, in order."""
    return b"".join([_RECORD.pack(record, said) for record, said in sorted(words.items())])


def unpacked(*portions: bytes) -> Words:
    """Return the records of portions with the last words about them."""
    return united([pair for portion in portions for pair in _RECORD.iter_unpack(portion)])


def united(told: Iterable[tuple[bytes, int]]) -> Words:
    """Return records with the last words about them."""
    words: Words = {}
    for record, said in told:
        known = words.get(record, 0)
        words[record] = last_word(known, said) if known else said
    return words


class SampleSet(Entry, frozen=True, tag="sample"):
    """What a block showed of the samples of one dataset version, since it was told last."""

    service: str
    """The pipeline."""
    dataset: str
    """Stands for dataset and version."""
    portion: str
    """Source partition and block."""
    words: bytes
    """Records and the last words about them (`packed`)."""

    @property
    def place(self) -> str:
        """The pipeline, as of the dataset version."""
        return f"{self.tenant}|{self.service}"

    @property
    def name(self) -> str:
        """The dataset version, and the portion."""
        return f"{self.dataset}|{self.portion}"

    def merged(self, later: Self) -> Self:
        """Return both together."""
        return msgspec.structs.replace(self, words=packed(unpacked(self.words, later.words)))

    def begin(self) -> SampleState:
        """Return the empty state."""
        return SampleState(tenant=self.tenant, service=self.service, dataset=self.dataset, portion=self.portion)


class SampleState(State[SampleSet], frozen=True, tag="sample"):
    """A portion of the samples of one dataset version; forgotten with it. What it counts as is judged of the dataset version."""

    service: str
    """The service, as in the policy, else `other`."""
    dataset: str
    """Stands for dataset and version."""
    portion: str
    """Source partition and block."""
    words: bytes = b""
    """Records and the last words about them (`packed`)."""

    @property
    def subject(self) -> str:
        """The dataset version's reference."""
        return f"sha256:{self.dataset}"

    @property
    def place(self) -> str:
        """The pipeline, as of the dataset version."""
        return f"{self.tenant}|{self.service}"

    def step(self, place: Place, entry: SampleSet) -> SampleState:
        """Take words in."""
        del place
        words = packed(unpacked(self.words, entry.words))
        return self if words == self.words else msgspec.structs.replace(self, words=words)

    def over_ms(self, policy: Policy) -> None:
        """A portion is forgotten with its dataset version, never by itself."""
        del policy
