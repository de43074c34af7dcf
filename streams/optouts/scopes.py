"""What texts were read for, so that a yes does not outlive the text it stood in.

Whoever reads a text says of which sources and subjects it is all that is said now. A yes of these that the text does not state is taken back by an
`unknown`, also where the text could not be read to its end, or not at all. A no is not: an error page must not undo one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from hegui.rules.fact_tables import ADDRESSES, OptOut
from hegui.rules.preferences import LONGEST_MATCH
from hegui.streams.errors import OptOutError
from hegui.streams.optouts.normal_form import Reading
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.words import last_words, prefixes_above, refusals_above, said_by

TAKEN_BACK = "no longer stated"
"""Evidence of what takes a yes back."""

DECLARED = "iscc-tdm:"
"""What the sources of ISCC declarations begin with; behind it stand the issuer and, after another colon, the list."""

LICENSED = "rsl:"
"""The same of RSL licences about another site than the one where they were read, or read nobody knows where."""

_FORMATS = LONGEST_MATCH | {
    *("http-content-usage", "http-tdmrep", "x-robots-tag", "html-tdmrep", "html-robots"),
    *("c2pa-training-mining", "cawg-training-mining"),
}


def is_format(source: str) -> bool:
    """Tell whether a source is one of those that readers of other texts than lists give: a list is all that its source says, these are not."""
    return source in _FORMATS or source.startswith(
        (DECLARED, LICENSED, "c2pa-training-mining:", "cawg-training-mining:")
    )


class Scope(NamedTuple):
    """Sources and subjects of which a text is all that is said at a time."""

    at_ms: int
    """When it was read, epoch milliseconds."""
    sources: tuple[str, ...]
    within: tuple[str, ...] = ()
    """A site, or scheme and subject, in normal form; nothing where all subjects of the source are meant, as in a list."""


Said = OptOut | Remark | Scope
"""What a reader of texts yields."""


def site_scope(reading: Reading, *sources: str) -> Iterator[Scope]:
    """Yield the scope of a text about a whole site; none where the site is not known."""
    try:
        yield Scope(reading.at_ms, sources, (reading.address().site,))
    except OptOutError:
        return


def page_scope(reading: Reading, *sources: str) -> Iterator[Scope]:
    """Yield the scope of a text about a page; none where the page is not known."""
    try:
        yield Scope(reading.at_ms, sources, ("url", reading.address().text()))
    except OptOutError:
        return


class Scopes:
    """The scopes of the texts of one run, and what the texts state. Some 150 bytes for each yes, twice that in a list."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, ...], set[int]] = {}
        """Source and what the scope is within, to the times of reading."""
        self._stated: dict[bytes, str] = {}
        self._histories: set[bytes] = set()
        """Of what a list says itself that a yes was taken back, as a list that was given out does: in it each yes speaks for its own time alone."""

    def __bool__(self) -> bool:
        return bool(self._times)

    def add(self, scope: Scope) -> None:
        """Take in a scope. Of a list in several files the latest time counts, since it is one."""
        for source in scope.sources:
            times = self._times.setdefault((source, *scope.within), set())
            times.add(scope.at_ms)
            if not scope.within:
                times.intersection_update({max(times)})

    def state(self, record: OptOut) -> None:
        """Note what a text states."""
        if record.source in LONGEST_MATCH:
            self._stated[_mark(said_by(record), record.observed_at_ms)] = record.value
            return
        if record.value == "unknown" and record.evidence == TAKEN_BACK:
            self._histories.add(_mark(said_by(record), None))
        licensed = record.source.startswith(LICENSED)  # whether these are all licences, is known after the last one
        if record.value == "allow" and (licensed or self._of(record) is not None):
            self._stated[_mark(said_by(record), record.observed_at_ms)] = "allow"
            if licensed or self._is_list(record):
                self._stated[_mark(said_by(record), None)] = "allow"

    def _is_list(self, record: OptOut) -> bool:
        return (_list_of(record.source),) in self._times

    def _of(self, record: OptOut) -> set[int] | None:
        """Return when the texts were read in which a statement would have to stand, None when none was."""
        source, times = record.source, self._times
        if (found := times.get((_list_of(source),))) is not None:
            return found
        if record.scheme in ADDRESSES and (found := times.get((source, record.subject.partition("/")[0]))) is not None:
            return found
        return times.get((source, record.scheme, record.subject))

    def doubts(self, record: OptOut) -> bool:
        """Tell whether a stored statement may have to be taken back, or said again."""
        return record.value != "deny" and any(
            record.observed_at_ms <= at_ms and self._contradicts(record, at_ms) for at_ms in self._of(record) or ()
        )

    def _contradicts(self, record: OptOut, at_ms: int) -> bool:
        if record.value != "allow" and record.evidence != TAKEN_BACK:
            return False
        return (record.value == "allow") is not self._states(record, at_ms)

    def _states(self, record: OptOut, at_ms: int) -> bool:
        """Tell whether the texts of a time say yes of a subject and use: of it, or of the longest path above it that they speak of."""
        key = said_by(record)
        if self._is_list(record):
            if _mark(key, None) in self._histories:
                times = (record.observed_at_ms, at_ms)
                return record.value == "allow" and any(_mark(key, each) in self._stated for each in times)
            return _mark(key, None) in self._stated
        if (found := self._stated.get(_mark(key, at_ms))) is None and record.source in LONGEST_MATCH:
            for prefix in reversed(prefixes_above(record)):
                found = self._stated.get(_mark(("url_prefix", prefix, *key[2:]), at_ms))
                if found is not None:
                    break
        return found == "allow"

    def corrections(self, said: list[OptOut]) -> Iterator[OptOut]:
        """Yield what must be written so that no yes is left which the texts do not state.

        Args:
            said: all statements of one unit (`words.unit_of`), those that are being written too. What is yielded is appended.
        """
        for at_ms in sorted({at_ms for record in said for at_ms in self._of(record) or ()}):
            words = last_words(said, at_ms)
            for word in words.values():
                if at_ms not in (self._of(word) or ()) or not self._contradicts(word, at_ms):
                    continue
                made = _taken_back(word, words, at_ms) if word.value == "allow" else self._again(word, said, at_ms)
                for each in made:
                    said.append(each)
                    yield each

    def _again(self, word: OptOut, said: Iterable[OptOut], at_ms: int) -> Iterable[OptOut]:
        # A row with a time of its own that left the list and is there again: under its old time it would stay taken back.
        for each in reversed(list(said)):
            if (
                said_by(each) == said_by(word)
                and each.value == "allow"
                and each.observed_at_ms <= word.observed_at_ms < at_ms
                and (each.valid_to_ms is None or at_ms < each.valid_to_ms)
                and (not self._is_list(each) or _mark(said_by(each), each.observed_at_ms) in self._stated)
            ):
                yield replace(each, observed_at_ms=at_ms)
                return


def _mark(key: tuple[str, ...], at_ms: int | None) -> bytes:
    return blake2b(msgspec.json.encode((key, at_ms)), digest_size=16).digest()


def _list_of(source: str) -> str:
    """Return the list in which an ISCC declaration stood, any other source as it is."""
    return source[len(DECLARED) :].partition(":")[2] if source.startswith(DECLARED) else source


def _taken_back(word: OptOut, words: dict[tuple[str, ...], OptOut], at_ms: int) -> Iterable[OptOut]:
    # Where a later refusal of its source lies above it, the yes gives way to that already. It must still not come back when the refusal is taken
    # back, and an `unknown` as late as the refusal would be an exception to it.
    above = max((each.observed_at_ms for each in refusals_above(word, words)), default=-1)
    from_ms = above - 1 if above > word.observed_at_ms else at_ms
    yield replace(word, value="unknown", observed_at_ms=from_ms, valid_to_ms=None, evidence=TAKEN_BACK)
