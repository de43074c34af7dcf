"""JSON Schema and AsyncAPI 3 of every topic, made from the structs that read and write them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import msgspec

from hegui.rules import events, fact_tables, facts, findings, issues, observations, violations, waivers
from hegui.rules.documentation import field_docs
from hegui.streams.coverage_gaps import CoverageGap
from hegui.streams.dead_letters import DeadLetter
from hegui.streams.settings import Settings
from hegui.streams.sweep.progress import SweepProgress
from hegui.streams.topics import topics

CONTENT: dict[str, tuple[type, ...]] = {
    "event": tuple(events.ENVELOPES.values()),
    "optout": (facts.OptOut,),
    "filing": (facts.Filing,),
    "notice": (facts.Notice,),
    "waiver": (waivers.Waiver,),
    "source": (fact_tables.CondemnedSource,),
    "suspension": (fact_tables.Suspension,),
    "violation": (violations.Violation,),
    "dead_letter": (DeadLetter,),
    "coverage_gap": (CoverageGap,),
    "observation": (observations.Observation,),
    "issue": (issues.Issue,),
    "sweep": (SweepProgress,),
}
"""What the records of a kind of topic hold. Findings are OCSF and described below."""

_FINDING = {
    "title": "Finding",
    "description": "OCSF 1.5.0 Compliance Finding (class 2003); the full schema is OCSF's.",
    "type": "object",
    "required": [
        "activity_id",
        "category_uid",
        "class_uid",
        "compliance",
        "finding_info",
        "metadata",
        "severity_id",
        "time",
        "type_uid",
    ],
    "properties": {
        "class_uid": {"const": findings.CLASS_UID},
        "category_uid": {"const": 2},
        "activity_id": {"enum": [1, 2, 3], "description": "1 create, 2 update, 3 close"},
        "type_uid": {"enum": [200301, 200302, 200303]},
        "severity_id": {"enum": [2, 3, 4, 5]},
        "status_id": {"enum": [1, 3, 4], "description": "1 new, 3 suppressed, 4 resolved"},
        "time": {"type": "integer", "description": "Epoch milliseconds"},
        "compliance": {"type": "object", "required": ["control", "standards", "requirements", "status_id"]},
        "finding_info": {"type": "object", "required": ["uid", "title"]},
        "metadata": {"type": "object", "required": ["product", "version"]},
    },
}


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return kind of content to JSON Schema (2020-12); references point into `$defs`."""
    found = {}
    for kind, structs in CONTENT.items():
        roots, components = _components(structs, "#/$defs/{name}")
        root = roots[0] if len(roots) == 1 else {"oneOf": list(roots)}
        found[kind] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "$defs": components}
    found["finding"] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_FINDING}
    return found


def asyncapi(settings: Settings) -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of the topics that the settings name."""
    every = tuple(struct for structs in CONTENT.values() for struct in structs)
    _, schemas = _components(every, "#/components/schemas/{name}")
    schemas["Finding"] = _FINDING
    messages = {struct.__name__: struct for struct in every}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for topic in topics(settings):
        names = [s.__name__ for s in CONTENT[topic.content]] if topic.content in CONTENT else ["Finding"]
        channel = topic.name.replace(".", "_").replace("-", "_")
        channels[channel] = {
            "address": topic.name,
            "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
            "bindings": {"kafka": {"topic": topic.name, "partitions": topic.partitions, "bindingVersion": "0.5.0"}},
        }
        actions = {"in": ("receive",), "out": ("send",), "internal": ("send", "receive")}[topic.direction]
        for action in actions:
            operations[f"{action}_{channel}"] = {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "hegui",
            "version": version("hegui"),
            "description": "Compliance events, violations and findings over Kafka.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {
                name: {"name": name, "payload": {"$ref": f"#/components/schemas/{name}"}}
                for name in [*messages, "Finding"]
            },
            "schemas": schemas,
        },
    }


def _components(structs: tuple[type, ...], template: str) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    roots, components = msgspec.json.schema_components(structs, ref_template=template)
    classes = {struct.__name__: struct for struct in _reachable(structs)}
    for name, component in components.items():
        docs = field_docs(classes[name]) if name in classes else {}
        for field, schema in component.get("properties", {}).items():
            if field in docs and "$ref" not in schema:
                schema["description"] = docs[field]
    return roots, components


def _reachable(structs: tuple[type, ...]) -> set[type]:
    found: set[type] = set()
    waiting: list[Any] = list(structs)
    while waiting:
        item = waiting.pop()
        if isinstance(item, type) and issubclass(item, msgspec.Struct) and item not in found:
            found.add(item)
            waiting += [field.type for field in msgspec.structs.fields(item)]
        else:
            waiting += list(getattr(item, "__args__", ()))
    return found
