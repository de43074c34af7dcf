"""How statements combine: any no wins, else any yes, else unknown; the longest path in the formats that have paths."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hegui.rules.cases import BASE_POLICY
from hegui.rules.events import IngestEvent
from hegui.rules.facts import Facts, OptOut, Snapshot, loaded
from hegui.rules.opt_out.refusals import registered_preference
from hegui.rules.preferences import LONGEST_MATCH, UNKNOWN, Preference

AT = 1_000


def said(scheme: str, subject: str, value: str, at_ms: int = 1, **more: str) -> OptOut:
    return OptOut(scheme, subject, value, at_ms, **more)  # type: ignore[arg-type]


def wish(url: str, *records: OptOut, at_ms: int = AT) -> Preference:
    return Facts(Snapshot(BASE_POLICY, loaded(records)), at_ms, "default", None).preference_for_url(url)


def again(record: OptOut, at_ms: int, **changes: str) -> OptOut:
    return replace(record, observed_at_ms=at_ms, **changes)


SITE_NO = said("url_prefix", "example.com/", "deny", source="robots")
PART_SILENT = said("url_prefix", "example.com/open", "unknown", source="robots")
PART_YES = said("url_prefix", "example.com/open", "allow", source="content-usage")


@pytest.mark.parametrize(
    ("url", "records", "value"),
    [
        ("https://example.com/a", [], "unknown"),
        ("https://example.com/a", [SITE_NO], "deny"),
        ("https://www.example.com/a", [SITE_NO], "unknown"),
        ("https://example.com:8443/a", [SITE_NO], "unknown"),
        ("https://example.com/open/b", [SITE_NO, PART_SILENT], "unknown"),
        ("https://example.com/openly", [SITE_NO, PART_SILENT], "deny"),
        ("https://example.com/open/b", [PART_YES], "allow"),
        ("https://example.com/open/b", [SITE_NO, PART_YES], "deny"),
        ("https://example.com/open/b", [SITE_NO, PART_SILENT, PART_YES], "allow"),
        # An exception older than the no around it may have left the file.
        ("https://example.com/open", [again(SITE_NO, 2), PART_SILENT], "deny"),
        ("https://example.com/open", [SITE_NO, again(SITE_NO, 2), PART_SILENT], "deny"),
        ("https://example.com/open", [again(SITE_NO, 2), again(PART_SILENT, 2)], "unknown"),
        ("https://example.com/open", [SITE_NO, again(PART_SILENT, 2)], "unknown"),
        ("https://example.com/open", [said("url_prefix", "example.com/", "deny", 2, source="content-usage"), PART_YES], "deny"),
        ("https://example.com/open", [said("url_prefix", "example.com/", "allow", 2, source="content-usage"), PART_YES], "allow"),
        ("https://example.com/open", [said("url_prefix", "example.com/", "unknown", 2, source="content-usage"), PART_YES], "allow"),
        ("https://example.com/open", [again(SITE_NO, 2), again(SITE_NO, 3, value="unknown"), PART_YES], "allow"),
        ("https://example.com/open", [said("url_prefix", "example.com/", "deny", 2, source="content-usage", category="search"), PART_YES], "allow"),
        ("https://example.com/open/b", [again(SITE_NO, 3), again(SITE_NO, 1, subject="example.com/open"), again(PART_SILENT, 2, subject="example.com/open/b")], "deny"),
        ("https://example.com/open/b", [again(SITE_NO, 3), again(PART_SILENT, 4), again(PART_YES, 1, subject="example.com/open/b", source="robots")], "unknown"),
        ("https://example.com/open/b", [again(SITE_NO, 1), again(SITE_NO, 3, subject="example.com/open"), again(PART_SILENT, 2, subject="example.com/open/b")], "deny"),
        # A list has no longest match: every statement in it counts.
        ("https://example.com/open", [said("url_prefix", "example.com/", "deny"), said("url_prefix", "example.com/open", "allow")], "deny"),
        ("https://example.com/open", [said("url_prefix", "example.com/", "allow"), said("url_prefix", "example.com/open", "deny")], "deny"),
        ("https://example.com/a", [said("domain", "example.com", "allow"), said("url", "example.com/a", "deny", source="x")], "deny"),
        ("https://example.com/a/b", [said("url", "example.com/a", "deny")], "unknown"),
        ("https://example.com/a?q=1", [said("url", "example.com/a?q=1", "deny")], "deny"),
        ("https://example.com/a?q=1", [said("url_prefix", "example.com/a?q=1", "deny")], "deny"),
        ("https://example.com/a", [said("domain", "example.com", "deny", category="search")], "unknown"),
        ("https://example.com/a", [said("domain", "example.com", "deny", category="mine")], "deny"),
        ("https://example.com/a", [said("domain", "example.com", "allow", category="mine")], "unknown"),
        ("https://example.com/a", [said("domain", "example.com", "allow", category="input")], "unknown"),
        # What one source says of mining does not replace what it says of training.
        ("https://example.com/a", [said("domain", "example.com", "deny"), said("domain", "example.com", "allow", 2, category="mine")], "deny"),
        ("https://example.com/a", [said("domain", "example.com", "deny"), said("domain", "example.com", "unknown", 2)], "unknown"),
        ("https://example.com/a", [said("domain", "example.com", "allow"), said("domain", "example.com", "deny")], "deny"),
        ("https://example.com/a", [said("domain", "example.com", "deny"), said("domain", "example.com", "allow")], "deny"),
        # Records stand in any order, in different partitions: of one moment no before unknown, unknown before yes.
        ("https://example.com/a", [said("domain", "example.com", "allow"), said("domain", "example.com", "unknown")], "unknown"),
        ("https://example.com/a", [said("domain", "example.com", "unknown"), said("domain", "example.com", "allow")], "unknown"),
        ("https://example.com/a", [said("domain", "example.com", "deny"), said("domain", "example.com", "unknown")], "deny"),
        ("https://example.com/a", [said("domain", "example.com", "unknown"), said("domain", "example.com", "deny")], "deny"),
        ("https://example.com/a", [said("domain", "example.com", "unknown"), said("domain", "example.com", "allow", 2)], "allow"),
        ("https://example.com/A*?price=$9", [said("url", "example.com/A%2A?price=%249", "deny")], "deny"),
        ("https://例子.公司/a/b", [said("url_prefix", "https://例子.公司/a/", "deny")], "deny"),
        ("https://example.com/a", [said("url_prefix", "https://exa mple.com/", "deny")], "unknown"),
    ],
)  # fmt: skip
def test_what_statements_about_an_address_come_to(url: str, records: list[OptOut], value: str) -> None:
    found = wish(url, *records)
    assert found.value == value
    assert (found.statement is None) is (value == "unknown")
    assert found.statement is None or found.statement.value == value


def test_a_later_no_does_not_count_for_an_earlier_event() -> None:
    assert wish("https://example.com/a", said("url_prefix", "example.com/", "deny", AT + 1)).value == "unknown"
    assert wish("https://example.com/a", said("url_prefix", "example.com/", "deny", AT)).value == "deny"


def test_statements_about_addresses_come_and_go_with_the_table() -> None:
    table = loaded([SITE_NO, said("url", "example.com/x", "deny")])
    facts = Facts(Snapshot(BASE_POLICY, table), AT, "default", None)
    assert facts.snapshot.registered("https://example.com/q") == ((), True)
    table.put(b"0", None)
    assert facts.snapshot.registered("https://example.com/q") == ((), True)
    table.put(b"1", None)
    assert facts.snapshot.registered("https://example.com/q") == ((), False)
    assert ("url_host", "example.com") not in table
    assert facts.preference_for_url("https://example.com:bad/x").value == "unknown"


def test_a_port_that_cannot_be_read_is_no_answer_where_addresses_are_registered() -> None:
    with pytest.raises(ValueError, match=r"."):
        wish("https://example.com:99999/x", SITE_NO)


def test_what_nobody_spoke_of_is_told_at_once_and_only_while_that_is_so() -> None:
    content, page = "ab" * 32, "https://example.com/q"
    table = loaded([said("content", content, "deny")])
    facts = Facts(Snapshot(BASE_POLICY, table), AT, "default", None)
    record = IngestEvent(service="crawler", source_type="crawl", url=page, content_sha256="cd" * 32)
    told = table.is_unspoken
    assert not told(content, None)
    assert told("cd" * 32, None)
    assert told(None, None)
    for _ in range(2):
        assert told(record.content_sha256, page)
        assert registered_preference(record, facts) == (UNKNOWN, None)
    for number, record_of_host in enumerate(
        (said("domain", "example.com", "deny"), said("url", "example.com/q", "deny"))
    ):
        table.put(b"more", record_of_host)
        assert not told(None, page)
        assert registered_preference(record, facts)[0].statement is record_of_host, number
        assert not told(None, page)
        table.put(b"more", None)
        assert told(None, page)
        assert registered_preference(record, facts) == (UNKNOWN, None)


@pytest.mark.parametrize(
    ("scheme", "subject", "spoken", "other"),
    [
        ("domain", "example.com", "https://a.example.com/", "https://example.org/"),
        ("domain", "a.b.example.com", "https://x.a.b.example.com:8443/", "https://a.example.org/"),
        ("domain", "com", "https://com/", "https://org.example/"),
        ("domain", "192.0.2.7", "https://192.0.2.7/", "https://a.example/"),
        ("domain", "例子.公司", "https://www.例子.公司/", "https://a.example/"),
        ("domain", "intranet", "http://intranet/a", "https://a.example/"),
        ("url_prefix", "www.example.com/a", "https://www.example.com/a/b", "https://example.org/a"),
        ("url", "example.com:8443/a?b=c", "https://example.com:8443/a?b=c", "http://example.co/a"),
        ("url", "[2001:db8::1]/a", "http://[2001:db8::1]/a", "http://a.example/"),
    ],
)
def test_a_site_is_told_with_all_that_lies_below_it(scheme: str, subject: str, spoken: str, other: str) -> None:
    table = loaded([said(scheme, subject, "deny")])
    assert not table.is_unspoken(None, spoken)
    assert Facts(Snapshot(BASE_POLICY, table), AT, "default", None).preference_for_url(spoken).value == "deny"
    assert table.is_unspoken(None, other)
    table.put(b"0", None)
    assert not table._gates


def test_origins_are_kept_up_to_a_number_and_a_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hegui.rules.fact_tables.MAX_ORIGINS", 3)
    table = loaded([said("domain", "example.org", "deny")])
    for number in range(10):
        assert table.is_unspoken(None, f"https://{number}.example.com/")
        assert len(table._unspoken) <= 3
    assert not table.is_unspoken(None, f"https://{'a.' * 200}example.com/")  # whoever asks further is told
    assert all(len(origin) < 300 for origin in table._unspoken)


VALUES = st.sampled_from(["allow", "deny", "unknown"])
SUBJECTS = st.sampled_from(
    [("domain", "example.com"), ("domain", "www.example.com"), ("url_prefix", "www.example.com/"), ("url_prefix", "www.example.com/a"),
     ("url", "www.example.com/a/b")]
)  # fmt: skip
RECORDS = st.builds(
    lambda subject, value, at_ms, source, category: said(*subject, value, at_ms, source=source, category=category),
    SUBJECTS, VALUES, st.integers(0, 20), st.sampled_from(["robots", "list", "other"]), st.sampled_from(["train", "mine", "search"]),
)  # fmt: skip


HOSTS = st.sampled_from(
    ["example.com", "a.example.com", "b.a.example.com", "example.org", "com", "1.2.3.4", "EXAMPLE.com", "例子.公司", "xn--fsqu00a.xn--55qx5d",
     "x_y.example.com", "-", "example.com.", "a..example.com", "[::1]", "example.com:80", "u@example.com"]
)  # fmt: skip
ADDRESSES = st.builds(
    lambda front, host, rest: front + host + rest,
    st.sampled_from(["https://", "http://", "HTTPS://", "", "//", " https://", "ftp://", "https:/"]),
    HOSTS,
    st.sampled_from(["", "/", "/a", "?q=/", "#/", ":99999/", "\\@example.org/", "@example.org/", "\n/x", "\u3000/"]),
)
REGISTERED = st.builds(
    lambda scheme, host, rest: said(scheme, host if scheme == "domain" else host + rest, "deny"),
    st.sampled_from(["domain", "url", "url_prefix"]),
    HOSTS,
    st.sampled_from(["/", "/a"]),
)


@settings(max_examples=500)
@given(st.lists(REGISTERED, max_size=3), ADDRESSES)
def test_of_what_is_told_to_be_unspoken_of_nothing_is_known(records: list[OptOut], url: str) -> None:
    table = loaded(records)
    if table.is_unspoken(None, url):
        facts = Facts(Snapshot(BASE_POLICY, table), AT, "default", None)
        assert facts.snapshot.registered(url) == ((), False)
        assert facts.preference_for_url(url) == UNKNOWN


@given(st.lists(RECORDS, max_size=6), st.integers(0, 20))
def test_a_yes_needs_a_yes_and_no_no(records: list[OptOut], at_ms: int) -> None:
    found = wish("https://www.example.com/a/b", *records, at_ms=at_ms)
    valid = [r for r in records if r.observed_at_ms <= at_ms]
    if found.value == "allow":
        assert any(r.value == "allow" and r.category == "train" for r in valid)
        last = {}
        for record in sorted(valid, key=lambda r: r.observed_at_ms):
            if record.source not in LONGEST_MATCH:
                last[record.source, record.category, record.key()] = record.value
        assert not any(value == "deny" and category != "search" for (_, category, _), value in last.items())
    if found.value == "deny":
        assert found.statement in valid


@given(st.lists(RECORDS, max_size=5))
def test_another_source_that_says_no_is_enough(records: list[OptOut]) -> None:
    no = said("url_prefix", "www.example.com/a", "deny", source="a third one")
    assert wish("https://www.example.com/a/b", *records, no).value == "deny"
