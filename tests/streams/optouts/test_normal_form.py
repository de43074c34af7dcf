"""One statement in normal form, or the reason why it is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hegui.rules.facts import OptOut
from hegui.streams.errors import OptOutError
from hegui.streams.optouts.normal_form import (
    SCHEMES,
    checked_ms,
    ends_sooner,
    epoch_ms,
    normal,
    record_key,
    resolved,
    statement,
    suffixes,
    web_address,
)
from hegui.streams.optouts.remarks import NOTES, REASONS
from tests.streams.optouts.texts import AT_MS, DIGEST, PERSON


@pytest.mark.parametrize(
    ("scheme", "subject", "found"),
    [
        ("domain", "Example.COM.", "example.com"),
        ("domain", "*.example.com", "example.com"),
        ("domain", " 例子.example ", "xn--fsqu00a.example"),
        ("domain", "ｅｘａｍｐｌｅ。ｃｏｍ", "example.com"),
        ("domain", "\u0435xample.com", "xn--xample-2of.com"),
        ("domain", "example.co.uk", "example.co.uk"),
        ("domain", "www.ck", "www.ck"),
        ("domain", "127.0.0.1", "127.0.0.1"),
        ("domain", "2001:DB8::1", "2001:db8::1"),
        ("domain", "my_site.example.com", "my_site.example.com"),
        ("url_prefix", "https://u:p@Example.com:443/a/../b/", "example.com/b/"),
        ("url_prefix", "example.com:8443/a", "example.com:8443/a"),
        ("url_prefix", "//example.com/%61", "example.com/a"),
        ("url", "http://example.com/a?b=1#c", "example.com/a?b=1"),
        ("content", "SHA256:" + DIGEST.upper(), DIGEST),
        ("work", "ISBN:978-7-302-51184-7", "isbn:9787302511847"),
        ("holder", " Some  Press ", "some press"),
        ("user", PERSON, PERSON),
    ],
)
def test_a_subject_has_one_form(scheme, subject, found):
    assert normal(scheme, subject) == found
    assert normal(scheme, found) == found
    assert OptOut(scheme, found, "deny", 1).key() == (scheme, found)


@pytest.mark.parametrize(
    ("scheme", "subject", "reason"),
    [
        ("planet", "x", "scheme_unknown"),
        ("domain", " ", "no_subject"),
        ("domain", "com", "public_suffix"),
        ("domain", "co.uk", "public_suffix"),
        ("domain", "a.ck", "public_suffix"),
        ("domain", "github.io", "public_suffix"),
        ("domain", "公司.cn", "public_suffix"),
        ("domain", "localhost", "public_suffix"),
        ("domain", "a..example.com", "subject_invalid"),
        ("domain", ".example.com", "subject_invalid"),
        ("domain", "example.com/a", "subject_invalid"),
        ("domain", "example.com:80", "subject_invalid"),
        ("domain", "user@example.com", "subject_invalid"),
        ("domain", "exa mple.com", "subject_invalid"),
        ("domain", "-x.example.com", "subject_invalid"),
        ("domain", "*.", "no_subject"),
        ("domain", "...", "no_subject"),
        ("domain", "1.2.3.4.5", "subject_invalid"),
        ("domain", "example.123", "subject_invalid"),
        ("domain", "a:b", "subject_invalid"),
        ("domain", "é" * 64 + ".example", "subject_invalid"),
        ("domain", "a." * 130 + "com", "subject_invalid"),
        ("domain", "exam\0ple.com", "control_characters"),
        ("domain", "exam\nple.com", "control_characters"),
        ("holder", "exam\udcffple", "control_characters"),
        ("url_prefix", "ftp://example.com/a", "subject_invalid"),
        ("url_prefix", "javascript:alert(1)", "subject_invalid"),
        ("url_prefix", "/a", "subject_invalid"),
        ("url_prefix", "https://example.com\\@evil.example/", "subject_invalid"),
        ("url_prefix", "https://example.com:99999/", "subject_invalid"),
        ("url_prefix", "https://a..example.com/", "subject_invalid"),
        ("url_prefix", "https://example.com/" + "a/" * 65, "too_deep"),
        ("url_prefix", "https://example.com/" + "é" * 1000, "too_deep"),
        ("url", "https://example.com/" + "a" * 3000, "too_deep"),
        ("content", "ab", "subject_invalid"),
        ("work", "isbn:9787302511848", "subject_invalid"),
        ("work", "9787302511847", "subject_invalid"),
        ("user", "somebody@example.com", "user_not_hashed"),
        ("user", "k1:" + "AB" * 32, "user_not_hashed"),
    ],
)
def test_what_has_no_normal_form_is_refused_with_a_reason(scheme, subject, reason):
    with pytest.raises(OptOutError) as refused:
        normal(scheme, subject)
    assert refused.value.reason == reason
    assert str(refused.value) == reason


@given(st.sampled_from(sorted(SCHEMES)), st.text(max_size=100))
def test_any_subject_has_a_normal_form_that_stays_or_a_reason(scheme, subject):
    try:
        found = normal(scheme, subject)
    except OptOutError as error:
        assert error.reason in REASONS
        return
    assert normal(scheme, found) == found
    assert OptOut(scheme, found, "deny", 1).key() == (scheme, found)
    if scheme == "domain":
        assert found[-1].isdigit() or ":" in found or suffixes().privatesuffix(found)


@pytest.mark.parametrize(
    ("changes", "reason"), [({"value": "ALLOW"}, "value_unknown"), ({"category": "cook"}, "category_unknown")]
)
def test_values_and_uses_are_taken_as_they_are_written_or_not_at_all(changes, reason):
    given = {"value": "allow", "category": "train", **changes}
    with pytest.raises(OptOutError) as refused:
        statement("domain", "example.com", given["value"], 1, source="s", category=given["category"])
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-11-20T10:00:00+08:00", 1_795_140_000_000),
        ("2026-11-20T02:00:00Z", 1_795_140_000_000),
        (" 2026-11-20 02:00:00.5+00:00 ", 1_795_140_000_500),
        ("2026-11-20T02:00:00", "time_without_offset"),
        ("2026-11-20", "time_without_offset"),
        ("20.11.2026", "time_invalid"),
        ("1969-12-31T23:59:59Z", "time_invalid"),
        ("0001-01-01T00:00:00+14:00", "time_invalid"),
        ("", "time_invalid"),
    ],
)
def test_a_time_needs_an_offset(text, found):
    try:
        assert epoch_ms(text) == found
    except OptOutError as error:
        assert error.reason == found


@pytest.mark.parametrize("at_ms", [-1, 2**53])
def test_a_time_that_no_event_can_have_is_refused(at_ms):
    with pytest.raises(OptOutError):
        checked_ms(at_ms)


def test_the_same_statement_has_the_same_record_key_and_another_one_another():
    first = statement("domain", "example.com", "deny", AT_MS, source="s")
    assert record_key(first) == record_key(statement("domain", "EXAMPLE.com.", "deny", AT_MS, source="s", evidence="e"))
    others = [
        statement("domain", "example.org", "deny", AT_MS, source="s"),
        statement("domain", "example.com", "allow", AT_MS, source="s"),
        statement("domain", "example.com", "deny", AT_MS + 1, source="s"),
        statement("domain", "example.com", "deny", AT_MS, source="t"),
        statement("domain", "example.com", "deny", AT_MS, source="s", category="mine"),
        statement("url_prefix", "example.com", "deny", AT_MS, source="s"),
        # A longer no is not replaced by a shorter one.
        statement("domain", "example.com", "deny", AT_MS, source="s", valid_to_ms=AT_MS + 1),
        statement("domain", "example.com", "deny", AT_MS, source="s", valid_to_ms=AT_MS + 2),
    ]
    assert len({record_key(record) for record in [first, *others]}) == 9


@pytest.mark.parametrize("value", ["allow", "unknown"])
def test_the_end_of_what_is_no_refusal_is_corrected_under_its_key(value):
    one, other = (
        statement("domain", "example.com", value, AT_MS, source="s", valid_to_ms=end) for end in (None, AT_MS + 1)
    )
    assert record_key(one) == record_key(other)


@pytest.mark.parametrize(
    ("one", "other", "sooner"),
    [(1, None, True), (1, 2, True), (2, 2, False), (2, 1, False), (None, 1, False), (None, None, False)],
)
def test_which_end_comes_first(one, other, sooner):
    assert ends_sooner(one, other) is sooner


def test_every_reason_has_a_sentence_and_none_stands_twice():
    assert not REASONS.keys() & NOTES.keys()
    assert all(sentence and not sentence.endswith(".") for sentence in [*REASONS.values(), *NOTES.values()])


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("/a", "https://example.com/a"),
        (" b ", "https://example.com/d/b"),
        ("//www.example.com/a", "https://www.example.com/a"),
        ("http://example.org:8080/", "http://example.org:8080/"),
    ],
)
def test_a_link_is_resolved_from_its_page(reference, url):
    assert resolved("https://example.com/d/e", reference) == url


@pytest.mark.parametrize(
    "reference", ["http://[bad/l.xml", "http://[x", "//a b/", "ftp://x/", "http://x:99999/", "a\0b"]
)
def test_a_link_that_leads_to_no_web_address_is_refused(reference):
    with pytest.raises(OptOutError) as error:
        resolved("https://example.com/", reference)
    assert error.value.reason == "link_invalid"


@given(st.text() | st.text("/:@[]%.?#\\abh1 ").map("http:".__add__))
def test_whatever_a_link_is_it_leads_to_a_web_address_or_is_refused(reference):
    try:
        url = resolved("https://example.com/", reference)
    except OptOutError:
        return
    assert web_address(url).host
