"""What the evaluators tell the state agents: sums per issue key over a fixed block of source offsets, idempotent by replacement.

A block is `BLOCK_OFFSETS` offsets of one source partition. Within a block the sums are cumulative, so a later record of the
same block replaces an earlier one, and a block judged twice counts once.
"""

from __future__ import annotations

import msgspec

from hegui.rules.exports import Account
from hegui.rules.ledgers.abuse import AbusiveInputs
from hegui.rules.ledgers.corpora import CorpusSum
from hegui.rules.ledgers.coverage import CoverageSum
from hegui.rules.ledgers.deadlines import CaseUpdate
from hegui.rules.ledgers.labels import ContentLabelUse, ProduceIdUse
from hegui.rules.ledgers.samples import SampleSet
from hegui.rules.ledgers.sessions import SessionUse
from hegui.rules.ledgers.sources import SourceSum

BLOCK_OFFSETS = 4096
"""Offsets in a block: an evaluator that starts anew repeats at most so many events."""

MAX_UIDS = 100
"""How many result uids a sum names; with more failures it is incomplete, and corrections alone cannot close the issue."""


class Sum(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was seen of one issue key within one block so far."""

    tenant: str
    """The tenant, as in the policy, else `other`."""
    rule: str
    """Rule id."""
    service: str
    """The service, as in the policy, else `other`."""
    failures: int = 0
    """Events that failed."""
    waived: int = 0
    """Events whose failure was waived."""
    first_failure_ms: int | None = None
    """Least event time among failed and waived events, epoch milliseconds."""
    last_failure_ms: int | None = None
    """Greatest event time among failed and waived events."""
    last_pass_ms: int | None = None
    """Greatest event time among events that passed."""
    failed: tuple[str, ...] = ()
    """Result uids of the latest failed events, at most `MAX_UIDS`."""
    complete: bool = True
    """Whether `failed` and `corrected` name every event of the block that failed or was corrected."""
    corrected: tuple[str, ...] = ()
    """Result uids of events whose higher revision no longer fails, at most `MAX_UIDS`."""


class ExportSum(msgspec.Struct, frozen=True, omit_defaults=True):
    """What exports added to one account: persons, whom a set counts once however often they are told, and what has no person."""

    account: Account
    """Whose ledger."""
    last_ms: int
    """Greatest event time among the exports, epoch milliseconds."""
    ordinary: tuple[str, ...] = ()
    """Persons (64 hex digits) whose information was not sensitive, since the last record."""
    sensitive: tuple[str, ...] = ()
    """Persons whose information was sensitive, since the last record."""
    uncounted: dict[str, int] = {}
    """Problem to exports of the block so far that could not be counted by person."""
    day: int | None = None
    """Legal day on which these persons were exported (`rules.exports.legal_day`); absent: that of `last_ms`."""
    uncounted_ms: int | None = None
    """Greatest event time among the exports of the block so far that could not be counted; absent: `last_ms` is an upper bound."""


AnyEntry = (
    SourceSum
    | CorpusSum
    | SampleSet
    | CoverageSum
    | SessionUse
    | CaseUpdate
    | AbusiveInputs
    | ProduceIdUse
    | ContentLabelUse
)
"""What an observation can tell of ledgers."""

OBSERVATION_VERSION = 4
"""Version of `Observation` that this process writes; it reads older ones. 2: entries of ledgers; 3: `NO_TIME`; 4: samples as sets."""

NO_TIME = -1
"""Watermark of an observation that says nothing of event time: a sweep reads what is long over, and must not hold time back."""


class Observation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record on the observations topic: the sums that changed, and the progress of one source partition (the tick)."""

    topic: str
    """Source topic."""
    partition: int
    """Source partition."""
    block: int
    """Number of the block: offset // `BLOCK_OFFSETS`."""
    start: int
    """First offset that the sums include."""
    upto: int
    """Next offset that they do not include."""
    watermark_ms: int
    """Event time that the source partition has reached; the clock where it is idle at zero lag. `NO_TIME`: it says nothing of time."""
    sums: tuple[Sum, ...] = ()
    """Sums that changed since the last record of this block."""
    exports: tuple[ExportSum, ...] = ()
    """What exports added since the last record of this block."""
    entries: tuple[AnyEntry, ...] = ()
    """What changed for ledgers since the last record of this block; each holds all that the block showed of its state."""
    group: str = ""
    """Consumer group of the evaluator: the counts of another deployment on the same topic must not be mixed in."""
    version: int = 1
    """Version of this struct: a state agent that does not know it must not pass over what it cannot read."""

    @property
    def source(self) -> str:
        """Name of the source partition."""
        return f"{self.topic}/{self.partition}"


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """How far one source partition has been counted into an issue."""

    block: int
    """Number of the current block."""
    start: int
    """First offset of it that is counted."""
    upto: int
    """Next offset that is not."""
    closed_failures: int = 0
    """Failures in earlier blocks."""
    closed_waived: int = 0
    """Waived failures in earlier blocks."""
    failures: int = 0
    """Failures in the current block."""
    waived: int = 0
    """Waived failures in the current block."""

    @property
    def total(self) -> tuple[int, int]:
        """Failures and waived failures, closed blocks and the current one."""
        return self.closed_failures + self.failures, self.closed_waived + self.waived


def count(mark: Mark | None, observation: Observation, sum_: Sum) -> Mark | None:
    """Return the mark with the sum counted in; None when the observation is old news.

    A sum of the same block and start replaces. A sum of a later block, or of the same block with a later start (retention cut
    the block, so that the evaluator went on from where it had committed), adds the finished one first.
    """
    if mark is None:
        return Mark(observation.block, observation.start, observation.upto, 0, 0, sum_.failures, sum_.waived)
    seen, told = (mark.block, mark.start), (observation.block, observation.start)
    if told < seen or (told == seen and observation.upto < mark.upto):
        return None
    failures, waived = (mark.closed_failures, mark.closed_waived) if told == seen else mark.total
    return Mark(observation.block, observation.start, observation.upto, failures, waived, sum_.failures, sum_.waived)
