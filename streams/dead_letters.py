"""Records that could not be decoded: reason and position, the payload sealed to the operator's key or left out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from hegui.streams.errors import DecodeError, SettingsError

if TYPE_CHECKING:
    from hegui.streams.runs import Record


MAX_SEALED_BYTES = 700_000
"""Largest value that is sealed: in Base64 it still fits a producer's usual limit of 1 MiB a request."""


class DeadLetter(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record on the dead-letter topic."""

    topic: str
    """Where the record stands."""
    partition: int
    """Its partition."""
    offset: int
    """Its offset."""
    timestamp_ms: int
    """The broker's time of it, epoch milliseconds."""
    reason: str
    """One of a finite set."""
    detail: str
    """The place of the defect, never the value."""
    value_bytes: int | None = None
    """Size of the value."""
    value_sha256: str | None = None
    """Hash of the value: tells whether two dead letters are the same record."""
    sealed: str | None = None
    """The value sealed to the operator's key (libsodium sealed box), Base64; left out above `MAX_SEALED_BYTES`."""


def dead_letter(
    topic: str, partition: int, record: Record, error: DecodeError, seal: Callable[[bytes], bytes] | None = None
) -> bytes:
    """Return the encoded dead letter of a record."""
    value = record.value
    return msgspec.json.encode(
        DeadLetter(
            topic=topic,
            partition=partition,
            offset=record.offset,
            timestamp_ms=record.timestamp,
            reason=error.reason,
            detail=error.detail,
            value_bytes=None if value is None else len(value),
            value_sha256=None if value is None else hashlib.sha256(value).hexdigest(),
            sealed=base64.b64encode(seal(value)).decode()
            if seal is not None and value is not None and len(value) <= MAX_SEALED_BYTES
            else None,
        )
    )


def sealer(public_key: str | None) -> Callable[[bytes], bytes] | None:
    """Return the function that seals payloads to the operator's key; None when there is no key.

    Raises:
        SettingsError: the key is no X25519 key in Base64, or the extra `seal` is not installed.
    """
    if not public_key:
        return None
    try:
        from nacl.public import PublicKey, SealedBox
    except ImportError:
        raise SettingsError(
            "settings: dead_letters.public_key is set, but PyNaCl is not installed; install hegui[seal]"
        ) from None
    try:
        box = SealedBox(PublicKey(base64.b64decode(public_key, validate=True)))
    except Exception:  # noqa: BLE001 - binascii and PyNaCl raise several kinds; all mean a bad key
        raise SettingsError(
            "settings: dead_letters.public_key is no X25519 public key in Base64; give the 32 bytes as Base64"
        ) from None

    def seal(value: bytes) -> bytes:
        return bytes(box.encrypt(value))

    return seal
