"""The ledgers of a deployment beside the reference: sources, corpora, sessions, cases, users, labels and label coverage."""

import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from hegui.rules.engine import Engine
from hegui.rules.events import Envelope
from hegui.streams.decoders import decode_cloudevents
from hegui.streams.errors import DecodeError
from hegui.streams.observations import partition_of
from hegui.streams.simulation import envelope
from hegui.streams.state.ledgers import LEDGER, ledger_place, read_state
from tests.broker.harness import Deployment
from tests.broker.ledger_conclusions import conclusion_faults
from tests.broker.reference import Reference
from tests.streams.state.ledger_conclusions import Told
from tests.streams.state.ledger_events import KINDS, comparable, folded

LATE_MS = (0, 0, 1000, 180_000, 3_600_000, 86_400_000)
LATE_IN_SESSION_MS = (0, 0, 1000, 60_000, 240_000)
OUT_OF_ORDER = 16
"""Among how many events the next one is drawn."""
ANSWERS = {"complaint": "answered_at_ms", "incident": "reported_at_ms", "notice": "handled_at_ms"}
"""Kind of case to the field with which a revision tells that it was dealt with; a revision may come before what it revises."""


PORTIONS = {"sample"}
"""Ledgers whose states are portions of another one, in which they are compared."""


def events(clock_ms: Any, *, seed: int, run: str = "ledgers", **_: Any) -> Iterator[Envelope]:
    """Yield events of every kind of ledger in turn, without end, some of them late and none in order; the seed shifts the turn.

    What comes late comes within the pause of a session: later ones are not counted, and which those are is a matter of when they come.
    """
    chance = random.Random(seed)
    kinds = sorted(KINDS)
    waiting: list[Envelope] = []
    number = 0
    while True:
        name = kinds[(seed + number) % len(kinds)]
        at_ms = clock_ms() - chance.choice(LATE_MS if name != "companion" else LATE_IN_SESSION_MS)
        made = envelope(KINDS[name](number, at_ms), number, at_ms, run)
        waiting.append(made)
        if name in ANSWERS and number % 2:
            answered = replace(made.data, **{ANSWERS[name]: at_ms})
            waiting.append(replace(made, data=answered, revision=1))
        while len(waiting) > OUT_OF_ORDER:
            yield waiting.pop(chance.randrange(len(waiting)))
        number += 1


def index_labels(made: Deployment, smallest_sample: int = 5) -> None:
    """Let the policy index labels and judge samples of a size; before the processes start."""
    text = made.policy_path.read_text("utf-8").replace("label_index: false", "label_index: true ")
    assert "label_index: true" in text
    made.policy_path.write_text(f"{text}\nsource_min_sample: {smallest_sample}\n", "utf-8")
    made.reference = Reference(made.settings, made.optouts)


async def told_by(made: Deployment) -> list[tuple[Envelope, int]]:
    """The events of the input topics, and the times that they count with."""
    told: list[tuple[Envelope, int]] = []
    for topic in (made.generation, made.ingest):
        for record in await made.read(topic):
            with suppress(DecodeError):
                found = decode_cloudevents(record.value, record.headers)
                told += [(one, min(int(one.time.timestamp() * 1000), record.timestamp)) for one in found]
    return told


def wanted(made: Deployment, engine: Engine, told: Told) -> dict[bytes, dict[str, Any]]:
    """Table key to the state that events lead to."""
    partitions = made.settings.topics.state_partitions
    return {
        ledger_place(partition_of(place.encode(), partitions), kind, place, name): comparable(state)
        for (kind, place, name), state in folded(engine, told).items()
    }


async def stored(made: Deployment) -> dict[bytes, dict[str, Any]]:
    """Table key to the state in the changelog."""
    return {key: comparable(read_state(value)) for key, value in (await made.table()).items() if key.startswith(LEDGER)}


async def ledger_state_faults(made: Deployment) -> list[str]:
    """Where the ledgers, or what was concluded of them, differ from the reference; call after `issues_settled`."""
    told = await told_by(made)
    found, expected = await stored(made), wanted(made, made.reference.engine, told)
    faults = [
        f"state found {found.get(key)}, wanted {expected.get(key)}"
        for key in found.keys() | expected.keys()
        if found.get(key) != expected.get(key) and found.get(key, {}).get("ledger") not in PORTIONS
    ]
    return faults + await conclusion_faults(made, told)
