"""The values and identifiers that the groups of the event contract share."""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

PERSON_KEY_PATTERN = "^k[a-z0-9]{1,16}:[0-9a-f]{64}$"
PersonKey = Annotated[
    str,
    Meta(
        min_length=67,
        max_length=82,
        description="A person as `k<keyid>:` and HMAC-SHA256 in hex, one key per controller and legal year; other forms are refused",
        # In the schema only: checking the pattern while decoding costs 0.4 us an event, `is_person_key` 0.2 us.
        extra_json_schema={"pattern": PERSON_KEY_PATTERN},
    ),
]


_is_key_head = lru_cache(maxsize=1024)(
    re.compile("k[a-z0-9]{1,16}:").fullmatch
)  # one for each controller and legal year


def is_person_key(text: str) -> bool:
    """Tell whether a text has the form of a person's keyed hash: `k`, key id, colon, 64 hex digits in small letters."""
    digest = text[-64:]
    try:
        unhexlify(digest)
    except ValueError:
        return False
    return len(digest) == 64 and digest.lower() == digest and _is_key_head(text[:-64]) is not None


def are_person_keys(texts: Sequence[str]) -> bool:
    """Tell whether all of the texts have that form; a third of the cost of asking for each."""
    digests = "".join([text[-64:] for text in texts])
    try:
        unhexlify(digests)
    except ValueError:
        return False
    return (
        len(digests) == 64 * len(texts)
        and digests.lower() == digests
        and None not in map(_is_key_head, {text[:-64] for text in texts})
    )


def key_id_of(person_key: str) -> str:
    """Return which key a person's keyed hash was made with: what stands before the colon and the 64 digits."""
    return person_key[:-65]


TimeMs = Annotated[int, Meta(ge=0, lt=2**53, description="Epoch milliseconds, UTC")]

Modality = Literal["text", "image", "audio", "video", "scene"]
Delivery = Literal["inline", "ui_stream", "download", "copy", "export", "api"]
Role = Literal["generator", "propagator"]
SourceType = Literal["open", "crawl", "commercial", "user_input", "synthetic", "licensed"]
DataClass = Literal["general", "important", "core", "unknown"]
Mechanism = Literal["security_assessment", "standard_contract", "certification"]
Exemption = Literal["art_3", "art_4", "art_5_1", "art_5_2", "art_5_3", "art_6"]


RiskCode = Literal[
    "A.1.a", "A.1.b", "A.1.c", "A.1.d", "A.1.e", "A.1.f", "A.1.g", "A.1.h",
    "A.2.a", "A.2.b", "A.2.c", "A.2.d", "A.2.e", "A.2.f", "A.2.g", "A.2.h", "A.2.i",
    "A.3.a", "A.3.b", "A.3.c", "A.3.d", "A.3.e",
    "A.4.a", "A.4.b", "A.4.c", "A.4.d", "A.4.e", "A.4.f", "A.4.g",
    "A.5.a", "A.5.b",
]  # fmt: skip
"""The 31 risk types of Appendix A of TC260-003 and GB/T 45654-2025; `RISKS` says what each is."""

RISKS: dict[str, str] = {
    "A.1.a": "incitement to subvert state power or overthrow the socialist system",
    "A.1.b": "danger to national security and interests, harm to the national image",
    "A.1.c": "incitement to secession, harm to unity and social stability",
    "A.1.d": "promotion of terrorism or extremism",
    "A.1.e": "promotion of ethnic hatred",
    "A.1.f": "promotion of violence or obscenity",
    "A.1.g": "false and harmful information",
    "A.1.h": "other content prohibited by laws and regulations",
    "A.2.a": "discrimination by ethnic group",
    "A.2.b": "discrimination by belief",
    "A.2.c": "discrimination by nationality",
    "A.2.d": "discrimination by region",
    "A.2.e": "discrimination by gender",
    "A.2.f": "discrimination by age",
    "A.2.g": "discrimination by occupation",
    "A.2.h": "discrimination by health",
    "A.2.i": "other discrimination",
    "A.3.a": "infringement of intellectual property",
    "A.3.b": "breach of business ethics",
    "A.3.c": "disclosure of trade secrets",
    "A.3.d": "monopoly or unfair competition by means of algorithms, data or platforms",
    "A.3.e": "other commercial violations",
    "A.4.a": "harm to physical or mental health",
    "A.4.b": "infringement of portrait rights",
    "A.4.c": "infringement of reputation",
    "A.4.d": "infringement of honour",
    "A.4.e": "infringement of privacy",
    "A.4.f": "infringement of personal information rights",
    "A.4.g": "infringement of other rights",
    "A.5.a": "inaccurate content, seriously against science or mainstream knowledge, in a service with special safety needs",
    "A.5.b": "unreliable content, of no help to the user, in a service with special safety needs",
}
"""Risk code to what it stands for."""

InformationBasis = Literal[
    "consent", "contract", "legal_duty", "emergency", "news", "disclosed", "other_law", "none"
]  # fmt: skip
"""Basis of processing personal information, PIPL art. 13; `none` is known to have no basis."""


class Group(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A group of fields of an event: absent means that all of them are unknown."""
