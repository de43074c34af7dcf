"""Hypothesis strategies read from the structs themselves: whatever a type allows can occur."""

from typing import Any

import msgspec.inspect
from hypothesis import strategies as st
from msgspec.inspect import (
    BoolType,
    DateTimeType,
    DictType,
    Field,
    IntType,
    LiteralType,
    Metadata,
    NoneType,
    StrType,
    StructType,
    Type,
    UnionType,
    VarTupleType,
)

from hegui.rules.law import SHANGHAI

WEIRD = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", " ", "\x00", "人工智能", "AI生成", "\ufeff", "\u202e", "a" * 600, "{}", "//", "//[", "é.例.com"]
    ),
)
"""Text that nobody would expect, and some that rules look for."""

Fixed = dict[str, st.SearchStrategy[Any]]


def of_type(struct: type, *, text: st.SearchStrategy[str] = WEIRD, **fixed: st.SearchStrategy[Any]) -> Any:
    """Return a strategy of a struct: every field arbitrary within its type, but for the fixed ones.

    `text` is what free-form text fields hold, at any depth; `fixed` names fields of the struct or of structs within it.
    """
    return _of(msgspec.inspect.type_info(struct), text, fixed)


def _of(kind: Type, text: st.SearchStrategy[str], fixed: Fixed) -> st.SearchStrategy[Any]:
    match kind:
        case Metadata(extra_json_schema={"pattern": str() as pattern}):
            return st.from_regex(pattern.replace("$", r"\Z"), fullmatch=True)
        case Metadata():
            return _of(kind.type, text, fixed)
        case NoneType():
            return st.none()
        case BoolType():
            return st.booleans()
        case IntType():
            last = kind.le if kind.le is not None else (kind.lt or 2**53) - 1
            return st.integers(kind.ge or 0, last)
        case StrType(pattern=str() as pattern):
            return st.from_regex(pattern.replace("$", r"\Z"), fullmatch=True)
        case StrType():
            return text.filter(lambda found: (kind.min_length or 0) <= len(found) <= (kind.max_length or 10_000))
        case LiteralType():
            return st.sampled_from(kind.values)
        case UnionType():
            known = st.one_of([_of(each, text, fixed) for each in kind.types if not isinstance(each, NoneType)])
            # Rules stop at the first unknown field, so most fields are known.
            return st.integers(0, 7).flatmap(lambda dice: known if dice else st.none())
        case VarTupleType():
            return st.lists(_of(kind.item_type, text, fixed), max_size=3).map(tuple)
        case DictType():
            return st.dictionaries(_of(kind.key_type, text, fixed), _of(kind.value_type, text, fixed), max_size=3)
        case DateTimeType():
            return st.datetimes(timezones=st.just(SHANGHAI))
        case StructType():
            return st.builds(kind.cls, **{field.name: _field(field, text, fixed) for field in kind.fields})
        case _:
            raise TypeError(f"strategies: {kind} has no strategy; add one here")


def _field(field: Field, text: st.SearchStrategy[str], fixed: Fixed) -> st.SearchStrategy[Any]:
    return fixed[field.name] if field.name in fixed else _of(field.type, text, fixed)
