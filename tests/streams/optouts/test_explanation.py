"""Why something may or may not be used: every statement that covers it and its part."""

import pytest

from hegui.rules.cases import BASE_POLICY
from hegui.rules.facts import Facts, OptOut, Snapshot, loaded
from hegui.streams.errors import OptOutError
from hegui.streams.optouts.explanation import explain, keys_of
from hegui.streams.optouts.store import FileStore
from tests.streams.optouts.texts import AT_MS, DIGEST, PERSON


def said(scheme: str, subject: str, value: str, at_ms: int = AT_MS, **more) -> OptOut:
    return OptOut(scheme, subject, value, at_ms, **more)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (PERSON, [("user", PERSON)]),
        ("holder: Some  Press", [("holder", "some press")]),
        ("SHA256:" + DIGEST.upper(), [("content", DIGEST)]),
        ("ISBN:7-00-000000-7", [("work", "isbn:9787000000001")]),
        ("example.com", [("domain", "example.com"), ("url_prefix", "example.com/"), ("url", "example.com/")]),
        (
            "https://www.Example.com/a?b",
            [
                ("domain", "example.com"), ("domain", "www.example.com"), ("url_prefix", "www.example.com/"), ("url_prefix", "www.example.com/a"),
                ("url_prefix", "www.example.com/a?b"), ("url", "www.example.com/a?b"),
            ],
        ),
    ],
)  # fmt: skip
def test_a_subject_is_told_by_its_form(text, keys):
    assert keys_of(text) == keys


@pytest.mark.parametrize("text", ["", "isbn:123", "ftp://example.com/", "exa mple.com", "/a"])
def test_what_is_no_subject_is_refused(text):
    with pytest.raises(OptOutError):
        keys_of(text)


RECORDS = [
    said("domain", "example.com", "allow", AT_MS - 9),
    said("domain", "example.com", "deny", AT_MS - 5),
    said("domain", "example.com", "allow", AT_MS - 5, source="gone", valid_to_ms=AT_MS - 1),
    said("domain", "example.com", "deny", AT_MS + 1, source="later"),
    said("domain", "example.com", "deny", source="search", category="search"),
    said("domain", "example.com", "allow", source="mine", category="mine"),
    said("domain", "example.com", "allow", source="other"),
    said("domain", "example.com", "deny", source="too"),
    said("domain", "example.com", "unknown", source="silent"),
    said("url_prefix", "example.com/", "deny", source="robots"),
    said("url_prefix", "example.com/a", "unknown", source="robots"),
    said("url_prefix", "example.com/a/b", "unknown", AT_MS - 3, source="robots"),
    said("domain", "example.org", "deny"),
]


def test_every_statement_that_covers_an_address_is_told_with_its_part(tmp_path):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write(RECORDS)
    found = explain(store, "https://example.com/a/b", AT_MS)
    assert (found.preference.value, found.preference.statement) == ("deny", RECORDS[1])
    parts = {
        (each.statement.source, each.statement.observed_at_ms - AT_MS, each.statement.value): each.part
        for each in found.covering
    }
    assert parts == {
        ("registry", -9, "allow"): "replaced by another word of its source",
        ("registry", -5, "deny"): "decides",
        ("gone", -5, "allow"): "no longer in force at that time",
        ("later", 1, "deny"): "not yet said at that time",
        ("search", 0, "deny"): "speaks of another use",
        ("mine", 0, "allow"): "speaks of another use",
        ("other", 0, "allow"): "gives way to the no",
        ("too", 0, "deny"): "says the same",
        ("silent", 0, "unknown"): "says nothing",
        ("robots", 0, "deny"): "its source says more of a longer path",
        ("robots", 0, "unknown"): "says nothing",
        ("robots", -3, "unknown"): "its source said no more broadly later",
    }


@pytest.mark.parametrize(
    "url", ["https://example.com:99999/", "https://www.example.com/a\\b", "https://example.com:x/"]
)
def test_an_address_of_a_refused_domain_is_refused_though_it_cannot_be_read(tmp_path, url):
    store = FileStore(tmp_path / "optouts.jsonl")
    with pytest.raises(OptOutError):
        explain(store, url, AT_MS)
    store.write([said("domain", "example.com", "allow"), said("url_prefix", "example.com/", "deny", source="robots")])
    with pytest.raises(OptOutError):
        explain(store, url, AT_MS)
    refused = said("domain", "example.com", "deny", source="press")
    store.write([refused])
    found = explain(store, url, AT_MS)
    assert (found.preference.value, found.preference.statement, found.of_domain) == ("deny", refused, True)
    records = loaded([refused, said("url_prefix", "example.com/", "deny", source="robots")])
    assert Facts(Snapshot(BASE_POLICY, records), AT_MS, "default", None).preference_for_url(url).statement == refused
    with pytest.raises(OptOutError):
        explain(store, "https://exa mple.com:99999/", AT_MS)


@pytest.mark.parametrize("at_ms", [AT_MS - 10, AT_MS - 7, AT_MS - 5, AT_MS, AT_MS + 1])
@pytest.mark.parametrize(
    "url", ["https://example.com/", "https://example.com/a", "https://www.example.com/", "https://example.net/"]
)
def test_the_explanation_comes_to_what_the_rules_see(tmp_path, url, at_ms):
    store = FileStore(tmp_path / "optouts.jsonl")
    store.write(RECORDS)
    facts = Facts(Snapshot(BASE_POLICY, loaded(RECORDS)), at_ms, "default", None)
    assert explain(store, url, at_ms).preference == facts.preference_for_url(url)
