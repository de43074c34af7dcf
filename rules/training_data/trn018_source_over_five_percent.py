"""TRN018."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.ledgers.sources import SourceLedger, over_five_percent

_DAY_MS = 86_400_000


@rule(
    "TRN018",
    on=SourceLedger,
    zh="训练数据来源的违法不良信息占比超过5%",
    severity="critical",
    basis=(law.TC260_003_5_1, law.GB_45654_CORPUS),
    waivable=False,
    cases=(
        fails("51 of 1,000 after collection", illegal=51),
        fails("51 of 1,000 before collection", assessed_illegal=51),
        fails("21 of 400", sampled=400, illegal=21),
        fails("21 of 400 before collection", assessed=400, assessed_illegal=21, sampled=0, illegal=0),
        fails("bad before collection, too few after", assessed_illegal=51, sampled=1, illegal=0),
        fails("condemned, and diluted since", condemned_by_ms=BASE_AT_MS - _DAY_MS + 1),
        fails("condemned at the moment of the assessment", condemned_by_ms=BASE_AT_MS - _DAY_MS),
        fails("condemned, never assessed again", condemned_by_ms=1, assessed=0, assessed_illegal=0, assessed_at_ms=0),
        fails("condemned, assessed again by too few", condemned_by_ms=1, assessed=399, assessed_illegal=0),
        passes("exactly 5 %, before and after"),
        passes("20 of 400", sampled=400, illegal=20),
        passes("never assessed, good after", assessed=0, assessed_illegal=0, assessed_at_ms=0),
        passes("condemned once, assessed again and passed", condemned_by_ms=1, sampled=1000, illegal=60),
        passes("a smaller sample allowed", sampled=100, illegal=5, given={"source_min_sample": 100}),
        passes("good before, nothing collected yet", sampled=0, illegal=0),
        skips("before the standard", at="2024-02-28T23:59:59+08:00", illegal=1000),
        skips("nothing checked", sampled=0, illegal=0, assessed=0, assessed_illegal=0),
        unclear("too few after collection", sampled=399, illegal=399),
        unclear("too few before, none after", sampled=0, illegal=0, assessed=399, assessed_illegal=399),
    ),
)
def source_over_five_percent(ledger: SourceLedger, facts: Facts) -> Result:
    """More than 5 % of the checked records of a source hold unlawful or harmful content.

    Why: such a source must not be collected from, or not be used for training. Strictly more than 5 % counts
    (超过5%): 50 of 1,000 do not. A record counts once, and as its highest revision says, within the last
    `evaluator.identity_window_events` events of a partition (rules/README.md). A source stays condemned until a later assessment passes, so that records taken
    against the rule do not dilute it.

    When it fires:
    1. Find the source by its hash: `hegui state show` names its counts; the hash is that of `source_id`.
    2. Stop collecting from it. TRN017 fails for every later record of it within seconds.
    3. Take its records out of the next dataset version. Only a later assessment of enough records that passed clears
       the source and closes the issue.
    """
    smallest = facts.policy.source_min_sample
    assessed = ledger.assessed >= smallest
    if assessed and over_five_percent(ledger.assessed, ledger.assessed_illegal):
        return _failed("before", ledger.assessed, ledger.assessed_illegal)
    if ledger.condemned_by_ms is not None:
        if not assessed or ledger.assessed_at_ms <= ledger.condemned_by_ms:
            return _failed("after", ledger.sampled, ledger.illegal)
        return PASS
    if ledger.sampled >= smallest:
        if over_five_percent(ledger.sampled, ledger.illegal):
            return _failed("after", ledger.sampled, ledger.illegal)
        return PASS
    if ledger.sampled or (ledger.assessed and not assessed):
        return inconclusive("a sample of enough records")
    return PASS if assessed else NOT_APPLICABLE


def _failed(phase: str, sampled: int, illegal: int) -> Result:
    return fail("more than 5 % are illegal", phase=Code(phase), sampled=sampled, illegal=illegal)
