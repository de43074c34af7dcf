"""Reads the Content-Code out of an ISCC (ISO 24138): the part that stays alike when a text or picture is changed a little.

An ISCC is base32 of a header of four numbers (main type, subtype, version, length; a half-byte each) and a body. A Content-Code
stands alone (`iscc:EAA...`) or in a composite code (`iscc:KAC...`) beside codes of the metadata, the bytes and the exact content.
`iscc-lib` is the oracle of the tests; rules stay free of native libraries.
"""

from __future__ import annotations

from typing import NamedTuple, TypeGuard

CONTENT, COMPOSITE = 2, 5
"""Main types."""
KINDS = ("text", "image", "audio", "video", "mixed")
"""Subtypes of a Content-Code; codes of two kinds are never alike."""
UNIT_BYTES = 8
"""A unit in a composite code. Longer Content-Codes that stand alone begin with the same 64 bits."""
_UNIT = 2 ** (8 * UNIT_BYTES) - 1


_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_DIGITS = bytes.maketrans(_LETTERS, b"0123456789abcdefghijklmnopqrstuv")
"""From base32 of RFC 4648 to the digits of `int`."""
_NO_LENGTHS = frozenset({1, 3, 6})
"""Letters that no whole number of bytes leaves beyond a multiple of eight. RFC 4648 section 6."""


class ContentUnit(NamedTuple):
    """The first 64 bits of a Content-Code."""

    kind: str
    """One of `KINDS`."""
    bits: int
    """Unsigned, 64 bits."""


def is_iscc(text: str | None) -> TypeGuard[str]:
    """Tell whether a work id or fingerprint says that it is an ISCC, whatever the case."""
    return text is not None and text.lstrip()[:5].lower() == "iscc:"


def content_unit(text: str) -> ContentUnit | None:
    """Return the first 64 bits of the Content-Code in an ISCC; None when there is none, or fewer bits, or it is no ISCC of version 0."""
    try:
        code = text.strip()[5:].strip().upper().rstrip("=").encode("ascii")
    except UnicodeEncodeError:
        return None
    letters = len(code)
    # A number instead of bytes: `base64.b32decode` takes 3 us.
    if letters < 4 or letters % 8 in _NO_LENGTHS or code.translate(None, _LETTERS):
        return None
    size = letters * 5 // 8
    number = int(code.translate(_DIGITS), 32) >> letters * 5 % 8
    header = number >> 8 * (size - 2)
    main, kind, version, length = header >> 12, header >> 8 & 15, header >> 4 & 15, header & 15
    if kind >= len(KINDS) or version or length > 7:
        return None
    body = size - 2
    if main == CONTENT and body == 4 * (length + 1) >= UNIT_BYTES:
        return ContentUnit(KINDS[kind], number >> 8 * (body - UNIT_BYTES) & _UNIT)
    # Bits of the length say which units stand before those of the bytes and the exact content: metadata, meaning, content.
    if main == COMPOSITE and length & 1 and body == UNIT_BYTES * (length.bit_count() + 2):
        # Two units stand behind it.
        return ContentUnit(KINDS[kind], number >> 8 * 2 * UNIT_BYTES & _UNIT)
    return None


def content_units(*names: str | None) -> tuple[ContentUnit, ...]:
    """Return the Content-Codes in those of the names that are an ISCC."""
    return tuple([unit for name in names if name is not None and is_iscc(name) and (unit := content_unit(name))])


def written(text: str) -> str:
    """Return an ISCC in one spelling, `iscc:` and capitals."""
    return "iscc:" + text.strip()[5:].strip().upper()
