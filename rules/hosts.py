"""Hosts of URLs in one normal form, so that a registered domain and an event's address can be compared."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote, urlsplit

import idna

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|//")
_NO_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?![0-9]+(?:[/?#]|$))")

# What clients cut off at the ends of a URL, and what they take out of it (WHATWG URL, 4.4): a byte order mark comes from files.
_ENDS = "".join(map(chr, range(0x21))) + "\ufeff"
_NO_BREAKS = dict.fromkeys(map(ord, "\t\r\n"))

# Host in small letters and nothing odd before it, as nearly all addresses are: 0.6 us instead of 4. No address of a machine:
# the last label of a domain begins with a letter.
_PLAIN = re.compile(r"[a-z][a-z0-9+.-]*://((?:[a-z0-9-]+\.)*[a-z][a-z0-9-]*)(?::[0-9]+)?(?:[/?#]|$)")

_LABELS = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
# What ends with such a label is an address of version 4 to a browser, in whatever notation.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def is_address(host: str) -> bool:
    """Tell whether a host in normal form is an IP address: no domain holds a colon or has a number as its last label."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def normal_host(host: str) -> str:
    """Return a host in lower-case punycode without trailing dot, an IP address in its shortest form; nothing when there is none.

    Names in other scripts are mapped and encoded by UTS 46 (non-transitional, as browsers do); what that refuses, such as a
    picture sign, by IDNA 2003. A letter that only looks like another one stays another name. An address of version 4 within one of
    version 6 is the former.

    Raises:
        ValueError: it cannot be encoded, has an empty label or a character that no name has, or is an IP address in a notation that
            not all clients know.
    """
    bare = host.strip().rstrip(".").lower()
    if not bare.isascii():
        try:
            bare = idna.encode(bare, uts46=True).decode("ascii")
        except idna.IDNAError:
            bare = bare.encode("idna").decode("ascii")
        bare = bare.rstrip(".").lower()
    if ":" in bare and "%" not in bare:
        address = ipaddress.IPv6Address(bare)
        return str(address.ipv4_mapped or address)
    if not bare:
        return bare
    if not _LABELS.fullmatch(bare):
        raise ValueError("the host is none that all clients agree on")
    return str(ipaddress.IPv4Address(bare)) if _NUMBER.fullmatch(bare.rpartition(".")[2]) else bare


def with_authority(url: str) -> str:
    """Return a URL that `urlsplit` takes the host from: without what clients cut off, and with two slashes where it has no scheme.

    Raises:
        ValueError: it is of a kind that has no host.
    """
    url = url.strip(_ENDS).translate(_NO_BREAKS)
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
    # Two schemes, or something before the first: what looks like the host is a scheme.
    if "\\" in parts.netloc or (parts.netloc.endswith(":") and parts.path.startswith("//")):
        raise ValueError("the url has no host that all clients agree on")
    host = normal_host(unquote(parts.hostname or ""))
    if not host:
        raise ValueError("the url has no host")
    return host


MAX_ORIGIN = 300
"""Characters of the longest origin that is kept; a host has at most 253."""

# As `_PLAIN`, with two labels at least, and nothing else: whatever follows its slash, `host_of` finds the same host.
_PLAIN_ORIGIN = re.compile(r"https?://(?:[a-z0-9-]+\.)*([a-z0-9-]+\.[a-z][a-z0-9-]*)(?::[0-9]+)?")


def site_of(host: str) -> str:
    """Return the last two labels of a host in normal form, which all its domains end with; an IP address or a single label as it is."""
    if is_address(host):
        return host
    last = host.rfind(".")
    return host[host.rfind(".", 0, last) + 1 :] if last > 0 else host


def site_of_origin(origin: str) -> str | None:
    """Return the site of a URL that was cut off before its path; None for one that is not written as nearly all are, or is too long to be kept."""
    plain = _PLAIN_ORIGIN.fullmatch(origin)
    return plain[1] if plain is not None and len(origin) <= MAX_ORIGIN else None


def domains_of(host: str) -> list[str]:
    """Return a host and its parent domains but for the top one, the nearest first; an IP address has no parents."""
    if is_address(host):
        return [host]
    found = [host]
    dot, last = host.find("."), host.rfind(".")
    while dot < last:
        found.append(host[dot + 1 :])
        dot = host.find(".", dot + 1)
    return found
