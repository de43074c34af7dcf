"""Versions of what is stored: this process writes its own into every entry, reads older ones, and refuses newer ones.

Structs that are stored leave out defaults, and a version that equals its default would be left out too: who raised the default
could not tell old entries from new ones. So their `version` has a default that is made (`default_factory`), which is never left
out; what was stored before without one has version 1.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from hegui.streams.errors import StateVersionError

Stored = TypeVar("Stored", bound=msgspec.Struct)


class _Head(msgspec.Struct):
    version: int = 1


_decode_head = msgspec.json.Decoder(_Head).decode
_encode = msgspec.json.Encoder().encode


def encode_stored(entry: Any, version: int) -> bytes:
    """Return an entry as it is stored, under the version of the process that writes it: whatever it was read as, it is that now."""
    if entry.version != version:
        entry = msgspec.structs.replace(entry, version=version)
    return _encode(entry)


def decode_stored(value: bytes, decoder: msgspec.json.Decoder[Stored], version: int, what: str) -> Stored:
    """Return the entry in a stored value; its `version` is the one under which it was stored.

    Args:
        value: what is stored.
        decoder: decodes it.
        version: the newest version that this process can read.
        what: names it in the error, with an article.

    Raises:
        StateVersionError: a newer process wrote it; this one must not change it.
    """
    # The version first: what a newer one added may not even be readable.
    found = _decode_head(value).version
    if found > version:
        raise StateVersionError(f"{what} has version {found}, known here is {version}; run a newer hegui")
    return decoder.decode(value)
