"""Which records a sweep finds, and what it says of them: the same however they are cut into parts, and never a subject."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
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


def matcher(made: Batch, rules=BOOK, policy=POLICY) -> Matcher:
    return Matcher(settings(), policy, rules, made, {"0": made.records})


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
    assert hits(batch(DENIED[0], back, known_ms=AT_MS + 1), page(0, AT_MS - 1)) == []
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
@pytest.mark.parametrize("later", [False, True])
def test_another_word_takes_a_part_out_of_a_new_no_of_its_source_and_host(older, later) -> None:
    made = batch(SITE)
    for n, one in enumerate(older):
        made.take_other(b"other %d" % n, msgspec.json.encode(one), AT_MS, later=later)
    records = [page(0, AT_MS - 1, "https://example.com/open/a"), page(1, AT_MS - 1, "https://example.com/b")]
    assert hits(made, *records) == ([1] if older == [OPEN] else [0, 1])


def test_of_older_words_those_of_a_new_refusals_site_count_and_nothing_of_a_newer_key() -> None:
    made = batch(SITE, DENIED[1])
    for key, value in (
        (b"old", msgspec.json.encode(replace(SITE, subject="example.com/x", observed_at_ms=1))),
        (b"other", msgspec.json.encode(replace(SITE, subject="example.org/", observed_at_ms=1))),
        (b"another", msgspec.json.encode(replace(SITE, source="tdmrep", observed_at_ms=1))),
        (b"0", msgspec.json.encode(replace(SITE, value="unknown", observed_at_ms=1))),
        (b"broken", b"{"),
        (None, b"{}"),
        (b"part", msgspec.json.encode(OPEN)),
        (b"part", None),
        (b"moved", msgspec.json.encode(OPEN)),
        (b"moved", msgspec.json.encode(replace(OPEN, subject="example.org/open"))),
    ):
        made.take_other(key, value, AT_MS, later=False)
    assert hits(made, page(0, AT_MS - 1, "https://example.com/open/a")) == [0]
    assert {(one.subject, one.source) for one in made.table} == {
        ("example.com/", "robots"),
        ("example.com/x", "robots"),
        (person(1), "app"),
    }
    # That one kept out what came since then.
    assert hits(made, page(0, AT_MS - 1, "https://example.com/x/y")) == [0]
    assert hits(made, page(0, AT_MS - 1, "https://example.com/x/y", arrived_ms=LATE)) == []


@pytest.mark.parametrize(
    ("one", "subject"),
    [
        (SITE, "example.com/a"),
        (SITE, "https://u:p@Example.COM.:443/a?b#c"),
        (SITE, "www.example.com:8443/a"),
        (SITE, "m.example.com"),
        (replace(SITE, subject="127.0.0.1/"), "http://127.0.0.1/a"),
        (replace(SITE, subject="localhost/"), "localhost/a"),
        (replace(SITE, subject="bücher.example/"), "xn--bcher-kva.example/b"),
        (replace(SITE, subject="xn--bcher-kva.example/b"), "Bücher.example/"),
        (replace(SITE, source="list"), "HTTPS://example.com:443/x/../"),
        (DENIED[0], " example.COM. "),
        (DENIED[1], person(1)),
        (replace(DENIED[0], scheme="content", subject="ab" * 32), "ab" * 32),
        (replace(DENIED[0], scheme="work", subject="isbn:9787302511847"), "ISBN:978-7-302-51184-7"),
        (replace(DENIED[0], scheme="holder", subject="some press"), " Some  PRESS"),
        (replace(SITE, scheme="content", subject="ab" * 32), "ab" * 32),
    ],
)
def test_what_was_said_before_of_the_same_is_known_however_it_is_written(one, subject) -> None:
    made = batch(one)
    made.take_other(b"old", msgspec.json.encode(replace(one, subject=subject, observed_at_ms=1)), 1, later=False)
    assert len(made.table) == 2
    for other in ({"category": "search"}, {"source": "other"}):
        made.take_other(b"o", msgspec.json.encode(replace(one, subject=subject, **other)), 1, later=False)
    for other in ("example.org/", "example.org", person(2), "cd" * 32, "isbn:9787040589306", "other"):
        made.take_other(b"o", msgspec.json.encode(replace(one, subject=other)), 1, later=False)
    for broken in (b"{", b"\xff", b'{"scheme": "domain"}', None):
        made.take_other(b"old 2", broken, 1, later=False)
        made.take_other(b"old", broken or b"{", 1, later=False)
    assert len(made.table) == 2


def test_a_no_that_was_removed_or_replaced_after_the_batch_is_none() -> None:
    made = batch(*DENIED)
    made.take_other(b"0", None, AT_MS, later=True)
    assert hits(made, page(0, AT_MS - 1)) == []
    made = batch(*DENIED)
    made.take_other(b"0", msgspec.json.encode(replace(DENIED[0], subject="example.org")), AT_MS, later=True)
    assert hits(made, page(0, AT_MS - 1), page(1, AT_MS - 1, "https://example.org/")) == []


DAY_MS = 86_400_000
JUNK = OptOut("domain", "other.example", "deny", AT_MS * 1000, source="microseconds")


def told(made: Batch, record: FakeRecord, policy=POLICY) -> dict:
    """The evidence of the one hit."""
    outputs = matcher(made, policy=policy).hits(TOPIC, 0, [record])
    (found,) = [msgspec.json.decode(one.value, type=Violation) for one in outputs if one.destination == "violations"]
    return found.results[0].evidence


def test_a_row_with_a_time_far_ahead_spoils_no_other() -> None:
    limited = replace(DENIED[0], valid_to_ms=AT_MS + 30 * DAY_MS)
    assert hits(batch(limited, JUNK), page(0, AT_MS - 1)) == [0]
    assert told(batch(DENIED[0], JUNK), page(0, AT_MS - 1)) == told(batch(DENIED[0]), page(0, AT_MS - 1))


def test_what_is_taken_back_later_is_refused_now() -> None:
    back = replace(DENIED[0], value="unknown", observed_at_ms=AT_MS + 90 * DAY_MS)
    assert hits(batch(DENIED[0], back), page(0, AT_MS - 1)) == [0]


AHEAD = replace(DENIED[0], observed_at_ms=AT_MS + 30 * DAY_MS)


def test_a_no_that_lies_ahead_is_looked_up_as_of_its_own_moment() -> None:
    evidence = told(batch(AHEAD), page(0, AT_MS - 1))
    assert (evidence["refused_at_ms"], evidence["overdue"]) == (AHEAD.observed_at_ms, False)
    assert evidence["removal"] == removal_id(AHEAD)
    for taken_back in (
        [replace(AHEAD, value="unknown")],  # of two at one moment the no counts
        [replace(AHEAD, value="unknown", observed_at_ms=AHEAD.observed_at_ms + 1)],
        [replace(AHEAD, value="allow", observed_at_ms=AT_MS)],
        [replace(AHEAD, observed_at_ms=AHEAD.observed_at_ms + 1)],
    ):
        assert told(batch(*taken_back, AHEAD), page(0, AT_MS - 1)) == evidence
    assert hits(batch(replace(AHEAD, valid_to_ms=AT_MS + DAY_MS)), page(0, AT_MS - 1)) == []
    assert hits(batch(replace(AHEAD, category="search"), DENIED[1]), page(0, AT_MS - 1)) == []


def test_a_no_now_and_again_ahead_is_one_and_two_when_it_ends_in_between() -> None:
    assert told(batch(DENIED[0], AHEAD), page(0, AT_MS - 1)) == told(batch(DENIED[0]), page(0, AT_MS - 1))
    limited = replace(DENIED[0], valid_to_ms=AT_MS + DAY_MS)
    evidence = told(batch(limited, AHEAD), page(0, AT_MS - 1))
    assert (evidence["removal"], evidence["removal_2"]) == (removal_id(DENIED[0]), removal_id(AHEAD))


SAID_MS = AT_MS - 100 * DAY_MS
FIRST = replace(DENIED[0], observed_at_ms=SAID_MS)


def repeated(*older: OptOut, known_ms: int = SAID_MS) -> Batch:
    """A new no, and what was said before it."""
    made = batch(DENIED[0])
    for n, one in enumerate(older):
        made.take_other(b"old %d" % n, msgspec.json.encode(one), known_ms, later=False)
    return made


def test_a_no_that_is_repeated_is_the_same_removal_with_the_clock_and_the_records_of_the_first() -> None:
    made = repeated(FIRST)
    evidence = told(made, page(0, SAID_MS - 1))
    assert (evidence["removal"], evidence["refused_at_ms"]) == (removal_id(FIRST), SAID_MS)
    (case,) = msgspec.json.decode(
        matcher(made).hits(TOPIC, 0, [page(0, SAID_MS - 1)])[1].value, type=Observation
    ).entries
    assert (case.case, case.opened_ms) == (reference_of("notice", "hegui/sweep", removal_id(FIRST)), SAID_MS)
    # What came since then the evaluators judged.
    assert hits(made, page(0, AT_MS - 1)) == []
    assert hits(repeated(), page(0, AT_MS - 1)) == [0]


@pytest.mark.parametrize(
    "older",
    [
        [FIRST, replace(FIRST, value="unknown", observed_at_ms=SAID_MS + 1)],
        [replace(FIRST, source="another")],
        [replace(FIRST, category="mine")],
        [replace(FIRST, subject="www.example.com")],
        [replace(FIRST, valid_to_ms=AT_MS - DAY_MS)],
    ],
)
def test_a_no_of_another_or_after_a_break_is_a_removal_of_its_own(older) -> None:
    evidence = told(repeated(*older), page(0, AT_MS - 1))
    assert (evidence["removal"], evidence["refused_at_ms"]) == (removal_id(DENIED[0]), AT_MS)


def test_a_no_that_comes_late_finds_what_no_other_statement_of_its_source_had_judged() -> None:
    made = batch(FIRST, known_ms=AT_MS)
    made.take_other(
        b"newer", msgspec.json.encode(replace(FIRST, observed_at_ms=SAID_MS + DAY_MS)), SAID_MS + DAY_MS, later=False
    )
    judged, late = SAID_MS + DAY_MS, SAID_MS + DAY_MS + KNOWN_WITHIN_MS
    assert hits(made, page(0, SAID_MS), page(1, judged, arrived_ms=late), page(2, judged - 1, arrived_ms=late)) == [
        0,
        2,
    ]


def test_a_no_that_comes_late_is_none_when_its_source_has_allowed_since() -> None:
    made = batch(FIRST, known_ms=AT_MS)
    made.take_other(
        b"newer", msgspec.json.encode(replace(FIRST, value="allow", observed_at_ms=SAID_MS + 1)), SAID_MS, later=False
    )
    assert hits(made, page(0, SAID_MS - 1)) == []


def known(*said: tuple[OptOut, int], new: int = 1) -> Batch:
    """Statements with the times at which they came, the last of which are new."""
    made = Batch()
    older, newer = said[: len(said) - new], said[len(said) - new :]
    for n, (statement, known_ms) in enumerate(newer):
        made.take(b"new %d" % n, msgspec.json.encode(statement), known_ms)
    for n, (statement, known_ms) in enumerate(older):
        made.take_other(b"old %d" % n, msgspec.json.encode(statement), known_ms, later=False)
    return made


def day(number: int) -> int:
    return SAID_MS + number * DAY_MS


def came(on: int, url: str = "https://example.com/open/a", hours: float = 0) -> FakeRecord:
    at_ms = day(on) + round(hours * 3_600_000)
    return page(on, at_ms, url)


def test_what_came_under_an_exception_that_has_gone_is_found_as_a_removal_of_its_own() -> None:
    site, opened, again = (
        replace(SITE, observed_at_ms=day(0)),
        replace(OPEN, observed_at_ms=day(0)),
        replace(SITE, observed_at_ms=day(30)),
    )
    made = known((site, day(0)), (opened, day(0)), (again, day(30)))
    assert hits(made, came(-5), came(5), came(31), came(5, "https://example.com/b")) == [-5, 5]
    for on in (-5, 5):
        evidence = told(made, came(on))
        assert (evidence["removal"], evidence["refused_at_ms"]) == (removal_id(again), day(30))
    # What was always refused belongs to the removal of the first reading, which may have been dealt with.
    assert told(made, came(-5, "https://example.com/b"))["removal"] == removal_id(site)


def test_what_came_while_a_yes_with_an_end_held_is_found_as_a_removal_of_its_own() -> None:
    no, again = replace(DENIED[0], observed_at_ms=day(0)), replace(DENIED[0], observed_at_ms=day(30))
    yes = replace(no, value="allow", observed_at_ms=day(10), valid_to_ms=day(20))
    made = known((no, day(0)), (yes, day(10)), (again, day(30)))
    assert hits(made, came(-5), came(5), came(12), came(20), came(25)) == [-5, 12]
    # The first no has counted again since the yes ended.
    back = replace(no, observed_at_ms=day(20))
    assert (told(made, came(12))["removal"], told(made, came(12))["refused_at_ms"]) == (removal_id(back), day(20))
    assert told(made, came(-5))["removal"] == removal_id(back)


def test_what_the_grace_time_tolerated_is_found_as_a_removal_of_its_own() -> None:
    policy = replace(POLICY, opt_out_grace_seconds=7 * 86_400)
    no = replace(DENIED[1], observed_at_ms=day(0))

    def given_away(hours: int) -> FakeRecord:
        at_ms = day(0) + hours * 3_600_000
        data = replace(user_input(hours), user_key=person(1))
        return FakeRecord(hours, at_ms, encode(envelope(data, hours, at_ms, "taken")))

    made = known((no, day(0)))
    records = [given_away(hours) for hours in (-1, 1, 7 * 24 - 1, 7 * 24)]
    outputs = matcher(made, policy=policy).hits(TOPIC, 0, records)
    found = [msgspec.json.decode(one.value, type=Violation) for one in outputs if one.destination == "violations"]
    tolerated = removal_id(replace(no, observed_at_ms=day(7)))
    assert [(one.offset, one.results[0].evidence["removal"]) for one in found] == [
        (-1, removal_id(no)),
        (1, tolerated),
        (7 * 24 - 1, tolerated),
    ]
    evidence = found[1].results[0].evidence
    assert evidence["due_at_ms"] == day(7) + POLICY.notice_grace_hours * 3_600_000
    # Without a grace time the evaluators refused it.
    assert hits(made, *records) == [-1]
    # No grace is given to anybody but users.
    site = known((replace(DENIED[0], observed_at_ms=day(0)), day(0)))
    outputs = matcher(site, policy=policy).hits(TOPIC, 0, [came(0, hours=1)])
    assert outputs == []


def removed(exception: OptOut, no: OptOut, *, compacted: bool = False) -> Batch:
    """An exception or a yes that was removed on day 30."""
    made = Batch()
    made.take(b"part", None, day(30))
    assert made.removes
    while True:
        made.take_other(b"no", msgspec.json.encode(no), day(0), later=False)
        if not compacted:
            made.take_other(b"part", msgspec.json.encode(exception), day(0), later=False)
        made.take_other(b"else", msgspec.json.encode(OTHER), day(0), later=False)
        if not made.reads_again():
            return made


@pytest.mark.parametrize(
    ("exception", "no"),
    [(OPEN, SITE), (replace(DENIED[0], value="allow"), DENIED[0]), (replace(OPEN, category="mine"), SITE)],
)
def test_what_came_under_an_exception_that_was_removed_is_found(exception, no) -> None:
    no = replace(no, observed_at_ms=day(-1))
    made = removed(replace(exception, observed_at_ms=day(0)), no)
    if exception.category == "mine":  # stood against nothing
        assert not made.refuses
        return
    assert made.refuses
    assert hits(made, came(0), came(5), came(31)) == [0, 5]
    evidence = told(made, came(5))
    back = replace(no, observed_at_ms=day(30))
    assert (evidence["removal"], evidence["refused_at_ms"]) == (removal_id(back), day(30))
    assert not removed(exception, no, compacted=True).refuses


def test_an_exception_that_came_and_went_within_one_batch_is_looked_for_too() -> None:
    made = Batch()
    made.take(b"part", msgspec.json.encode(replace(OPEN, observed_at_ms=day(0))), day(0))
    made.take(b"part", None, day(30))
    made.take_other(b"no", msgspec.json.encode(replace(SITE, observed_at_ms=day(0))), day(0), later=False)
    assert not made.reads_again()
    assert hits(made, came(5)) == [5]


def test_the_same_exception_sent_again_starts_nothing() -> None:
    made = Batch()
    for at_ms in (day(1), day(2)):
        made.take(b"part", msgspec.json.encode(OPEN), at_ms)
    made.take_other(b"part", msgspec.json.encode(OPEN), day(0), later=False)
    made.take_other(b"no", msgspec.json.encode(SITE), day(0), later=False)
    assert not made.reads_again()
    assert not (made.refuses or made.removes)


def test_a_no_that_was_removed_for_a_while_kept_nothing_out_meanwhile() -> None:
    made = Batch()
    no = replace(DENIED[0], observed_at_ms=day(0))
    made.take(b"no", msgspec.json.encode(no), day(20))
    for value, on in ((msgspec.json.encode(no), 0), (msgspec.json.encode(no), 5), (None, 10)):
        made.take_other(b"no", value, day(on), later=False)
    assert hits(made, came(7), came(9), came(12), came(21)) == [12]


def test_a_no_that_had_ended_when_a_record_came_does_not_cover_it() -> None:
    made = known((replace(DENIED[0], observed_at_ms=day(0), valid_to_ms=day(2)), day(0)))
    assert hits(made, came(-1), came(1), came(2)) == [-1]


def test_ten_lists_that_had_refused_do_not_hide_an_eleventh() -> None:
    old = [(replace(DENIED[0], source=f"list {n}", observed_at_ms=day(0)), day(0)) for n in range(10)]
    made = known(*old, (replace(DENIED[0], observed_at_ms=day(30)), day(30)), new=11)
    assert told(made, came(5)).keys() & {"removal", "removal_2"} == {"removal"}


OTHER = OptOut("domain", "www.example.com", "deny", AT_MS - 1, source="other")


def test_each_of_several_refusals_of_a_record_opens_its_case() -> None:
    both = [DENIED[0], OTHER]
    outputs = matcher(batch(*both)).hits(TOPIC, 0, [page(0, AT_MS - 2)])
    assert [one.destination for one in outputs].count("violations") == 1
    cases = {
        case.case
        for one in outputs
        if one.destination == "observations"
        for case in msgspec.json.decode(one.value, type=Observation).entries
    }
    assert cases == {reference_of("notice", "hegui/sweep", removal_id(one)) for one in both}
    evidence = told(batch(*both), page(0, AT_MS - 2))
    assert (evidence["removal"], evidence["removal_2"]) == (removal_id(OTHER), removal_id(DENIED[0]))
    judged = told(batch(*both), page(0, AT_MS - 1, arrived_ms=LATE))
    assert (judged["removal"], "removal_2" in judged) == (removal_id(DENIED[0]), False)


def test_a_broader_no_of_a_site_whose_longest_path_counts_is_none_beside_the_narrower() -> None:
    narrow = replace(SITE, subject="example.com/a")
    evidence = told(batch(SITE, narrow), page(0, AT_MS - 1, "https://example.com/a/b"))
    assert evidence["removal"] == removal_id(narrow)
    assert "removal_2" not in evidence


def test_no_more_than_nine_refusals_are_told_of_a_record() -> None:
    made = batch(*(replace(DENIED[0], source=f"list {n}") for n in range(12)))
    assert set(told(made, page(0, AT_MS - 1))) & {"removal_9", "removal_10"} == {"removal_9"}


def test_what_is_no_opt_out_says_nothing() -> None:
    made = Batch()
    for key, value in ((None, b"{}"), (b"k", b"{"), (b"k", b"\xff"), (b"k", None)):
        made.take(key, value, AT_MS)
    assert (made.records, len(made.table), made.refuses, made.as_of_ms) == (4, 0, False, AT_MS)


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


@hypothesis_settings(deadline=None)
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
