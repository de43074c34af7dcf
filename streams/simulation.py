"""Synthetic traffic that matches the example policy: mostly sound events, and faults of every rule. No real content, no persons.

The same seed gives the same events but for their times. Used by `hegui simulate`, the demo, the tests and the benchmark.
The events stand in `streams.simulated_events` and `streams.simulated_faults`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

import msgspec

from hegui.rules.events import ENVELOPES, Envelope, Event
from hegui.streams.simulated_events import SOUND, Kind, chat, file_label, image, label_text, reading
from hegui.streams.simulated_faults import FAULTS, notices, opt_outs, suspensions
from hegui.streams.simulated_records import crawled, licensed, person, user_input

SHARES: dict[str, float] = {
    "image": 32,
    "chat": 33,
    "reading": 5,
    "licensed": 10,
    "crawled": 11,
    "user_input": 3,
}
"""Kind of sound event to its share of them, percent. The other kinds share the rest."""


_ENVELOPE_OF: dict[type, Any] = {msgspec.structs.fields(kind)[-1].type: kind for kind in ENVELOPES.values()}


def envelope(data: Event, number: int, at_ms: int, run: str) -> Envelope:
    """Return the CloudEvent of an event's data."""
    time = datetime.fromtimestamp(at_ms / 1000, UTC)
    made: Envelope = _ENVELOPE_OF[type(data)](
        id=f"{run}-{number}", source=f"simulation/{data.service}", time=time, specversion="1.0", data=data
    )
    return made


def faults_in_turn() -> list[Kind]:
    """Return all kinds of fault once, those of one family far apart: few faults already show every family."""
    names: dict[Kind, str] = {}
    families: dict[str, list[Kind]] = {}
    for name, kind in FAULTS.items():
        if names.setdefault(kind, name) == name:
            families.setdefault(name[:3], []).append(kind)
    return [kind for row in zip_longest(*families.values()) for kind in row if kind is not None]


def traffic(
    clock_ms: Callable[[], int], *, seed: int = 1, faults: float = 0.05, run: str = "sim"
) -> Iterator[Envelope]:
    """Yield events without end: of every hundred about `faults * 100` faulty, the kinds of fault in turn.

    Args:
        clock_ms: the events' time, epoch milliseconds.
        seed: same seed, same events but for the times.
        faults: share of faulty events, 0 to 1.
        run: prefix of the events' ids.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    rest = (100 - sum(SHARES.values())) / (len(SOUND) - len(SHARES))
    sound, shares = list(SOUND.values()), [SHARES.get(name, rest) for name in SOUND]
    kinds = faults_in_turn()
    faulty = 0
    number = 0
    while True:
        at_ms = clock_ms()
        if chance.random() < faults:
            kind = kinds[faulty % len(kinds)]
            faulty += 1
        else:
            (kind,) = chance.choices(sound, shares)
        yield envelope(kind(number, at_ms), number, at_ms, run)
        number += 1


def encode(event: Envelope) -> bytes:
    """Return the structured CloudEvent as JSON."""
    return msgspec.json.encode(event)


__all__ = [
    "FAULTS",
    "SOUND",
    "Kind",
    "chat",
    "crawled",
    "encode",
    "envelope",
    "faults_in_turn",
    "file_label",
    "image",
    "label_text",
    "licensed",
    "notices",
    "opt_outs",
    "person",
    "reading",
    "suspensions",
    "traffic",
    "user_input",
]
