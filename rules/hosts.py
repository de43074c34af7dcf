"""Hosts of URLs in one normal form, so that a registered domain and an event's address can be compared."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import idna

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|//")
_NO_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?![0-9]+(?:[/?#]|$))")


# Host in small letters and nothing odd before it, as nearly all addresses are: 0.6 us instead of 4.
_PLAIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::[0-9]+)?(?:[/?#]|$)")

# What ends or splits a host for one reader of URLs and not for another.
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f#/?@\\%\[\]<>^|\"`{}]")


def is_address(host: str) -> bool:
    """Tell whether a host is an IP address: no domain ends with a digit or holds a colon."""
    return host[-1].isdigit() or ":" in host


def normal_host(host: str) -> str:
    """Return a host in lower-case punycode without trailing dot.

    Names in other scripts are mapped and encoded by UTS 46 (non-transitional, as browsers do); what that refuses, such as a
    picture sign, by IDNA 2003. A letter that only looks like another one stays another name.

    Raises:
        UnicodeError: it cannot be encoded (a ValueError too).
    """
    bare = host.strip().rstrip(".").lower()
    if bare.isascii():
        return bare
    try:
        found = idna.encode(bare, uts46=True)
    except idna.IDNAError:
        found = bare.encode("idna")
    return found.decode("ascii").rstrip(".").lower()


def with_authority(url: str) -> str:
    """Return a URL that `urlsplit` takes the host from: one without scheme gets two slashes.

    Raises:
        ValueError: it is of a kind that has no host.
    """
    if _SCHEME.match(url):
        return url
    if _NO_AUTHORITY.match(url):
        raise ValueError("the url has no host")
    return "//" + url


def host_of(url: str) -> str:
    """Return the host of a URL in lower-case punycode, without user, port and trailing dot.

    Raises:
        ValueError: there is none, or it cannot be read: a backslash, blank or control character in it means one host to one
            client and another host to the next.
    """
    if plain := _PLAIN.match(url):
        return plain[1]
    parts = urlsplit(with_authority(url))
    if "\\" in parts.netloc:
        raise ValueError("the url has no host that all clients agree on")
    host = normal_host(unquote(parts.hostname or ""))
    if not host:
        raise ValueError("the url has no host")
    if _AMBIGUOUS.search(host):
        raise ValueError("the url has no host that all clients agree on")
    return host


def domains_of(host: str) -> list[str]:
    """Return a host and its parent domains but for the top one, the nearest first; an IP address has no parents."""
    if is_address(host):
        return [host]
    labels = host.split(".")
    return [host, *(".".join(labels[first:]) for first in range(1, len(labels) - 1))]
