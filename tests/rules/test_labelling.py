"""Details of labels: the parser of Annex E, provider codes, and what four rules read of one label."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hegui.rules.cases import GOOD_LABEL
from hegui.rules.events import ImplicitLabel, LabelSite
from hegui.rules.labelling.annex_e import KEYS, Parsed, _parse_carefully, labels, parse
from hegui.rules.labelling.provider_code import NAME, looks_like_code, problem_of, social_credit_code_valid

VALUES: dict[str, str] = json.loads(GOOD_LABEL)
PRODUCER = VALUES["ContentProducer"]


def label(**changes: object) -> str:
    return json.dumps({**VALUES, **changes}, ensure_ascii=False, separators=(",", ":"))


def without(key: str) -> str:
    return json.dumps({name: value for name, value in VALUES.items() if name != key})


READ: list[tuple[str, str | None, bool]] = [
    (GOOD_LABEL, None, False),
    (f"  {GOOD_LABEL}\n", None, False),
    (json.dumps(VALUES, indent=2), None, False),
    (f'{{"AIGC":{GOOD_LABEL}}}', None, False),
    (label(ReservedCode1='quoted"value'), None, False),
    (label(ReservedCode1="back\\slash"), None, False),
    (GOOD_LABEL.replace('"Label"', '"\\u004cabel"'), None, False),
    ("", "empty", True),
    (" \n", "empty", True),
    ("{}", "empty", True),
    ('{"AIGC":{}}', "empty", True),
    ("{", "truncated", True),
    (GOOD_LABEL[:-1], "truncated", True),
    (GOOD_LABEL[:40], "truncated", True),
    ("AIGC", "not_plain_json", False),
    ("{oops}", "not_plain_json", False),
    ("\ufeff" + GOOD_LABEL, "not_plain_json", False),
    ("[" * 100_000, "not_plain_json", False),
    ("[]", "not_an_object", False),
    ("null", "not_an_object", False),
    ("NaN", "not_an_object", False),
    ('"text"', "not_an_object", False),
    ('{"AIGC":"{}"}', "not_an_object", False),
    ('{"AIGC":[1]}', "not_an_object", False),
    ('{"Label":"1","Label":"1"}', "duplicate_key", False),
    (f'{{"AIGC":{{"Label":"1",{GOOD_LABEL[1:]}}}', "duplicate_key", False),
    ('{"AIGC":{},"AIGC":{}}', "duplicate_key", False),
    (label(Label=1), "value_not_a_string", False),
    (label(ReservedCode2=None), "value_not_a_string", False),
    (label(ReservedCode2={}), "value_not_a_string", False),
    *((without(key), f"missing_{key}", False) for key in KEYS),
    ('{"Label":"1"}', "missing_ContentProducer", False),
    (GOOD_LABEL.replace("ReservedCode1", "ReserveCode1"), "missing_ReservedCode1", False),
    (label(ServiceProvider="x"), "unknown_key", False),
    (label(AIGC="x"), "unknown_key", False),
    (label(Label=""), "blank_Label", False),
    (label(ContentProducer=""), "blank_ContentProducer", False),
    (label(ProduceID=""), "blank_ProduceID", False),
    (label(ProduceID="a b"), "characters_of_ProduceID", False),
    (label(ProduceID="\x7f"), "characters_of_ProduceID", False),
    (label(ProduceID="a\n"), "characters_of_ProduceID", False),
    (label(ContentProducer="某公司"), "characters_of_ContentProducer", False),
    (GOOD_LABEL.replace("4c8a5c1e", "\\u00e9"), "characters_of_ProduceID", False),
    (GOOD_LABEL.replace("4c8a5c1e", "\\ud800"), "characters_of_ProduceID", False),
    (GOOD_LABEL.replace("4c8a5c1e", "\ud800"), "characters_of_ProduceID", False),
]


@pytest.mark.parametrize(("text", "problem", "damaged"), READ, ids=[repr(text)[:60] for text, _, _ in READ])
def test_what_is_wrong_with_a_label(text: str, problem: str | None, damaged: bool) -> None:
    found = parse(text)
    assert (found.problem, found.damaged) == (problem, damaged)
    assert found == _parse_carefully(text)


@pytest.mark.parametrize(
    ("text", "value", "producer"),
    [
        (GOOD_LABEL, "1", PRODUCER),
        (label(Label="2", ProduceID=""), "2", PRODUCER),
        (label(Label="2", ServiceProvider="x"), "2", PRODUCER),
        (label(Label=2), None, PRODUCER),
        ('{"Label":"3"}', "3", None),
        ("[1]", None, None),
        ("{", None, None),
    ],
)
def test_label_and_producer_are_read_from_whatever_can_be_read(
    text: str, value: str | None, producer: str | None
) -> None:
    found = parse(text)
    assert (found.label, found.producer) == (value, producer)


PIECES = st.sampled_from(
    [*KEYS, "AIGC", '"', '""', "{", "}", ":", ",", "\\", '\\"', "\\u0041", " ", "1", "é", "\t", "[]"]
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good label, a few pieces of it cut out or replaced by other pieces of JSON."""
    text = draw(st.sampled_from([GOOD_LABEL, f'{{"AIGC":{GOOD_LABEL}}}', label(ProduceID="x y"), label(Label="")]))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(PIECES | st.just("")) + text[at + draw(st.integers(0, 3)) :]
    return text


@settings(max_examples=500, deadline=None)
@given(mutated())
def test_the_quick_path_reads_a_label_as_the_careful_one(text: str) -> None:
    assert parse(text) == _parse_carefully(text)


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(KEYS, st.text(st.characters(codec="ascii"), max_size=4))))
def test_any_seven_texts_are_read_alike_on_both_paths(values: dict[str, str]) -> None:
    text = json.dumps(values, separators=(",", ":"))
    assert parse(text) == _parse_carefully(text)


def test_labels_of_an_event_are_told_site_by_site_and_unknown_stays_unknown() -> None:
    assert labels(None) is None
    assert labels(ImplicitLabel(container=True)) is None
    assert labels(ImplicitLabel(sites=())) == []
    two = ImplicitLabel(sites=(LabelSite("xmp", GOOD_LABEL), LabelSite("png_text", "{}")))
    other = ImplicitLabel(sites=(LabelSite("xmp", "[1]"),))
    expected = [Parsed(None, False, *VALUES.values()), Parsed("empty", damaged=True)]
    assert [labels(two), labels(two), labels(other), labels(two)] == [
        expected,
        expected,
        [Parsed("not_an_object")],
        expected,
    ]


GOOD_CODES = [
    "001191110102MAD55U9H0F10002",
    "001191440300708461136T1XGW3",
    "001191440300708461136T1308L",
    "001191610133596325171T12566",
]


@pytest.mark.parametrize("code", GOOD_CODES)
def test_public_codes_are_valid(code: str) -> None:
    assert looks_like_code(code)
    assert problem_of(code) is None
    assert social_credit_code_valid(code[4:22])


@pytest.mark.parametrize("code", GOOD_CODES)
@pytest.mark.parametrize("place", range(4, 22))
def test_one_wrong_character_anywhere_in_the_credit_code_is_noticed(code: str, place: int) -> None:
    for character in "0123456789ABCDEFGHJKLMNPQRTUWXY":
        changed = code[:place] + character + code[place + 1 :]
        assert problem_of(changed) == (None if changed == code else "checksum")


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("0011DEMOAI00000", "form"),
        ("001191440300708461136T2XGW3", "form"),
        ("001191440300708461136T0XGW3", "form"),
        ("001191440300708461136T00000", None),
        ("001191440300708461136T1XGW", "form"),
        ("001191440300708461136T1XGW33", "form"),
        ("001191440300708461136t1XGW3", "form"),
        ("011191440300708461136T1XGW3", NAME),
        ("001191440300708461136T1XGW3\n", NAME),
        ("0011914403007084611I6T1XGW3", "checksum"),
        ("002191440300708461136T1XGW3", None),
        ("001291440300708461137T1XGW3", None),
        ("doubao", NAME),
    ],
)
def test_problems_of_codes(code: str, problem: str | None) -> None:
    assert problem_of(code) == problem


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("doubao", False),
        ("picwish", False),
        ("Minimax Agent AI", False),
        ("00", False),
        ("0012345", False),
        ("00123456", True),
        ("0011DEMOAI00000", True),
        ("", False),
    ],
)
def test_a_name_is_not_taken_for_a_code(text: str, code: bool) -> None:
    assert looks_like_code(text) is code


@pytest.mark.parametrize(
    "code", ["", "9144030070846113", "91440300708461136T0", "91440300708461136I", "９1440300708461136T"]
)
def test_what_is_no_credit_code_is_not_valid(code: str) -> None:
    assert not social_credit_code_valid(code)
