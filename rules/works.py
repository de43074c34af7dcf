"""Identifiers of works, rights holders and content in one normal form, so that a statement and an event can be compared."""

from __future__ import annotations

import re
import unicodedata

from stdnum import isbn, isrc
from stdnum.exceptions import ValidationError

# As the importers write it: nothing to be changed but a wrong check digit. 0.4 us instead of 8, for an ISBN 0.8.
_NORMAL = re.compile(r"isbn:97[89][0-9]{10}|isrc:[A-Z]{2}[A-Z0-9]{3}[0-9]{7}|iscc:[A-Z2-7]{10,128}")
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/)?(10\.[0-9]{4,9}(?:\.[0-9]+)*/[^\s\x00-\x1f\x7f]+)")
_ISCC = re.compile(r"[A-Z2-7]{10,128}")
_DCI = re.compile(r"[A-Z0-9][A-Z0-9./-]{3,127}")
_SHA256 = re.compile(r"(?:sha-?256:)?([0-9a-f]{64})")
WORK_SCHEMES = ("isbn", "doi", "isrc", "iscc", "dci")


def normal_work(text: str) -> str:
    """Return a work's identifier with its scheme in normal form.

    ISBN has 13 digits (an ISBN-10 is converted), DOI small letters, ISRC no hyphens, ISCC and DCI capitals: `isbn:9787302511847`,
    `doi:10.1000/182`, `isrc:CNA011900001`, `iscc:KACT...`, `dci:...`.

    Raises:
        ValueError: no known scheme, or the identifier has not its form or its check digit is wrong. The text says which, never
            the identifier.
    """
    scheme, _, number = text.strip().partition(":")
    scheme, number = scheme.strip().lower(), number.strip()
    if scheme not in WORK_SCHEMES:
        raise ValueError(f"a work is named as {', '.join(f'{name}:' for name in WORK_SCHEMES)} and its number")
    try:
        if scheme == "isbn":
            return "isbn:" + re.sub("[ -]", "", isbn.validate(number, convert=True))
        if scheme == "isrc":
            return "isrc:" + isrc.validate(number)
    except ValidationError:
        raise ValueError(f"the {scheme.upper()} has not the form of one, or its check digit is wrong") from None
    if scheme == "doi":
        found = _DOI.fullmatch(number.lower())
        if found:
            return "doi:" + found[1]
    else:
        compact = number.upper().removeprefix(scheme.upper() + ":")
        if (_ISCC if scheme == "iscc" else _DCI).fullmatch(compact):
            return f"{scheme}:{compact}"
    raise ValueError(f"the {scheme.upper()} has not the form of one")


def readable_work(text: str) -> str | None:
    """Return the normal form of a work's identifier, or None when it has none."""
    if _NORMAL.fullmatch(text) and (text[3] != "n" or _sums_up(text[5:].encode())):
        return text
    try:
        return normal_work(text)
    except ValueError:
        return None


def _sums_up(digits: bytes) -> bool:
    """Tell whether the check digit of an ISBN of 13 digits is right. The 48 that each octet has beyond its digit add up to 1,200."""
    return (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0


def work_key(text: str) -> str:
    """Return the key under which a work is looked up: its normal form, or what stands there when it has none."""
    found = readable_work(text)
    return text if found is None else found


def normal_holder(text: str) -> str:
    """Return a rights holder's name with one spelling of width, blanks and case (Unicode NFKC, casefolded)."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def normal_sha256(text: str) -> str:
    """Return a SHA-256 digest as 64 hex digits in small letters.

    Raises:
        ValueError: it is none.
    """
    found = _SHA256.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError("content is named by its SHA-256, 64 hex digits")
    return found[1]
