"""The page of the event contract is what the structs say now, field by field, and names the same fields as the schema."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from click.testing import CliRunner
from msgspec import inspect as types

import hegui.rules
from hegui.rules import eventdoc
from hegui.rules.catalog import find_rules
from hegui.rules.events import ENVELOPES, RISKS, RiskCode
from hegui.rules.fields_read import fields_read
from hegui.rules.guards import GUARDS
from hegui.rules.values import TimeMs
from hegui.streams.cli import cli

RULES = find_rules()
PAGE = eventdoc.events_page(RULES)
EVENTS = {name: msgspec.structs.fields(kind)[-1].type for name, kind in ENVELOPES.items()}
"""CloudEvents type to the struct of its data."""


def sections() -> dict[str, dict[str, list[str]]]:
    """Return heading to the rows of its table, first cell (without marks) to the other cells."""
    found: dict[str, dict[str, list[str]]] = {}
    event = ""
    for part in re.split(r"^##", PAGE, flags=re.MULTILINE)[1:]:
        heading = part.partition("\n")[0]
        name = heading.strip("# `")
        if heading.startswith("#"):
            name = f"{event} {name}"
        else:
            event = name
        rows = [line[2:-2].split(" | ") for line in part.splitlines() if line.startswith("| `")]
        found[name] = {row[0].split("`")[1]: row for row in rows}
    return found


SECTIONS = sections()


def schema() -> dict[str, Any]:
    """Return what `hegui schema event` prints."""
    result = CliRunner().invoke(cli, ["schema", "event"], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.output)


SCHEMA = schema()


def described(heading: str, definition: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield heading on the page and definition of the schema, for a struct and all groups in it."""
    found = SCHEMA["$defs"][definition]
    yield heading, found
    for name, field in found["properties"].items():
        reference = re.search(r'"#/\$defs/(\w+)"', json.dumps(field))
        if reference:
            marks = "[]" if '"items"' in json.dumps(field) else ""
            event, _, place = heading.partition(" ")
            yield from described(f"{event} {place + '.' if place else ''}{name}{marks}", reference[1])


STRUCTS = [
    pytest.param(heading, found, id=heading)
    for event, struct in EVENTS.items()
    for heading, found in described(event, struct.__name__)
]


def test_the_page_is_fresh() -> None:
    folder = Path(hegui.rules.__file__).parent
    assert (folder / "events.md").read_text("utf-8") == PAGE, "run `make pages`"


@pytest.mark.parametrize(("heading", "found"), STRUCTS)
def test_page_and_schema_name_the_same_fields_and_say_the_same_of_them(heading: str, found: dict[str, Any]) -> None:
    rows = SECTIONS[heading]
    assert list(rows) == list(found["properties"])
    for name, field in found["properties"].items():
        assert ("(required)" in rows[name][0]) == (name in found.get("required", ()))
        assert rows[name][3]
        assert rows[name][3] == field.get("description", rows[name][3])


def test_the_page_has_no_section_that_the_schema_lacks() -> None:
    assert set(SECTIONS) == {"Envelope", "Risk codes", *(param.id for param in STRUCTS)}


@pytest.mark.parametrize("envelope", [kind.__name__ for kind in ENVELOPES.values()])
def test_the_envelope_has_the_attributes_of_both_kinds_of_event(envelope: str) -> None:
    properties = SCHEMA["$defs"][envelope]["properties"]
    assert [*SECTIONS["Envelope"]] == [name for name in properties if name not in {"type", "data"}]
    assert set(properties["type"]["enum"]) <= set(SECTIONS)


@pytest.mark.parametrize("event", EVENTS)
def test_every_rule_stands_beside_every_field_that_it_reads_and_beside_its_groups(event: str) -> None:
    shown = {
        (rule_id, f"{heading.removeprefix(event).strip()}.{name}".lstrip(".").replace("[]", ""))
        for heading, rows in SECTIONS.items()
        if heading.partition(" ")[0] == event
        for name, row in rows.items()
        for rule_id in row[5].split()
    }
    read = set()
    for rule in RULES:
        for name in fields_read(rule) if rule.on is EVENTS[event] else ():
            parts = name.split(".")
            read |= {(rule.id, ".".join(parts[: count + 1])) for count in range(len(parts))}
    assert shown == read


def test_a_source_is_the_first_clause_of_a_rule_that_reads_the_field() -> None:
    first = {rule.id: rule.basis[0].id for rule in RULES}
    for heading, rows in SECTIONS.items():
        for row in rows.values() if heading not in {"Envelope", "Risk codes"} else ():
            clauses = list(dict.fromkeys(first[rule_id] for rule_id in row[5].split()))
            named = row[4].removesuffix("; ...").split("; ") if row[4] else []
            assert set(named) <= set(clauses)
            assert len(named) == min(3, len(clauses))
            assert row[4].endswith("; ...") == (len(clauses) > 3)


def test_what_only_the_registry_knows_is_named() -> None:
    for event, struct in EVENTS.items():
        part = PAGE.partition(f"## `{event}`")[2].partition("\n## ")[0]
        named = GUARDS[struct].of_service
        assert ("not from the event: " in part) == bool(named)
        assert not named or f"not from the event: {', '.join(f'`{name}`' for name in named)}." in part


def test_every_risk_code_has_its_meaning() -> None:
    assert all(f"| {code} | {meaning} |" in PAGE for code, meaning in RISKS.items())


class Odd(msgspec.Struct):
    """Types and units of fields, each once."""

    truth: bool
    number: int | None
    moment_ms: TimeMs | None
    length_ms: int
    width_px: int
    share_percent: int
    speed_per_minute: int
    digest_sha256: str
    at: datetime
    choice: Literal["b", "a"] | None
    code: RiskCode
    codes: tuple[RiskCode, ...] | None
    ratio: float
    pair: tuple[Literal[1, 2], ...]


def test_a_type_and_a_unit_are_told_in_words() -> None:
    described = types.type_info(Odd)
    assert isinstance(described, types.StructType)
    told = {field.name: (eventdoc._type(field.type), eventdoc._unit(field)) for field in described.fields}
    assert told == {
        "truth": ("true or false", ""),
        "number": ("integer", ""),
        "moment_ms": ("integer", "epoch milliseconds, UTC"),
        "length_ms": ("integer", "milliseconds"),
        "width_px": ("integer", "pixels"),
        "share_percent": ("integer", "per cent"),
        "speed_per_minute": ("integer", "a minute"),
        "digest_sha256": ("text", "hex"),
        "at": ("time (RFC 3339)", ""),
        "choice": ("`a` `b`", ""),
        "code": ("risk code", ""),
        "codes": ("list of risk code", ""),
        "ratio": ("FloatType", ""),
        "pair": ("list of `1` `2`", ""),
    }
