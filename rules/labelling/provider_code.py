"""The 27-character code of a service provider and the checksum of the unified social credit code in it (GB 32100)."""

from __future__ import annotations

import re
from functools import lru_cache

_FORM = re.compile(r"00[0-9A-Z]{20}(?:00000|1[0-9A-Z]{4})")
_PROPAGATOR_FORM = re.compile(r"00[0-9A-Z]{20}(?:00000|2[0-9A-Z]{4})")
_CODE_LIKE = re.compile(r"00[0-9A-Za-z]{6,}")
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))


def looks_like_code(text: str) -> bool:
    """Tell whether a producer's value is meant as a code. A name is allowed too (Labelling Measures art. 5)."""
    return _CODE_LIKE.fullmatch(text) is not None


NAME = "name"


@lru_cache(maxsize=1024)  # a deployment has few codes, each on every file: 5 us the first time, 0.1 us after
def problem_of(code: str) -> str | None:
    """Return `form`, `checksum` or None for a producer's code, and `NAME` for what is none."""
    if not looks_like_code(code):
        return NAME
    return _problem(code) if _FORM.fullmatch(code) else "form"


GENERATION = "generation"


@lru_cache(maxsize=1024)  # as above
def problem_of_propagator(code: str) -> str | None:
    """Return the same for a propagator's code, and `GENERATION` for a valid code with the extension of a maker.

    Real platforms put the code of their generating service there too.
    """
    if _PROPAGATOR_FORM.fullmatch(code):
        return _problem(code)
    return problem_of(code) or GENERATION


def _problem(code: str) -> str | None:
    return "checksum" if code[2:4] == "11" and not social_credit_code_valid(code[4:22]) else None


def social_credit_code_valid(code: str) -> bool:
    """Check the last character of an 18-character unified social credit code: weights 3^i modulo 31 over the first 17."""
    if len(code) != 18 or any(character not in _ALPHABET for character in code):
        return False
    total = sum(_ALPHABET.index(character) * weight for character, weight in zip(code, _WEIGHTS, strict=False))
    return _ALPHABET.index(code[17]) == (31 - total % 31) % 31
