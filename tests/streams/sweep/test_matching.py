"""Which records a sweep finds, and what it says of them: the same however they are cut into parts, and never a subject."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hegui.rules.evidence import reference
from hegui.rules.facts import OptOut
from hegui.rules.ledgers.form import reference_of
from hegui.rules.ledgers.removals import removal_id
from hegui.rules.observations import NO_TIME, Observation
from hegui.rules.violations import Violation, result_uid
from hegui.streams.simulation import crawled, encode, envelope, person, user_input
from hegui.streams.sweep.batch import KNOWN_WITHIN_MS, Batch
from hegui.streams.sweep.matching import Matcher
from tests.streams.example import BOOK, POLICY, TOPIC, settings
from tests.streams.fakes import FakeRecord

AT_MS = 1_795_140_000_000
DENIED = [
    OptOut("domain", "example.com", "deny", AT_MS, source="list"),
    OptOut("user", person(1), "deny", AT_MS, source="app"),
]


def batch(*statements: OptOut, known_ms: int = AT_MS) -> Batch:
    made = Batch()
    for n, statement in enumerate(statements):
        made.take(b"%d" % n, msgspec.json.encode(statement), known_ms)
    return made


def matcher(made: Batch, rules=BOOK) -> Matcher:
    return Matcher(settings(), POLICY, rules, made, {"0": made.records})


def page(number: int, at_ms: int, url: str = "https://www.example.com/a", arrived_ms: int | None = None, **more):
    event = replace(crawled(number, at_ms), url=url, **more)
    value = encode(envelope(event, number, at_ms, "swept"))
    return FakeRecord(number, at_ms if arrived_ms is None else arrived_ms, value)


def hits(made: Batch, *records: FakeRecord, rules=BOOK) -> list[int]:
    """Offsets of the hits."""
    found = matcher(made, rules).hits(TOPIC, 0, records)
    return [msgspec.json.decode(one.value, type=Violation).offset for one in found if one.destination == "violations"]


LATE = AT_MS + KNOWN_WITHIN_MS


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (page(0, AT_MS - 1, arrived_ms=LATE), True),
        (page(0, AT_MS, arrived_ms=LATE), False),
        # The evaluators did not know of the statement yet.
        (page(0, AT_MS, arrived_ms=LATE - 1), True),
        (page(0, AT_MS - 1, url="https://example.org/"), False),
        (page(0, AT_MS - 1, url="https://notexample.com/"), False),
        (page(0, AT_MS - 1, url="not an address"), False),
        (page(0, AT_MS - 1, source_type="licensed"), False),
        (FakeRecord(0, AT_MS - 1, b"no event"), False),
        (FakeRecord(0, AT_MS - 1, None), False),
    ],
)
def test_a_hit_is_covered_and_older_than_the_statement_or_than_the_knowledge_of_it(record, found) -> None:
    assert hits(batch(*DENIED), record) == [0] * found


def test_an_import_of_what_was_said_long_ago_finds_what_came_since_then() -> None:
    made = batch(replace(DENIED[0], observed_at_ms=AT_MS - 10**9), known_ms=AT_MS)
    assert hits(made, page(0, AT_MS - 1000), page(1, LATE)) == [0]


def test_a_broken_record_does_not_hide_its_neighbours() -> None:
    records = [page(0, AT_MS - 1), FakeRecord(1, AT_MS, b"{"), page(2, AT_MS - 1), FakeRecord(3, AT_MS, None)]
    assert hits(batch(*DENIED), *records) == [0, 2]


def test_what_a_source_took_back_in_the_same_batch_is_no_refusal() -> None:
    back = replace(DENIED[0], value="unknown", observed_at_ms=AT_MS + 1)
    assert hits(batch(DENIED[0], back), page(0, AT_MS - 1)) == []
    made = batch(DENIED[0])
    made.take(b"0", None, AT_MS)
    assert not made.refuses
    assert hits(made, page(0, AT_MS - 1)) == []


def test_a_refusal_that_has_ended_is_none() -> None:
    assert hits(batch(replace(DENIED[0], valid_to_ms=AT_MS + 1), known_ms=AT_MS + 1), page(0, AT_MS - 1)) == []


@pytest.mark.parametrize(("category", "found"), [("train", True), ("mine", True), ("search", False), ("input", False)])
def test_only_a_no_to_training_or_mining_is_looked_for(category, found) -> None:
    made = batch(replace(DENIED[0], category=category))
    assert made.refuses is found
    assert hits(made, page(0, AT_MS - 1)) == [0] * found


SITE = OptOut("url_prefix", "example.com/", "deny", AT_MS, source="robots")
OPEN = OptOut("url_prefix", "example.com/open", "unknown", AT_MS, source="robots")


@pytest.mark.parametrize(
    "older",
    [
        [],
        [OPEN],
        [replace(OPEN, source="tdmrep")],
        [replace(OPEN, subject="example.org/open")],
        # Of an earlier reading: the site has said no since, and the exception may have gone.
        [replace(OPEN, observed_at_ms=AT_MS - 1)],
    ],
)
def test_a_word_from_before_the_batch_takes_a_part_out_of_a_new_no_of_its_source_and_host(older) -> None:
    made = batch(SITE)
    assert made.has_parts
    for n, one in enumerate(older):
        made.take_older(b"old %d" % n, msgspec.json.encode(one))
    records = [page(0, AT_MS - 1, "https://example.com/open/a"), page(1, AT_MS - 1, "https://example.com/b")]
    assert hits(made, *records) == ([1] if older == [OPEN] else [0, 1])


def test_of_older_words_no_refusal_and_nothing_of_a_newer_key_counts() -> None:
    made = batch(SITE, DENIED[1])
    made.take_older(b"old", msgspec.json.encode(replace(SITE, subject="example.com/x", observed_at_ms=1)))
    made.take_older(b"0", msgspec.json.encode(replace(SITE, value="unknown", observed_at_ms=1)))
    made.take_older(b"broken", b"{")
    made.take_older(None, b"{}")
    made.take_older(b"part", msgspec.json.encode(OPEN))
    made.take_older(b"part", None)
    assert hits(made, page(0, AT_MS - 1, "https://example.com/open/a")) == [0]
    assert {one.subject for one in made.table} == {"example.com/", person(1)}
    assert not batch(DENIED[0]).has_parts


def test_what_is_no_opt_out_says_nothing() -> None:
    made = Batch()
    for key, value in ((None, b"{}"), (b"k", b"{"), (b"k", b"\xff"), (b"k", None)):
        made.take(key, value, AT_MS)
    assert (made.records, len(made.table), made.refuses, made.as_of_ms) == (4, 0, False, 0)


def test_without_the_rule_nothing_is_told() -> None:
    others = [rule for rule in BOOK if rule.id != "OPT010"]
    assert matcher(batch(*DENIED), others).hits(TOPIC, 0, [page(0, AT_MS - 1)]) == []


def taken(number: int) -> FakeRecord:
    data = replace(user_input(number), user_key=person(1))
    return FakeRecord(number, AT_MS - 1, encode(envelope(data, number, AT_MS - 1, "taken")))


def test_a_hit_names_the_record_the_statement_and_the_deadline_but_no_subject() -> None:
    made = matcher(batch(*DENIED))
    outputs = made.hits(TOPIC, 3, [page(7, AT_MS - 1), page(8, AT_MS - 1), taken(9)])
    records = [msgspec.json.decode(one.value, type=Violation) for one in outputs if one.destination == "violations"]
    first = records[0]
    (result,) = first.results
    source, id_ = first.source, first.id
    assert first.uid == result.uid == result_uid("OPT010", "default", source, id_) == outputs[0].key.decode()
    assert (first.topic, first.partition, first.offset, first.occurred_at_ms) == (TOPIC, 3, 7, AT_MS - 1)
    assert first.facts == {"optouts": {"0": 2}}
    assert result.reason == "ingested before the opt-out, must leave the next dataset version"
    assert result.evidence == {
        "due_at_ms": AT_MS + POLICY.notice_grace_hours * 3_600_000,
        "overdue": False,
        "matched": "domain",
        "refused_at_ms": AT_MS,
        "removal": removal_id(DENIED[0]),
    }
    assert [one.results[0].evidence["removal"] for one in records] == [removal_id(DENIED[n]) for n in (0, 0, 1)]
    whole = b"".join(one.value for one in outputs)
    assert b"example.com" not in whole
    assert person(1).encode() not in whole
    assert reference(person(1)).encode() not in whole
    # One case for each statement and pipeline, once; it says nothing of time.
    told = [msgspec.json.decode(one.value, type=Observation) for one in outputs if one.destination == "observations"]
    assert {one.watermark_ms for one in told} == {NO_TIME}
    cases = sorted((case.case, case.kind, case.opened_ms, case.done_ms) for one in told for case in one.entries)
    names = sorted(reference_of("notice", "hegui/sweep", removal_id(one)) for one in DENIED)
    assert cases == [(name, "removal", AT_MS, None) for name in names]
    assert [one for one in made.hits(TOPIC, 3, [page(10, AT_MS - 1)]) if one.destination == "observations"] == []
    assert made.hits_of.total() == 4
    assert made.new_hits().total() == 4
    assert made.new_hits().total() == 0


RECORDS = [
    page(n, AT_MS - 1 if n % 3 else LATE, f"https://s{n % 4}.example.{'com' if n % 2 else 'org'}/") for n in range(20)
]


@given(cuts=st.lists(st.integers(0, 20), max_size=6), again=st.lists(st.integers(0, 19), max_size=4))
def test_however_the_records_are_cut_and_read_again_the_records_of_hits_are_the_same(cuts, again) -> None:
    def records(parts) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        made = matcher(batch(*DENIED))  # after a crash another one, with the same batch
        for part in parts:
            for one in made.hits(TOPIC, 0, part):
                if one.destination == "violations":
                    assert found.setdefault(one.key, one.value) == one.value
        return found

    edges = [0, *sorted(cuts), 20]
    parts = [RECORDS[a:b] for a, b in pairwise(edges)]
    wanted = records([RECORDS])
    assert len(wanted) == len([n for n in range(20) if n % 2 and n % 3])
    assert records(parts + [RECORDS[n : n + 1] for n in again]) == wanted
