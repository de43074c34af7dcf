"""robots.txt: who may crawl what (RFC 9309), AIPREF's `Content-Usage` and Cloudflare's `Content-Signal`.

That a crawler may fetch a page is no yes to training: `Allow` only takes a part out of a refusal. `protego` reads no preferences and shows no
groups; asked for every path of a file of 500 KiB it takes 42 s, this one 1.5 s. The tests compare the two.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hegui.streams.errors import OptOutError
from hegui.streams.optouts import ai_agents
from hegui.streams.optouts.normal_form import Reading
from hegui.streams.optouts.paths import PathRule, path_rule, statements_of
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.scopes import Said, Scope, site_scope
from hegui.streams.optouts.structured_fields import Preferences, signal_preferences, usage_preferences

MAX_BYTES = 500 * 1024
"""What is read of a file. RFC 9309 section 2.5."""

_ACCESS = {"allow": {"train": "unknown"}, "disallow": {"train": "deny"}}
_PREFERENCES = {"content-usage": usage_preferences, "content-signal": signal_preferences}
_RULES = frozenset({*_ACCESS, *_PREFERENCES})
_STATING = _RULES | {"user-agent"}
_READ = frozenset({"outside_group", "value_unknown"})
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_LISTED = re.compile(r"[^\s(]*\s*[,;]|[^\s/]*\*[^\s/]|[^\s/]+\*")
_WITH_PATH = re.compile(r"([/*]\S*)\s+(.*)")


class Line(NamedTuple):
    """One line with a field that means something here."""

    number: int
    field: str
    """In small letters."""
    value: str


def scope(reading: Reading) -> Iterator[Scope]:
    """Yield of what a robots.txt is all that is said."""
    return site_scope(reading, "robots", "content-usage", "content-signal")


def read(content: bytes, reading: Reading) -> Iterator[Said]:
    """Yield the statements of a robots.txt for the crawlers of `reading`, and what is to be told of its lines."""
    try:
        address = reading.address()
    except OptOutError as error:
        yield Remark(0, error.reason)
        return
    yield from scope(reading)
    cut = len(content) > MAX_BYTES
    if cut:  # a line that was cut through is none
        content = content[:MAX_BYTES]
        content = content[: max(content.rfind(b"\n"), content.rfind(b"\r")) + 1]
        yield Remark(0, "too_large")
    lines: list[Line] = []
    told: set[Remark] = {Remark(0, "not_utf8")} if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else set()
    for found in scan(content):
        if isinstance(found, Line):
            lines.append(found)
        else:
            told.add(found)
    # A line that could not be read may have been a no.
    unread = cut or any(remark.refused for remark in told)
    access: list[list[PathRule]] = []
    usage: list[list[PathRule]] = []
    signals: list[list[PathRule]] = []
    every = dict.fromkeys(tuple(lines_for(lines, agent)) for agent in reading.agents)  # most have one group
    for rules in every:
        of_agent: dict[str, list[PathRule]] = {"access": [], "content-usage": [], "content-signal": []}
        for line, loose in rules:
            try:
                _take(line, loose, of_agent, told)
            except OptOutError as error:
                told.add(Remark(line.number, error.reason))
        access.append(of_agent["access"])
        usage.append(of_agent["content-usage"])
        signals.append(of_agent["content-signal"])
    unread_too = cut or any(remark.refused and remark.reason not in _READ for remark in told)
    yield from statements_of(access, address, reading, "robots", yes_wins=True, only_no=unread)
    yield from statements_of(usage, address, reading, "content-usage", only_no=unread_too)
    yield from statements_of(signals, address, reading, "content-signal", only_no=unread_too)
    yield from sorted(told)
    if reading.agents == ("*",):
        yield from _named(lines)


def _named(lines: Sequence[Line]) -> Iterator[Remark]:
    """Yield a note for each crawler that collects for training and is refused something by its name that not everybody is."""
    everybody = {(line.field, line.value) for line, _ in lines_for(lines, "*")}
    names: dict[str, int] = {}
    for line in lines:
        if line.field == "user-agent" and _product(line.value) in ai_agents.TRAINING:
            names.setdefault(_product(line.value), line.number)
    for name, number in names.items():
        if any(_refuses(line) and (line.field, line.value) not in everybody for line, _ in lines_for(lines, name)):
            yield Remark(number, "named_agents", name)


def _refuses(line: Line) -> bool:
    if line.field in _ACCESS:
        return line.field == "disallow" and line.value != ""
    split = _WITH_PATH.fullmatch(line.value)
    try:
        return _PREFERENCES[line.field](split[2] if split else line.value).get("train") == "deny"
    except OptOutError:
        return False


def scan(content: bytes) -> Iterator[Line | Remark]:
    """Yield the lines of a robots.txt that mean something here. RFC 9309 section 2.2; a BOM is passed over, lines end as they like."""
    known = _STATING | {"license"}
    for number, raw in enumerate(re.split(rb"\r\n|\n|\r", content.removeprefix(b"\xef\xbb\xbf")), 1):
        bare = raw.partition(b"#")[0].strip()
        field = bare.partition(b":")[0].strip().lower()
        try:
            name = field.decode("ascii")
            if name not in known or b":" not in bare:
                if (words := name.split()) and words[0] in _STATING:  # without its colon
                    yield Remark(number, "syntax")
                continue
            value = bare.partition(b":")[2].strip().decode()
        except UnicodeDecodeError:
            if any(field.startswith(each.encode()) for each in known):
                yield Remark(number, "not_utf8")
            continue
        if _CONTROL.search(bare):
            yield Remark(number, "control_characters")
        elif name == "license":
            yield Remark(number, "license")
        else:
            if name == "user-agent" and _LISTED.match(value):  # several crawlers, or a pattern: names nobody
                yield Remark(number, "syntax")
            yield Line(number, name, value)


def license_urls(content: bytes) -> list[str]:
    """Return the addresses of RSL licences that a robots.txt links to. RSL 1.0, "License" directive."""
    lines = re.split(rb"\r\n|\n|\r", content[:MAX_BYTES].removeprefix(b"\xef\xbb\xbf"))
    found = (line.partition(b"#")[0].partition(b":") for line in lines)
    return [url.strip().decode("utf-8", "replace") for name, _, url in found if name.strip().lower() == b"license"]


def lines_for(lines: Sequence[Line], agent: str) -> list[tuple[Line, bool]]:
    """Return the rules for a crawler, and of each whether it stands before any group. RFC 9309 section 2.2.1.

    All groups that name the crawler count together, or, when there is none, those for every crawler.
    """
    own: list[tuple[Line, bool]] = []
    everybody: list[tuple[Line, bool]] = []
    loose: list[tuple[Line, bool]] = []
    named = False
    group: set[str] = set()
    in_names = False
    for line in lines:
        if line.field == "user-agent":
            if not in_names:
                group = set()
            in_names = True
            group.add(_product(line.value))
            named = named or _product(line.value) == agent
        else:
            in_names = False
            if agent in group:
                own.append((line, False))
            if "*" in group:
                everybody.append((line, False))
            if not group:
                loose.append((line, True))
    return loose + (own if named else everybody)


def _product(value: str) -> str:
    token = value.lower().split("/")[0].split()
    return token[0] if token else ""


def _take(line: Line, loose: bool, of_agent: dict[str, list[PathRule]], told: set[Remark]) -> None:
    if loose:
        told.add(Remark(line.number, "outside_group"))
    if line.field in _ACCESS:
        if line.value and not (loose and line.field == "allow"):
            of_agent["access"].append(path_rule(line.value, _ACCESS[line.field], line.number))
        return
    path, text = "/", line.value
    if split := _WITH_PATH.fullmatch(text):
        path, text = split[1], split[2]
    values: Preferences = _PREFERENCES[line.field](text)
    if loose:
        values = {category: value for category, value in values.items() if value == "deny"}
    if "unknown" in values.values():
        told.add(Remark(line.number, "value_unknown"))
    of_agent[line.field].append(path_rule(path, values, line.number))
