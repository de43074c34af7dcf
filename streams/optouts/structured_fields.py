"""Preferences written as one field: AIPREF's dictionaries and Cloudflare's content signals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from http_sf import StructuredFieldError, Token, parse

from hegui.streams.errors import OptOutError

Preferences = dict[str, str]
"""Category to `allow`, `deny`, or `unknown` where a label has another value; what is not there is unknown too."""

_AIPREF = {"train-ai": "train", "search": "search"}
_TOKENS = {"y": "allow", "n": "deny"}
_SIGNALS = {"ai-train": "train", "search": "search", "ai-input": "input"}
_SIGNAL = re.compile(r"([A-Za-z-]*)\s*(=?)(.*)", re.DOTALL)
_WORDS = {"yes": "allow", "no": "deny"}


def usage_preferences(text: str) -> Preferences:
    """Read a `Content-Usage` field. draft-ietf-aipref-vocab-07; RFC 9651 section 3.2.

    Only the tokens `y` and `n` say something; unknown labels and parameters are passed over.

    Raises:
        OptOutError: it is no dictionary: all of it is unknown.
    """
    try:
        members: dict[str, tuple[Any, Any]] = parse(text.encode(), tltype="dictionary")  # type: ignore[assignment]
    except (StructuredFieldError, ValueError):
        raise OptOutError("syntax") from None
    found: Preferences = {}
    for label, category in _AIPREF.items():
        if label in members:
            value = members[label][0]
            found[category] = _TOKENS.get(str(value), "unknown") if isinstance(value, Token) else "unknown"
    return found


def signal_preferences(text: str) -> Preferences:
    """Read a `Content-Signal` field: `search=yes, ai-train=no`. draft-romm-aipref-contentsignals-00.

    Said twice of one use, a no wins and a yes counts only when nothing else is said.

    Raises:
        OptOutError: there is no signal in it.
    """
    if text.strip() and "=" not in text:
        raise OptOutError("syntax")
    found: Preferences = {}
    for part in text.split(","):
        name, sign, word = _SIGNAL.fullmatch(part.strip()).groups()  # type: ignore[union-attr]
        category = _SIGNALS.get(name.lower())
        if category is not None:
            value = _WORDS.get(word.strip().lower(), "unknown") if sign == "=" else "unknown"
            found[category] = agreed((value, found.get(category, value)))
    return found


def strictest(values: Iterable[str]) -> str:
    """Combine values: any no wins, else any yes, else unknown (AIPREF)."""
    said = set(values)
    return "deny" if "deny" in said else "allow" if "allow" in said else "unknown"


def agreed(values: Iterable[str]) -> str:
    """Combine what is said to several crawlers: any no wins, a yes counts when it is said to all."""
    said = set(values)
    return "deny" if "deny" in said else "allow" if said == {"allow"} else "unknown"
