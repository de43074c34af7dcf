"""TRN006."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import ContentCheck, IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.screens import sound_record

_NO_FILTER = ContentCheck(illegal=False, filtered=False, engine_version="")


@rule(
    "TRN006",
    on=IngestEvent,
    zh="训练数据未经内容过滤",
    severity="high",
    basis=(law.TC260_003_5_1, law.GB_45654_CORPUS),
    screen=sound_record,
    cases=(
        fails("no filter ran", content_check=_NO_FILTER),
        fails("synthetic, no filter ran", source_type="synthetic", content_check=_NO_FILTER),
        passes("filtered by a known version"),
        passes("nothing known but the version", content_check=ContentCheck(engine_version="1.0")),
        skips("before the law", at="2024-02-28T23:59:59+08:00", content_check=_NO_FILTER),
        unclear("no content check", content_check=None),
        unclear("version of the filter not stated", content_check=ContentCheck(illegal=False)),
    ),
)
def record_not_filtered(event: IngestEvent, facts: Facts) -> Result:
    """A record went into a training corpus without passing a content filter.

    Why: keywords, classifiers and samples judged by people must filter all training data before use. The version of the
    filter shows that it ran; an empty text says "none ran", a missing field is inconclusive.

    When it fires:
    1. Read `source` and `dataset` (both hashes) in the evidence; find the step of the pipeline that skips the filter.
    2. Switch the filter on for that source and run it over what was taken in without it.
    3. Hold the dataset version back until the failure rate of this rule is zero.
    """
    check = event.content_check
    version = None if check is None else check.engine_version
    if version is None:
        return inconclusive("content_check.engine_version")
    if not version:
        return fail(
            "no filter ran over the record",
            lacks=Code("content_check.engine_version"),
            source=event.source_id,
            dataset=event.dataset,
        )
    return PASS
