"""What reading texts again changes of what is known: what is news, and which yes is gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from hegui.rules.fact_tables import OptOut
from hegui.rules.preferences import STRICTNESS
from hegui.streams.optouts.normal_form import ends_sooner, record_key
from hegui.streams.optouts.scopes import Scopes
from hegui.streams.optouts.store import Store
from hegui.streams.optouts.words import Key, last_words, refusals_above, said_by, unit_of


class Changes(NamedTuple):
    """What is to be written."""

    fresh: list[OptOut]
    """Statements of the texts that change what is known as of their time."""
    taken_back: list[OptOut]
    """What keeps a yes from outliving its text (`Scopes.corrections`), or the end that a later text gives it."""
    overtaken: int
    """How many of `fresh` count for the time before a later word of their source only, which is known already."""


def changes(
    store: Store, records: Iterable[OptOut], timed: Sequence[OptOut] = (), scopes: Scopes | None = None
) -> Changes:
    """Return what changes what a store holds: reading a text every day adds nothing to it.

    In the formats that let a longer path override a shorter one, all that a source says of a site belongs together. When an exception to a refusal is
    gone, the refusal is news, with the exceptions that are still there. Otherwise the one that is gone would hold for ever, since no later
    statement were about its path (`rules.preferences.covering` lets it give way to a later refusal).

    Args:
        store: it is read once, and once more when a yes may be gone.
        records: statements without a time of their own, with the time of reading. Held in memory, with what the store has of their sources.
        timed: statements with a time of their own that are no refusals: one that is known with an end as early is no news.
        scopes: what was read in the whole run, these records and all before them.
    """
    found: dict[Key, dict[int, list[OptOut]]] = {}
    for record in records:
        found.setdefault(unit_of(record), {}).setdefault(record.observed_at_ms, []).append(record)
    keys = {record_key(record) for record in timed}
    speakers = {said_by(record) for record in timed if record.value == "allow"}
    ends: dict[bytes, int | None] = {}
    known: dict[bytes, OptOut] = {}
    doubted: dict[bytes, Key] = {}

    def take(key: bytes, record: OptOut | None) -> None:
        for each in (ends, known, doubted):
            each.pop(key, None)
        if record is None:
            return
        if unit_of(record) in found or (speakers and said_by(record) in speakers):
            known[key] = record
        if key in keys:
            ends[key] = record.valid_to_ms
        if scopes is not None and scopes.doubts(record):
            doubted[key] = unit_of(record)

    store.read(take)
    before: dict[Key, list[OptOut]] = {}
    for record in known.values():
        before.setdefault(unit_of(record), []).append(record)
    fresh = _shorter(timed, ends)
    overtaken = 0
    for unit, readings in found.items():
        said = before.get(unit, [])
        held = {record_key(record): record.valid_to_ms for record in said}
        for at_ms, now in sorted(readings.items()):
            changed = _changes(last_words(said, at_ms), last_words(now, at_ms))
            new = _shorter([record for record in now if said_by(record) in changed], held)
            later = {said_by(each): each.value for each in said if each.observed_at_ms > at_ms}
            overtaken += sum(later.get(said_by(each), each.value) != each.value for each in new)
            fresh += new
            said += new
    fresh, taken_back = _ended(fresh, known.values())
    if scopes is not None:
        units = {*doubted.values(), *(unit_of(each) for each in fresh if scopes.doubts(each))}
        taken_back += _gone(store, scopes, units, [*fresh, *taken_back]) if units else []
    return Changes(fresh, taken_back, overtaken)


def news(store: Store, records: Iterable[OptOut]) -> list[OptOut]:
    """Return the statements that change what a store holds as of their time; see `changes`."""
    return changes(store, records).fresh


def _shorter(given: Iterable[OptOut], ends: dict[bytes, int | None]) -> list[OptOut]:
    """Return the statements but those that are known by their key with an end as early. `ends` takes the new ones in."""
    found: list[OptOut] = []
    for record in given:
        key = record_key(record)
        if key not in ends or ends_sooner(record.valid_to_ms, ends[key]):
            ends[key] = record.valid_to_ms
            found.append(record)
    return found


def _ended(fresh: list[OptOut], known: Iterable[OptOut]) -> tuple[list[OptOut], list[OptOut]]:
    """Return the new statements, and what is known that they change, so that no yes outlives a later one of its source that has an end."""
    speakers = {said_by(record) for record in fresh if record.value == "allow"}
    records = {record_key(record): record for record in (*known, *fresh) if said_by(record) in speakers}
    said: dict[Key, list[bytes]] = {}
    for key, record in records.items():
        said.setdefault(said_by(record), []).append(key)
    ended: dict[bytes, OptOut] = {}
    for keys in said.values():
        end: int | None = None
        for key in sorted(keys, key=lambda each: (-records[each].observed_at_ms, STRICTNESS[records[each].value])):
            record = records[key]
            if record.value != "allow":
                if record.valid_to_ms is None:  # it holds against every earlier yes
                    end = None
            elif ends_sooner(end, record.valid_to_ms):
                ended[key] = replace(record, valid_to_ms=end)
            else:
                end = record.valid_to_ms
    if not ended:
        return fresh, []
    new = {record_key(record) for record in fresh}
    return (
        [ended.get(record_key(record), record) for record in fresh],
        [record for key, record in ended.items() if key not in new],
    )


def _gone(store: Store, scopes: Scopes, units: set[Key], fresh: Iterable[OptOut]) -> list[OptOut]:
    known: dict[bytes, OptOut] = {}

    def take(key: bytes, record: OptOut | None) -> None:
        known.pop(key, None)
        if record is not None and unit_of(record) in units:
            known[key] = record

    store.read(take)
    said: dict[Key, list[OptOut]] = {}
    known |= {record_key(each): each for each in fresh if unit_of(each) in units}
    for record in known.values():
        said.setdefault(unit_of(record), []).append(record)
    return [made for unit in said.values() for made in scopes.corrections(unit)]


def _changes(before: dict[Key, OptOut], now: dict[Key, OptOut]) -> set[Key]:
    """Return of what the words of now must be written, so that they hold after the words of before."""
    held = {
        key: record
        for key, record in before.items()
        if all(each.observed_at_ms <= record.observed_at_ms for each in refusals_above(record, before))
    }
    changed = {
        key
        for key, record in now.items()
        if key not in held or (held[key].value, held[key].valid_to_ms) != (record.value, record.valid_to_ms)
    }
    for key, record in held.items():
        if key not in now and (above := refusals_above(record, now)):
            changed.add(said_by(above[-1]))
    exceptions = {
        key for key, record in now.items() if any(said_by(above) in changed for above in refusals_above(record, now))
    }
    return changed | exceptions
