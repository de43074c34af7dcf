"""Registered works near a record: beside a comparison with each of them."""

from collections.abc import Iterator

import iscc_lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hegui.rules import near_works
from hegui.rules.cases import BASE_AT_MS, BASE_POLICY
from hegui.rules.facts import Facts, Notice, OptOut, Snapshot, loaded
from hegui.rules.iscc import KINDS, ContentUnit, content_unit
from hegui.rules.near_works import MAX_DISTANCE, NearWork, WorkCodes

BITS = st.integers(0, 2**64 - 1)
FLIPS = st.sets(st.integers(0, 63), max_size=20).map(lambda places: sum(1 << place for place in places))
DISTANCES = st.integers(0, MAX_DISTANCE)


@pytest.fixture(params=["one by one", "by parts"], autouse=True, scope="module")
def _either_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Few codes are compared one by one, many looked up by their parts: all here is asked both ways."""
    few, near_works._FEW = near_works._FEW, near_works._FEW if request.param == "one by one" else 0
    yield
    near_works._FEW = few


def code(bits: int, kind: int = 0) -> str:
    return "iscc:" + iscc_lib.encode_component(2, kind, 0, 64, bits.to_bytes(8))


def key(bits: int, kind: int = 0, scheme: str = "work") -> tuple[str, str]:
    return (scheme, code(bits, kind))


def codes_of(*keys: tuple[str, str]) -> WorkCodes:
    made = WorkCodes()
    for one in keys:
        made.add(one)
    return made


@given(BITS, FLIPS, DISTANCES)
def test_a_code_is_found_exactly_when_it_is_near_and_both_ways(bits: int, flips: int, most: int):
    other = bits ^ flips
    distance = flips.bit_count()
    there = codes_of(key(bits)).near([ContentUnit("text", other)], most)
    back = codes_of(key(other)).near([ContentUnit("text", bits)], most)
    assert there == ([NearWork(distance, *key(bits))] if distance <= most else [])
    assert back == ([NearWork(distance, *key(other))] if distance <= most else [])


@settings(max_examples=60)
@given(BITS, st.lists(st.tuples(FLIPS, st.sampled_from([0, 0, 1])), max_size=30), DISTANCES)
def test_all_near_ones_of_the_kind_are_found_the_nearest_first(bits: int, others: list[tuple[int, int]], most: int):
    keys = {key(bits ^ flips, kind): (flips, kind) for flips, kind in others}
    expected = sorted(
        NearWork(flips.bit_count(), *one)
        for one, (flips, kind) in keys.items()
        if not kind and flips.bit_count() <= most
    )
    assert codes_of(*keys).near([ContentUnit("text", bits)], most) == expected


KEYS = st.builds(
    key, st.sampled_from([0, 1, 1 << 20, 2**64 - 1]), st.sampled_from([0, 1]), st.sampled_from(["work", "fingerprint"])
)


@given(st.lists(st.tuples(st.booleans(), KEYS), max_size=40))
def test_keys_that_came_and_went_leave_nothing_behind(steps: list[tuple[bool, tuple[str, str]]]):
    made, held = WorkCodes(), set()
    for come, one in steps:
        (made.add if come else made.discard)(one)
        (held.add if come else held.discard)(one)
    fresh = codes_of(*held)
    assert len(made) == len(fresh)
    for kind in KINDS:
        for bits in (0, 3):
            wanted = [ContentUnit(kind, bits)]
            assert made.near(wanted, MAX_DISTANCE) == fresh.near(wanted, MAX_DISTANCE)
    for one in held:
        made.discard(one)
    assert not len(made) and not any(part for kind in made._kinds.values() for part in kind.parts)


@pytest.mark.parametrize(
    "strange",
    ["default", ("url", "iscc:EAA4LN74R3C3GSL5"), ("work", "isbn:9787000000001"), ("work", "iscc:GAATCMRTGQ2TMNZY")],
)
def test_other_keys_are_passed_over(strange: object):
    made = WorkCodes()
    made.add(strange)
    made.discard(strange)
    assert not len(made)


def test_a_work_near_in_two_codes_has_the_smaller_distance():
    made = codes_of(key(0))
    assert made.near([ContentUnit("text", 3), ContentUnit("text", 1)], 5) == [NearWork(1, *key(0))]
    assert made.near([ContentUnit("text", 1), ContentUnit("text", 3)], 5) == [NearWork(1, *key(0))]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([None, 0, 1, 7])), max_size=20))
def test_a_table_holds_the_codes_of_its_records(steps: list[tuple[int, int | None]]):
    table = loaded([OptOut("work", "isbn:9787000000001", "deny", 1)])
    now: dict[int, int] = {}
    for number, bits in steps:
        table.put(b"r%d" % number, None if bits is None else OptOut("work", code(bits).lower(), "deny", 1))
        now.pop(number, None)
        if bits is not None:
            now[number] = bits
    found = table.codes.near([ContentUnit("text", 0)], 3)
    assert {near.subject for near in found} == {code(bits) for bits in now.values()}


def facts(optouts: list[OptOut] | None = None, notices: list[Notice] | None = None) -> Facts:
    return Facts(Snapshot(BASE_POLICY, loaded(optouts or []), None, loaded(notices or [])), BASE_AT_MS, "default", None)


@given(st.integers(-5, 5), st.none() | st.integers(-5, 5))
def test_a_work_counts_from_its_registration_to_its_end(since: int, until: int | None):
    end = None if until is None else BASE_AT_MS + until
    asked = facts([OptOut("work", code(0), "deny", BASE_AT_MS + since, end)])
    found = asked.near_refusal([ContentUnit("text", 1)])
    assert (found is not None) == (since <= 0 and (until is None or until > 0))


def test_the_nearest_that_is_refused_is_told():
    far, near = OptOut("work", code(7), "deny", 1), OptOut("work", code(1), "deny", 2)
    allowed = OptOut("work", code(0), "allow", 3)
    assert facts([far, allowed, near]).near_refusal([ContentUnit("text", 0)]) == (1, near)


def test_an_allowance_of_the_same_work_does_not_outweigh_a_refusal():
    no, yes = OptOut("work", code(1), "deny", 1), OptOut("work", code(1), "allow", 2, source="app")
    assert facts([no, yes]).near_refusal([ContentUnit("text", 0)]) == (1, no)


def test_notices_are_found_as_they_are_written():
    notice = Notice("fingerprint", code(1).lower(), 1)
    assert content_unit(notice.subject) is not None
    assert facts(notices=[notice]).near_notice([ContentUnit("text", 0)]) == (1, notice)
