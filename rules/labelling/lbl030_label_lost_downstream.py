"""LBL030."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, passes, rule, skips, unclear
from hegui.rules.facts import Facts
from hegui.rules.ledgers.labels import SHOWN_MS, ContentLabelLedger


@rule(
    "LBL030",
    on=ContentLabelLedger,
    zh="上游已有隐式标识的内容在下游丢失标识",
    severity="critical",
    basis=(law.LABELLING_MEASURES_ART_10, law.DEEP_SYNTHESIS_ART_18),
    waivable=False,
    cases=(
        fails("sent on without just now", lost_ms=BASE_AT_MS),
        fails("a day ago", lost_ms=BASE_AT_MS - SHOWN_MS),
        fails("under the older provisions", at="2023-06-01T00:00:00+08:00", lost_ms=BASE_AT_MS),
        passes("longer ago", lost_ms=BASE_AT_MS - SHOWN_MS - 1),
        skips("before the law", at="2023-01-09T23:59:59+08:00", lost_ms=BASE_AT_MS),
        unclear("at a time that is not trusted", lost_ms=BASE_AT_MS, trusted=False),
    ),
)
def label_lost_downstream(ledger: ContentLabelLedger, facts: Facts) -> Result:
    """A content that was known with a metadata label was sent on without one.

    Why: nobody may remove or hide the label. That the file arrived without it is no excuse where the provider itself
    labelled it: the service received the labelled file and sent it on without. Asked for services with
    `label_index` in the policy; the content is found by `output_sha256` of its maker and `propagation.received_sha256`
    (a file that lost its label before it arrived has another hash, and is not found). A revision of the event that finds
    the label takes the fault back.

    When it fires:
    1. Follow the content from its maker to the service: which step writes the file anew, and drops metadata?
    2. Let that step copy the label, and send the content again.
    3. The issue closes a day after the last such output.
    """
    if facts.at_ms <= ledger.lost_ms + SHOWN_MS:
        return fail("a known label was lost", lost_ms=ledger.lost_ms)
    return PASS
