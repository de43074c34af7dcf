"""The two elements that an explicit label's words must hold: one for AI, one for generation. GB 45438-2025 5."""

from __future__ import annotations

import re
from functools import lru_cache

# "AI" as a word of its own or next to Chinese, not inside another Latin word.
_MACHINE = re.compile(r"人工智能|(?<![A-Za-z])AI(?![A-Za-z])")
_MADE = re.compile(r"生成|合成")


@lru_cache(maxsize=256)  # a service has a few label texts, each on every output
def elements(words: str) -> tuple[bool, bool]:
    """Tell whether the words name AI, and whether they name generation."""
    return _MACHINE.search(words) is not None, _MADE.search(words) is not None
