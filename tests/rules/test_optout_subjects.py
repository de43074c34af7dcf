"""Subjects under which no event can be looked up, told without repeating them."""

import pytest

from hegui.rules.addresses import MAX_LEVELS
from hegui.rules.optout_subjects import subject_defect

DIGEST = "ab" * 32
PERSON = "k2026:" + DIGEST


@pytest.mark.parametrize(
    ("scheme", "subject"),
    [
        ("user", PERSON),
        ("content", DIGEST),
        ("holder", "Some Press"),
        ("domain", "example.com"),
        ("domain", "Example.COM."),
        ("domain", "例子.example"),
        ("domain", "a." * 124 + "exam"),
        ("domain", "127.0.0.1"),
        ("domain", "example.co.uk"),
        ("domain", "www.ck"),
        ("domain", "2001:db8::1"),
        ("url_prefix", "https://user@example.com/a"),
        ("url_prefix", "intranet/a"),
        ("url_prefix", "[2001:db8::1]:8080/a"),
        ("url", "example.com/a?b=1"),
        ("url", "example.com/A%2A?price=%249"),
        ("url_prefix", "github.io/a"),
        ("url", "example.com/" + "a/" * (MAX_LEVELS - 1)),
        ("work", "isbn:9787302511847"),
        ("work", "ISBN:978-7-302-51184-7"),
        ("work", "doi:10.1000/182"),
        ("work", "iscc:EAA4LN74R3C3GSL5"),
    ],
)
def test_a_subject_that_events_are_looked_up_under(scheme, subject) -> None:
    assert subject_defect(scheme, subject) is None


@pytest.mark.parametrize(
    ("scheme", "subject"),
    [
        ("user", "alice@example.com"),
        ("user", "K2026:" + DIGEST),
        ("content", "xyz"),
        ("content", DIGEST.upper()),
        ("holder", "   "),
        ("domain", "   "),
        ("domain", "com"),
        ("domain", "co.uk"),
        ("domain", "GitHub.io."),
        ("domain", "a.ck"),
        ("domain", "公司.cn"),
        ("domain", "*.example.com"),
        ("domain", ".example.com"),
        ("domain", "example..com"),
        ("domain", "https://example.com/"),
        ("domain", "1.2.3.4.5"),
        ("domain", "a." * 127 + "com"),
        ("domain", "\u00e9" * 64 + ".example"),
        ("url_prefix", "/a/b"),
        ("url_prefix", "example.com/*"),
        ("url_prefix", "example.com/a/*.pdf"),
        ("url_prefix", "example.com/a?q=*"),
        ("url", "example.com/a.pdf$"),
        ("url_prefix", "exa..mple.com/a"),
        ("url_prefix", "a." * 127 + "com/a"),
        ("url_prefix", "1.2.3.4.5/a"),
        ("url", "example.com:99999/a"),
        ("url", "example.com/" + "a/" * MAX_LEVELS),
        ("work", "978"),
        ("work", "9787302511847"),
        ("work", "isbn:9787302511848"),
        ("work", "isbn:9787302511846"),
        ("work", "doi:11.1/a"),
    ],
)
def test_a_subject_that_no_event_has_is_told_by_its_kind_alone(scheme, subject) -> None:
    defect = subject_defect(scheme, subject)
    assert defect
    assert subject not in defect
