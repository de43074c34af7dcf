"""LBL029."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, passes, rule, skips, unclear
from hegui.rules.facts import Facts
from hegui.rules.ledgers.labels import SHOWN_MS, ProduceIdLedger


@rule(
    "LBL029",
    on=ProduceIdLedger,
    zh="同一内容编号用于不同内容",
    severity="medium",
    basis=(law.GB_45438_ANNEX_E, law.LABELLING_MEASURES_ART_5),
    waivable=False,
    cases=(
        fails("two contents", contents=2),
        fails("two contents, a day ago", contents=2, last_ms=BASE_AT_MS - SHOWN_MS),
        passes("two contents, longer ago", contents=2, last_ms=BASE_AT_MS - SHOWN_MS - 1),
        passes("one content"),
        skips("before the measures", at="2025-08-31T23:59:59+08:00", contents=2),
        unclear("at a time that is not trusted", contents=2, trusted=False),
    ),
)
def produce_id_used_twice(ledger: ProduceIdLedger, facts: Facts) -> Result:
    """The number of one content in the metadata label stands in another content too.

    Why: the number (`ProduceID`) is the provider's unique number of the content; with it the generation log is found.
    One number for two contents finds the wrong one. Asked for services with `label_index` in the policy; content is
    compared by `output_sha256`. A revision of an event replaces its content, as when a label is applied afterwards; one
    that gives the content another number leaves the old number as used.

    When it fires:
    1. Check where the service takes the number from: a retry that keeps it, or a counter that began anew.
    2. Label the later output again with a number of its own.
    3. The issue closes a day after the last such output.
    """
    if ledger.contents > 1 and facts.at_ms <= ledger.last_ms + SHOWN_MS:
        return fail("one number stands in several contents", contents=ledger.contents)
    return PASS
