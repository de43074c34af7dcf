"""What statements about one record come to: AIPREF's combination, as of a time.

Any no wins; else any yes; else it is unknown (draft-ietf-aipref-vocab, "combining"). The latest statement of each source counts. In the
formats of the web that have paths the longest match counts, as in RFC 9309 section 2.2.2: of such a source only what it
says of the narrowest prefix is taken. An exception takes nothing out of a broader no that is younger: its site said no again, and the
exception may have gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hegui.rules.fact_tables import OptOut, OptOutValue

LONGEST_MATCH = frozenset({"robots", "content-usage", "content-signal", "tdmrep", "rsl"})
"""Sources whose formats let a longer path override a shorter one. In all others every statement that covers a record counts."""

NO_TO_TRAINING = frozenset({"train", "mine"})
"""Categories in which a no refuses training: text and data mining takes it in. A yes to mining is no yes to training."""


STRICTNESS: dict[OptOutValue, int] = {"allow": 0, "unknown": 1, "deny": 2}
"""Which of two statements of one source, subject and moment counts: the higher one."""


class Preference(NamedTuple):
    """What is known of the wish of users and rights holders about training on a record."""

    value: OptOutValue
    statement: OptOut | None = None
    """The statement that decides; None when it is unknown."""


UNKNOWN = Preference("unknown")


def stricter(one: Preference, other: Preference) -> Preference:
    """Combine two preferences about one record: any no wins, else any yes; of two alike the first."""
    if one is UNKNOWN:
        return other
    return other if other.value == "deny" and one.value != "deny" else one


def in_force(records: Sequence[OptOut]) -> list[tuple[OptOut, int]]:
    """Return the last statement of each source and category, and from when on it has said so, epoch milliseconds.

    Of statements of one source and one moment the no counts, and any before a yes: the order of records says nothing, since they may stand in
    different partitions. One that is repeated keeps the age of the first.

    Args:
        records: statements about one subject that hold at the time, oldest first.
    """
    latest: dict[tuple[str, str], tuple[OptOut, int]] = {}
    for record in records:
        said_by = (record.source, record.category)
        before = latest.get(said_by)
        if before is None:
            latest[said_by] = (record, record.observed_at_ms)
        elif before[0].value == record.value:
            latest[said_by] = (record, before[1])
        elif record.observed_at_ms > before[0].observed_at_ms or STRICTNESS[record.value] > STRICTNESS[before[0].value]:
            latest[said_by] = (record, record.observed_at_ms)
    return list(latest.values())


def covering(subjects: Iterable[Sequence[OptOut]]) -> list[tuple[OptOut, int]]:
    """Return the statements that count for a record, and since when each has been made.

    Args:
        subjects: for each key of the record its statements, oldest first; keys of addresses from the broadest to the narrowest.
    """
    counted: list[tuple[OptOut, int]] = []
    narrowest: dict[tuple[str, str], tuple[OptOut, int]] = {}
    last_no_ms: dict[tuple[str, str], int] = {}
    for records in subjects:
        for entry in in_force(records):
            record = entry[0]
            if record.source not in LONGEST_MATCH:
                counted.append(entry)
                continue
            said_by = (record.source, record.category)
            broader_ms = last_no_ms.get(said_by, -1)
            if record.value == "deny":
                last_no_ms[said_by] = max(broader_ms, record.observed_at_ms)
            elif record.observed_at_ms < broader_ms:
                continue
            narrowest[said_by] = entry
    return [*counted, *narrowest.values()]


def combined(subjects: Iterable[Sequence[OptOut]], not_after_ms: int) -> Preference:
    """Combine the statements about one record into one preference about training.

    Args:
        subjects: see `covering`.
        not_after_ms: a refusal made later than this is still tolerated (a grace time), epoch milliseconds.
    """
    yes = UNKNOWN
    for record, since_ms in covering(subjects):
        if record.value == "deny":
            if record.category in NO_TO_TRAINING and since_ms <= not_after_ms:
                return Preference("deny", record)
        elif record.value == "allow" and record.category == "train" and yes is UNKNOWN:
            yes = Preference("allow", record)
    return yes
