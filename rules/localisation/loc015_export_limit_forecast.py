"""LOC015."""

from hegui.rules import law
from hegui.rules.cases import holding
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.evidence import Code
from hegui.rules.exports import DAY_MS, PACE_DAYS, ExportLedger, days_until, is_over, year_end_ms
from hegui.rules.facts import Facts
from hegui.rules.localisation.export_limits import (
    CONTRACT_FROM,
    ORDINARY_LIMIT,
    SENSITIVE_LIMIT,
    assessment_due,
    of_unknown_entity,
)
from hegui.rules.localisation.mechanism import held_at

_CONTRACT = holding("standard_contract")
_SOON: dict[str, object] = {"ordinary": 30_000, "new_ordinary_7_days": 17_000}
_LAST_WEEK: dict[str, object] = {"ordinary": 90_000, "new_ordinary_7_days": 10_000}


@rule(
    "LOC015",
    on=ExportLedger,
    zh="按当前速度年度累计出境人数将达到法定数量",
    severity="medium",
    basis=(law.CROSS_BORDER_ART_7, law.CROSS_BORDER_ART_8),
    waivable=False,
    cases=(
        fails("a hundred thousand in thirty days", ordinary=40_000, new_ordinary_7_days=14_000),
        fails("a million in thirty days, contract", ordinary=700_000, new_ordinary_7_days=70_000, given=_CONTRACT),
        fails("a million in thirty days, no contract either", ordinary=700_000, new_ordinary_7_days=70_000),
        fails(
            "ten thousand in thirty days, sensitive, contract",
            sensitive=4_000,
            new_sensitive_7_days=1_400,
            given=_CONTRACT,
        ),
        fails("ten thousand in thirty days, sensitive, no contract", sensitive=4_000, new_sensitive_7_days=1_400),
        fails(
            "a policy that looks further ahead",
            ordinary=10_000,
            new_ordinary_7_days=7_000,
            given={"export_forecast_days": 90},
        ),
        fails("soon, and some exports could not be counted", uncounted=1, **_SOON),
        fails("at the very end of the year", at="2026-12-25T00:00:00+08:00", **_LAST_WEEK),
        passes("one day later than thirty days", ordinary=38_000, new_ordinary_7_days=14_000),
        passes("one person fewer in seven days", ordinary=40_000, new_ordinary_7_days=13_999),
        passes(
            "one person fewer in seven days, sensitive", sensitive=4_000, new_sensitive_7_days=1_399, given=_CONTRACT
        ),
        passes("a policy that looks less far ahead", given={"export_forecast_days": 28}, **_SOON),
        passes("the year ends before", at="2026-12-25T00:00:01+08:00", **_LAST_WEEK),
        passes("the year is over", at="2027-01-01T00:00:00+08:00", **_LAST_WEEK),
        passes("the year is over, and some could not be counted", at="2027-01-01T00:00:00+08:00", uncounted=1),
        passes("nobody new", ordinary=99_999),
        passes("a hundred thousand soon, contract", given=_CONTRACT, **_SOON),
        passes(
            "over a hundred thousand, no contract: another rule judges", ordinary=100_000, new_ordinary_7_days=20_000
        ),
        passes("assessed", ordinary=999_999, new_ordinary_7_days=90_000, given=holding("security_assessment")),
        passes("assessed, and some could not be counted", uncounted=1, given=holding("security_assessment")),
        skips("over the limit: another rule judges", ordinary=1_000_000, new_ordinary_7_days=90_000),
        skips("over the limit, sensitive", sensitive=10_000, new_sensitive_7_days=9_000),
        skips("before the law", at="2024-03-21T23:59:59+08:00", year=2024, **_SOON),
        unclear("some exports could not be counted", ordinary=40_000, uncounted=1),
        unclear("some could not be counted, the last second", at="2026-12-31T23:59:59+08:00", uncounted=1),
        unclear("exports whose time cannot be trusted", year=0, ordinary=0, uncounted=1),
        passes("entities that were not in the policy, and every export of them is settled", entity="other", ordinary=0),
        unclear("an entity that is not in the policy, sensitive", entity="other", ordinary=0, sensitive=1),
        unclear("an entity that is not in the policy, nobody counted", entity="other", ordinary=0, uncounted=1),
        unclear("an entity that is not in the policy", entity="other", **_SOON),
    ),
)
def export_limit_forecast(ledger: ExportLedger, facts: Facts) -> Result:
    """At the present pace an entity's exports reach a number of persons this year that needs more than it holds.

    Why: an assessment or a contract takes weeks to months. Who grows fast comes from far below a limit to above it before
    the warnings at 80, 90 and 95 % leave time to act. The pace is that of the last seven days: persons who were not yet in
    the ledger of the year. The forecast looks `export_forecast_days` of the policy ahead, and never beyond the year.

    False positives: in January everybody is new, so that the pace is that of all users; a campaign of a few days counts
    like lasting growth.

    When it fires:
    1. Read the pace and the days left: `hegui state show` prints both beside the counts of the year.
    2. Ask the data protection officer whether the contract, certificate or assessment will stand by then.
    3. If not, slow the exports down now: what was provided abroad cannot be taken back.
    """
    if assessment_due(ledger.ordinary, ledger.sensitive):
        return NOT_APPLICABLE
    entity = facts.entity(ledger.entity)
    if entity is None:
        return of_unknown_entity(ledger)
    held = held_at(entity, facts.at_ms)
    if "security_assessment" in held:
        return PASS
    ahead_ms = min(facts.policy.export_forecast_days * DAY_MS, year_end_ms(ledger.year) - facts.at_ms)
    ordinary, new = ledger.ordinary, ledger.new_ordinary_7_days
    limits = [(ledger.sensitive, ledger.new_sensitive_7_days, SENSITIVE_LIMIT), (ordinary, new, ORDINARY_LIMIT)]
    if not held:
        limits.append((ordinary, new, CONTRACT_FROM))
    for count, pace, limit in limits:
        if 0 < (limit - count) * PACE_DAYS * DAY_MS <= pace * ahead_ms:
            return fail(
                "a limit of the year is reached soon at the present pace",
                entity=Code(entity.name),
                year=ledger.year,
                persons=count,
                limit=limit,
                days=days_until(limit, count, pace),
                new_in_7_days=pace,
            )
    if ledger.uncounted and not is_over(ledger.year, facts.at_ms):
        return inconclusive("the persons of exports that could not be counted")
    return PASS
