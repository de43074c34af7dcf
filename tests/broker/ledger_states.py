"""The ledgers of a deployment beside the reference: sources, corpora, sessions, cases, users, labels and label coverage."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from hegui.rules.engine import Engine
from hegui.rules.events import Envelope
from hegui.streams.decoders import decode_cloudevents
from hegui.streams.errors import DecodeError
from hegui.streams.observations import partition_of
from hegui.streams.simulation import envelope
from hegui.streams.state.ledgers import LEDGER, ledger_place, read_state
from tests.broker.harness import Deployment
from tests.broker.reference import Reference
from tests.streams.state.ledger_events import KINDS, comparable, folded

PORTIONS = {"sample"}
"""Ledgers whose states are portions of another one, in which they are compared."""


def events(clock_ms: Any, *, seed: int, run: str = "ledgers", **_: Any) -> Iterator[Envelope]:
    """Yield events of every kind of ledger in turn, without end; the seed shifts the turn."""
    kinds = sorted(KINDS)
    number = 0
    while True:
        at_ms = clock_ms()
        kind = KINDS[kinds[(seed + number) % len(kinds)]]
        yield envelope(kind(number, at_ms), number, at_ms, run)
        number += 1


def index_labels(made: Deployment, smallest_sample: int = 5) -> None:
    """Let the policy index labels and judge samples of a size; before the processes start."""
    text = made.policy_path.read_text("utf-8").replace("label_index: false", "label_index: true ")
    assert "label_index: true" in text
    made.policy_path.write_text(f"{text}\nsource_min_sample: {smallest_sample}\n", "utf-8")
    made.reference = Reference(made.settings, made.optouts)


async def wanted(made: Deployment, engine: Engine) -> dict[bytes, dict[str, Any]]:
    """Table key to the state that the input topics lead to."""
    told = []
    for topic in (made.generation, made.ingest):
        for record in await made.read(topic):
            with suppress(DecodeError):
                found = decode_cloudevents(record.value, record.headers)
                told += [(one, min(int(one.time.timestamp() * 1000), record.timestamp)) for one in found]
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
        if found.get(key) != expected.get(key) and found.get(key, {}).get("ledger") not in PORTIONS
    ]
