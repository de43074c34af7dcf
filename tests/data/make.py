"""Makes the example events of this folder: `python -m tests.data.make`. Fixed times, no content, no persons.

They match `streams/examples/policy.yaml`; the opt-outs and the notices that the OPT faults run into stand in `optouts/` and
`notices/`, the verdicts of the state agents in `verdicts/`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hegui.rules.events import GenerationEvent, IngestEvent
from hegui.rules.evidence import reference
from hegui.rules.fact_tables import CondemnedSource
from hegui.streams import simulation
from hegui.streams.simulation import FAULTS, SOUND, Kind

START_MS = 1_795_140_000_000
"""2026-11-20T10:00:00+08:00."""

GENERATION_EVENTS = 160
INGEST_EVENTS = 60


def of(kinds: dict[str, Kind], on: type) -> dict[str, Kind]:
    """The kinds that make events of one type."""
    return {name: kind for name, kind in sorted(kinds.items()) if isinstance(kind(0, START_MS), on)}


def lines(on: type, count: int) -> Iterator[bytes]:
    """Every second event is a fault until each kind was shown; the rest is sound. One second lies between two events."""
    sound = list(of(SOUND, on).values())
    # Rules that fail together have one kind of event: it is shown once.
    faults = list(dict.fromkeys(of(FAULTS, on).values()))
    shown = 0
    for number in range(count):
        at_ms = START_MS + number * 1000
        turn, odd = divmod(number, 2)
        if odd and turn < len(faults):
            kind = faults[turn]
        else:
            kind = sound[shown % len(sound)]
            shown += 1
        yield simulation.encode(simulation.envelope(kind(number, at_ms), number, at_ms, "example"))


def files() -> dict[str, bytes]:
    """Path in this folder to content."""
    made = {
        "generation.jsonl": lines(GenerationEvent, GENERATION_EVENTS),
        "ingest.jsonl": lines(IngestEvent, INGEST_EVENTS),
        "optouts/optouts.jsonl": map(msgspec.json.encode, simulation.opt_outs(START_MS)),
        "notices/notices.jsonl": map(msgspec.json.encode, simulation.notices(START_MS)),
        "verdicts/sources.jsonl": [
            msgspec.json.encode(CondemnedSource("default", reference("closed-mirror"), START_MS))
        ],
        "verdicts/suspensions.jsonl": map(msgspec.json.encode, simulation.suspensions(START_MS)),
    }
    return {name: b"\n".join(content) + b"\n" for name, content in made.items()}


def main(folder: Path) -> None:
    """Write the files."""
    for name, content in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
