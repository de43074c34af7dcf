"""Declarations bound to ISCC codes: `{"iscc": "ISCC:...", "tdm-reservation": 1}`, or with AIPREF's `content-usage` (TDM-AI, docs.tdmai.org).

Signed ones are W3C Verifiable Credentials with the same at `credentialSubject`; the signature is not checked here, but they
hold up to `validUntil` (or `expirationDate`) only. Each issuer speaks for itself, and since anybody can write another one's name, each list does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from hegui.rules.fact_tables import OptOut
from hegui.streams.errors import OptOutError
from hegui.streams.optouts.normal_form import Reading, epoch_ms, hash_of, normal, statement
from hegui.streams.optouts.paths import evidence
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.scopes import DECLARED
from hegui.streams.optouts.structured_fields import usage_preferences
from hegui.streams.optouts.tdm_reservations import reservation

_TIMES = ("validFrom", "issuanceDate", "issued", "timestamp")
_ENDS = ("validUntil", "expirationDate")


def is_declaration(found: dict[str, Any]) -> bool:
    """Tell whether an object is such a declaration."""
    return "iscc" in found or (
        isinstance(found.get("credentialSubject"), dict) and "iscc" in found["credentialSubject"]
    )


def read_object(found: dict[str, Any], reading: Reading, line: int) -> Iterator[OptOut | Remark]:
    """Yield the statements of one declaration."""
    inner = found.get("credentialSubject")
    said = inner if isinstance(inner, dict) else found
    try:
        subject = normal("work", _work(said.get("iscc")))
        begins, no_begin = _times(_TIMES, said, found)
        ends, no_end = _times(_ENDS, said, found)
        values: dict[str, str] = {}
        if "tdm-reservation" in said:
            values["mine"] = reservation(said["tdm-reservation"])
        usage = said.get("content-usage")
        broken = False
        if usage is not None:
            try:
                values |= usage_preferences(usage if isinstance(usage, str) else "?")
            except OptOutError as error:  # it says nothing; what stands beside it does
                yield Remark(line, error.reason)
                broken = True
        if not (values or broken) or "unknown" in values.values():
            yield Remark(line, "value_unknown")
        refused = {no_begin, no_end} - {""}
        for category, value in values.items():
            # A yes whose time is not known may not have begun, or have ended; a no counts from the reading on, and without end.
            if value == "deny" or (value == "allow" and not (no_begin or no_end)):
                try:
                    yield statement(
                        "work",
                        subject,
                        value,
                        begins[0] if begins else reading.at_ms,
                        valid_to_ms=None if no_end else _end(value, ends),
                        source=f"{DECLARED}{_issuer(found)}:{reading.source}",
                        category=category,
                        evidence=evidence(reading, line),
                    )
                except OptOutError as error:  # a yes may never hold by its end, and the no beside it by another one
                    refused.add(error.reason)
        for reason in sorted(refused):
            yield Remark(line, reason)
    except OptOutError as error:
        yield Remark(line, error.reason)
        return
    if "proof" in found:
        yield Remark(line, "signature")


def _issuer(found: dict[str, Any]) -> str:
    """Return who declared it, as a hash: it may be a person. Nothing where nobody is named."""
    issuer = found.get("issuer")
    if isinstance(issuer, dict):
        issuer = issuer.get("id", issuer)
    return (
        ""
        if issuer is None
        else hash_of(issuer.strip() if isinstance(issuer, str) else msgspec.json.encode(issuer).decode())
    )


def _times(names: Iterable[str], *objects: dict[str, Any]) -> tuple[list[int], str]:
    """Return the times under some names, and why one of them cannot be known; nothing when all are."""
    times: list[int] = []
    reason = ""
    for each in objects:
        for name in names:
            given = each.get(name)
            if given is None:  # null is no value at all, as everywhere in JSON-LD
                continue
            try:
                times.append(epoch_ms(given if isinstance(given, str) else ""))
            except OptOutError as error:
                reason = error.reason
    return times, reason


def _end(value: str, ends: list[int]) -> int | None:
    """Return up to when a value holds: of several ends a yes to the first, a no to the last."""
    return (min if value == "allow" else max)(ends, default=None)


def _work(code: object) -> str:
    if not isinstance(code, str) or not code.strip():
        raise OptOutError("no_subject")
    return "iscc:" + code.strip().upper().removeprefix("ISCC:")
