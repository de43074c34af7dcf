"""The Content-Code in an ISCC, beside iscc-lib."""

import iscc_lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hegui.rules.iscc import CONTENT, KINDS, ContentUnit, content_unit, content_units, is_iscc, written

META, SEMANTIC, DATA, INSTANCE = 0, 1, 3, 4
BYTES = st.binary(min_size=32, max_size=32)


def unit(main: int, kind: int, content: bytes, bits: int = 64) -> str:
    return iscc_lib.encode_component(main, kind, 0, bits, content)


@given(st.sampled_from(range(5)), BYTES, st.sampled_from(range(64, 257, 32)))
def test_a_content_code_gives_its_first_64_bits_and_kind(kind: int, content: bytes, bits: int):
    code = unit(CONTENT, kind, content, bits)
    assert content_unit(f"iscc:{code}") == ContentUnit(KINDS[kind], int.from_bytes(content[:8]))


@given(st.sampled_from(range(5)), st.lists(BYTES, min_size=5, max_size=5), st.booleans(), st.booleans())
def test_a_composite_code_gives_its_content_code(kind: int, contents: list[bytes], meta: bool, semantic: bool):
    # A semantic code has the kind of the content.
    units = [unit(CONTENT, kind, contents[0]), unit(DATA, 0, contents[1]), unit(INSTANCE, 0, contents[2])]
    units += [unit(META, 0, contents[3])] if meta else []
    units += [unit(SEMANTIC, kind, contents[4])] if semantic else []
    code = iscc_lib.gen_iscc_code_v0(units)["iscc"]
    (expected,) = [one for one in iscc_lib.iscc_decompose(code) if iscc_lib.iscc_decode(one)[0] == CONTENT]
    assert (
        content_unit(code)
        == content_unit(f"iscc:{expected}")
        == ContentUnit(KINDS[kind], int.from_bytes(contents[0][:8]))
    )


@given(st.lists(BYTES, min_size=3, max_size=3), st.booleans())
def test_a_composite_code_without_content_gives_none(contents: list[bytes], wide: bool):
    units = [unit(DATA, 0, contents[0], 128), unit(INSTANCE, 0, contents[1], 128)]
    assert content_unit(iscc_lib.gen_iscc_code_v0(units, wide=wide)["iscc"]) is None


@given(st.sampled_from([META, SEMANTIC, DATA, INSTANCE]), BYTES)
def test_other_units_give_none(main: int, content: bytes):
    assert content_unit("iscc:" + unit(main, 0, content)) is None


@pytest.mark.parametrize(
    "text",
    [
        "iscc:",
        "iscc:E",
        "iscc:EA",
        "iscc:EAAMLN74RY",  # 32 bits
        "iscc:EAA4LN74R3C3GSL5A",  # more than it says
        "iscc:EAA4LN74R3C3GS",  # less
        "iscc:ééééééééééééé",
        "iscc:EAA4LN74R3C3GSL1",  # no base32
        "iscc:EAI4LN74R3C3GSL5",  # another version
        "iscc:EAD4LN74R3C3GSL5",  # 256 bits announced
        "iscc:2AA4LN74R3C3GSL5",  # no such main type
        "iscc:KAAMLN74R3C3GSL5GEZDGNBVGY3TQYLC",  # a unit is missing
    ],
)
def test_what_is_none_gives_none(text: str):
    assert content_unit(text) is None


@given(st.text())
def test_no_text_is_too_strange(text: str):
    content_unit(text)
    assert is_iscc(text) is text.lstrip().lower().startswith("iscc:")


@given(st.binary(max_size=80))
def test_no_bytes_are_too_strange(content: bytes):
    found = content_unit("iscc:" + iscc_lib.encode_base64(content))
    assert found is None or 0 <= found.bits < 1 << 64


def test_spelling_does_not_matter():
    names = ["iscc:EAA4LN74R3C3GSL5", " ISCC:eaa4ln74r3c3gsl5 ", "Iscc: EAA4LN74R3C3GSL5"]
    assert len({content_unit(name) for name in names}) == 1
    assert {written(name) for name in names} == {names[0]}
    assert all(map(is_iscc, names))
    assert not is_iscc(None) and not is_iscc("isbn:9787000000001")


def test_only_codes_with_a_content_code_are_taken_from_names():
    assert content_units(None, "isbn:9787000000001", "iscc:GAATCMRTGQ2TMNZY") == ()
    assert len(content_units("iscc:EAA4LN74R3C3GSL5", "iscc:EEA4LN74R3C3GSL5")) == 2
