"""The event contract: what the envelopes take and refuse, and that field docs are there for schema and pages."""

import json
from typing import Any

import msgspec
import pytest

from hegui.rules import case_events, events, fact_tables, generation, ingestion, policy, registry, violations, waivers
from hegui.rules.documentation import field_docs
from hegui.rules.events import ENVELOPES, STREAMS, Envelope, GenerationEnvelope, IngestEvent, is_person_key
from hegui.rules.exports import ExportLedger
from hegui.rules.guards import GUARDS
from hegui.rules.ledgers import abuse, corpora, coverage, deadlines, form, labels, sessions, sources
from hegui.rules.ledgers.form import Judged
from hegui.rules.values import are_person_keys

PERSON = "k1:" + "ab" * 32
DECODER = msgspec.json.Decoder(Envelope)


def wire(fields: dict[str, Any] | None = None, **attributes: Any) -> bytes:
    envelope = {
        "id": "e-1",
        "source": "/svc",
        "time": "2026-08-01T12:00:00+08:00",
        "specversion": "1.0",
        "type": "hegui.generation.v1",
        "data": {"service": "svc", **(fields or {})},
    }
    return json.dumps({**envelope, **attributes}).encode()


def test_the_least_event_is_taken_and_everything_else_is_unknown() -> None:
    event = DECODER.decode(wire())
    assert isinstance(event, GenerationEnvelope)
    assert (event.tenant, event.revision) == ("default", 0)
    assert all(getattr(event.data, name) is None for name in event.data.__struct_fields__ if name != "service")


@pytest.mark.parametrize("attributes", [{"newer": 1}, {"datacontenttype": "application/json"}])
@pytest.mark.parametrize("data", [{"newer": {"a": 1}}, {"explicit_label": {"newer": 1}}])
def test_fields_of_a_newer_version_are_ignored(attributes: dict[str, Any], data: dict[str, Any]) -> None:
    assert DECODER.decode(wire(data, **attributes)).data.service == "svc"


@pytest.mark.parametrize(
    "attributes",
    [
        {"id": ""},
        {"source": ""},
        {"id": "x" * 513},
        {"time": "2026-08-01T12:00:00"},
        {"specversion": "0.3"},
        {"type": "hegui.generation.v2"},
        {"tenant": ""},
        {"revision": -1},
        {"data": {}},
        {"data": None},
    ],
)
def test_an_envelope_without_its_attributes_is_refused(attributes: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        DECODER.decode(wire(**attributes))


@pytest.mark.parametrize(
    "data",
    [
        {"service": ""},
        {"modality": "smell"},
        {"deep_synthesis_category": 6},
        {"deep_synthesis_category": -1},
        {"delivered_at_ms": -1},
        {"delivered_at_ms": 2**53},
        {"user_key": "13800138000"},
        {"user_key": "k1:" + "ab" * 31},
        {"export": {}},
        {"export": {"entity": "e", "destination_country": "sg"}},
        {"export": {"entity": "e", "destination_country": "SG\n"}},
        {"train_use": "yes"},
    ],
)
def test_data_of_another_form_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        DECODER.decode(wire(data))


@pytest.mark.parametrize("digest", ["ab" * 31, "AB" * 32, "ab" * 32 + "\n"])
def test_a_hash_of_another_form_is_refused(digest: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        DECODER.decode(wire({"content_sha256": digest}, type="hegui.ingest.v1"))


def test_a_keyed_hash_of_a_person_is_taken() -> None:
    assert DECODER.decode(wire({"user_key": PERSON})).data.user_key == PERSON


LEDGER_MODULES = (abuse, corpora, coverage, deadlines, form, labels, sessions, sources)
LEDGERS = {ExportLedger} | {on for on in GUARDS if issubclass(on, Judged)}


def test_every_event_type_has_envelope_stream_and_guards() -> None:
    data = {msgspec.structs.fields(envelope)[-1].type for envelope in ENVELOPES.values()}
    assert data == set(STREAMS) == set(GUARDS) - LEDGERS
    for name, envelope in ENVELOPES.items():
        assert envelope.__struct_config__.tag == name


@pytest.mark.parametrize(
    "struct",
    [
        struct
        for module in (
            ingestion,
            generation,
            case_events,
            *LEDGER_MODULES,
            events,
            fact_tables,
            registry,
            policy,
            waivers,
            violations,
        )
        for struct in vars(module).values()
        if isinstance(struct, type) and issubclass(struct, msgspec.Struct) and struct.__module__ == module.__name__
    ],
    ids=lambda struct: struct.__name__,
)
def test_every_field_says_what_it_is(struct: type) -> None:
    undocumented = set(struct.__struct_fields__) - {"data"} - field_docs(struct).keys()
    assert undocumented == set()
    assert all(field_docs(struct).values())


def test_docs_of_fields_come_from_the_text_below_them_and_from_base_classes() -> None:
    assert field_docs(IngestEvent)["dataset"] == "The dataset it goes into."
    assert field_docs(GenerationEnvelope)["source"] == "The producer."


def test_a_class_without_source_has_no_docs() -> None:
    made = type("Made", (), {"__module__": "nowhere"})
    assert field_docs(made) == {}


@pytest.mark.parametrize(
    "key",
    [
        "k1:" + "AB" * 32,
        PERSON + "\n",
        "\n" + PERSON,
        "k1:" + "ä" * 64,
        "k1;" + "ab" * 32,
        "k1:" + "a-" * 32,
        "1380013800013800138000138001380001380013800013800138000138001380013",
    ],
)
def test_what_is_no_keyed_hash_is_told_apart(key: str) -> None:
    assert is_person_key(PERSON)
    assert not is_person_key(key)
    assert are_person_keys([])
    assert are_person_keys([PERSON, PERSON])
    for keys in ([key], [PERSON, key], [key, PERSON]):
        assert not are_person_keys(keys)
