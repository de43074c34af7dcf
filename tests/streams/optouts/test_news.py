"""What is news of a text that was read again, and which yes goes with the text it stood in."""

from io import BytesIO

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hegui.rules.facts import OptOut
from hegui.streams.optouts import formats
from hegui.streams.optouts.explanation import explain
from hegui.streams.optouts.news import Changes, changes, news
from hegui.streams.optouts.normal_form import Reading, record_key, statement
from hegui.streams.optouts.report import Report
from hegui.streams.optouts.scopes import TAKEN_BACK, Scope, Scopes
from hegui.streams.optouts.store import FileStore, Store, Written
from tests.streams.optouts.texts import AT_MS, SITE


def no(domain: str, value: str = "deny", at_ms: int = AT_MS, **more) -> OptOut:
    return statement("domain", domain, value, at_ms, source="s", **more)


def test_only_news_is_written_of_what_was_read_again(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write(
        [
            no("example.com"),
            no("example.org"),
            no("example.net", valid_to_ms=AT_MS + 9),
            no("example.com", "allow", AT_MS - 1),
        ]
    )
    later = [
        no("example.com", at_ms=AT_MS + 1),
        no("example.org", "allow", AT_MS + 1),
        no("example.net", at_ms=AT_MS + 1),
        no("example.edu"),
    ]
    assert [record.subject for record in news(store, later)] == ["example.org", "example.net", "example.edu"]


def usage(path: str, value: str, at_ms: int, category: str = "train", scheme: str = "url_prefix") -> OptOut:
    return statement(scheme, "example.com" + path, value, at_ms, source="content-usage", category=category)


def readings(tmp_path, *texts: list[tuple[str, str]]) -> list[int]:
    """Read a text once a day; return how much was written each time."""
    store = FileStore(tmp_path / "optouts.jsonl")
    return [
        store.write(news(store, [usage(path, value, AT_MS + day) for path, value in text])).new
        for day, text in enumerate(texts)
    ]


NO, EXCEPT = ("/", "deny"), ("/b/", "allow")


def test_when_an_exception_leaves_a_text_the_refusal_is_news_once(tmp_path):
    assert readings(tmp_path, [NO, EXCEPT], [NO, EXCEPT], [NO], [NO], [NO, EXCEPT], [NO, EXCEPT]) == [2, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("before", "after", "written"),
    [
        ([NO, EXCEPT], [NO, ("/b/", "unknown")], ["/b/"]),
        ([NO, ("/b/", "unknown")], [NO], ["/"]),
        ([NO, EXCEPT], [NO, EXCEPT, ("/c/", "allow")], ["/c/"]),
        ([NO, EXCEPT, ("/c/", "allow"), ("/d/", "deny")], [NO, EXCEPT, ("/d/", "deny")], ["/", "/b/"]),
        ([("/", "allow"), EXCEPT], [NO, EXCEPT], ["/", "/b/"]),
        ([NO, ("/a/", "deny"), ("/a/b/", "allow")], [NO, ("/a/", "deny")], ["/a/"]),
        ([NO, ("/b/", "deny")], [NO], []),
        ([NO, EXCEPT], [EXCEPT], []),
        ([EXCEPT], [("/c/", "deny")], ["/c/"]),
        ([("/a/", "deny"), EXCEPT], [("/a/", "deny")], []),
    ],
)
def test_what_else_is_news_of_a_text_with_paths(tmp_path, before, after, written):
    readings(tmp_path, before)
    found = news(FileStore(tmp_path / "optouts.jsonl"), [usage(path, value, AT_MS + 1) for path, value in after])
    assert [record.subject.removeprefix("example.com") for record in found] == written


def test_other_sources_sites_and_uses_are_looked_at_by_themselves(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write(
        [
            usage("/", "deny", AT_MS),
            statement("url_prefix", "example.com/b/", "allow", AT_MS, source="rsl"),
            statement("url_prefix", "example.com:8080/b/", "allow", AT_MS, source="content-usage"),
            usage("/b/", "allow", AT_MS, "search"),
        ]
    )
    assert news(store, [usage("/", "deny", AT_MS + 1)]) == []
    store.write([usage("/b/", "allow", AT_MS, scheme="url")])
    assert len(news(store, [usage("/", "deny", AT_MS + 1)])) == 1


def test_news_is_what_was_not_said_by_then(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write([no("example.com"), no("example.com", "allow", AT_MS + 10)])
    assert len(news(store, [no("example.com", at_ms=AT_MS - 1)])) == 1
    assert news(store, [no("example.com", at_ms=AT_MS + 9)]) == []
    assert len(news(store, [no("example.com", at_ms=AT_MS + 10)])) == 1
    both = [no("example.com", at_ms=AT_MS + 20), no("example.com", at_ms=AT_MS + 21)]
    assert news(store, both) == both[:1]


def test_of_two_words_in_one_text_the_no_is_compared(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    for day in range(2):
        both = [no("example.com", value, AT_MS + day) for value in ("deny", "allow")]
        assert len(news(store, both)) == len(news(store, both[::-1])) == (0 if day else 2)
        store.write(both)


def test_a_statement_that_has_ended_is_no_last_word(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write([no("example.com"), no("example.com", "allow", AT_MS + 1, valid_to_ms=AT_MS + 5)])
    assert news(store, [no("example.com", at_ms=AT_MS + 5)]) == []
    assert len(news(store, [no("example.com", at_ms=AT_MS + 4)])) == 1


def test_a_record_that_has_no_address_is_no_exception(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write(
        [
            msgspec.structs.replace(usage(path, value, AT_MS), subject="exa mple.com" + path)
            for path, value in (NO, EXCEPT)
        ]
    )
    again = msgspec.structs.replace(usage("/", "deny", AT_MS + 1), subject="exa mple.com/")
    assert news(store, [again]) == []


def read_again(store: Store, day: int, stated: list[OptOut], *scopes: Scope, timed: list[OptOut] = []) -> Changes:  # noqa: B006
    """Read texts as on a day, and write what changed."""
    read = Scopes()
    for scope in scopes:
        read.add(scope)
    for record in (*stated, *timed):
        read.state(record)
    found = changes(store, stated, timed, read)
    store.write([*found.fresh, *found.taken_back])
    return found


def site(day: int, at: str = "example.com") -> Scope:
    return Scope(AT_MS + day, ("robots", "content-usage"), (at,))


def register(day: int) -> Scope:
    return Scope(AT_MS + day, ("s",))


def words(records: list[OptOut]) -> list[tuple[str, str, int]]:
    return [
        (record.subject.removeprefix("example.com"), record.value, record.observed_at_ms - AT_MS) for record in records
    ]


YES = ("/", "allow")


@pytest.mark.parametrize(
    ("before", "after", "fresh", "gone"),
    [
        ([YES], [], [], [("/", "unknown", 5)]),
        ([YES], [YES], [], []),
        ([YES], [NO], [("/", "deny", 5)], []),
        ([NO], [], [], []),
        ([("/", "unknown")], [], [], []),
        ([EXCEPT], [("/c/", "allow")], [("/c/", "allow", 5)], [("/b/", "unknown", 5)]),
        # The broader yes speaks of it, too.
        ([EXCEPT], [YES], [("/", "allow", 5)], []),
        ([EXCEPT], [YES, ("/b/", "unknown")], [("/", "allow", 5), ("/b/", "unknown", 5)], []),
        # Below a refusal it gives way, and must not come back with the end of the refusal.
        ([NO, EXCEPT], [NO], [("/", "deny", 5)], [("/b/", "unknown", 4)]),
        ([EXCEPT], [NO], [("/", "deny", 5)], [("/b/", "unknown", 4)]),
        ([NO, EXCEPT], [], [], [("/b/", "unknown", 5)]),
        ([NO, ("/b/", "unknown")], [], [], []),
    ],
)
def test_a_yes_goes_with_its_text_and_a_no_stays(tmp_path, before, after, fresh, gone):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write([usage(path, value, AT_MS) for path, value in before])
    found = read_again(store, 5, [usage(path, value, AT_MS + 5) for path, value in after], site(5))
    assert (words(found.fresh), words(found.taken_back)) == (fresh, gone)
    assert all(record.evidence == TAKEN_BACK for record in found.taken_back)
    again = read_again(store, 6, [usage(path, value, AT_MS + 6) for path, value in after], site(6))
    assert again == ([], [], 0), "reading it every day adds nothing"


def test_a_yes_that_was_taken_back_comes_again_with_a_text_that_states_it(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write([usage("/b/", "allow", AT_MS)])
    read_again(store, 1, [], site(1))
    # Stated anew of a broader path: the `unknown` must not stand in its way.
    found = read_again(store, 2, [usage("/", "allow", AT_MS + 2)], site(2))
    assert (words(found.fresh), words(found.taken_back)) == ([("/", "allow", 2)], [("/b/", "allow", 2)])
    assert sorted(words(read_again(store, 3, [], site(3)).taken_back)) == [("/", "unknown", 3), ("/b/", "unknown", 3)]


@pytest.mark.parametrize(
    "scope",
    [
        site(5, "www.example.com"),
        site(5, "example.com:8080"),
        Scope(AT_MS + 5, ("rsl",), ("example.com",)),
        Scope(AT_MS + 5, ("content-usage",), ("url", "example.com/b/")),
        Scope(AT_MS + 5, ("registry",)),
        site(-1),  # an older copy of the text
    ],
)
def test_only_what_was_read_takes_a_yes_back(tmp_path, scope):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write([usage("/b/", "allow", AT_MS)])
    assert read_again(store, 5, [], scope) == ([], [], 0)


def test_a_page_takes_back_what_it_said_itself(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    said = [
        statement("url", page, "allow", AT_MS, source="http-content-usage")
        for page in ("example.com/a", "example.com/b")
    ]
    store.write(said)
    found = read_again(store, 1, [], Scope(AT_MS + 1, ("http-content-usage",), ("url", "example.com/a")))
    assert words(found.taken_back) == [("/a", "unknown", 1)]


def test_a_yes_that_left_a_list_is_taken_back_whatever_times_its_rows_have(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    old = [no("a.example", "allow"), no("b.example", "allow"), no("c.example")]
    store.write([*old, statement("domain", "a.example", "allow", AT_MS, source="another")])
    found = read_again(store, 5, [], register(5), timed=old[1:2])
    assert words(found.taken_back) == [("a.example", "unknown", 5)]
    # Under its old time it would stay taken back.
    found = read_again(store, 7, [], register(7), timed=old[:2])
    assert (words(found.fresh), words(found.taken_back)) == ([], [("a.example", "allow", 7)])
    assert read_again(store, 8, [], register(8), timed=old[:2]) == ([], [], 0)


def test_a_list_in_several_files_is_one(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    parts = [no("a.example", "allow", AT_MS + 1), no("b.example", "allow", AT_MS + 2)]
    read_again(store, 2, parts, register(1), register(2))
    assert read_again(
        store, 4, [no("a.example", "allow", AT_MS + 3), no("b.example", "allow", AT_MS + 4)], register(4), register(3)
    ) == ([], [], 0)
    found = read_again(store, 6, [no("b.example", "allow", AT_MS + 5)], register(5), register(6))
    assert words(found.taken_back) == [("a.example", "unknown", 6)]


def test_what_a_list_takes_back_itself_stays_so(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    history = [no("a.example", "allow"), no("a.example", "unknown", AT_MS + 1)]
    read_again(store, 5, [], register(5), timed=history)
    assert read_again(store, 6, [], register(6), timed=history) == ([], [], 0)


HISTORY = [no("a.example", "allow"), no("a.example", "unknown", AT_MS + 3, evidence=TAKEN_BACK)]
"""What a store gives out of a yes that was taken back."""


@pytest.mark.parametrize(
    ("known", "listed", "made"),
    [
        (HISTORY, HISTORY, []),
        ([], HISTORY, []),
        # Another one took it back later, or earlier.
        ([*HISTORY[:1], msgspec.structs.replace(HISTORY[1], observed_at_ms=AT_MS + 4)], HISTORY, []),
        (HISTORY[:1], HISTORY, []),
        ([*HISTORY, no("a.example", "allow", AT_MS + 5)], HISTORY, [("a.example", "unknown", 9)]),
        ([*HISTORY, no("a.example", "allow", AT_MS + 5)], [*HISTORY, no("a.example", "allow", AT_MS + 5)], []),
        (HISTORY, [*HISTORY, no("a.example", "allow", AT_MS + 5, valid_to_ms=AT_MS + 7)], []),
    ],
)
def test_a_list_that_was_given_out_tells_itself_what_was_taken_back(tmp_path, known, listed, made):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write(known)
    assert words(read_again(store, 9, [], register(9), timed=listed).taken_back) == made
    assert read_again(store, 10, [], register(10), timed=listed) == ([], [], 0)


def test_beside_a_list_that_was_given_out_what_is_said_now_counts(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    for day in (5, 6):
        stated = [no("a.example", "allow", AT_MS + day)]
        found = read_again(store, day, stated, register(day), timed=HISTORY)
        assert found.taken_back == []


def test_of_two_yes_the_one_that_a_list_states_comes_again(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    ending = no("a.example", "allow", AT_MS + 2, valid_to_ms=AT_MS + 50)
    store.write([ending, no("a.example", "allow", AT_MS + 1)])
    read_again(store, 5, [], register(5))
    (made,) = read_again(store, 7, [], register(7), timed=[ending]).taken_back
    assert made == no("a.example", "allow", AT_MS + 7, valid_to_ms=AT_MS + 50)


def test_a_yes_that_is_stated_with_an_earlier_end_does_not_come_again_with_the_old_one(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write([no("a.example", "allow")])
    read_again(store, 5, [], register(5))
    found = read_again(store, 9, [], register(9), timed=[no("a.example", "allow", valid_to_ms=AT_MS + 8)])
    assert found.taken_back == []


def test_of_two_ends_that_are_read_one_by_one_the_earlier_stays():
    store = Memory()
    for end in (AT_MS + 50, None, AT_MS + 60):
        read_again(store, 0, [no("a.example", "allow", valid_to_ms=end)], register(0))
    assert [record.valid_to_ms for record in store.records.values()] == [AT_MS + 50]
    read_again(store, 0, [no("a.example", "allow", valid_to_ms=AT_MS + 40)], register(0))
    assert [record.valid_to_ms for record in store.records.values()] == [AT_MS + 40]


JANUARY, JUNE = no("a.example", "allow", AT_MS + 1), no("a.example", "allow", AT_MS + 2, valid_to_ms=AT_MS + 50)


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("order", [[JANUARY, JUNE], [JUNE, JANUARY], [JANUARY, no("b.example"), JUNE, JANUARY, JUNE]])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_later_yes_with_an_end_ends_the_earlier_one(tmp_path, timed, order, at_once):
    store = FileStore(tmp_path / "optouts.jsonl")
    for part in [order] if at_once else [[record] for record in order]:
        for written in (True, False):
            found = changes(store, [] if timed else part, part if timed else [])
            assert written or found == ([], [], 0)
            store.write([*found.fresh, *found.taken_back])
    for day, said in ((1, "allow"), (49, "allow"), (50, "unknown"), (99, "unknown")):
        assert explain(store, "a.example", AT_MS + day).preference.value == said
    later = [no("a.example", value, AT_MS + 60) for value in ("deny", "allow")]
    for record, said in zip(later, ("deny", "allow"), strict=True):
        (tmp_path / "other.jsonl").write_bytes(store.file.read_bytes())
        other = FileStore(tmp_path / "other.jsonl")
        found = changes(other, [record])
        other.write([*found.fresh, *found.taken_back])
        assert explain(other, "a.example", AT_MS + 99).preference.value == said


def test_the_earlier_yes_that_is_ended_is_told_and_a_no_is_not(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write([JANUARY, no("b.example")])
    found = changes(store, [JUNE, no("b.example", at_ms=AT_MS + 2, valid_to_ms=AT_MS + 50)])
    assert found.taken_back == [msgspec.structs.replace(JANUARY, valid_to_ms=AT_MS + 50)]


def test_of_two_editions_in_one_command_the_later_takes_the_yes_back(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    for found in ([("/", "unknown", 5)], []):
        assert words(read_again(store, 5, [usage("/", "allow", AT_MS)], site(0), site(5)).taken_back) == found


def test_a_declaration_goes_with_the_list_it_stood_in(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    said = [
        statement("work", "iscc:KACYPXW445FTYNJ3", "allow", AT_MS, source=f"iscc-tdm:{issuer}:{name}")
        for issuer, name in (("ab", "s"), ("", "s"), ("ab", "t"))
    ]
    store.write(said)
    found = read_again(store, 1, [], register(1))
    assert [record.source for record in found.taken_back] == ["iscc-tdm:ab:s", "iscc-tdm::s"]


def test_a_yes_under_an_address_that_cannot_be_read_goes_too(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write([msgspec.structs.replace(usage("/b/", "allow", AT_MS), subject="exa mple.com/b/")])
    assert len(read_again(store, 1, [], site(1, "exa mple.com")).taken_back) == 1


def test_of_two_copies_of_a_text_each_counts_from_its_own_time(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write([usage("/", "allow", AT_MS)])
    found = read_again(
        store, 9, [usage("/", "allow", AT_MS + 2), usage("/", "allow", AT_MS + 7)], site(9), site(2), site(7), site(4)
    )
    assert words(found.taken_back) == [("/", "unknown", 4), ("/", "allow", 7), ("/", "unknown", 9)]


@pytest.mark.parametrize("value", ["allow", "deny"])
def test_a_text_with_two_ends_of_one_statement_is_no_news_the_next_day(tmp_path, value):
    store = FileStore(tmp_path / "optouts.jsonl")
    for day in range(3):
        both = [no("a.example", value, AT_MS + day, valid_to_ms=end) for end in (None, AT_MS + 50)]
        assert len(read_again(store, day, both, register(day)).fresh) == (0 if day else 2)


def test_of_equal_statements_the_yes_that_ends_first_is_written(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write([no("a.example", "allow", valid_to_ms=AT_MS + 50)])
    given = [no("a.example", "allow", valid_to_ms=end) for end in (None, AT_MS + 50, AT_MS + 40, AT_MS + 45)]
    assert [record.valid_to_ms for record in changes(store, [], given).fresh] == [AT_MS + 40]


def test_what_is_older_than_a_later_word_of_its_source_is_told(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write([no("a.example", "allow", AT_MS + 9), no("b.example", "deny", AT_MS + 9)])
    found = changes(store, [no("a.example"), no("b.example"), no("c.example")])
    assert (len(found.fresh), found.overtaken) == (3, 1)


class Memory:
    """A store that forgets nothing."""

    name = "memory"

    def __init__(self) -> None:
        self.records: dict[bytes, OptOut] = {}

    def read(self, take) -> None:
        for key, record in self.records.items():
            take(key, record)

    def write(self, records) -> Written:
        self.records |= {record_key(record): record for record in records}
        return Written(0, 0)


RULES = st.lists(
    st.builds(
        "Content-Usage: {} train-ai={}\n".format,
        st.sampled_from(["/", "/a", "/a/", "/a/b", "/a/b$", "/*.pdf", "/c/*"]),
        st.sampled_from(["y", "n", "?", "Y"]),
    ),
    max_size=4,
)


def read_text(store: Memory, day: int, rules: list[str]) -> Changes:
    report = Report(AT_MS)
    text = "User-agent: *\n" + "".join(rules)
    stated = list(report.add("", formats.read(BytesIO(text.encode()), "robots", Reading(AT_MS + day, SITE))))
    found = changes(store, stated, scopes=report.scopes)
    store.write([*found.fresh, *found.taken_back])
    return found


@given(st.lists(RULES, min_size=1, max_size=4), st.data())
@settings(deadline=None, max_examples=100)
def test_editions_in_one_command_come_to_what_they_do_one_by_one(texts, data):
    one_by_one, at_once = Memory(), Memory()
    for day, rules in enumerate(texts):
        read_text(one_by_one, 10 * day, rules)
    order = data.draw(st.permutations(range(len(texts))))
    for written in (True, False):
        report = Report(AT_MS)
        stated: list[OptOut] = []
        for day in order:
            text = "User-agent: *\n" + "".join(texts[day])
            reading = Reading(AT_MS + 10 * day, SITE)
            stated += report.add("", formats.read(BytesIO(text.encode()), "robots", reading))
        found = changes(at_once, stated, scopes=report.scopes)
        assert written or found == ([], [], 0)
        at_once.write([*found.fresh, *found.taken_back])
    for path in ("", "a", "a/", "a/b", "a/b/", "a/b/c", "c/", "c/d", "x"):
        then, now = (explain(each, SITE + path, AT_MS + 1000).preference.value for each in (one_by_one, at_once))
        assert then == now


@given(st.lists(RULES, min_size=1, max_size=4), st.data())
@settings(deadline=None, max_examples=300)
def test_whatever_a_site_said_before_a_yes_is_what_it_says_now(texts, data):
    store, last = Memory(), Memory()
    for day, rules in enumerate(texts):
        read_text(store, 10 * day, rules)
    assert read_text(store, 10 * len(texts), texts[-1]) == ([], [], 0)
    read_text(last, 10 * len(texts), texts[-1])
    path = data.draw(st.sampled_from(["", "a", "a/", "a/b", "a/b/", "a/b/c", "c/", "c/d", "x"]))
    then, now = (explain(each, SITE + path, AT_MS + 1000).preference.value for each in (store, last))
    if then == "allow" or now == "deny":
        assert then == now
    # A no that the site no longer says stays, until somebody takes it back: no yes of the past comes to light then.
    noes = [record for record in store.records.values() if record.value == "deny"]
    for each in (store, last):
        each.write([msgspec.structs.replace(record, value="unknown", observed_at_ms=AT_MS + 500) for record in noes])
    if explain(store, SITE + path, AT_MS + 1000).preference.value == "allow":
        assert explain(last, SITE + path, AT_MS + 1000).preference.value == "allow"
