"""Traffic of exports: two entities of one controller, persons who come again and again, ends of legal years and days."""

import random
from collections.abc import Callable, Iterator
from datetime import datetime

from msgspec.structs import replace

from hegui.rules.events import Envelope, Export, ModelReference
from hegui.rules.exports import DAY_MS
from hegui.streams.simulation import chat, envelope, person, traffic

YEAR_ENDS = tuple(
    round(datetime.fromisoformat(text).timestamp() * 1000)
    for text in (
        "2026-12-31T23:59:59+08:00",
        "2027-01-01T00:00:00+08:00",
        "2025-12-31T23:59:59.999+08:00",
        "2026-01-01T00:00:00+08:00",
    )
)
"""Last and first moments of legal years."""
ABROAD = ModelReference(id="example-model", hosting_region="us-east-1")
ANY_TIME = {
    "max_future_seconds": 20_000 * 86_400.0,
    "max_age_days": 20_000.0,
    "tick_seconds": 0.2,
    "commit_seconds": 0.2,
}


def exports(
    clock_ms: Callable[[], int], *, seed: int, faults: float = 0.3, run: str = "export", persons: int = 400
) -> Iterator[Envelope]:
    """Yield exports of two entities of one controller, for persons who come again and again; of `faults` some cannot be counted."""
    chance = random.Random(seed)
    number = 0
    while True:
        late_ms = chance.choice([0, 0, 0, 1, 3, 12]) * DAY_MS  # a person may come a second time with an earlier day
        at_ms = chance.choice(YEAR_ENDS) if chance.random() < 0.3 else clock_ms() - late_ms
        subjects = tuple(person(chance.randrange(persons)) for _ in range(chance.randrange(1, 9)))
        export = Export(entity=chance.choice(["example-company", "example-infrastructure"]), subjects=subjects)
        data = replace(
            chat(number, at_ms),
            exported=True,
            export=export,
            prompt_personal_information=True,
            sensitive_personal_information=chance.random() < 0.2,
            data_class="general",
        )
        if chance.random() < faults:
            strange = ("k9:" + subjects[0][3:], "no key at all".ljust(67))
            other = chance.choice(
                [
                    replace(data, export=replace(export, subjects=(chance.choice(strange),))),
                    replace(data, export=replace(export, subjects=())),
                    replace(data, export=replace(export, entity="nobody")),
                    replace(data, sensitive_personal_information=None),
                    replace(data, exported=False),
                    replace(data, exported=False, model=ABROAD, prompt_personal_information=None),
                    replace(data, exported=None, model=None),
                ]
            )
            data = other
        yield envelope(data, number, at_ms, run)
        number += 1


def mixed(clock_ms: Callable[[], int], *, seed: int, faults: float, run: str) -> Iterator[Envelope]:
    """Yield the usual traffic and exports in turn."""
    usual, exporting = (
        traffic(clock_ms, seed=seed, faults=faults, run=run),
        exports(clock_ms, seed=seed, run=f"{run}-e"),
    )
    while True:
        yield next(usual)
        yield next(exporting)
