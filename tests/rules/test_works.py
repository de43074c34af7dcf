"""Identifiers of works, holders and content in one form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hegui.rules.works import normal_holder, normal_sha256, normal_work, readable_work, work_key


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("isbn:9787302511847", "isbn:9787302511847"),
        ("ISBN: 978-7-302-51184-7", "isbn:9787302511847"),
        ("isbn:7-00-000000-7", "isbn:9787000000001"),
        ("doi:10.1000/ABC.123", "doi:10.1000/abc.123"),
        ("doi:https://doi.org/10.1000/182", "doi:10.1000/182"),
        ("isrc:us-skg-19-12345", "isrc:USSKG1912345"),
        ("ISCC:kacyPXW445fTyneV", "iscc:KACYPXW445FTYNEV"),
        ("iscc:ISCC:KACYPXW445FTYNEV", "iscc:KACYPXW445FTYNEV"),
        ("dci:dci:2026-0001/A", "dci:2026-0001/A"),
    ],
)
def test_a_work_has_one_form(text: str, normal: str) -> None:
    assert normal_work(text) == normal
    assert normal_work(normal) == normal
    assert work_key(text) == normal
    assert readable_work(text) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9787302511847",
        "issn:1234-5679",
        "isbn:9787302511848",
        "isbn:7-00-000000-8",
        "isbn:123",
        "isbn:",
        "doi:11.1000/1",
        "doi:10.1000/",
        "doi:10.1000/a b",
        "isrc:XX-SKG-19-12345",
        "isrc:US",
        "iscc:ABC",
        "iscc:KACYPXW445FTYNE1",
        "dci:?",
    ],
)
def test_what_is_no_work_is_refused_without_naming_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"a work is named as|has not the form of one") as refused:
        normal_work(text)
    number = text.partition(":")[2]
    assert not number or number not in str(refused.value)
    assert work_key(text) == text
    assert readable_work(text) is None


@given(st.integers(0, 10**12 - 1), st.sampled_from(["978", "979"]))
def test_one_of_ten_check_digits_is_right(number: int, prefix: str) -> None:
    body = f"{prefix}{number % 10**9:09}"
    right = [text for digit in range(10) if readable_work(text := f"isbn:{body}{digit}")]
    assert len(right) == 1
    assert normal_work(right[0]) == right[0]


@given(st.text(max_size=40), st.sampled_from(["isbn", "doi", "isrc", "iscc", "dci", "x"]))
def test_any_text_has_a_key(text: str, scheme: str) -> None:
    key = work_key(f"{scheme}:{text}")
    assert work_key(key) == key


@pytest.mark.parametrize("name", ["Some Press", " some  PRESS\n", "Ｓｏｍｅ Press"])
def test_a_holder_has_one_spelling(name: str) -> None:
    assert normal_holder(name) == "some press"


@pytest.mark.parametrize("text", ["AB" * 32, "sha256:" + "ab" * 32, " SHA-256:" + "ab" * 32 + "\n"])
def test_a_digest_has_one_form(text: str) -> None:
    assert normal_sha256(text) == "ab" * 32


@pytest.mark.parametrize("text", ["", "ab" * 31, "g" * 64, "md5:" + "ab" * 16])
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        normal_sha256(text)
