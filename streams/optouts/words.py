"""What the statements of one source come to before they are combined with others: its last word on each subject and use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hegui.rules.addresses import address_of, prefixes_of
from hegui.rules.fact_tables import ADDRESSES, OptOut
from hegui.rules.preferences import LONGEST_MATCH, STRICTNESS

Key = tuple[str, ...]
"""Scheme, subject, category and source: of several statements with these the latest counts."""


def said_by(record: OptOut) -> Key:
    """Return what a statement replaces, or is replaced by."""
    return (record.scheme, record.subject, record.category, record.source)


def unit_of(record: OptOut) -> Key:
    """Return what is looked at as a whole: source and site where the longest path counts, else source, subject and use."""
    if record.source in LONGEST_MATCH:
        return (record.source, record.subject.partition("/")[0])
    return said_by(record)


def last_words(said: Iterable[OptOut], at_ms: int) -> dict[Key, OptOut]:
    """Return the last word on each subject and use that holds at a time; of several at one moment the strictest, as in `rules.preferences`."""
    words: dict[Key, OptOut] = {}
    for record in said:
        if record.observed_at_ms <= at_ms and (record.valid_to_ms is None or at_ms < record.valid_to_ms):
            other = words.get(said_by(record))
            if other is None or _rank(record) >= _rank(other):
                words[said_by(record)] = record
    return words


def _rank(record: OptOut) -> tuple[float, ...]:
    # Of two noes the longer one, of two yes the shorter one.
    end = float("inf") if record.valid_to_ms is None else record.valid_to_ms
    return (record.observed_at_ms, STRICTNESS[record.value], end if record.value == "deny" else -end)


def prefixes_above(record: OptOut) -> list[str]:
    """Return the prefixes that cover the address of a statement, the broadest first."""
    try:
        return prefixes_of(address_of(record.subject))
    except ValueError:  # others write to the topic, too
        return []


def refusals_above(record: OptOut, words: Mapping[Key, OptOut]) -> list[OptOut]:
    """Return the refusals of its source to which a statement is an exception, the broadest first."""
    if record.value == "deny" or record.source not in LONGEST_MATCH or record.scheme not in ADDRESSES:
        return []
    above = (words.get(("url_prefix", prefix, record.category, record.source)) for prefix in prefixes_above(record))
    return [each for each in above if each is not None and each.value == "deny"]
