"""Counts are made by subtraction; here they are compared with the plain way, one event and one rule at a time."""

from collections import Counter

from aiokafka.partitioner import murmur2 as theirs
from hypothesis import given, settings
from hypothesis import strategies as st

from hegui.streams.observations import murmur2, partition_of
from tests.streams.example import KINDS, TOPIC, engine, envelope, evaluator, records, reference
from tests.streams.fakes import FakeRecord

PLACE = (TOPIC, 0)
mixes = st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=40)


def batches(found, sizes):
    at = 0
    for size in sizes:
        yield found[at : at + size]
        at += size
    yield found[at:]


@settings(max_examples=60, deadline=None)
@given(mixes, st.lists(st.integers(1, 9), max_size=8), st.sets(st.integers(0, 8)))
def test_the_tallies_equal_outcomes_counted_one_by_one(kinds, sizes, ticks):
    ours = evaluator()
    ours.assign(PLACE, 0, 0)
    for number, batch in enumerate(batches(records(kinds), sizes)):
        ours.judge({PLACE: batch})
        if number in ticks:
            ours.tick({})
    ours.tick({})
    counts, _ = reference(engine(), [envelope(kind, n) for n, kind in enumerate(kinds)])
    assert +Counter(ours.tallies.evaluations) == counts
    assert sum(ours.tallies.events.values()) == len(kinds)


@settings(max_examples=30, deadline=None)
@given(mixes, st.integers(0, 40))
def test_what_an_earlier_process_counted_is_not_counted_again(kinds, judged_before):
    judged_before = min(judged_before, len(kinds))
    ours = evaluator()
    ours.assign(PLACE, 0, judged_before)
    ours.judge({PLACE: records(kinds)})
    ours.tick({})
    counts, _ = reference(engine(), [envelope(kind, n) for n, kind in enumerate(kinds)][judged_before:])
    assert +Counter(ours.tallies.evaluations) == counts


def test_dead_letters_are_counted_by_topic_and_reason():
    ours = evaluator()
    ours.assign(PLACE, 0, 0)
    ours.judge({PLACE: [FakeRecord(n, 1, None) for n in range(3)]})
    assert ours.tallies.dead_letters == {(TOPIC, "tombstone"): 3}


def test_the_partition_of_an_issue_is_the_one_that_kafkas_clients_give_its_key():
    # Values of the Java client's murmur2, as in Kafka's UtilsTest.
    assert [partition_of(key, 2**31) for key in (b"21", b"foobar", b"a-little-bit-long-string")] == [
        -973932308 & 0x7FFFFFFF,
        -790332482 & 0x7FFFFFFF,
        -985981536 & 0x7FFFFFFF,
    ]


def test_the_hash_of_a_key_is_aiokafkas():
    keys = [bytes(range(size)) + b"\xff" * (size % 3) for size in range(100)]
    assert [murmur2(key) for key in keys] == [theirs(key) & 0xFFFFFFFF for key in keys]
