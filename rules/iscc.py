"""Reads the Content-Code out of an ISCC (ISO 24138): the part that stays alike when a text or picture is changed a little.

An ISCC is base32 of a header of four numbers (main type, subtype, version, length; a half-byte each) and a body. A Content-Code
stands alone (`iscc:EAA...`) or in a composite code (`iscc:KAC...`) beside codes of the metadata, the bytes and the exact content.
`iscc-lib` is the oracle of the tests; rules stay free of native libraries.
"""

from __future__ import annotations

import binascii
from base64 import b32decode
from typing import NamedTuple

CONTENT, COMPOSITE = 2, 5
"""Main types."""
KINDS = ("text", "image", "audio", "video", "mixed")
"""Subtypes of a Content-Code; codes of two kinds are never alike."""
UNIT_BYTES = 8
"""A unit in a composite code. Longer Content-Codes that stand alone begin with the same 64 bits."""


class ContentUnit(NamedTuple):
    """The first 64 bits of a Content-Code."""

    kind: str
    """One of `KINDS`."""
    bits: int
    """Unsigned, 64 bits."""


def is_iscc(text: str | None) -> bool:
    """Tell whether a work id or fingerprint says that it is an ISCC, whatever the case."""
    return text is not None and text.lstrip()[:5].lower() == "iscc:"


def content_unit(text: str) -> ContentUnit | None:
    """Return the first 64 bits of the Content-Code in an ISCC; None when there is none, or fewer bits, or it is no ISCC of version 0."""
    code = text.strip()[5:].strip().upper()
    try:
        raw = b32decode(code + "=" * (-len(code) % 8))
    except (binascii.Error, ValueError):  # the second for letters beyond ASCII
        return None
    if len(raw) < 2:
        return None
    main, kind, version, length = raw[0] >> 4, raw[0] & 15, raw[1] >> 4, raw[1] & 15
    if kind >= len(KINDS) or version or length > 7:
        return None
    body = raw[2:]
    if main == CONTENT and len(body) == 4 * (length + 1) >= UNIT_BYTES:
        return ContentUnit(KINDS[kind], int.from_bytes(body[:UNIT_BYTES]))
    # Bits of the length say which units stand before those of the bytes and the exact content: metadata, meaning, content.
    if main == COMPOSITE and length & 1 and len(body) == UNIT_BYTES * (length.bit_count() + 2):
        start = UNIT_BYTES * (length.bit_count() - 1)
        return ContentUnit(KINDS[kind], int.from_bytes(body[start : start + UNIT_BYTES]))
    return None


def content_units(*names: str | None) -> tuple[ContentUnit, ...]:
    """Return the Content-Codes in those of the names that are an ISCC."""
    found = [content_unit(name) for name in names if name is not None and is_iscc(name)]
    return tuple([unit for unit in found if unit is not None])


def written(text: str) -> str:
    """Return an ISCC in one spelling, `iscc:` and capitals."""
    return "iscc:" + text.strip()[5:].strip().upper()
