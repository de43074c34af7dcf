"""TRN005."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import ContentCheck, IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.screens import sound_record

_KEPT = ContentCheck(illegal=True, filtered=False, engine_version="1.0", risk_codes=("A.1.f", "A.2.a"))


@rule(
    "TRN005",
    on=IngestEvent,
    zh="违法不良信息未从训练数据中过滤",
    severity="high",
    basis=(law.INTERIM_MEASURES_ART_7, law.TC260_003_5_1),
    screen=sound_record,
    cases=(
        fails("unlawful and kept", content_check=_KEPT),
        fails("unlawful, kind of risk unknown", content_check=ContentCheck(illegal=True, filtered=False)),
        fails("unlawful, no kind of risk", content_check=ContentCheck(illegal=True, filtered=False, risk_codes=())),
        passes("lawful"),
        passes("lawful, filtering not stated", content_check=ContentCheck(illegal=False)),
        passes("unlawful and taken out", content_check=ContentCheck(illegal=True, filtered=True)),
        skips("before the law", at="2023-08-14T23:59:59+08:00", content_check=_KEPT),
        unclear("no content check", content_check=None),
        unclear("unlawful or not unknown", content_check=ContentCheck(filtered=False)),
        unclear("taken out or not unknown", content_check=ContentCheck(illegal=True)),
    ),
)
def illegal_record_kept(event: IngestEvent, facts: Facts) -> Result:
    """A record was found to hold unlawful or harmful content and was not filtered out.

    Why: training data must be lawful; what the filter finds has to leave the corpus before training.

    False positives: the event was sent between the finding and the removal. Send the event behind the filter.

    When it fires:
    1. Read `first_risk` and `source` (the hash of `source_id`) in the evidence; group the failures by both.
    2. Check that the pipeline drops what its filter marks; remove the records before the dataset version is used.
    3. If one source gives most of them, stop it and assess it again.
    """
    check = event.content_check
    if check is None:
        return inconclusive("content_check")
    if check.illegal is None:
        return inconclusive("content_check.illegal")
    if not check.illegal:
        return PASS
    if check.filtered is None:
        return inconclusive("content_check.filtered")
    if check.filtered:
        return PASS
    risks = check.risk_codes
    return fail("an unlawful record was kept", first_risk=Code(risks[0]) if risks else None, source=event.source_id)
