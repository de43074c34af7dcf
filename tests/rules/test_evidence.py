"""What may stand in a result: numbers and short codes as they are, everything else as its hash."""

import enum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hegui.rules.evidence import Code, is_code, opaque_id, reference, safe

PERSONS = [
    "13800138000",
    "8613800138000",
    "+8613800138000",
    "+86-13800138000",
    "008613800138000",
    "013800138000",
    "138-0013-8000",
    "138.0013.8000",
    "+86-138-0013-8000",
    "user-13800138000",
    "tel:13800138000",
    "11010519491231002X",
    "11010519491231002x",
    "110105194912310021",
    "110105-19491231-002X",
    "130503670401001",
    "zhang.san@example.com",
]
"""Mainland mobile numbers and resident identity numbers, as people write them; an address."""

CODES = ["cn-north-1", "SG", "LBL001", "Beijing-0001", "model-a:2", "a", "x" * 64, "art_5_1", "1.0+build", "2026-08-01"]


@pytest.mark.parametrize("value", [None, True, False, 0, -3, 2.5, 2**62])
def test_numbers_and_booleans_stay(value: object) -> None:
    assert safe(value) is value


@pytest.mark.parametrize("text", CODES)
def test_a_vouched_code_stays(text: str) -> None:
    kept = safe(Code(text))
    assert kept == text
    assert type(kept) is str


@pytest.mark.parametrize("text", CODES)
def test_any_other_text_is_hashed_even_when_it_looks_like_a_code(text: str) -> None:
    assert safe(text) == reference(text)


class Colour(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize("value", [Colour.RED, b"raw", ("a", 1), {"a": 1}])
def test_other_objects_are_hashed(value: object) -> None:
    assert str(safe(value)).startswith("sha256:")


@pytest.mark.parametrize("text", [*PERSONS, "", "-a", "a b", "a\n", "人工智能", "x" * 65, "a?b", "a%40b", "a\u200bb"])
def test_a_code_that_is_none_is_hashed_in_spite_of_the_voucher(text: str) -> None:
    assert not is_code(text)
    assert safe(Code(text)) == reference(text)


@pytest.mark.parametrize(
    "text",
    [
        "/svc/images",
        "urn:uuid:6f1c7f6e-0001-4a52-9d53-1f2b3c4d5e6f",
        "https://gateway.internal/chat",
        "svc",
        "",
        "0123456789abcdef" * 2,
    ],
)
def test_an_opaque_identity_stays(text: str) -> None:
    assert opaque_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *PERSONS,
        "/users/13800138000/chat",
        "/users/张三",
        "https://gateway.internal/chat?user=zhang",
        "https://zhang@gateway.internal/",
        "a b",
        "/a/" + "b/" * 64,
        "k1:" + "ab" * 32,
        "a\n",
    ],
)
def test_an_identity_that_may_name_a_person_is_hashed(text: str) -> None:
    assert opaque_id(text) == reference(text)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(), max_size=80))
def test_a_reference_is_short_and_shows_nothing(text: str) -> None:
    found = reference(text)
    assert len(found) == len("sha256:") + 32
    assert reference(text) == found
    assert safe(text) == found


@settings(max_examples=200, deadline=None)
@given(
    st.text("abcdef-:/.", max_size=20),
    st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    st.text("ghi-:/.", max_size=20),
)
def test_no_number_of_a_person_survives_inside_other_text(before: str, number: str, after: str) -> None:
    assert number not in str(safe(Code(before + number + after)))
    assert number not in opaque_id(before + number + after)


def test_lone_surrogates_can_be_named_too() -> None:
    assert reference("\ud800").startswith("sha256:")
