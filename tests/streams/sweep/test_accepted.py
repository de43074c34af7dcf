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

ROBOTS = {
    "subjects": [
        ("url_prefix", "example.com/"),
        ("url_prefix", "example.com/a"),
        ("url_prefix", "www.example.com/a"),
        ("domain", "example.com"),
    ],
    "urls": ["https://example.com/", "https://example.com/a/x", "https://www.example.com/a/x"],
}
LIST = {
    "subjects": [("domain", "example.com"), ("url_prefix", "example.com/a")],
    "urls": ["https://example.com/", "https://example.com/a/x"],
}
APP = {"subjects": [("user", person(1))], "urls": [None]}
SOURCES = {"robots": ROBOTS, "list": LIST, "app": APP}

LONGEST_TIME = 16
"""Units after which no record comes."""


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
def logs(draw, source: str) -> list[Entry]:
    """Statements of a source, some of which end, come late, or are removed or replaced."""
    found: list[Entry] = []
    broker = 0
    for number in range(draw(st.integers(1, 6))):
        broker += draw(st.integers(1, 2))
        key = draw(st.integers(0, number)) if draw(st.integers(0, 3)) == 0 else number
        statement = None
        if key == number or draw(st.booleans()):
            scheme, subject = draw(st.sampled_from(SOURCES[source]["subjects"]))
            observed = max(1, broker - draw(st.sampled_from([0, 0, 0, 2])))
            ends = draw(st.sampled_from([None, None, 1, 4]))
            value = draw(st.sampled_from(["deny", "deny", "allow", "unknown"]))
            end_ms = None if ends is None else BEGIN_MS + (observed + ends) * UNIT_MS
            statement = OptOut(scheme, subject, value, BEGIN_MS + observed * UNIT_MS, end_ms, source=source)
        found.append(Entry(b"%d" % key, statement, BEGIN_MS + broker * UNIT_MS))
    return found


def inputs(source: str, late: int) -> list[Came]:
    """A record of each page, or of the user, in each unit."""
    found = []
    for unit in range(LONGEST_TIME):
        at_ms = BEGIN_MS + unit * UNIT_MS + UNIT_MS // 2
        for url in SOURCES[source]["urls"]:
            event = user_input(1) if url is None else crawled(1, at_ms)
            event = replace(event, url=url, user_key=person(1) if url is None else None)
            found.append(Came(event, at_ms, at_ms + late * UNIT_MS))
    return found


def table_of(log: Iterable[Entry]) -> FactTable[OptOut]:
    table: FactTable[OptOut] = FactTable(FactStatus.READY)
    for one in log:
        table.put(one.key, one.statement)
    return table


def only(table: FactTable[OptOut], said: str) -> FactTable[OptOut]:
    return table_of(Entry(key, one, 0) for key, one in table.records.items() if said_by(one) == said)


def said_by(one: OptOut) -> str:
    """What overrides one another: all words of a robots.txt, else those about one subject."""
    return one.source if one.source == "robots" else one.subject


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


@settings(max_examples=250, deadline=None)
@given(data=st.data(), source=st.sampled_from(list(SOURCES)), new=st.integers(1, 3), late=st.sampled_from([0, 0, 3]))
def test_what_was_accepted_and_is_covered_now_is_found_and_nothing_that_was_refused(data, source, new, late) -> None:
    log = data.draw(logs(source))
    grace = data.draw(st.sampled_from([0, 3])) if source == "app" else 0
    policy = replace(POLICY, opt_out_grace_seconds=grace * UNIT_MS // 1000)
    new = min(new, len(log))
    own, now, as_of_ms = log[len(log) - new :], table_of(log), log[-1].broker_ms
    said = {said_by(one.statement) for one in log if one.statement is not None}
    news = said_no(own) | excepted_no_more(log, own)
    in_time = all(one.statement is None or one.statement.observed_at_ms == one.broker_ms for one in log)
    matcher = Matcher(example_settings(), policy, BOOK, batch_of(log, new), {})
    for came in inputs(source, late):

        def refused(table: FactTable[OptOut], said: str, at_ms: int, grace_ms: int = 0, came: Came = came) -> bool:
            facts = Facts(Snapshot(policy, only(table, said)), at_ms, "default", None)
            return refusal_of(came.event, facts, grace_ms=grace_ms) is not None

        then = table_of(one for one in log if one.broker_ms < came.broker_ms)
        accepted = {
            one
            for one in said
            if refused(now, one, as_of_ms)
            and refused(now, one, max(as_of_ms, came.at_ms))
            and not refused(then, one, came.at_ms, grace * UNIT_MS)
        }
        value = encode(envelope(came.event, 1, came.at_ms, "model"))
        outputs = matcher.hits(TOPIC, 0, [FakeRecord(0, came.broker_ms, value)])
        hits = [msgspec.json.decode(one.value, type=Violation) for one in outputs if one.destination == "violations"]
        if hits:
            assert accepted
        if accepted & news:
            assert hits
        if hits and in_time and not late:
            # A case that was opened before the record came may have been dealt with: it is none of its.
            assert hits[0].results[0].evidence["refused_at_ms"] > came.at_ms


def said_no(own: list[Entry]) -> set[str]:
    return {said_by(one.statement) for one in own if one.statement is not None and one.statement.value == "deny"}


def excepted_no_more(log: list[Entry], own: list[Entry]) -> set[str]:
    """What an exception or a yes was taken away from."""
    before = table_of(log[: len(log) - len(own)]).records
    return {
        said_by(old)
        for one in own
        if one.statement is None and (old := before.get(one.key)) is not None and old.value != "deny"
    }
