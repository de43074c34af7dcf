"""Hashes of keys and of record keys, and what a snapshot's hashes depend on."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b, sha256
from typing import NamedTuple, get_args

import msgspec
from xxhash import xxh3_64_intdigest as digest

from hegui.rules.fact_tables import HOST, OptOut, OptOutScheme, host_of_key, site_of_key

KEY_FORM = 3
"""Raise it when `OptOut.key()`, its host or its site become others for the same record, since snapshots hold their hashes, and when more records
are refused (`rules.optout_subjects`), since a snapshot may hold them."""


def form() -> str:
    """Return a name for the form of opt-outs this version knows: another one refuses records that this one takes, or finds them under other keys.

    A snapshot of another form is never read: it lacks the records that its writer could not decode.
    """
    schema = msgspec.json.encode(msgspec.json.schema(OptOut), order="deterministic")
    return sha256(b"%d " % KEY_FORM + schema).hexdigest()[:12]


def seeds_of(seed: int) -> dict[str, int]:
    """Return scheme to the seed of its subjects' hashes, so that one text hashed once tells scheme and subject (75 ns instead of 90).

    Args:
        seed: a random number of the snapshot. Without it nobody can make opt-outs whose hashes collide.
    """
    return {scheme: digest(scheme.encode(), seed) for scheme in (*get_args(OptOutScheme), HOST)}


def hash_of(key: tuple[str, str], seeds: Mapping[str, int]) -> int:
    """Return the 64-bit hash of (scheme, subject). Two keys may share one: the stored record decides.

    Raises:
        KeyError: there is no such scheme.
    """
    return digest(key[1].encode(), seeds[key[0]])


class Hashes(NamedTuple):
    """What a snapshot's filter knows of a record. One name in 2^64 has 0 itself, and another one with the next snapshot's seed."""

    key: int
    """Of its key; 0 for a tombstone."""
    host: int = 0
    """Of the host of an address, 0 for what is none."""
    site: int = 0
    """Of the site of a domain or an address, 0 for what is on no host or is a site itself."""


def hashes_of(record: OptOut, seeds: Mapping[str, int]) -> Hashes:
    """Return the hashes of a record's key, host and site."""
    key = record.key()
    host, site = host_of_key(key), site_of_key(key)
    return Hashes(
        hash_of(key, seeds),
        0 if host is None else hash_of((HOST, host), seeds),
        0 if site is None else hash_of(("domain", site), seeds),
    )


def record_id(record_key: bytes) -> bytes:
    """Return 16 bytes for a record's Kafka key. Nobody can make two keys with the same (BLAKE2b, RFC 7693), so it stands for the key."""
    return blake2b(record_key, digest_size=16).digest()
