"""Rules with paths, as robots.txt and its kin have them, turned into statements about prefixes and pages. RFC 9309 section 2.2.2.

A prefix in normal form covers whole path levels, and of one source the longest prefix counts (`rules.preferences.LONGEST_MATCH`). So a
rule becomes a statement about its path, with the value that the longest matching rule gives to just that path; where nothing is
said, though a broader prefix says something, the value is `unknown`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from hegui.rules.addresses import Address, address_of, normal_octets, normal_path, prefixes_of
from hegui.rules.fact_tables import OptOut
from hegui.streams.errors import OptOutError
from hegui.streams.optouts.normal_form import Reading, statement
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.structured_fields import agreed, strictest

MAX_PATH = 1900
"""Longest path of a rule, characters: with its host it must fit into a subject."""

_STARS = re.compile(r"\*+(\$?)$")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_WILDCARD = re.compile(r"[*$]")


class PathRule(NamedTuple):
    """What one rule says of the URLs that begin with its path."""

    path: str
    """Percent-encoded in one form, else as written; of a pattern only what stands before the first wildcard."""
    kind: Literal["prefix", "page", "pattern"]
    """`page`: only the path itself is meant (it ended with `$`). `pattern`: a wildcard stands inside, which no prefix can tell."""
    values: Mapping[str, str]
    """Category to `allow`, `deny` or `unknown`."""
    line: int

    def leaks(self) -> bool:
        """Whether it also speaks of URLs that a statement about whole path levels does not cover."""
        return self.kind == "pattern" or (self.kind == "prefix" and not self.path.endswith("/"))


def path_rule(text: str, values: Mapping[str, str], line: int) -> PathRule:
    """Read the path of a rule: a star at its end says nothing, a dollar sign means the end of the URL.

    Raises:
        OptOutError: the path is too long, or is an address.
    """
    if _ADDRESS.match(text):
        raise OptOutError("not_a_path")
    if len(text) > MAX_PATH:
        raise OptOutError("too_deep")
    bare = _STARS.sub("", text)
    page = bare == text and text.endswith("$")
    bare = bare[:-1] if page else bare
    literal = _WILDCARD.split(bare, maxsplit=1)[0]
    path = normal_octets(literal)
    path = path if path.startswith("/") else "/" + path
    return PathRule(path, "pattern" if literal != bare else "page" if page else "prefix", values, line)


class _Rules:
    """The rules for one crawler, by path."""

    def __init__(self, rules: Iterable[PathRule], yes_wins: bool) -> None:
        self.prefixes: dict[str, dict[str, str]] = {}
        self.pages: dict[str, dict[str, str]] = {}
        for rule in rules:
            if rule.kind == "pattern":
                continue
            known = (self.pages if rule.kind == "page" else self.prefixes).setdefault(rule.path, {})
            for category, value in rule.values.items():
                said = {value, known.get(category, value)}
                # RFC 9309: of an Allow and a Disallow for the same path the Allow counts. AIPREF: the no.
                known[category] = "unknown" if yes_wins and "unknown" in said else strictest(said)

    def of(self, path: str, page: bool) -> Mapping[str, str]:
        """Return what the longest rule that matches says: of a page when `page`, else of a prefix."""
        if page and path in self.pages:
            return self.pages[path]
        for end in range(len(path), 0, -1):
            found = self.prefixes.get(path[:end])
            if found is not None:
                return found
        return {}


class _Exceptions:
    """Rules that take something out of what another one says, and cannot be told whole."""

    def __init__(self, rules: Iterable[PathRule], category: str, values: Container[str]) -> None:
        said = [rule for rule in rules if rule.leaks() and rule.values.get(category, "unknown") in values]
        self._paths = sorted(rule.path for rule in said)
        self._patterns = {rule.path for rule in said if rule.kind == "pattern"}

    def hit(self, path: str) -> bool:
        """Tell whether one of them may speak of a URL that begins with `path`."""
        at = bisect_left(self._paths, path)
        if at < len(self._paths) and self._paths[at].startswith(path):
            return True
        return bool(self._patterns) and any(path[:end] in self._patterns for end in range(1, len(path)))


def statements_of(
    rules: Sequence[Sequence[PathRule]],
    address: Address,
    reading: Reading,
    source: str,
    *,
    yes_wins: bool = False,
    only_no: bool = False,
) -> Iterator[OptOut | Remark]:
    """Yield the statements that rules with paths make about a site.

    Args:
        rules: for each crawler its rules. Said to several, any no counts, and a yes when it is said to all.
        address: the site.
        reading: where and when they were read.
        source: who speaks: the format, one of `LONGEST_MATCH`, or in a licence about another site that licence.
        yes_wins: whether of two rules for the same path the one that refuses nothing counts.
        only_no: whether nothing else is to be taken, as when part of the text could not be read.
    """
    crawlers = [_Rules(of_one, yes_wins) for of_one in rules]
    every = [rule for of_one in rules for rule in of_one]
    values: dict[tuple[str, str, str], str] = {}
    lines: dict[tuple[str, str, str], int] = {}
    categories = sorted({category for rule in every for category in rule.values})
    noes = {category: _Exceptions(every, category, {"deny"}) for category in categories}
    silences = {category: _Exceptions(every, category, {"unknown"}) for category in categories}
    told: set[Remark] = set()
    for rule in every:
        if rule.kind == "pattern":
            told.add(Remark(rule.line, "pattern"))
            continue
        if rule.leaks() and "deny" in rule.values.values():
            told.add(Remark(rule.line, "narrowed"))
        said = [crawler.of(rule.path, page=rule.kind == "page") for crawler in crawlers]
        path, _, query = rule.path.partition("?")
        subject = address.site + normal_path(path) + ("?" + query if query else "")
        for category in categories:
            value = agreed(each.get(category, "unknown") for each in said)
            # A no that cannot be told whole leaves the broader rule in force, which may be a no.
            if value != "deny" and (only_no or noes[category].hit(rule.path)):
                continue
            if value == "allow" and silences[category].hit(rule.path):
                value = "unknown"
            # Several paths may have one normal form: what they say is combined, and a yes needs all of them.
            key = ("url" if rule.kind == "page" else "url_prefix", subject, category)
            values[key] = agreed((value, values.get(key, value)))
            lines.setdefault(key, rule.line)
    spoken = {
        (subject, category)
        for (scheme, subject, category), value in values.items()
        if value != "unknown" and scheme == "url_prefix"
    }
    for (scheme, subject, category), value in values.items():
        if value == "unknown" and not any((above, category) in spoken for above in prefixes_of(address_of(subject))):
            continue
        line = lines[scheme, subject, category]
        try:
            yield statement(
                scheme,
                subject,
                value,
                reading.at_ms,
                source=source,
                category=category,
                evidence=evidence(reading, line),
            )
        except OptOutError as error:
            yield Remark(line, error.reason)
    yield from sorted(told)


def evidence(reading: Reading, line: int) -> str:
    """Return the reference of a line of a text."""
    return f"{reading.evidence} line {line}" if reading.evidence else f"line {line}"
