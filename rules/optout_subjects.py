"""Whether events can ever be looked up under the subject of an opt-out: one that cannot be found refuses nothing, and must not look as if it did."""

from __future__ import annotations

import ipaddress
import re

from hegui.rules.addresses import MAX_LEVELS, address_of
from hegui.rules.fact_tables import ADDRESSES, OptOutScheme
from hegui.rules.hosts import is_address, normal_host
from hegui.rules.public_suffixes import suffixes
from hegui.rules.values import is_person_key
from hegui.rules.works import normal_holder, readable_work

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+").fullmatch
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*").fullmatch
_CONTENT = re.compile("[0-9a-f]{64}").fullmatch


def subject_defect(scheme: OptOutScheme, subject: str) -> str | None:
    """Return why no event can be looked up under a subject, None when one can. Never the subject itself.

    A user must be a keyed hash in any case: other forms may say who it is.
    """
    if scheme == "user":
        return None if is_person_key(subject) else "a user is named by a keyed hash, k<keyid>: and 64 hex digits"
    if scheme == "content":
        # As events carry it: unlike a work or an address it is not made normal when it is looked up.
        return None if _CONTENT(subject) else "content is named by its SHA-256, 64 hex digits in small letters"
    if scheme == "holder":
        return None if normal_holder(subject) else "the name of the rights holder is blank"
    try:
        if scheme == "domain":
            return _domain_defect(subject)
        if scheme in ADDRESSES:
            return _address_defect(subject)
        if readable_work(subject) is None:
            return "no work that can be read"
    except ValueError:
        return "no address that can be read" if scheme in ADDRESSES else "no domain that can be read"
    return None


def _domain_defect(subject: str) -> str | None:
    host = normal_host(subject)
    if _DOMAIN(host) and len(host) <= 253 and not is_address(host):
        # 1.7 us, beside 10 for taking the record in.
        return "a public suffix belongs to many" if suffixes().is_public(host) else None
    if _HOST(host) and not is_address(host):
        return "a domain has two labels at least, one alone belongs to many"
    ipaddress.ip_address(host)
    return None


def _address_defect(subject: str) -> str | None:
    if "*" in subject or "$" in subject:
        # Taken at its word no event could have it, since events are looked up with both percent-encoded.
        return "a wildcard is no part of an address, and its sign is written %2A or %24"
    address = address_of(subject)
    if is_address(address.host):
        ipaddress.ip_address(address.host)
    elif not _HOST(address.host) or len(address.host) > 253:
        raise ValueError("no host")
    return f"an address has {MAX_LEVELS} levels at most" if address.path.count("/") > MAX_LEVELS else None
