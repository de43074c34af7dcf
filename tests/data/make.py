"""Makes the example events of this folder: `python -m tests.data.make`. Fixed times, no content, no persons.

They match `streams/examples/policy.yaml`; the opt-outs that the OPT faults run into stand in `optouts/`.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from hegui.rules.events import GenerationEvent, ImplicitLabel, IngestEvent, LabelSite
from hegui.streams import simulation

START_MS = 1_795_140_000_000
"""2026-11-20T10:00:00+08:00."""

GENERATION_EVENTS = 60
INGEST_EVENTS = 40

Kind = Callable[[int, int], GenerationEvent | IngestEvent]


def not_called_generated(number: int, at_ms: int) -> GenerationEvent:
    """A file label that says "possibly generated": LBL005."""
    sound = simulation.label(f"img-{number:08d}").sites[0].value
    label = ImplicitLabel(container=True, sites=(LabelSite("xmp", sound.replace('"Label":"1"', '"Label":"2"')),))
    return replace(simulation.image(number, at_ms), implicit_label=label)


FAULTS: dict[str, Kind] = {**simulation.FAULTS, "LBL005": not_called_generated}
SOUND: dict[str, Kind] = {
    "image": simulation.image,
    "chat": simulation.chat,
    "reading": simulation.reading,
    "licensed": lambda n, _: simulation.licensed(n),
    "crawled": simulation.crawled,
    "user_input": lambda n, _: simulation.user_input(n),
}


def of(kinds: dict[str, Kind], on: type) -> dict[str, Kind]:
    """The kinds that make events of one type."""
    return {name: kind for name, kind in sorted(kinds.items()) if isinstance(kind(0, START_MS), on)}


def lines(on: type, count: int) -> Iterator[bytes]:
    """Every second event is a fault until each kind was shown; the rest is sound. One second lies between two events."""
    sound = list(of(SOUND, on).values())
    faults = list(of(FAULTS, on).values())
    for number in range(count):
        at_ms = START_MS + number * 1000
        turn, odd = divmod(number, 2)
        kind = faults[turn] if odd and turn < len(faults) else sound[number % len(sound)]
        yield simulation.encode(simulation.envelope(kind(number, at_ms), number, at_ms, "example"))


def files() -> dict[str, bytes]:
    """Path in this folder to content."""
    optouts = [msgspec.json.encode(record) for record in simulation.opt_outs(START_MS)]
    made = {
        "generation.jsonl": lines(GenerationEvent, GENERATION_EVENTS),
        "ingest.jsonl": lines(IngestEvent, INGEST_EVENTS),
        "optouts/optouts.jsonl": optouts,
    }
    return {name: b"\n".join(content) + b"\n" for name, content in made.items()}


def main(folder: Path) -> None:
    """Write the files."""
    for name, content in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
