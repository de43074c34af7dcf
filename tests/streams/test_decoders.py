"""CloudEvents from bytes and headers, and every kind of bad input."""

import json

import msgspec
import pytest

from hegui.rules.events import GenerationEnvelope, IngestEnvelope
from hegui.streams import simulation
from hegui.streams.decoders import Headers, decode_cloudevents, decode_lines
from hegui.streams.errors import DecodeError
from tests.streams.example import envelope

EVENT = envelope("image")
VALUE = simulation.encode(EVENT)
PLAIN = json.loads(VALUE)
DATA = json.dumps(PLAIN["data"]).encode()
HEADERS = [
    ("ce_specversion", b"1.0"),
    ("ce_type", b"hegui.generation.v1"),
    ("ce_source", EVENT.source.encode()),
    ("ce_id", EVENT.id.encode()),
    ("ce_time", EVENT.time.isoformat().encode()),
    ("content-type", b"application/json"),
]
MARKER = "marker-13912345678"


def refused(value: bytes, headers: Headers = ()) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode_cloudevents(value, headers)
    return caught.value


def changed(**changes: object) -> bytes:
    """The event with other attributes; None removes one."""
    return json.dumps({k: v for k, v in {**PLAIN, **changes}.items() if v is not None}).encode()


def with_data(**changes: object) -> bytes:
    return changed(data={k: v for k, v in {**PLAIN["data"], **changes}.items() if v is not None})


def test_a_structured_event_is_read_whole():
    assert decode_cloudevents(VALUE, ()) == (EVENT,)


@pytest.mark.parametrize(
    "content_type",
    [b"application/cloudevents+json; charset=UTF-8", b"Application/CloudEvents+JSON", b"application/cloudevents"],
)
def test_the_content_type_marks_structured_mode_even_beside_ce_headers(content_type):
    assert decode_cloudevents(VALUE, [*HEADERS[:-1], ("Content-Type", content_type)]) == (EVENT,)


def test_a_structured_event_without_any_fitting_header_is_still_read():
    assert decode_cloudevents(VALUE, [("trace", b"x"), ("content-type", b"application/json")]) == (EVENT,)


def test_a_binary_event_is_read_from_headers_and_value():
    assert decode_cloudevents(DATA, HEADERS) == (EVENT,)


def test_a_binary_event_carries_tenant_and_revision_as_text():
    (found,) = decode_cloudevents(DATA, [*HEADERS, ("ce_tenant", b"north"), ("ce_revision", b"3")])
    assert (found.tenant, found.revision) == ("north", 3)


def test_a_repeated_header_counts_with_its_last_value():
    (found,) = decode_cloudevents(DATA, [*HEADERS, ("ce_id", b"first"), ("ce_id", b"last")])
    assert found.id == "last"


def test_unknown_attributes_and_fields_are_passed_over():
    (found,) = decode_cloudevents(with_data(some_later_field={"a": [1]}), ())
    assert found.data == EVENT.data
    (found,) = decode_cloudevents(DATA, [*HEADERS, ("ce_traceparent", b"00-ab-cd-01"), ("ce_data", b"x")])
    assert found == EVENT


def test_the_type_tells_the_struct():
    ingest = envelope("licensed")
    (found,) = decode_cloudevents(simulation.encode(ingest), ())
    assert type(found) is IngestEnvelope
    assert type(EVENT) is GenerationEnvelope


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not_json"),
        (b"   ", "not_json"),
        (b"plain words", "not_json"),
        (VALUE[:-10], "not_json"),
        (VALUE + b"{}", "not_json"),
        (VALUE.replace(b'"deep_synthesis_category":5', b'"deep_synthesis_category":NaN'), "not_json"),
        (VALUE[:-1] + b',"tenant":"\\ud800"}', "not_json"),
        (VALUE[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not_json"),
        (b'{"data":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}", "not_json"),
        (VALUE.decode().encode("utf-16"), "wrong_encoding"),
        (VALUE.decode().encode("utf-16-le"), "wrong_encoding"),
        (VALUE.decode().encode("gb18030"), "wrong_encoding"),
        (VALUE.replace(b"image-studio", b"image\xff\xfe"), "wrong_encoding"),
        (b"[]", "invalid_envelope"),
        (b"null", "invalid_envelope"),
        (b'"text"', "invalid_envelope"),
        (b"{}", "invalid_envelope"),
        (changed(type=None), "invalid_envelope"),
        (changed(id=None), "invalid_envelope"),
        (changed(source=None), "invalid_envelope"),
        (changed(time=None), "invalid_envelope"),
        (changed(specversion=None), "invalid_envelope"),
        (changed(data=None), "invalid_envelope"),
        (changed(id=""), "invalid_envelope"),
        (changed(id="x" * 513), "invalid_envelope"),
        (changed(id=7), "invalid_envelope"),
        (changed(specversion="0.3"), "invalid_envelope"),
        (changed(time="2026-11-20T10:00:00"), "invalid_envelope"),
        (changed(time="yesterday"), "invalid_envelope"),
        (changed(time=1_795_140_000), "invalid_envelope"),
        (changed(revision=-1), "invalid_envelope"),
        (changed(revision="1"), "invalid_envelope"),
        (changed(type="hegui.generation.v2"), "unknown_type"),
        (changed(type=5), "unknown_type"),
        (with_data(service=None), "invalid_data"),
        (with_data(service=""), "invalid_data"),
        (with_data(modality="smell"), "invalid_data"),
        (with_data(modality=5), "invalid_data"),
        (with_data(exported="false"), "invalid_data"),
        (with_data(user_key="zhang.san@example.com"), "invalid_data"),
        (with_data(user_key="k1:" + "AB" * 32), "invalid_data"),
        (with_data(delivered_at_ms=2**53), "invalid_data"),
        (with_data(delivered_at_ms=-1), "invalid_data"),
        (with_data(deep_synthesis_category=int("9" * 300)), "invalid_data"),
        (VALUE.replace(b'"deep_synthesis_category":5', b'"deep_synthesis_category":1e400'), "invalid_data"),
        (with_data(explicit_label=[]), "invalid_data"),
        (changed(data=[]), "invalid_data"),
    ],
)
def test_a_bad_structured_event_is_refused_with_its_reason(value, reason):
    assert refused(value).reason == reason


def test_a_byte_order_mark_is_refused_not_guessed_at():
    assert refused(b"\xef\xbb\xbf" + VALUE).reason in {"wrong_encoding", "not_json"}


def test_huge_numbers_in_unknown_fields_do_no_harm():
    assert decode_cloudevents(VALUE[:-1] + b',"x":' + b"9" * 5_000 + b',"y":1e400}', ()) == (EVENT,)


def test_a_key_that_stands_twice_counts_with_its_last_value():
    (found,) = decode_cloudevents(VALUE[:-1] + b',"tenant":"first","tenant":"last"}', ())
    assert found.tenant == "last"
    twice = VALUE.replace(b'"modality":"image"', b'"modality":"video","modality":"image"')
    assert decode_cloudevents(twice, ()) == (EVENT,)


def test_an_event_of_two_types_is_refused():
    assert refused(VALUE[:-1] + b',"type":"hegui.ingest.v1"}').reason == "unknown_type"


@pytest.mark.parametrize(
    ("value", "more", "reason"),
    [
        (b"", [], "not_json"),
        (b"{}", [], "invalid_data"),
        (DATA, [("ce_type", b"com.example.other")], "unknown_type"),
        (DATA, [("ce_time", b"2026-11-20T10:00:00")], "invalid_envelope"),
        (DATA, [("ce_specversion", b"0.3")], "invalid_envelope"),
        (DATA, [("ce_id", b"")], "invalid_envelope"),
        (DATA, [("ce_revision", b"one")], "invalid_envelope"),
        (DATA, [("ce_tenant", b"\xff\xfe")], "wrong_encoding"),
        (DATA.replace(b"image-studio", b"\xff"), [], "wrong_encoding"),
        (DATA.replace(b'"image"', b'"smell"'), [], "invalid_data"),
        (json.dumps({**PLAIN["data"], "user_key": "k1:" + "AB" * 32}).encode(), [], "invalid_data"),
    ],
)
def test_a_bad_binary_event_is_refused_with_its_reason(value, more, reason):
    assert refused(value, [*HEADERS, *more]).reason == reason


def test_a_header_without_a_value_is_no_reason_to_stop():
    # Kafka's headers may be null; aiokafka hands them out as None.
    assert decode_cloudevents(DATA, [*HEADERS[:-1], ("content-type", None)]) == (EVENT,)
    assert decode_cloudevents(VALUE, [("content-type", None)]) == (EVENT,)


def test_header_names_in_capitals_mean_the_same():
    assert decode_cloudevents(DATA, [(name.upper(), value) for name, value in HEADERS]) == (EVENT,)


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (with_data(modality=MARKER), ()),
        (with_data(service={MARKER: 1}), ()),
        (with_data(user_key=MARKER), ()),
        (with_data(explicit_label={"present": MARKER}), ()),
        (with_data(modality=f"x - at `$.data.{MARKER}`"), ()),
        (changed(type=MARKER), ()),
        (changed(specversion=MARKER), ()),
        (changed(time=MARKER), ()),
        (f'{{"{MARKER}'.encode(), ()),
        (MARKER.encode() + b"\xff", ()),
        (DATA, [*HEADERS, ("ce_specversion", MARKER.encode())]),
        (DATA, [*HEADERS, ("ce_type", MARKER.encode())]),
        (DATA, [*HEADERS, ("ce_time", MARKER.encode())]),
        (DATA, [*HEADERS, ("ce_revision", MARKER.encode())]),
        (DATA, [*HEADERS, ("ce_x", MARKER.encode() + b"\xff")]),
        (DATA, [*HEADERS, (f"ce_{MARKER}", b"\xff")]),
        (DATA.replace(b'"image"', f'"{MARKER}"'.encode()), HEADERS),
    ],
)
def test_the_detail_names_the_place_and_never_shows_what_was_sent(value, headers):
    assert MARKER not in str(refused(value, headers))


def test_lines_are_read_one_by_one_and_bad_ones_do_not_end_the_reading():
    found = list(decode_lines([VALUE + b"\n", b"\n", b"not json\n", VALUE]))
    assert [getattr(one, "reason", None) for one in found] == [None, "not_json", None]
    assert found[0] == EVENT == msgspec.json.decode(VALUE, type=GenerationEnvelope)
