"""A screen says True of no event that one of its rules would not pass; and it is quick: it says True of the sound traffic.

Looked at with events one step away from sound ones: the simulation's faults, and sound events with one value changed. A screen
that is made to ask less must be found out by some of them.
"""

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from types import FunctionType
from typing import Any

import msgspec
import pytest

from hegui.rules.catalog import find_rules
from hegui.rules.core import Rule
from hegui.rules.engine import Engine
from hegui.rules.events import Event, GenerationEvent, IngestEvent
from hegui.rules.evidence import reference
from hegui.rules.fact_tables import CondemnedSource, FactTable, Suspension
from hegui.rules.facts import Facts, Snapshot, loaded
from hegui.streams.simulation import FAULTS, SOUND
from tests.data.make import START_MS
from tests.rules.builders import evaluated
from tests.rules.test_mutations import Change, changes
from tests.streams.example import engine

SHARING: dict[FunctionType, list[Rule]] = {}
for _rule in find_rules():
    if isinstance(_rule.screen, FunctionType):
        SHARING.setdefault(_rule.screen, []).append(_rule)


def others(value: object) -> tuple[object, ...]:
    """Values that may stand in the place of one."""
    if isinstance(value, bool):
        return (None, not value)
    if isinstance(value, int):
        return (None, 0, 1, 2 * value)
    return (None, "", "other", "corner_mark", "none", "unknown", "download", "scene", "us-east-1", "deny")


def changed(event: Any) -> Iterator[Any]:
    """Yield a struct with one value in it changed, at any depth."""
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if isinstance(value, msgspec.Struct):
            inner: Iterator[object] = iter([None, *changed(value)])
        elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
            inner = iter([None, (), value * 2, *((one, *value[1:]) for one in changed(value[0]))])
        else:
            inner = iter(others(value))
        for one in inner:
            yield msgspec.structs.replace(event, **{name: one})


def is_valid(event: Event) -> bool:
    try:
        msgspec.convert(msgspec.to_builtins(event), type(event))
    except msgspec.ValidationError:
        return False
    return True


def other_labels() -> Iterator[Event]:
    """Yield a sound picture with one value of its file label changed, and the form of Annex E kept or not."""
    sound = SOUND["image"](0, START_MS)
    assert isinstance(sound, GenerationEvent) and sound.implicit_label and sound.implicit_label.sites
    values = json.loads(sound.implicit_label.sites[0].value)
    another = "001191110102MAD55U9H0F10002"
    texts = [
        json.dumps({**values, key: other})
        for key in values
        for other in ("", "3", "0-0", another, "0011DEMOAI00000", "中", 1)
    ]
    texts += [json.dumps({k: v for k, v in values.items() if k != key}) for key in values]
    texts += [json.dumps({**values, "Name": "x"}), "[1]", ""]
    for text in texts:
        site = msgspec.structs.replace(sound.implicit_label.sites[0], value=text)
        label = msgspec.structs.replace(sound.implicit_label, sites=(site,))
        yield msgspec.structs.replace(sound, implicit_label=label)


@cache
def near() -> list[Event]:
    kinds = [*SOUND.values(), *FAULTS.values()]
    events = [kind(number, START_MS) for kind in kinds for number in range(4)]
    events += [one for kind in SOUND.values() for one in changed(kind(0, START_MS)) if is_valid(one)]
    return [*events, *other_labels()]


@cache
def snapshots() -> tuple[Snapshot, ...]:
    """The example's facts; a provider code whose checksum is wrong; a company that must store here; facts that state made of users and sources."""
    sound = engine().snapshot
    facts = sound.optouts, sound.filings, sound.notices, sound.waivers
    registered = (
        msgspec.structs.replace(service, provider_code="001191440300708461137T1XGW3")
        for service in sound.policy.services
    )
    policy = msgspec.structs.replace(sound.policy, services=tuple(registered))
    wrong_code = Snapshot(policy, *facts)
    bound = (msgspec.structs.replace(entity, critical_infrastructure=True) for entity in sound.policy.entities)
    policy = msgspec.structs.replace(sound.policy, entities=tuple(bound))
    return sound, wrong_code, Snapshot(policy, *facts), Snapshot(sound.policy, *facts, *made())


def made() -> tuple[FactTable[CondemnedSource], FactTable[Suspension]]:
    """Every source of a sound record is condemned, and every user of a sound output suspended."""
    events = [kind(0, START_MS) for kind in SOUND.values()]
    sources = {e.source_id for e in events if isinstance(e, IngestEvent) and e.source_id is not None}
    users = {(e.service, e.user_key) for e in events if isinstance(e, GenerationEvent) and e.user_key is not None}
    assert sources
    assert users
    return (
        loaded([CondemnedSource("default", reference(source), START_MS - 1) for source in sources]),
        loaded([Suspension("default", *user, START_MS - 2, START_MS + 1) for user in users]),
    )


@cache
def engines(snapshot: Snapshot, screen: FunctionType) -> tuple[Engine, Engine]:
    rules = SHARING[screen]
    return Engine(rules, snapshot), Engine([replace(rule, screen=None) for rule in rules], snapshot)


def differences(screen: FunctionType, *, stop: bool = False) -> list[Event]:
    """Return the events of which rules say something else with the screen than without it."""
    rules = SHARING[screen]
    different = []
    for snapshot, event in product(snapshots(), near()):
        if type(event) is rules[0].on:
            with_screen, without = engines(snapshot, screen)
            quick, slow = (evaluated(each, event, START_MS) for each in (with_screen, without))
            if quick[0].outcomes(quick[1] or ()) != slow[0].outcomes(slow[1] or ()):
                different.append(event)
                if stop:
                    break
    return different


def looser(screen: FunctionType) -> Iterator[Change]:
    """Yield the changes by which a screen says True of more events, but for those that only make it raise."""
    for change in changes(screen):
        falls_away = isinstance(change.node, ast.BoolOp) and isinstance(change.node.op, ast.And)
        falls_away = falls_away and " without " in change.shown and not change.shown.endswith(" is not None")
        if falls_away or change.shown.endswith("-> True"):
            yield change


SCREENS = [pytest.param(screen, id=screen.__name__) for screen in SHARING]
LOOSER = [
    pytest.param(screen, change, id=f"{screen.__name__}: {change.shown} ({number})")
    for screen in SHARING
    for number, change in enumerate(looser(screen))
]


@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_changes_no_answer(screen: FunctionType) -> None:
    assert differences(screen) == []


@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_says_true_of_some_sound_event(screen: FunctionType) -> None:
    snapshot = engine().snapshot
    events = [kind(1, START_MS) for kind in SOUND.values()]
    facts = [Facts(snapshot, START_MS, "default", snapshot.services.get(("default", e.service))) for e in events]
    assert any(screen(e, f) for e, f in zip(events, facts, strict=True) if type(e) is SHARING[screen][0].on)


@pytest.mark.parametrize(("screen", "change"), LOOSER)
def test_a_screen_that_asks_less_is_found_out(screen: FunctionType, change: Change) -> None:
    code = change.code(screen)
    old, screen.__code__ = screen.__code__, code
    try:
        assert differences(screen, stop=True)
    finally:
        screen.__code__ = old
