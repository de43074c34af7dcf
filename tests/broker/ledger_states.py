"""The ledgers of a deployment beside the reference: sources, corpora, sessions, cases, users, labels and label coverage."""

from collections.abc import Iterator
from typing import Any

import msgspec

from hegui.rules.blocks import totals
from hegui.rules.engine import Engine
from hegui.rules.events import Envelope
from hegui.rules.ledgers.form import State
from hegui.streams.decoders import decode_cloudevents
from hegui.streams.observations import partition_of
from hegui.streams.simulation import envelope
from hegui.streams.state.ledgers import LEDGER, ledger_place, read_state
from tests.broker.harness import Deployment
from tests.streams.state.ledger_events import KINDS, folded

CONCLUDED = ("condemned_at_ms", "episode", "cleared", "last_ms")
"""Fields that say when something was concluded: that depends on the way in which it was told."""


def comparable(state: State[Any]) -> dict[str, Any]:
    """A state without what depends on the way in which it was told."""
    found: dict[str, Any] = msgspec.to_builtins(state)
    marks = getattr(state, "marks", None)
    if marks is not None:
        found["marks"] = {name: n for name, n in totals(marks).items() if n}
    for gone in (*CONCLUDED, *(("told",) if "inputs" in found else ())):
        found.pop(gone, None)
    return found


def events(clock_ms: Any, *, seed: int, run: str = "ledgers", **_: Any) -> Iterator[Envelope]:
    """Yield events of every kind of ledger in turn, without end; the seed shifts the turn."""
    kinds = sorted(KINDS)
    number = 0
    while True:
        at_ms = clock_ms()
        kind = KINDS[kinds[(seed + number) % len(kinds)]]
        yield envelope(kind(number, at_ms), number, at_ms, run)
        number += 1


async def wanted(made: Deployment, engine: Engine) -> dict[bytes, dict[str, Any]]:
    """Table key to the state that the input topics lead to."""
    told = []
    for topic in (made.generation, made.ingest):
        for record in await made.read(topic):
            for one in decode_cloudevents(record.value, record.headers):
                told.append((one, min(int(one.time.timestamp() * 1000), record.timestamp)))
    partitions = made.settings.topics.state_partitions
    return {
        ledger_place(partition_of(place.encode(), partitions), kind, place, name): comparable(state)
        for (kind, place, name), state in folded(engine, told).items()
    }


async def stored(made: Deployment) -> dict[bytes, dict[str, Any]]:
    """Table key to the state in the changelog."""
    return {key: comparable(read_state(value)) for key, value in (await made.table()).items() if key.startswith(LEDGER)}


async def ledger_state_faults(made: Deployment) -> list[str]:
    """Where the ledgers differ from the reference; call after `issues_settled`."""
    found, expected = await stored(made), await wanted(made, made.reference.engine)
    return [
        f"state found {found.get(key)}, wanted {expected.get(key)}"
        for key in found.keys() | expected.keys()
        if found.get(key) != expected.get(key)
    ]
