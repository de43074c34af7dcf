"""Whatever arrives, the decoder answers with events or with a reason of the finite set."""

from hypothesis import given
from hypothesis import strategies as st

from hegui.streams import simulation
from hegui.streams.decoders import decode_cloudevents
from hegui.streams.errors import DecodeError
from hegui.streams.metrics import DEAD_LETTER_REASONS
from tests.streams.example import KINDS, envelope

names = st.sampled_from(["content-type", "ce_type", "ce_id", "ce_source", "ce_time", "ce_specversion", "CE_TYPE", "x"])
contents = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.sampled_from([b"hegui.generation.v1", b"hegui.ingest.v1", b"1.0", b"application/cloudevents+json", b"text/xml"]),
)
headers = st.lists(st.tuples(names, contents), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def answers(value, given_headers):
    try:
        found = decode_cloudevents(value, given_headers)
    except DecodeError as error:
        assert error.reason in DEAD_LETTER_REASONS
        assert len(error.detail) < 300
    else:
        assert found


@given(st.binary(max_size=400), headers)
def test_arbitrary_bytes_only_ever_raise_a_decode_error(value, given_headers):
    answers(value, given_headers)


@given(st.sampled_from(sorted(KINDS)), st.data(), headers)
def test_a_damaged_event_only_ever_raises_a_decode_error(kind, data, given_headers):
    value = bytearray(simulation.encode(envelope(kind)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(value) - 1))
        value[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    answers(bytes(value), given_headers)


@given(json_values, json_values)
def test_any_json_in_the_place_of_an_attribute_only_ever_raises_a_decode_error(one, other):
    import json

    event = json.loads(simulation.encode(envelope("image")))
    for key in (*event, "tenant", "revision"):
        answers(json.dumps({**event, key: one}).encode("utf-8", "surrogatepass"), ())
    answers(json.dumps({**event, "data": {**event["data"], "moderation": other}}).encode(), ())
