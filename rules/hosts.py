"""Hosts of URLs in one normal form, so that a registered domain and an event's address can be compared."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|//")
_NO_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?![0-9]+(?:[/?#]|$))")


# Host in small letters and nothing odd before it, as nearly all addresses are: 0.6 us instead of 4.
_PLAIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::[0-9]+)?(?:[/?#]|$)")


def is_address(host: str) -> bool:
    """Tell whether a host is an IP address: no domain ends with a digit or holds a colon."""
    return host[-1].isdigit() or ":" in host


def normal_host(host: str) -> str:
    """Return a host in lower-case punycode without trailing dot.

    Raises:
        UnicodeError: it cannot be encoded (a ValueError too).
    """
    bare = host.strip().rstrip(".").lower()
    return bare if bare.isascii() else bare.encode("idna").decode("ascii")


def host_of(url: str) -> str:
    """Return the host of a URL in lower-case punycode, without user, port and trailing dot.

    Raises:
        ValueError: there is none, or it cannot be read.
    """
    if plain := _PLAIN.match(url):
        return plain[1]
    if _SCHEME.match(url) is None:
        if _NO_AUTHORITY.match(url):
            raise ValueError("the url has no host")
        url = "//" + url
    host = normal_host(urlsplit(url).hostname or "")
    if not host:
        raise ValueError("the url has no host")
    return host


def domains_of(host: str) -> list[str]:
    """Return a host and its parent domains but for the top one, the nearest first; an IP address has no parents."""
    if is_address(host):
        return [host]
    labels = host.split(".")
    return [host, *(".".join(labels[first:]) for first in range(1, len(labels) - 1))]
