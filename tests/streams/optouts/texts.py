"""What the tests of importers share: when and where a text was read, and what came of it in short."""

from collections.abc import Iterable
from io import BytesIO

from hegui.rules.facts import OptOut
from hegui.streams.optouts import formats
from hegui.streams.optouts.normal_form import Reading
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.scopes import Scope

AT_MS = 1_795_000_000_000
SITE = "https://example.com/"
READING = Reading(AT_MS, SITE)
DIGEST = "ab" * 32
PERSON = "k1:" + DIGEST


def read(form: str, text: bytes | str, reading: Reading = READING) -> list[OptOut | Remark]:
    content = text if isinstance(text, bytes) else text.encode()
    return [each for each in formats.read(BytesIO(content), form, reading) if not isinstance(each, Scope)]


def said(found: Iterable[OptOut | Remark]) -> set[tuple[str, ...]]:
    """The statements, as scheme, subject, category and value."""
    return {(r.scheme, r.subject, r.category, r.value) for r in found if isinstance(r, OptOut)}


def told(found: Iterable[OptOut | Remark]) -> set[tuple[int, str]]:
    """The remarks, as line and reason."""
    return {(r.line, r.reason) for r in found if isinstance(r, Remark)}
