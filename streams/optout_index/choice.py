"""Whether opt-outs are kept in memory or on disk, by the settings. Needs the extra `optouts` only when it is used."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hegui.rules.fact_tables import FactStatus, FactTable
from hegui.streams.errors import SettingsError
from hegui.streams.settings import Settings

if TYPE_CHECKING:
    from hegui.streams.optout_index.feed import OptOutFeed


def table_of(settings: Settings) -> Any:
    """Return an empty table for the declared topic of opt-outs: a `FactTable`, or an `OptOutIndex` where a folder is named.

    Raises:
        SettingsError: the extra is not installed.
    """
    if not settings.facts.optouts_folder:
        return FactTable(FactStatus.LOADING)
    try:
        # numpy is for the process that writes a snapshot: 30 MB that this one need not hold.
        if find_spec("numpy") is None:
            raise ModuleNotFoundError("numpy")
        from hegui.streams.optout_index.table import OptOutIndex
    except ImportError:
        raise SettingsError(
            "settings: facts.optouts_folder needs numpy and xxhash; install the extra: pip install 'hegui[optouts]'"
        ) from None
    return OptOutIndex()


def feed_of(settings: Settings, table: Any, clock: Callable[[], float]) -> OptOutFeed | None:
    """Return what keeps the table beside its topic and its folder; None for a table in memory.

    Raises:
        SettingsError: the folder cannot be written to.
    """
    folder, topic = settings.facts.optouts_folder, settings.topics.optouts
    if not folder or not topic:
        return None
    from hegui.streams.optout_index.feed import OptOutFeed
    from hegui.streams.optout_index.folder import Folder

    return OptOutFeed(table, Folder(Path(folder), topic), topic, settings.facts.optouts_most_recent, clock)
