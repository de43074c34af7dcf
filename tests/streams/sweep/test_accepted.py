"""What was accepted and a new no covers is found, and only that: a random log of statements, judged as of then, and swept now."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hegui.rules.events import IngestEvent
from hegui.rules.facts import Facts, FactStatus, FactTable, OptOut, Snapshot
from hegui.rules.refusals import refusal_of
from hegui.rules.violations import Violation
from hegui.streams.simulation import crawled, encode, envelope, person, user_input
from hegui.streams.sweep.batch import Batch
from hegui.streams.sweep.matching import Matcher
from tests.streams.example import BOOK, POLICY, TOPIC
from tests.streams.example import settings as example_settings
from tests.streams.fakes import FakeRecord

UNIT_MS = 1_000_000
"""Statements come at whole units, records in the middle: no record falls into the minute in which a statement spreads."""

BEGIN_MS = 1_795_140_000_000
"""The law of the rule is in force."""

SUBJECTS = [
    ("robots", "url_prefix", "example.com/"),
    ("robots", "url_prefix", "example.com/a"),
    ("robots", "url_prefix", "example.com/a/b"),
    ("robots", "domain", "example.com"),
    ("list", "domain", "example.com"),
    ("list", "url_prefix", "example.com/a"),
    ("app", "user", person(1)),
]


SAID = {(source, "" if source == "robots" else subject) for source, _, subject in SUBJECTS}
"""What overrides one another: all words of a robots.txt, else those about one subject."""


class Entry(NamedTuple):
    """A record of the topic of opt-outs."""

    key: bytes
    statement: OptOut | None
    broker_ms: int


class Came(NamedTuple):
    """A record of the input."""

    event: IngestEvent
    at_ms: int
    broker_ms: int


@st.composite
def logs(draw) -> list[Entry]:
    """Statements of three sources, some of which end, come late, or are removed or replaced."""
    found: list[Entry] = []
    broker = 0
    for number in range(draw(st.integers(1, 7))):
        broker += draw(st.integers(1, 3))
        key = draw(st.integers(0, number)) if draw(st.integers(0, 3)) == 0 else number
        statement = None
        if draw(st.integers(0, 5)):
            source, scheme, subject = draw(st.sampled_from(SUBJECTS))
            observed = max(1, broker - draw(st.sampled_from([0, 0, 0, 2])))
            ends = draw(st.sampled_from([None, None, 1, 4]))
            value = draw(st.sampled_from(["deny", "deny", "allow", "unknown"]))
            end_ms = None if ends is None else BEGIN_MS + (observed + ends) * UNIT_MS
            statement = OptOut(scheme, subject, value, BEGIN_MS + observed * UNIT_MS, end_ms, source=source)
        found.append(Entry(b"%d" % key, statement, BEGIN_MS + broker * UNIT_MS))
    return found


@st.composite
def inputs(draw) -> Came:
    """A page or a user's input."""
    at_ms = BEGIN_MS + draw(st.integers(0, 22)) * UNIT_MS + UNIT_MS // 2
    late_ms = draw(st.sampled_from([0, 0, 3])) * UNIT_MS
    path = draw(st.sampled_from(["/", "/a/x", "/a/b/c", None]))
    if path is None:
        event = replace(user_input(1), user_key=person(1))
    else:
        event = replace(crawled(1, at_ms), url=f"https://example.com{path}")
    return Came(event, at_ms, at_ms + late_ms)


def table_of(log: Iterable[Entry]) -> FactTable[OptOut]:
    table: FactTable[OptOut] = FactTable(FactStatus.READY)
    for one in log:
        table.put(one.key, one.statement)
    return table


def only(table: FactTable[OptOut], said: tuple[str, str]) -> FactTable[OptOut]:
    return table_of(Entry(key, one, 0) for key, one in table.records.items() if said_by(one) == said)


def said_by(one: OptOut) -> tuple[str, str]:
    return (one.source, "" if one.source == "robots" else one.subject)


def batch_of(log: list[Entry], new: int) -> Batch:
    batch = Batch()
    own = log[len(log) - new :]
    for one in own:
        batch.take(one.key, None if one.statement is None else msgspec.json.encode(one.statement), one.broker_ms)
    while True:
        for one in log[: len(log) - new]:
            value = None if one.statement is None else msgspec.json.encode(one.statement)
            batch.take_other(one.key, value, one.broker_ms, later=False)
        if not batch.reads_again():
            return batch


@settings(max_examples=300, deadline=None)
@given(log=logs(), new=st.integers(1, 3), came=inputs(), grace=st.sampled_from([0, 0, 3]))
def test_what_was_accepted_and_is_covered_now_is_found_and_nothing_that_was_refused(log, new, came, grace) -> None:
    new = min(new, len(log))
    policy = replace(POLICY, opt_out_grace_seconds=grace * UNIT_MS // 1000)

    def refused(table: FactTable[OptOut], at_ms: int, grace_ms: int = 0) -> bool:
        facts = Facts(Snapshot(policy, table), at_ms, "default", None)
        return refusal_of(came.event, facts, grace_ms=grace_ms) is not None

    own = log[len(log) - new :]
    then, now = table_of(one for one in log if one.broker_ms < came.broker_ms), table_of(log)
    as_of_ms = log[-1].broker_ms
    covered = {
        said
        for said in SAID
        if refused(only(now, said), as_of_ms) and refused(only(now, said), max(as_of_ms, came.at_ms))
    }
    accepted = {
        said for said in covered if not refused(only(then, said), came.at_ms, policy.opt_out_grace_seconds * 1000)
    }
    value = encode(envelope(came.event, 1, came.at_ms, "model"))
    found = Matcher(example_settings(), policy, BOOK, batch_of(log, new), {})
    outputs = found.hits(TOPIC, 0, [FakeRecord(0, came.broker_ms, value)])
    hits = [msgspec.json.decode(one.value, type=Violation) for one in outputs if one.destination == "violations"]
    if hits:
        assert accepted
    if accepted & (said_no(own) | excepted_no_more(log, own)):
        assert hits
    in_time = all(one.statement is None or one.statement.observed_at_ms == one.broker_ms for one in log)
    if hits and in_time and came.broker_ms == came.at_ms:
        # A case that was opened before the record came may have been dealt with: it is none of its.
        assert hits[0].results[0].evidence["refused_at_ms"] > came.at_ms


def said_no(own: list[Entry]) -> set[tuple[str, str]]:
    return {said_by(one.statement) for one in own if one.statement is not None and one.statement.value == "deny"}


def excepted_no_more(log: list[Entry], own: list[Entry]) -> set[tuple[str, str]]:
    """What an exception or a yes was taken away from."""
    before = table_of(log[: len(log) - len(own)]).records
    return {
        said_by(old)
        for one in own
        if one.statement is None and (old := before.get(one.key)) is not None and old.value != "deny"
    }
