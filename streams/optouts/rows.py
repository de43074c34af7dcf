"""One row of a list of opt-outs, whatever format it came in: names of columns to texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hegui.rules.fact_tables import ADDRESSES
from hegui.streams.errors import OptOutError
from hegui.streams.optouts.normal_form import Reading, checked_ms, epoch_ms, normal, statement, web_address
from hegui.streams.optouts.paths import evidence
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.scopes import Said, Scope, is_format

COLUMNS = (
    "scheme",
    "subject",
    "value",
    "category",
    "observed_at",
    "observed_at_ms",
    "valid_to",
    "valid_to_ms",
    "source",
    "evidence",
)
"""Names that mean something; others are passed over."""


def row_statement(row: Mapping[str, object], reading: Reading, line: int) -> Iterator[Said]:
    """Yield the statement of a row, and what is to be told of it. `scheme`, `subject` and `value` are required.

    `observed_at` is RFC 3339, `observed_at_ms` epoch milliseconds; without either the time of reading counts. The same with `valid_to`, which may be
    absent. `category` is `train` and `source` is that of the reading unless they say otherwise.

    Raises:
        OptOutError: something in it cannot be taken; nothing is guessed.
    """
    scheme, subject, value = _text(row, "scheme"), _text(row, "subject"), _text(row, "value")
    if not subject:
        raise OptOutError("no_subject")
    at_ms, to_ms = _time(row, "observed_at"), _time(row, "valid_to")
    if scheme in ADDRESSES and ("*" in subject or "$" in subject):
        subject = _before_star(scheme, subject)
        if value == "deny" and not subject.endswith("/"):
            yield Remark(line, "narrowed")
    source = _text(row, "source")
    if source and reading.complete and not is_format(source):
        yield Scope(reading.at_ms, (source,))
    yield statement(
        scheme,
        subject if scheme != "url_prefix" or _is_record(row, subject) else _without_slash(subject),
        value,
        reading.at_ms if at_ms is None else at_ms,
        valid_to_ms=to_ms,
        category=_text(row, "category") or "train",
        source=source or reading.source,
        evidence=_text(row, "evidence") or evidence(reading, line),
    )


def _before_star(scheme: str, subject: str) -> str:
    web_address(subject)  # no star in the host
    bare = subject.rstrip("*")
    if scheme != "url_prefix" or any(sign in bare for sign in "*$?#"):
        raise OptOutError("pattern")
    return bare


def _is_record(row: Mapping[str, object], subject: str) -> bool:
    """Tell whether a row is a record that was given out: to robots.txt, where it may be from, `/a/` and `/a` are not the same."""
    return row.get("observed_at_ms") not in (None, "") and normal("url_prefix", subject) == subject


def _without_slash(subject: str) -> str:
    """Return a prefix that a person wrote without the slash at its end, whatever is said of it: the page `/a` is meant with `/a/`."""
    return subject if "?" in subject else subject.partition("#")[0].rstrip("/")


def _text(row: Mapping[str, object], name: str) -> str:
    found = row.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise OptOutError("syntax")
    return found.strip()


def _time(row: Mapping[str, object], name: str) -> int | None:
    in_ms = row.get(name + "_ms")
    if in_ms is not None and in_ms != "":
        if isinstance(in_ms, str) and in_ms.strip().isascii() and in_ms.strip().isdigit() and len(in_ms) < 20:
            in_ms = int(in_ms)
        if isinstance(in_ms, bool) or not isinstance(in_ms, int):
            raise OptOutError("time_invalid")
        return checked_ms(in_ms)
    text = _text(row, name)
    return epoch_ms(text) if text else None
