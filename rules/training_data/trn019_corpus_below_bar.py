"""TRN019."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.ledgers.corpora import CorpusLedger

HUMAN_SAMPLE = 4_000
"""Fewest records sampled by persons."""
HUMAN_PERCENT = 96
"""Percent of them that must pass."""
TECHNICAL_SHARE = 10
"""Percent of the corpus that must be sampled by keywords and classifiers."""
TECHNICAL_PERCENT = 98
"""Percent of them that must pass."""


@rule(
    "TRN019",
    on=CorpusLedger,
    zh="训练语料抽检不达标即投入训练",
    severity="high",
    basis=(law.TC260_003_9, law.GB_45654_CORPUS),
    waivable=False,
    cases=(
        fails("3,999 sampled by persons", human=3_999, human_passed=3_999),
        fails("one too many failed with persons", human_passed=3_839),
        fails("one too few sampled by technical means", technical=9_999, technical_passed=9_999),
        fails("one too many failed by technical means", technical_passed=9_799),
        fails("nothing sampled", human=0, human_passed=0, technical=0, technical_passed=0),
        fails(
            "a small corpus, not sampled whole",
            records=3_000,
            human=2_999,
            human_passed=2_999,
            technical=300,
            technical_passed=300,
        ),
        passes("exactly at every bar"),
        passes(
            "a small corpus, sampled whole",
            records=3_000,
            human=3_000,
            human_passed=2_880,
            technical=300,
            technical_passed=294,
        ),
        passes("more than needed", human=50_000, human_passed=48_000, technical=100_000, technical_passed=98_000),
        skips("before the standard", at="2024-02-28T23:59:59+08:00", human=0, human_passed=0),
        unclear(
            "released, and no record was seen", records=0, human=0, human_passed=0, technical=0, technical_passed=0
        ),
        unclear("more sampled by persons than there are", records=3_999, technical=400, technical_passed=400),
        unclear("more sampled by technical means than there are", records=9_999),
    ),
)
def corpus_below_bar(ledger: CorpusLedger, facts: Facts) -> Result:
    """A dataset version was released for training although its samples are too few or too poor.

    Why: persons sample at least 4,000 records and 96 % of them pass; keywords and classifiers sample at least 10 % of
    the corpus and 98 % of them pass. A record counts once however often it is sampled or sent; the last word counts. A corpus of fewer than 4,000 records is sampled whole (ours: the standard does
    not speak of it).

    When it fires:
    1. Hold training on the released version back. The finding names it by a hash; `hegui state show` lists it under its
       pipeline, with records and samples.
    2. Sample what is missing and send it as `inspection`; take out what fails, release another version.
    3. When samples were made and not sent, send them: the issue closes once the counts reach the bar, else 190 days
       after the last record of the version.
    """
    del facts
    records = ledger.records
    if not records or ledger.human > records or ledger.technical > records:
        return inconclusive("a count of records that agrees with its samples")
    if ledger.human < min(HUMAN_SAMPLE, records) or ledger.human_passed * 100 < ledger.human * HUMAN_PERCENT:
        return _failed("human", ledger.human, ledger.human_passed)
    enough = ledger.technical * 100 >= records * TECHNICAL_SHARE
    if not enough or ledger.technical_passed * 100 < ledger.technical * TECHNICAL_PERCENT:
        return _failed("technical", ledger.technical, ledger.technical_passed)
    return PASS


def _failed(lacks: str, sampled: int, passed: int) -> Result:
    return fail("the corpus is below a sampling bar", lacks=Code(lacks), sampled=sampled, passed=passed)
