"""TRN004."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.facts import Facts
from hegui.rules.screens import sound_record


@rule(
    "TRN004",
    on=IngestEvent,
    zh="依法应阻断的信息作为训练数据",
    severity="critical",
    stage="sandbox",
    basis=(law.TC260_003_5_1_BLOCKED,),
    screen=sound_record,
    cases=(
        fails("blocked", legally_blocked=True),
        fails("blocked, crawled", legally_blocked=True, source_type="crawl"),
        passes("not blocked"),
        skips("before the law", at="2024-02-28T23:59:59+08:00", legally_blocked=True),
        unclear("not stated", legally_blocked=None),
    ),
)
def legally_blocked_content(event: IngestEvent, facts: Facts) -> Result:
    """Content that is blocked under Chinese law was taken into a training corpus.

    Why: information that laws and regulations require to be blocked must not serve as training data.

    When it fires:
    1. Read `source` in the evidence (the hash of `source_id`); group the failures of the pipeline by it.
    2. Stop the ingest from that source and put it on the list of blocked sources.
    3. Remove its records from every dataset version that is not yet used, and tell the compliance officer which are.
    """
    blocked = event.legally_blocked
    if blocked is None:
        return inconclusive("legally_blocked")
    if blocked:
        return fail("the content is blocked under Chinese law", legally_blocked=True, source=event.source_id)
    return PASS
