"""Elements of an HTML page that may say something of its use, found as browsers do: by the states of the tokenizer (HTML standard, 13.2.5).

One pass, each character looked at a few times at most, whatever the page: see adr/0020 for why no library does it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple

_OPENING = re.compile(r"<(?:(!--)|[!?]|/(?=[^A-Za-z])|(/?)([A-Za-z][^\t\n\f\r />]*))")
# Matches at any place: without a name it stands at the end of the tag, or of the text. A value without its closing quote takes the rest.
_ATTRIBUTE = re.compile(
    r"([\t\n\f\r /]*)"
    r"(?:([^\t\n\f\r />][^\t\n\f\r />=]*)(?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:\"([^\"]*)(\"?)|'([^']*)('?)|([^\t\n\f\r >]*)))?)?"
)
_EMPTY_COMMENT = re.compile(r"-?>")
_COMMENT_END = re.compile(r"--!?>")
_SCRIPT_MARK = re.compile(r"<!--|-->|(</?)script(?=[\t\n\f\r />])", re.IGNORECASE | re.ASCII)
_RAW_END = {
    name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE | re.ASCII)
    for name in ("iframe", "noembed", "noframes", "style", "textarea", "title", "xmp")
}
"""Elements in which no tag begins, to where they end."""
_TOLD = frozenset({"meta", "link", "script"})
_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)


class Element(NamedTuple):
    """An element that may mean something here."""

    line: int
    name: str
    """In small letters."""
    given: dict[str, str]
    """Its attributes, the first of two of a name; character references are resolved."""
    inside: str = ""
    """What stands inside a script."""


class Unclosed(NamedTuple):
    """A tag, comment, script or the like that begins and never ends: what lies behind is part of it."""

    line: int


class _Tag(NamedTuple):
    end: int
    """Where the text goes on behind it."""
    given: dict[str, str]
    empty: bool
    """Whether it ends with a slash."""


def elements(text: str) -> Iterator[Element | Unclosed]:
    """Yield every meta, link and script outside comments and templates, and last what never ends."""
    at, counted, line, foreign = 0, 0, 1, 0
    templates: list[int] = []
    while (found := _OPENING.search(text, at)) is not None:
        line += text.count("\n", counted, found.start())
        counted = found.start()
        name = (found[3] or "").translate(_SMALL)
        tag = _tag(text, found.end(), name in _TOLD) if name else _Tag(_end_of_comment(text, found), {}, False)
        if tag is None or tag.end < 0 or (name == "plaintext" and not found[2]):
            yield Unclosed(line)
            return
        at = tag.end
        if name in {"svg", "math"} and not tag.empty:
            foreign = max(0, foreign - 1) if found[2] else foreign + 1
        elif name == "template":
            if not found[2]:
                templates.append(line)
            elif templates:
                templates.pop()
        elif found[2]:
            continue
        elif (name == "script" or name in _RAW_END) and not (foreign and tag.empty):  # a picture's end with their slash
            at = _end_of_script(text, at) if name == "script" else _end_of_raw(text, at, name)
            if at < 0:
                yield Unclosed(line)
                return
        if name in _TOLD and not templates:
            yield Element(line, name, tag.given, text[tag.end : at])
    if templates:
        yield Unclosed(templates[0])


def _tag(text: str, at: int, told: bool) -> _Tag | None:
    """Return the tag whose name ends at a place, None when it never ends; its attributes only when they are to be told."""
    given: dict[str, str] = {}
    while True:
        found = _ATTRIBUTE.match(text, at)
        assert found is not None  # it matches nothing, too
        slashes, name, double, double_end, single, single_end, bare = found.groups()
        at = found.end()
        if name is None:
            return _Tag(at + 1, given, slashes.endswith("/")) if at < len(text) else None
        if "" in (double_end, single_end):
            return None
        if told:
            given.setdefault(name.translate(_SMALL), unescape(double or single or bare or ""))


def _end_of_comment(text: str, opening: re.Match[str]) -> int:
    at = opening.end()
    if opening[1] is None:  # a declaration, or what browsers take for a comment
        return text.find(">", at) + 1 or -1
    end = _EMPTY_COMMENT.match(text, at) or _COMMENT_END.search(text, at)
    return -1 if end is None else end.end()


def _end_of_raw(text: str, at: int, name: str) -> int:
    end = _RAW_END[name].search(text, at)
    return -1 if end is None else end.start()


def _end_of_script(text: str, at: int) -> int:
    """Return where a script ends. Within a comment inside it, a second script's end is not its own (13.2.5.17 to 13.2.5.31)."""
    in_comment = in_second = False
    while (mark := _SCRIPT_MARK.search(text, at)) is not None:
        at = mark.end()
        if mark[0] == "-->":
            in_comment = in_second = False
        elif mark[0] == "<!--":
            in_comment = True
            at -= 2  # `<!-->` is a whole comment
        elif mark[1] == "<":
            in_second = in_comment
        elif not in_second:
            return mark.start()
        else:
            in_second = False
    return -1
