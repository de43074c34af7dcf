"""From the bytes of a record to events: one decoder per format, chosen per topic in the settings.

A decoder takes value and headers and returns the envelopes in it (one record may carry a batch), or raises `DecodeError` with
a reason of a finite set and the place of the defect, never the value. A key that stands twice in a JSON object counts with its
last value, as JSON parsers commonly have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from hegui.rules.events import ENVELOPES, Envelope, is_person_key
from hegui.rules.values import are_person_keys
from hegui.streams.errors import DecodeError

Headers = Sequence[tuple[str, bytes | None]]
Decoder = Callable[[bytes, Headers], Sequence[Envelope]]

RunDecoder = Callable[[Sequence[bytes | None], int], list[Envelope]]
"""Decodes values of records without headers, one envelope each, up to the first that is not sound, and never raises.

The second argument limits their sum of bytes: no single one may be larger.
"""

_structured: msgspec.json.Decoder[Envelope] = msgspec.json.Decoder(Envelope)


def decode_cloudevents(value: bytes, headers: Headers) -> Sequence[Envelope]:
    """Decode a CloudEvent 1.0 of the Kafka binding, structured or binary mode.

    Structured when `content-type` begins with `application/cloudevents` or there is no `ce_type` header.

    Raises:
        DecodeError: with reason `not_json`, `wrong_encoding`, `invalid_envelope`, `unknown_type` or `invalid_data`.
    """
    if headers and _is_binary(headers):
        return (_decode_binary(value, headers),)
    try:
        envelope = _structured.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _reason(error, value) from None
    key = envelope.data.user_key
    if key is not None and not is_person_key(key):
        raise DecodeError("invalid_data", "Expected a keyed hash - at `$.data.user_key`")
    return (envelope,)


def decode_cloudevents_run(values: Sequence[bytes | None], max_bytes: int) -> list[Envelope]:
    """Decode structured CloudEvents up to the first that `decode_cloudevents` would refuse; none when they are large."""
    envelopes: list[Envelope] = []
    # TypeError: a tombstone.
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError):
        if sum(map(len, values)) <= max_bytes:  # type: ignore[arg-type]
            envelopes.extend(map(_structured.decode, values))  # type: ignore[arg-type] # keeps what came before an exception
    keys = [key for envelope in envelopes if (key := envelope.data.user_key) is not None]
    if are_person_keys(keys):
        return envelopes
    refused = next(key for key in keys if not is_person_key(key))
    return envelopes[: [envelope.data.user_key for envelope in envelopes].index(refused)]


def _is_binary(headers: Headers) -> bool:
    binary = False
    for name, content in headers:
        lowered = name.lower()
        if lowered == "content-type" and content is not None and content.lower().startswith(b"application/cloudevents"):
            return False
        if lowered == "ce_type":
            binary = True
    return binary


def _decode_binary(value: bytes, headers: Headers) -> Envelope:
    attributes: dict[str, object] = {}
    for name, content in headers:
        lowered = name.lower()
        if not lowered.startswith("ce_") or content is None:
            continue
        try:
            attributes[lowered[3:]] = content.decode("utf-8")
        except UnicodeDecodeError:
            raise DecodeError("wrong_encoding", "a ce_ header is not UTF-8") from None
    kind = ENVELOPES.get(str(attributes.get("type")))
    if kind is None:
        raise DecodeError("unknown_type", "header ce_type")
    try:
        data: Any = msgspec.json.decode(value, type=_DATA[kind])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _reason(error, value, root="$.data") from None
    try:
        # `convert` checks and converts the attributes as the structured form would; `data` is decoded already.
        head = msgspec.convert({**attributes, "data": data}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise DecodeError("invalid_envelope", _without_values(str(error))) from None
    if data.user_key is not None and not is_person_key(data.user_key):
        raise DecodeError("invalid_data", "Expected a keyed hash - at `$.data.user_key`")
    return head


_DATA: dict[type, type] = {kind: msgspec.structs.fields(kind)[-1].type for kind in ENVELOPES.values()}


def _reason(error: Exception, value: bytes, root: str = "$") -> DecodeError:
    if isinstance(error, UnicodeDecodeError) or "utf-8" in str(error):
        return DecodeError("wrong_encoding", "the value is not UTF-8")
    if not isinstance(error, msgspec.ValidationError):
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            return DecodeError("wrong_encoding", "the value is not UTF-8")
        return DecodeError("not_json", "the value is not JSON")
    # msgspec names the place and the expectation, and the value only for an unknown tag: that one is said in our words.
    if root == "$" and "`$.type`" in str(error):
        return DecodeError("unknown_type", "type")
    place = str(error).partition(" - at `$")[2]
    if root != "$" or place.startswith(".data"):
        return DecodeError("invalid_data", _without_values(str(error)))
    return DecodeError("invalid_envelope", _without_values(str(error)))


def _without_values(message: str) -> str:
    """Return a message of msgspec; the one form that quotes input (an enumeration's value) loses the quotation."""
    if message.startswith("Invalid enum value"):
        return "Invalid enum value" + message[message.rfind(" - at ") :]
    return message


DECODERS: dict[str, Decoder] = {"cloudevents": decode_cloudevents}
"""Format in the settings to decoder."""

RUN_DECODERS: dict[str, RunDecoder] = {"cloudevents": decode_cloudevents_run}
"""Format to a quicker decoder of plain runs, where there is one."""


def decode_lines(lines: Iterable[bytes]) -> Iterable[Envelope | DecodeError]:
    """Decode JSON lines for offline use, one structured CloudEvent each; blank lines are passed over."""
    for line in lines:
        if not line.strip():
            continue
        try:
            yield from decode_cloudevents(line, ())
        except DecodeError as error:
            yield error
