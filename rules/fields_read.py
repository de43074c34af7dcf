"""Finds out which fields of an event a rule reads, by running its cases and watching."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from hegui.rules.cases import BASE_AT, case_event, case_snapshot
from hegui.rules.core import Rule, Situation
from hegui.rules.facts import Facts
from hegui.rules.guards import GUARDS


class _Watched:
    """Stands for a struct and notes which of its fields are asked for, at any depth."""

    def __init__(self, struct: msgspec.Struct, place: str, seen: set[str]) -> None:
        self._struct, self._place, self._seen = struct, place, seen

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._struct, name)
        place = f"{self._place}{name}"
        self._seen.add(place)
        return _watched(value, place + ".", self._seen)


class _Guards(dict[str, object]):
    """Guard values, noting which are asked for."""

    def __init__(self, values: dict[str, object], seen: set[str]) -> None:
        super().__init__(values)
        self._seen = seen

    def __getitem__(self, name: str) -> object:
        self._seen.add(name.removeprefix("claims."))
        return super().__getitem__(name)


def _watched(value: Any, place: str, seen: set[str]) -> Any:
    if isinstance(value, msgspec.Struct):
        return _Watched(value, place, seen)
    if isinstance(value, tuple):
        return tuple(_watched(item, place, seen) for item in value)
    return value


@cache
def fields_read(rule: Rule) -> tuple[str, ...]:
    """Return the dotted names of the event's fields that a rule or its guards read, in order of the alphabet.

    A group is named only where no field of it is.
    """
    seen = {guard.removeprefix("claims.") for guard in rule.when if guard in GUARDS[rule.on].of_event}
    guards = GUARDS[rule.on]
    for case in rule.cases:
        event, snapshot = case_event(rule, case), case_snapshot(case)
        at_ms = round(datetime.fromisoformat(case.at or BASE_AT).timestamp() * 1000)
        service = snapshot.services.get(("default", event.service))
        facts = Facts(snapshot, at_ms, "default", service)
        judged: Any = _Watched(event, "", seen)
        if rule.of is Situation:
            judged = Situation(service, _Guards(guards.values_of(service, guards.key(event)), seen), True, "unique")
        with suppress(Exception):  # a case that the guards keep from the rule may lack what it relies on
            rule.check(judged, facts)
    return tuple(sorted(name for name in seen if not any(other.startswith(name + ".") for other in seen)))
