"""One statement in normal form, or the reason why it is none; the keys of its records; times."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple, cast, get_args
from urllib.parse import urljoin

import msgspec

from hegui.rules.addresses import MAX_LEVELS, Address, address_of
from hegui.rules.fact_tables import OptOut, OptOutCategory, OptOutScheme, OptOutValue
from hegui.rules.hosts import is_address, normal_host
from hegui.rules.public_suffixes import suffixes
from hegui.rules.values import is_person_key
from hegui.rules.works import normal_holder, normal_sha256, normal_work
from hegui.streams.errors import OptOutError

CATEGORIES = frozenset(get_args(OptOutCategory))
SCHEMES = frozenset(get_args(OptOutScheme))
VALUES = frozenset(get_args(OptOutValue))
MAX_SUBJECT = 2048
LATEST_MS = 2**53 - 1

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Surrogates, too: Python makes bytes that are no UTF-8 into them."""
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_OF_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def hash_of(text: str) -> str:
    """Return 16 hex digits for a text that shall not stand in a source itself: an issuer may be a person, a folder may be named after one."""
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


class Reading(NamedTuple):
    """Where and when a text was read."""

    at_ms: int
    """When, epoch milliseconds: the time of statements that have none of their own."""
    url: str | None = None
    """The page, or a page of the site."""
    agents: tuple[str, ...] = ("*",)
    """Product tokens of the crawlers whose groups in robots.txt count, in small letters."""
    evidence: str = ""
    """Reference of the text, as its SHA-256."""
    source: str = "registry"
    """The source of rows of lists that name none: which list it is, and so who speaks in it."""
    complete: bool = False
    """Whether lists are all that the sources named in their rows say, too."""

    def address(self) -> Address:
        """Return the address of the page.

        Raises:
            OptOutError: none was given, or it has no readable host.
        """
        if self.url is None:
            raise OptOutError("no_address")
        return web_address(self.url)


def owner_of(host: str) -> str:
    """Return the registrable domain of a host, or the host itself: an IP address, a name within a company."""
    return suffixes().privatesuffix(host) or host


def web_address(text: str) -> Address:
    """Take an address of the web apart: http, https or no scheme.

    Raises:
        OptOutError: it has no readable host, or is of another kind.
    """
    if _CONTROL.search(text):
        raise OptOutError("control_characters")
    scheme = _OF_SCHEME.match(text)
    if scheme is not None and scheme[1].lower() not in {"http", "https"}:
        raise OptOutError("subject_invalid")
    try:
        address = address_of(text)
    except ValueError:
        raise OptOutError("subject_invalid") from None
    _check_host(address.host)
    return address


def resolved(base: str, reference: str) -> str:
    """Return the web address that a link on a page leads to. RFC 3986 section 5.

    Raises:
        OptOutError: it leads to none.
    """
    try:
        url = urljoin(base, reference.strip())
    except ValueError:  # as a bracket without its pair
        raise OptOutError("link_invalid") from None
    try:
        web_address(url)
    except OptOutError:
        raise OptOutError("link_invalid") from None
    return url


def _check_host(host: str) -> None:
    if is_address(host):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise OptOutError("subject_invalid") from None
    elif len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise OptOutError("subject_invalid")


def _domain(text: str) -> str:
    try:
        host = normal_host(text.removeprefix("*."))
    except ValueError:
        raise OptOutError("subject_invalid") from None
    if not host:
        raise OptOutError("no_subject")
    _check_host(host)
    if not is_address(host) and suffixes().is_public(host):
        raise OptOutError("public_suffix")
    return host


def normal(scheme: str, subject: str) -> str:
    """Return a subject in the normal form of its scheme.

    Raises:
        OptOutError: it has none.
    """
    if scheme not in SCHEMES:
        raise OptOutError("scheme_unknown")
    subject = subject.strip()
    if not subject:
        raise OptOutError("no_subject")
    if _CONTROL.search(subject):
        raise OptOutError("control_characters")
    if len(subject) > MAX_SUBJECT:
        raise OptOutError("too_deep")
    if scheme in {"url", "url_prefix"}:
        address = web_address(subject)
        found = address.text()
        if address.path.count("/") > MAX_LEVELS:
            raise OptOutError("too_deep")
    elif scheme == "user":
        if not is_person_key(subject):
            raise OptOutError("user_not_hashed")
        found = subject
    elif scheme == "domain":
        found = _domain(subject)
    else:
        try:
            found = {"work": normal_work, "content": normal_sha256, "holder": normal_holder}[scheme](subject)
        except ValueError:
            raise OptOutError("subject_invalid") from None
    if len(found) > MAX_SUBJECT:
        raise OptOutError("too_deep")
    return found


def statement(
    scheme: str,
    subject: str,
    value: str,
    at_ms: int,
    *,
    source: str,
    category: str = "train",
    evidence: str = "",
    valid_to_ms: int | None = None,
) -> OptOut:
    """Return a statement in normal form.

    Raises:
        OptOutError: a part of it cannot be taken.
    """
    if value not in VALUES:
        raise OptOutError("value_unknown")
    if category not in CATEGORIES:
        raise OptOutError("category_unknown")
    if valid_to_ms is not None and valid_to_ms <= at_ms:
        raise OptOutError("never_valid")
    if scheme == "domain" and value == "allow" and subject.strip().startswith("*."):
        raise OptOutError("subdomains_only")
    if _CONTROL.search(source) or _CONTROL.search(evidence):  # they are printed
        raise OptOutError("control_characters")
    return OptOut(
        cast("OptOutScheme", scheme),
        normal(scheme, subject),
        cast("OptOutValue", value),
        at_ms,
        valid_to_ms,
        cast("OptOutCategory", category),
        source,
        evidence[:MAX_SUBJECT],
    )


def epoch_ms(text: str) -> int:
    """Return an RFC 3339 time as epoch milliseconds.

    Raises:
        OptOutError: it is none, has no offset, or lies before 1970.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            raise OptOutError("time_without_offset")
        found = round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise OptOutError("time_invalid") from None
    return checked_ms(found)


def checked_ms(at_ms: int) -> int:
    """Return a time that can be taken.

    Raises:
        OptOutError: it lies before 1970, or so far ahead that no event can hold it.
    """
    if not 0 <= at_ms <= LATEST_MS:
        raise OptOutError("time_invalid")
    return at_ms


def record_key(record: OptOut) -> bytes:
    """Return the Kafka key of a statement's record: the same statement has the same one, so that sending it again changes nothing.

    A statement is what a source says of a subject and use from a moment on. Noes with different ends stand side by side, so that the longest
    holds whatever is written last. Of the others that have one key the one that ends first is to be kept (`ends_sooner`). Another evidence is no
    news: the line in a list moves.
    """
    parts: tuple[object, ...] = (
        record.scheme,
        record.subject,
        record.category,
        record.source,
        record.value,
        record.observed_at_ms,
    )
    if record.value == "deny" and record.valid_to_ms is not None:
        parts = (*parts, record.valid_to_ms)
    return blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest().encode()


def ends_sooner(one: int | None, other: int | None) -> bool:
    """Tell whether an end comes before another one; None never comes."""
    return one is not None and (other is None or one < other)
