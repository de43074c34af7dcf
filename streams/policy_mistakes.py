"""Reads a policy's YAML and finds its mistakes, all of them: each with key, value and remedy."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec
import yaml
from msgspec import inspect

from hegui.rules.policy import Policy, contradictions
from hegui.streams.errors import SettingsError


class PolicyMistakesError(SettingsError):
    """The policy is wrong. Its text is the first mistake and the number of the others; `sentences` holds all."""

    def __init__(self, sentences: Sequence[str]) -> None:
        first, *others = sentences
        more = f" (and {len(others)} more: `hegui config check` names all)" if others else ""
        super().__init__(first + more)
        self.sentences = tuple(sentences)


class _Loader(yaml.SafeLoader):
    """Refuses a mapping with one key twice: the first value would be lost in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name = self.construct_object(key, deep=True)
            if isinstance(name, Hashable) and name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} stands twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def read_policy(name: str, body: bytes, rules: Sequence[tuple[str, bool]]) -> Policy:
    """Return the policy in a YAML text.

    Args:
        name: the file's name, for the sentence.
        body: the text.
        rules: id and "may be waived" of every known rule.

    Raises:
        PolicyMistakesError: it is not YAML, does not fit the schema or contradicts itself.
    """
    try:
        found = yaml.load(body, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark is not None else "the file"
        problem = getattr(error, "problem", None) or "unreadable"
        raise PolicyMistakesError([f"policy: {name} is not YAML ({place}: {problem}); correct it"]) from None
    try:
        # YAML reads an unquoted time with offset as a naive UTC time or an aware one; the policy wants an offset in any case.
        policy = msgspec.convert(found, Policy)
    except msgspec.ValidationError as error:
        raise PolicyMistakesError([f"policy: {one}" for one in _of_schema(found, error)]) from None
    if wrong := list(contradictions(policy, rules)):
        raise PolicyMistakesError([f"policy: {one}" for one in wrong])
    return policy


def _of_schema(found: object, whole: msgspec.ValidationError) -> list[str]:
    """Return a sentence for every key and list item that does not fit; for what is wrong as a whole, the one of the whole."""
    if not isinstance(found, dict):
        return [_sentence(found, str(whole))]
    version = found.get("version", "v")
    sentences: list[str] = []
    for key, value in found.items():
        items = list(enumerate(value)) if isinstance(value, list) and value else [(None, value)]
        for number, item in items:
            part = {"version": version, key: item if number is None else [item]}
            try:
                msgspec.convert(part, Policy)
            except msgspec.ValidationError as error:
                sentences.append(_sentence(part, str(error), number))
    return list(dict.fromkeys(sentences)) or [_sentence(found, str(whole))]


_STEP = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_]*)|\[(\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")


def _sentence(found: object, message: str, number: int | None = None) -> str:
    problem, _, at = message.partition(" - at `$")
    at = at.rstrip("`").lstrip(".")
    kind: inspect.Type = inspect.type_info(Policy)
    value = found
    names: list[str] = []
    for name, index in _STEP.findall(at):
        kind = _inside(kind, name)
        value = _value(value, name, index)
        if isinstance(value, dict) and isinstance(value.get("name", value.get("id")), str):
            names.append(str(value.get("name", value.get("id"))))
    where = at if number is None else at.replace("[0]", f"[{number}]", 1)
    told = f" ({names[-1]})" if names else ""
    remedy = "; see the commented example policy"
    if unknown := _UNKNOWN.match(problem):
        known = _names(kind)
        near = get_close_matches(unknown[1], known, 1)
        remedy = f"; did you mean `{near[0]}`?" if near else f"; it is one of {', '.join(known)}"
    elif values := _values(kind):
        remedy = f"; it is one of {', '.join(values)}"
    shown = f" (it is {value!r})" if isinstance(value, str | int | float | bool) and repr(value) not in problem else ""
    return f"{where or 'the file'}{told}: {problem[0].lower() + problem[1:]}{shown}{remedy}"


def _alternatives(kind: inspect.Type) -> Iterator[inspect.Type]:
    """Yield what a type may be, without None and without its constraints' wrapper."""
    if isinstance(kind, inspect.Metadata):
        yield from _alternatives(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from _alternatives(one)
    elif not isinstance(kind, inspect.NoneType):
        yield kind


def _inside(kind: inspect.Type, name: str) -> inspect.Type:
    for one in _alternatives(kind):
        if isinstance(one, inspect.StructType) and name:
            for field in one.fields:
                if field.encode_name == name:
                    return field.type
        if isinstance(one, inspect.VarTupleType) and not name:
            return one.item_type
        if isinstance(one, inspect.DictType) and not name:
            return one.value_type
    return inspect.AnyType()


def _value(value: object, name: str, index: str) -> object:
    if name and isinstance(value, dict):
        return value.get(name)
    if index.isdigit() and isinstance(value, list) and int(index) < len(value):
        return value[int(index)]
    return None  # msgspec does not say which key of a mapping it was


def _names(kind: inspect.Type) -> list[str]:
    return [f.encode_name for one in _alternatives(kind) if isinstance(one, inspect.StructType) for f in one.fields]


def _values(kind: inspect.Type) -> list[str]:
    return [str(v) for one in _alternatives(kind) if isinstance(one, inspect.LiteralType) for v in one.values]
