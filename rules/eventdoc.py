"""Makes the page of the event contract from the structs: every field, its type and unit, where it comes from, who reads it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import inspect as types

from hegui.rules import events
from hegui.rules.core import Rule
from hegui.rules.documentation import field_docs
from hegui.rules.fields_read import fields_read
from hegui.rules.guards import GUARDS

UNITS = {"_ms": "milliseconds", "_px": "pixels", "_percent": "per cent", "_per_minute": "a minute", "_sha256": "hex"}
"""Ending of a field's name to its unit."""

Readers = Mapping[str, Sequence[Rule]]
"""Dotted name of a field to the rules that read it."""

_INTRODUCTION = """# The event contract

Generated from the structs in `generation.py`, `ingestion.py`, `case_events.py` and `events.py`; nobody edits it (`make pages`). `hegui schema event` says the same as JSON Schema.

An event is a CloudEvent 1.0, structured or binary; its `data` is one of the structs below; every input topic takes all of them. Version 1 changes only by adding optional fields.
Of the fields of `data` only `service` is required; a group that holds required fields of its own is sent with these or not at all. A field that is absent or null is *unknown*: a rule that needs it is `inconclusive`, never a silent pass; an explicit `false`, an
empty text or an empty list means "known not to be". Unknown fields are ignored. No text of free form, no identifier and no content
appears in a result. `source` is the clause that the rules which read the field rest on first.
"""


def events_page(rules: Iterable[Rule]) -> str:
    """Return the Markdown page of the event contract."""
    rules = tuple(rules)
    lines = [_INTRODUCTION, "## Envelope", "", *_table(events.GenerationEnvelope, None, skip=("data",))]
    for name, kind in events.ENVELOPES.items():
        struct = _field(kind, "data").type
        readers = _readers(rules, struct)
        lines += ["", f"## `{name}`", "", _first(struct), "", *_table(struct, readers)]
        for place, group in _groups(struct):
            lines += ["", f"### `{place}`", "", _first(group), "", *_table(group, readers, place + ".")]
        claimed = ", ".join(f"`{guard}`" for guard in GUARDS[struct].of_service)
        if claimed:
            lines += ["", f"From the service registry of the policy, not from the event: {claimed}."]
    lines += ["", "## Risk codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in events.RISKS.items()]
    return "\n".join(lines) + "\n"


def _readers(rules: Iterable[Rule], struct: type) -> dict[str, list[Rule]]:
    readers: dict[str, list[Rule]] = {}
    for rule in rules:
        for name in fields_read(rule) if rule.on is struct else ():
            readers.setdefault(name, []).append(rule)
    return readers


def _field(struct: type, name: str) -> Any:
    return next(field for field in msgspec.structs.fields(struct) if field.name == name)


def _first(struct: type) -> str:
    return inspect.cleandoc(struct.__doc__ or "")


def _groups(struct: type) -> Iterator[tuple[str, type]]:
    """Yield the groups of fields in a struct with their dotted places, in order, at any depth."""
    described = types.type_info(struct)
    assert isinstance(described, types.StructType)
    for field in described.fields:
        group = _group(field.type)
        if group is not None:
            place = field.name + ("[]" if _is_list(field.type) else "")
            yield place, group
            yield from ((f"{place}.{inner}", found) for inner, found in _groups(group))


def _members(kind: types.Type) -> list[types.Type]:
    return list(kind.types) if isinstance(kind, types.UnionType) else [kind]


def _is_list(kind: types.Type) -> bool:
    return any(isinstance(member, types.VarTupleType) for member in _members(kind))


def _group(kind: types.Type) -> type | None:
    for member in _members(kind):
        if isinstance(member, types.VarTupleType):
            return _group(member.item_type)
        if isinstance(member, types.StructType):
            return member.cls
    return None


def _table(struct: type, readers: Readers | None, place: str = "", skip: tuple[str, ...] = ()) -> Iterator[str]:
    docs = field_docs(struct)
    described = types.type_info(struct)
    assert isinstance(described, types.StructType)
    yield "| field | type | unit | meaning | source | rules |"
    yield "|---|---|---|---|---|---|"
    for field in described.fields:
        if field.name in skip:
            continue
        where = place.replace("[]", "") + field.name
        of_field = [rules for name, rules in (readers or {}).items() if name == where or name.startswith(where + ".")]
        read_by = {rule.id: rule for rules in of_field for rule in rules}
        sources = list(dict.fromkeys(rule.basis[0].id for rule in read_by.values()))
        source = "; ".join(sources[:3]) + ("; ..." if len(sources) > 3 else "")
        source = "CloudEvents 1.0" if readers is None else source
        required = " (required)" if field.required else ""
        yield (
            f"| `{field.name}`{required} | {_type(field.type)} | {_unit(field)} | {docs.get(field.name, '')} | {source} "
            f"| {' '.join(sorted(read_by))} |"
        )


def _unit(field: types.Field) -> str:
    if _type(field.type) == "integer" and "Epoch milliseconds" in repr(field.type):
        return "epoch milliseconds, UTC"
    return next((unit for ending, unit in UNITS.items() if field.name.endswith(ending)), "")


def _type(kind: types.Type) -> str:
    match kind:
        case types.Metadata():
            return _type(kind.type)
        case types.UnionType():
            return " or ".join(_type(member) for member in kind.types if not isinstance(member, types.NoneType))
        case types.VarTupleType():
            return f"list of {_type(kind.item_type)}"
        case types.LiteralType():
            values = [f"`{value}`" for value in kind.values]
            return "risk code" if len(values) > 20 else " ".join(values)
        case types.StructType():
            return "group"
        case types.BoolType():
            return "true or false"
        case types.IntType():
            return "integer"
        case types.StrType():
            return "text"
        case types.DateTimeType():
            return "time (RFC 3339)"
        case _:
            return type(kind).__name__
