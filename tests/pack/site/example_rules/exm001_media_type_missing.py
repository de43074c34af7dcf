"""EXM001."""

from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, Media
from hegui.rules.facts import Facts
from hegui.rules.law import Clause, legal_day_ms

_HOUSE_RULE = Clause(
    id="House rule 1",
    instrument="House rules",
    instrument_zh="内部规定",
    article="1",
    in_force_from="2026-01-01",
    source="https://rules.example",
    confidence="contract",
    in_force_from_ms=legal_day_ms("2026-01-01"),
)


@rule(
    "EXM001",
    on=GenerationEvent,
    zh="文件缺少媒体类型",
    severity="low",
    stage="sandbox",
    basis=(_HOUSE_RULE,),
    when={"delivery": {"download", "export"}},
    cases=(
        fails("no media type", media=Media(mime_type="")),
        passes("media type"),
        skips("not a file", delivery="inline", media=Media(mime_type="")),
        skips("before the rule", at="2025-12-31T23:59:59+08:00", media=Media(mime_type="")),
        unclear("nothing said", media=None),
    ),
)
def media_type_missing(event: GenerationEvent, facts: Facts) -> Result:
    """A file leaves the service without its media type.

    Why: whoever receives the file must know how to open it.

    When it fires:
    1. Read `delivery` in the evidence.
    2. Have the service name the type.
    """
    if event.media is None or event.media.mime_type is None:
        return inconclusive("media.mime_type")
    if not event.media.mime_type:
        return fail("the file has no media type", delivery=event.delivery)
    return PASS
