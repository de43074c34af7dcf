"""What rules ask of a table of opt-outs, wherever its records lie: in memory (`FactTable`) or on disk (`streams.optout_index`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hegui.rules.fact_tables import FactStatus, OptOut, OptOutScheme
from hegui.rules.near_works import WorkCodes


class OptOutTable(Protocol):
    """Statements by key. `FactTable[OptOut]` is one."""

    @property
    def status(self) -> FactStatus:
        """How far the table can be trusted."""
        ...

    @property
    def positions(self) -> Mapping[int, int]:
        """Partition to the next offset that the table has not yet seen."""
        ...

    @property
    def changes(self) -> int:
        """Another number whenever the table may answer otherwise than before."""
        ...

    @property
    def codes(self) -> WorkCodes:
        """The ISCC among the keys, all of them once the table is ready; it may hold some that are gone."""
        ...

    @property
    def user_keys(self) -> Mapping[str, int]:
        """Key id of users to the earliest time of a statement under it, epoch milliseconds; those that are gone may count too."""
        ...

    def at(self, key: tuple[str, str], at_ms: int) -> tuple[OptOut, ...]:
        """Return the statements of `key` (scheme, subject) whose interval holds `at_ms`, oldest first."""
        ...

    def maybe(self, scheme: OptOutScheme, subject: str) -> bool:
        """Tell quickly whether there may be a statement about a subject in normal form: False is certain, True is not."""
        ...

    def __contains__(self, key: tuple[str, str]) -> bool:
        """Tell whether there is a statement of `key`, whatever its interval."""
        ...
