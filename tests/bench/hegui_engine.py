"""The evaluator as `hegui run --role evaluator` runs it, with another rule book or client when asked, and two marks for the runner."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from hegui.rules import catalog
from hegui.streams.commands.options import settings_from
from hegui.streams.commands.run import run_role
from hegui.streams.settings import Settings
from tests.bench import synthetic_rules
from tests.bench.marks import mark


def _use_book(name: str) -> None:
    """Make `find_rules` return another book, in every module that took it by name."""
    rules, original = synthetic_rules.named(name), catalog.find_rules
    for module in list(sys.modules.values()):
        if getattr(module, "find_rules", None) is original:
            module.find_rules = lambda: rules  # type: ignore[attr-defined]


def _set_marks(settings: Settings) -> None:
    from hegui.streams.drivers.choice import driver_class
    from hegui.streams.evaluator import Evaluator

    driver: Any = driver_class(settings)
    run, judge = driver.run, Evaluator.judge

    async def marked_run(self: Any, *args: Any, **named: Any) -> None:
        mark("ready")  # policy, rules and facts are loaded; the clients do not run yet
        await run(self, *args, **named)

    def first_judge(self: Evaluator, *args: Any, **named: Any) -> Any:
        Evaluator.judge = judge  # type: ignore[method-assign] # later calls go straight there
        mark("first")
        return judge(self, *args, **named)

    driver.run = marked_run
    Evaluator.judge = first_judge  # type: ignore[method-assign]


def main(config: str, book: str, client: str = "aiokafka", delivery: str = "at_least_once") -> int:
    settings = settings_from(Path(config))
    evaluator = msgspec.structs.replace(settings.evaluator, client=client, delivery=delivery)
    settings = msgspec.structs.replace(settings, evaluator=evaluator)
    import hegui.streams.daemon  # noqa: F401 - imports all parts before they are patched

    if book != "real":
        _use_book(book)
    _set_marks(settings)
    return run_role(settings, "evaluator")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
