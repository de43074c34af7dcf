"""JSON Schemas and the AsyncAPI document: valid, described, and true of what is really written."""

import json

import jsonschema
import msgspec
import pytest

from hegui.rules.documentation import field_docs
from hegui.rules.events import GenerationEvent
from hegui.rules.fact_tables import CondemnedSource
from hegui.rules.facts import Filing
from hegui.rules.issues import Issue
from hegui.rules.observations import Mark
from hegui.streams.coverage_gaps import CoverageGap
from hegui.streams.dead_letters import DeadLetter
from hegui.streams.schema import CONTENT, _reachable, asyncapi, json_schemas
from hegui.streams.sweep.progress import RunningSweep, SweepProgress
from hegui.streams.topics import topics
from tests.streams.example import (
    DATA,
    KINDS,
    NOTICES,
    OPTOUTS,
    POLICY,
    SUSPENSIONS,
    TOPIC,
    evaluator,
    records,
    settings,
)
from tests.streams.fakes import FakeRecord

SCHEMAS = json_schemas()


def validator(kind):
    return jsonschema.Draft202012Validator(SCHEMAS[kind])


def written():
    """(kind of content, record) as the daemon writes them."""
    ours = evaluator()
    ours.assign((TOPIC, 0), 0, 0)
    judgement = ours.judge(
        {(TOPIC, 0): [*records(sorted(KINDS)), FakeRecord(100, 1, b"bad"), FakeRecord(101, 1, None)]}
    )
    kinds = {"violations": "violation", "observations": "observation", "dead_letters": "dead_letter"}
    yield from ((kinds[output.destination], output.value) for output in [*judgement.outputs, *ours.tick({})])
    yield "dead_letter", msgspec.json.encode(DeadLetter("t", 0, 1, 2, "not_json", "the value", sealed="AA=="))
    yield "coverage_gap", msgspec.json.encode(CoverageGap("t", 0, 5, 9, "retention", 1))
    yield "issue", msgspec.json.encode(Issue("default", "LBL001", "s", marks={"t/0": Mark(0, 0, 5)}, samples=("a",)))
    running = RunningSweep({"0": 5}, {"t/0": 9}, {"t/0": 3}, 1)
    yield "sweep", msgspec.json.encode(SweepProgress({"0": 2}, running))
    yield "filing", msgspec.json.encode(Filing("m", "n", 1, 2))
    yield from (("optout", msgspec.json.encode(record)) for record in OPTOUTS)
    yield from (("notice", msgspec.json.encode(record)) for record in NOTICES)
    yield from (("waiver", msgspec.json.encode(record)) for record in POLICY.waivers)
    yield "source", msgspec.json.encode(CondemnedSource("default", "sha256:" + "0" * 32, 1, 2))
    yield from (("suspension", msgspec.json.encode(record)) for record in SUSPENSIONS)
    for name in ("generation.jsonl", "ingest.jsonl"):
        yield from (("event", line) for line in (DATA / name).read_bytes().splitlines())


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_a_schema_is_valid_2020_12(kind):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[kind])
    assert SCHEMAS[kind]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_record_that_is_written_fits_its_schema():
    seen = set()
    for kind, value in written():
        validator(kind).validate(json.loads(value))
        seen.add(kind)
    assert seen == set(CONTENT)


@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        ("event", {"specversion": "0.3"}),
        ("event", {"type": "hegui.generation.v2"}),
        ("event", {"id": ""}),
        ("event", {"revision": -1}),
        ("event", {"data": {}}),
        ("event", {"data": {"service": "s", "modality": "smell"}}),
        ("event", {"data": {"service": "s", "user_key": "zhang.san"}}),
        ("optout", {"scheme": "planet"}),
        ("optout", {"subject": ""}),
        ("optout", {"observed_at_ms": "now"}),
        ("violation", {"results": [{}]}),
        ("violation", {"occurred_at_ms": None}),
        ("dead_letter", {"offset": "5"}),
        ("coverage_gap", {"cause": "boredom"}),
        ("observation", {"block": None}),
        ("issue", {"status": "lost"}),
        ("sweep", {"swept": 5}),
        ("filing", {"model": 5}),
        ("notice", {"scheme": "user"}),
        ("notice", {"received_at_ms": -1}),
        ("source", {"condemned_at_ms": None}),
        ("suspension", {"to_ms": -1}),
        ("waiver", {"scope": None}),
        ("waiver", {"reason": "short"}),
        ("waiver", {"surprise": 1}),
    ],
)
def test_a_broken_record_is_refused(kind, broken):
    sound = next(json.loads(value) for found, value in written() if found == kind)
    assert validator(kind).is_valid(sound)
    assert not validator(kind).is_valid({**sound, **broken})


def test_a_finding_without_what_ocsf_requires_is_refused():
    assert not validator("finding").is_valid({"class_uid": 2003})


STRUCTS = sorted({s for structs in CONTENT.values() for s in _reachable(structs)}, key=lambda s: s.__name__)


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.__name__)
def test_every_field_says_what_it_is(struct):
    docs = field_docs(struct)
    assert struct.__doc__
    assert [field for field in struct.__struct_fields__ if not docs.get(field)] == []


def test_the_schema_carries_the_descriptions():
    properties = SCHEMAS["event"]["$defs"]["GenerationEvent"]["properties"]
    assert properties["modality"]["description"] == field_docs(GenerationEvent)["modality"]
    assert properties["explicit_label"]["description"] == field_docs(GenerationEvent)["explicit_label"]


DOCUMENT = asyncapi(settings())


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_asyncapi_document_has_its_shape():
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    assert DOCUMENT["channels"]
    assert DOCUMENT["operations"]


def test_every_reference_of_the_document_resolves():
    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        node = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_there_is_a_channel_for_every_topic_and_an_operation_for_every_direction():
    addresses = {channel["address"]: name for name, channel in DOCUMENT["channels"].items()}
    assert set(addresses) == {topic.name for topic in topics(settings())}
    for topic in topics(settings()):
        actions = {
            operation["action"]
            for operation in DOCUMENT["operations"].values()
            if operation["channel"]["$ref"] == f"#/channels/{addresses[topic.name]}"
        }
        assert actions == {"in": {"receive"}, "out": {"send"}, "internal": {"send", "receive"}}[topic.direction]


def test_the_schemas_of_the_document_accept_what_is_written():
    for kind, value in written():
        names = [struct.__name__ for struct in CONTENT[kind]]
        schema = {
            "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in names],
            "components": DOCUMENT["components"],
        }
        jsonschema.Draft202012Validator(schema).validate(json.loads(value))
