"""Sound synthetic training records that match the example policy: no rule fails on them, none stays undecided."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from typing import Literal

from msgspec.structs import replace

from hegui.rules.events import Annotation, ContentCheck, CrawlRecord, IngestEvent

DAY_MS = 86_400_000
ASSESSED_AT_MS = 1_767_578_400_000
"""2026-01-05T10:00:00+08:00: when the sources of the corpus were assessed."""


def person(number: int) -> str:
    """Return the keyed hash of a made-up person."""
    return "k1:" + hashlib.sha256(b"nobody %d" % number).hexdigest()


def sha(number: int) -> str:
    """Return a hash of content that does not exist."""
    return hashlib.sha256(b"synthetic %d" % number).hexdigest()


_RECORD = IngestEvent(
    service="crawler",
    dataset="corpus-7",
    dataset_version="3",
    personal_information=False,
    data_class="general",
    storage_region="cn-north-1",
    assessment_reference="assessment-12",
    assessed_at_ms=ASSESSED_AT_MS,
    legally_blocked=False,
    content_check=ContentCheck(illegal=False, engine_version="2.4"),
    protected_work=False,
    rights_information_removed=False,
    sensitive_personal_information=False,
    minor_under_14=False,
    biometric="none",
    ai_generated=False,
)


def content_code(number: int, kind: Literal["text", "image"], changed: int = 0) -> str:
    """Return the ISCC Content-Code of nobody's work: 64 bits, of which those of `changed` are turned over."""
    head = b"\x20\x01" if kind == "text" else b"\x21\x01"
    bits = int(sha(number)[:16], 16) ^ changed
    return "iscc:" + b32encode(head + bits.to_bytes(8)).decode()


def licensed(number: int) -> IngestEvent:
    """Return a sound record of a licensed work."""
    publisher = number % 5
    return replace(
        _RECORD,
        source_type="licensed",
        source_id=f"publisher-{publisher}",
        licence_document=f"licence-{publisher}",
        protected_work=True,
        work_licensed=True,
        holder=f"holder-{publisher}",
        fingerprint=content_code(number, "image"),
    )


def crawled(number: int, at_ms: int) -> IngestEvent:
    """Return a sound crawled record; every fourth has a code of its content."""
    return replace(
        _RECORD,
        source_type="crawl",
        source_id=f"site-{number % 9}",
        url=f"https://site-{number % 9}.example/page/{number}",
        content_sha256=sha(number),
        fingerprint=None if number % 4 else content_code(number, "text"),
        crawl=CrawlRecord(
            fetched_at_ms=at_ms,
            robots="allow",
            robots_seen_at_ms=at_ms - 60_000,
            tdm_reservation=0,
            noai=False,
            collection_record=f"crawl-{number}",
            behind_login=False,
            technical_measures_bypassed=False,
        ),
    )


def user_input(number: int) -> IngestEvent:
    """Return a sound record made of a user's input, with that user's consent; every fourth is a child's voice."""
    made = replace(
        _RECORD,
        source_type="user_input",
        source_id="conversations",
        user_key=person(100 + number % 50),
        user_authorisation=f"authorisation-{number}",
        personal_information=True,
        information_basis="consent",
        consent_reference=f"authorisation-{number}",
    )
    if number % 4:
        return made
    return replace(
        made,
        sensitive_personal_information=True,
        minor_under_14=True,
        biometric="voice",
        separate_consent_reference=f"separate-{number}",
        guardian_consent_reference=f"guardian-{number}",
    )


def synthetic(number: int) -> IngestEvent:
    """Return a sound record that a model made."""
    return replace(
        _RECORD, source_type="synthetic", source_id=f"teacher-{number % 2}", ai_generated=True, lineage_tagged=True
    )


def annotated(number: int, at_ms: int) -> IngestEvent:
    """Return a sound record that was bought and annotated."""
    return replace(
        _RECORD,
        source_type="commercial",
        source_id=f"supplier-{number % 3}",
        contract_document=f"contract-{number % 3}",
        contract_valid_until_ms=at_ms + 365 * DAY_MS,
        annotation=Annotation(rules_version="5", annotators_trained=True, review_reference=f"review-{number % 11}"),
    )
