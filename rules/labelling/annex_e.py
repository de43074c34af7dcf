"""Reads the metadata label of GB 45438-2025 Annex E: seven string values under the key `AIGC`, as plain JSON.

Also tells what a service that spreads others' content knows of it (Labelling Measures art. 6): the value of `Label` follows.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

import msgspec

from hegui.rules.events import ImplicitLabel, Propagation

NAMES = {
    "label": "Label",
    "producer": "ContentProducer",
    "produce_id": "ProduceID",
    "reserved_code_1": "ReservedCode1",
    "propagator": "ContentPropagator",
    "propagate_id": "PropagateID",
    "reserved_code_2": "ReservedCode2",
}
"""Field of `Parsed` to key of Annex E, both in their order."""
KEYS = tuple(NAMES.values())
REQUIRED = ("Label", "ContentProducer", "ProduceID")

FILE_DELIVERIES = frozenset({"download", "copy", "export", "api"})
"""Deliveries by which content leaves the service as a file (Labelling Measures art. 5 speaks of file metadata)."""

_CHARACTERS = re.compile(r"[\x21-\x7e]*")


class Parsed(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, rename=NAMES):
    """What one site holds. A value is None when it could not be read or is not there."""

    problem: str | None = None
    """A code of what is wrong with the form, None when nothing is."""
    damaged: bool = False
    """Whether the text is an empty shell or cut off: stripped or tampered with, so that nothing can be said."""
    label: str | None = None
    """The value of `Label`: "1" generated, "2" possibly, "3" suspected."""
    producer: str | None = None
    """The value of `ContentProducer`: name or code of who made the content."""
    produce_id: str | None = None
    """The value of `ProduceID`: the number that the maker gave the content."""
    reserved_code_1: str | None = None
    """The value of `ReservedCode1`: security data of the maker."""
    propagator: str | None = None
    """The value of `ContentPropagator`: name or code of who spreads the content."""
    propagate_id: str | None = None
    """The value of `PropagateID`: the number that the propagator gave the content."""
    reserved_code_2: str | None = None
    """The value of `ReservedCode2`: security data of the propagator."""


_quick = msgspec.json.Decoder(Parsed)


class _DuplicateKeyError(ValueError):
    pass


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateKeyError
    return found


def parse(text: str) -> Parsed:
    """Return what is wrong with a site's text, and its values. Accepts the bare object and the wrapper `{"AIGC": {...}}`."""
    # The common case in 0.4 us instead of 10. When all seven keys have text, they take the 28 quotation marks: none is left
    # for a second key, an unknown one or `problem`. ASCII without space, DEL and escapes has no value with other characters
    # (JSON admits no bare control characters in a string).
    if text.count('"') == 28 and text.isascii() and " " not in text and "\\" not in text and "\x7f" not in text:
        try:
            found = _quick.decode(text)
        except msgspec.DecodeError:
            return _parse_carefully(text)
        if (
            found.label
            and found.producer
            and found.produce_id
            and found.reserved_code_1 is not None
            and found.propagator is not None
            and found.propagate_id is not None
            and found.reserved_code_2 is not None
        ):
            return found
    return _parse_carefully(text)


def _parse_carefully(text: str) -> Parsed:
    body = text.strip()
    if not body:
        return Parsed("empty", damaged=True)
    try:
        found = json.loads(body, object_pairs_hook=_object)
    except _DuplicateKeyError:
        return Parsed("duplicate_key")
    except (ValueError, RecursionError):
        return (
            Parsed("truncated", damaged=True)
            if body.startswith("{") and not body.endswith("}")
            else Parsed("not_plain_json")
        )
    if isinstance(found, dict) and set(found) == {"AIGC"}:
        found = found["AIGC"]
    if not isinstance(found, dict):
        return Parsed("not_an_object")
    if not found:
        return Parsed("empty", damaged=True)
    values = {str(key): value for key, value in found.items() if isinstance(value, str)}
    problem = "value_not_a_string" if len(values) != len(found) else _problem(values)
    return Parsed(problem, False, *map(values.get, KEYS))


def _problem(values: dict[str, str]) -> str | None:
    if missing := [key for key in KEYS if key not in values]:
        return "missing_" + missing[0]
    if len(values) > len(KEYS):
        return "unknown_key"
    if blank := [key for key in REQUIRED if not values[key]]:
        return "blank_" + blank[0]
    if not _CHARACTERS.fullmatch("".join(values.values())):
        return "characters_of_" + next(key for key in KEYS if not _CHARACTERS.fullmatch(values[key]))
    return None


_last: tuple[ImplicitLabel | None, list[Parsed] | None] = (None, None)


def labels(implicit: ImplicitLabel | None) -> list[Parsed] | None:
    """Return what each site holds; None when it is unknown whether there are any.

    Many rules ask for the labels of the same event one after the other: the last answer is kept, by identity.
    """
    global _last  # noqa: PLW0603 - a memo of a pure function
    if implicit is None or implicit.sites is None:
        return None
    known, parsed = _last
    if known is not implicit:
        sites = implicit.sites
        # One site is the rule; a comprehension costs 0.15 us more.
        parsed = [parse(sites[0].value)] if len(sites) == 1 else [parse(site.value) for site in sites]
        _last = (implicit, parsed)
    return parsed


def agree(found: list[Parsed]) -> bool:
    """Tell whether several sites can be read and hold the same values."""
    return all(label.label is not None and label == found[0] for label in found)


STATES = ("none", "suspected", "possibly", "generated")
"""What content that is spread is called, weakest first; a state's place is its strength. Labelling Measures art. 6."""
STRENGTHS = {state: strength for strength, state in enumerate(STATES)}
STATE_LABELS = ("", "3", "2", "1")
"""The value of `Label` for each strength. The law gives no numbers for "3" and "2": inferred."""


class Known(msgspec.Struct, frozen=True):
    """What is known of content that a service spreads."""

    least: int
    """Strength of the state that holds whatever the unknown inputs are."""
    most: int
    """Strength of the strongest state that may hold."""
    missing: tuple[str, ...]
    """The unknown inputs that decide between them; none when both are the same."""


def known_of(propagation: Propagation) -> Known:
    """Return what is known: a label in the metadata counts before the user's word, and that before traces."""
    return _known(propagation.metadata_label_found, propagation.user_declared, propagation.traces_found)


@lru_cache(maxsize=27)  # all there are
def _known(metadata_label_found: bool | None, user_declared: bool | None, traces_found: bool | None) -> Known:
    missing: dict[str, int] = {}
    least = 0
    for name, said, state in (
        ("metadata_label_found", metadata_label_found, "generated"),
        ("user_declared", user_declared, "possibly"),
        ("traces_found", traces_found, "suspected"),
    ):
        if said:
            least = STRENGTHS[state]
            break
        if said is None:
            missing["propagation." + name] = STRENGTHS[state]
    return Known(least, max(least, *missing.values()) if missing else least, tuple(missing))
