"""What rules ask of a table of opt-outs, wherever its records lie: in memory (`FactTable`) or on disk (`streams.optout_index`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hegui.rules.fact_tables import FactStatus, OptOut
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

    def is_unspoken(self, content_sha256: str | None, url: str | None, /) -> bool:
        """Tell quickly that nobody has said anything of a content and of a page, at whatever time: True is certain, False is not."""
        ...

    def maybe_addressed(self, host: str) -> bool:
        """Tell whether there may be a statement about an address on a host in normal form: False is certain, True is not."""
        ...

    def __contains__(self, key: tuple[str, str]) -> bool:
        """Tell whether there is a statement of `key`, whatever its interval."""
        ...
