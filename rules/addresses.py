"""Addresses of pages in one normal form, and the prefixes under which a statement about one may stand.

A statement about a URL prefix covers whole path levels: `example.com/a` covers `/a`, `/a/` and `/a/b`, not `/ab`; `example.com/a/` covers the
latter two. The scheme makes no difference, nor do user names, the default ports or a fragment. RFC 3986 sections 5.2.4 and 6.2.2.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from hegui.rules.hosts import host_of, with_authority

MAX_LEVELS = 64
"""Most path levels under which a prefix may lie; deeper ones are refused when they are registered."""

_DEFAULT_PORTS = frozenset({None, 80, 443})
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})|%")
# Without the signs of wildcards (`*`, `$`): encoded, a page that has one in its name is not taken for a pattern.
_SAFE = "!&'()+,;=:@/?-._~%"
# As the importers write it: nothing to be changed. 0.5 us instead of 9.
_NORMAL = re.compile(
    r"(?:[a-z0-9-]+\.)+[a-z][a-z0-9-]*/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?)?"
)


class Address(NamedTuple):
    """A page's address, taken apart."""

    host: str
    """In lower-case punycode; an IP address of version 6 without brackets."""
    site: str
    """Host, and port where it is no default."""
    path: str
    """Normal path, beginning with a slash."""
    query: str
    """Normal query, or an empty text."""

    def text(self) -> str:
        """Return the whole in normal form."""
        return f"{self.site}{self.path}?{self.query}" if self.query else self.site + self.path


def address_of(url: str) -> Address:
    """Take a URL apart, with or without scheme.

    Raises:
        ValueError: it has no readable host or port, or a backslash in its path, which to browsers is a slash and to others is none.
    """
    host = host_of(url)
    parts = urlsplit(with_authority(url))
    if "\\" in parts.path:
        raise ValueError("the url has no path that all clients agree on")
    port = parts.port
    site = f"[{host}]" if ":" in host else host
    if port not in _DEFAULT_PORTS:
        site = f"{site}:{port}"
    return Address(host, site, normal_path(parts.path), normal_octets(parts.query))


def normal_address(text: str) -> str:
    """Return an address without scheme in normal form: `example.com/a/b`.

    Raises:
        ValueError: it has no readable host, port or path.
    """
    return text if _NORMAL.fullmatch(text) else address_of(text).text()


def host_of_normal(text: str) -> str:
    """Return the host of an address in normal form."""
    site = text.partition("/")[0]
    return site[1:].partition("]")[0] if site.startswith("[") else site.partition(":")[0]


def normal_path(path: str) -> str:
    """Return a path with percent-encoding and dot segments made normal."""
    kept: list[str] = []
    segments = normal_octets(path).split("/")[1 if path.startswith("/") else 0 :]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


def prefixes_of(address: Address) -> list[str]:
    """Return the prefixes that cover an address, the broadest first: the site, each path level without and with its slash, and the query."""
    found = [address.site + "/"]
    if address.path != "/":
        prefix = address.site
        segments = address.path[1:].split("/")
        for segment in segments[:MAX_LEVELS]:
            prefix = f"{prefix}/{segment}"
            found += (prefix, prefix + "/")
        if len(segments) <= MAX_LEVELS:
            found.pop()  # the last level has no slash behind it
    if address.query:
        found.append(address.text())
    return list(dict.fromkeys(found))


def normal_octets(text: str) -> str:
    """Return a path or query with unreserved octets decoded and all others that are no part of a URL encoded. RFC 3986 section 6.2.2."""
    encoded = _ENCODED.sub(_normal_escape, text)
    return quote(encoded, safe=_SAFE, errors="replace")


def _normal_escape(found: re.Match[str]) -> str:
    digits = found[1]
    if digits is None:  # a bare per cent sign
        return "%25"
    octet = int(digits, 16)
    return chr(octet) if octet in _UNRESERVED else f"%{octet:02X}"
