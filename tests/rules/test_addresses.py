"""Addresses in normal form, and the prefixes under which a statement about one may stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hegui.rules.addresses import MAX_LEVELS, Address, address_of, host_of_normal, normal_address, prefixes_of


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://example.com", "example.com/"),
        ("https://example.com/", "example.com/"),
        ("HTTP://u:p@Example.COM:80/a/", "example.com/a/"),
        ("https://example.com:443/a", "example.com/a"),
        ("https://example.com:8443/a", "example.com:8443/a"),
        ("example.com:8080/a", "example.com:8080/a"),
        ("example.com/a#b", "example.com/a"),
        ("example.com/a?", "example.com/a"),
        ("example.com/a?b=%7e&c=é", "example.com/a?b=~&c=%C3%A9"),
        ("example.com/%7Ea/%2e%2E/b", "example.com/b"),
        ("example.com/a/./b/../c/..", "example.com/a/"),
        ("example.com/a/.", "example.com/a/"),
        ("example.com/..", "example.com/"),
        ("example.com/../../a", "example.com/a"),
        ("example.com/a%2fb", "example.com/a%2Fb"),
        ("example.com/A*?price=$9", "example.com/A%2A?price=%249"),
        ("example.com/a%zz%", "example.com/a%25zz%25"),
        ("example.com/a%C3%A9", "example.com/a%C3%A9"),
        ("example.com/é", "example.com/%C3%A9"),
        ("example.com/a b\x00c", "example.com/a%20b%00c"),
        (" example.com/a\t/b \x00\ufeff", "example.com/a/b"),
        ("http://[2001:db8:0:0:0:0:0:1]/a", "[2001:db8::1]/a"),
        ("http://[::ffff:10.0.0.1]/a", "10.0.0.1/a"),
        ("example.com/a?b\\c", "example.com/a?b%5Cc"),
        ("example.com/a//b///", "example.com/a//b///"),
        ("example.com/a%5cb", "example.com/a%5Cb"),
        ("http://[2001:DB8::1]/a", "[2001:db8::1]/a"),
        ("http://[2001:db8::1]:8080/a", "[2001:db8::1]:8080/a"),
        ("http://10.0.0.1/a", "10.0.0.1/a"),
        ("https://例子.公司/页", "xn--fsqu00a.xn--55qx5d/%E9%A1%B5"),
    ],
)
def test_an_address_has_one_form(url: str, normal: str) -> None:
    assert normal_address(url) == normal
    assert normal_address(normal) == normal
    assert address_of(normal).text() == normal
    assert host_of_normal(normal) == address_of(url).host


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/a",
        "https://",
        "mailto:a@example.com",
        "https://example.com:99999/",
        "https://example.com:x/",
        "https://example.com/a\\b",
        "https://example.com/x\\..\\a",
        "0x7f.0.0.1/a",
        "127.1/a",
        "a..example.com/a",
    ],
)
def test_an_address_without_readable_host_or_port_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        normal_address(url)


@pytest.mark.parametrize(
    ("url", "prefixes"),
    [
        ("https://example.com", ["example.com/"]),
        ("https://example.com/a/b", ["example.com/", "example.com/a", "example.com/a/", "example.com/a/b"]),
        ("https://example.com/a/", ["example.com/", "example.com/a", "example.com/a/"]),
        ("https://example.com/a?b", ["example.com/", "example.com/a", "example.com/a?b"]),
        ("https://example.com/?b", ["example.com/", "example.com/?b"]),
        ("https://example.com:81//a", ["example.com:81/", "example.com:81//", "example.com:81//a"]),
    ],
)
def test_the_prefixes_of_an_address_from_the_broadest(url: str, prefixes: list[str]) -> None:
    assert prefixes_of(address_of(url)) == prefixes


def test_an_address_of_endless_depth_has_a_bounded_number_of_prefixes() -> None:
    deep = address_of("https://example.com/" + "a/" * 1000 + "?q")
    assert len(prefixes_of(deep)) == 2 * MAX_LEVELS + 2


@given(st.text(max_size=60), st.text(max_size=20))
def test_normal_forms_are_stable_and_lie_below_their_site(path: str, query: str) -> None:
    try:
        found = address_of(f"https://example.com/{path}?{query}")
    except ValueError:
        return
    assert normal_address(found.text()) == found.text()
    assert found.text().isascii()
    assert not {".", ".."} & set(found.path.split("/"))
    assert prefixes_of(found)[0] == "example.com/"


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        found = address_of(text)
    except ValueError:
        return
    assert isinstance(found, Address)
    assert found.host
    assert host_of_normal(found.text()) == found.host
