"""LOC013."""

from hegui.rules import law
from hegui.rules.cases import holding
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.evidence import Code
from hegui.rules.exports import ExportLedger, is_over
from hegui.rules.facts import Facts
from hegui.rules.localisation.export_limits import (
    CONTRACT_FROM,
    ORDINARY_LIMIT,
    SENSITIVE_LIMIT,
    assessment_due,
    of_unknown_entity,
)
from hegui.rules.localisation.mechanism import held_at

_STEPS = (95, 90, 80)
"""Percent of a limit at which a warning is due (ours: the law names none)."""


@rule(
    "LOC013",
    on=ExportLedger,
    zh="年度累计出境人数接近法定数量",
    severity="medium",
    basis=(law.CROSS_BORDER_ART_7, law.CROSS_BORDER_ART_8),
    waivable=False,
    cases=(
        fails("80 % of a hundred thousand", ordinary=80_000),
        fails("the last one before a hundred thousand", ordinary=99_999),
        fails("80 % of a million, contract", ordinary=800_000, given=holding("standard_contract")),
        fails("95 % of a million, certificate", ordinary=950_000, given=holding("certification")),
        fails("80 % of ten thousand, sensitive, contract", sensitive=8_000, given=holding("standard_contract")),
        fails("80 % of a million, no contract either", ordinary=800_000),
        fails("both near: the sensitive ones come first", ordinary=950_000, sensitive=9_999),
        fails("95 % of a million before 80 % of ten thousand", ordinary=950_000, sensitive=8_000),
        passes("over a hundred thousand, no contract: another rule judges", ordinary=100_000),
        passes("one below 80 %", ordinary=79_999),
        passes("over a hundred thousand, contract", ordinary=100_000, given=holding("standard_contract")),
        passes("one below 80 % of a million, contract", ordinary=799_999, given=holding("standard_contract")),
        passes("one below 80 % of ten thousand", sensitive=7_999, given=holding("standard_contract")),
        passes("80 % of a hundred thousand, contract", ordinary=80_000, given=holding("standard_contract")),
        passes("assessed", ordinary=999_999, sensitive=9_999, given=holding("security_assessment")),
        fails("the last second of the year", at="2026-12-31T23:59:59+08:00", ordinary=99_999),
        passes("the year is over", at="2027-01-01T00:00:00+08:00", ordinary=99_999),
        passes("the year is over, and some could not be counted", at="2027-01-01T00:00:00+08:00", uncounted=1),
        unclear("exports whose time cannot be trusted", year=0, ordinary=0, uncounted=1),
        skips("over the limit: another rule judges", ordinary=1_000_000),
        skips("over the limit, sensitive", sensitive=10_000),
        skips("before the law", at="2024-03-21T23:59:59+08:00", year=2024, ordinary=99_999),
        fails("near, and some exports could not be counted", ordinary=80_000, uncounted=1),
        passes("assessed, and some could not be counted", uncounted=1, given=holding("security_assessment")),
        unclear("some exports could not be counted", ordinary=79_999, uncounted=1),
        passes("entities that were not in the policy, and every export of them is settled", entity="other", ordinary=0),
        unclear("an entity that is not in the policy, sensitive", entity="other", ordinary=0, sensitive=1),
        unclear("an entity that is not in the policy, nobody counted", entity="other", ordinary=0, uncounted=1),
        unclear("an entity that is not in the policy", entity="other", ordinary=80_000),
    ),
)
def export_limit_near(ledger: ExportLedger, facts: Facts) -> Result:
    """The persons whose information an entity provided abroad this year come near a number that needs more than it holds.

    Why: an assessment or a contract takes weeks to months. At 80, 90 and 95 % of a limit it must be under way, or the
    exports must slow down. Each of the three is told by itself: the finding is sent anew, and the alert
    ComplianceExportLimitNear fires with a higher severity. Of several limits that are near, the one with the highest percentage
    is told. The warning ends with the legal year.

    When it fires:
    1. Read `persons`, `percent`, `limit` and `year` in the finding (`unmapped.evidence`), or in `hegui state show`, which
       prints them with the issue and the counts of the year with the ledger.
    2. Ask the data protection officer whether the contract, certificate or assessment is under way, and when it will stand.
    3. Slow the exports down when it will stand later than the limit is reached at the present rate.
    """
    if assessment_due(ledger.ordinary, ledger.sensitive):
        return NOT_APPLICABLE
    entity = facts.entity(ledger.entity)
    if entity is None:
        return of_unknown_entity(ledger)
    held = held_at(entity, facts.at_ms)
    if "security_assessment" in held:
        return PASS
    if is_over(ledger.year, facts.at_ms):
        return PASS
    limits = [(ledger.sensitive, SENSITIVE_LIMIT), (ledger.ordinary, ORDINARY_LIMIT)]
    if not held:
        limits.append((ledger.ordinary, CONTRACT_FROM))
    near = [
        (percent, count, limit)
        for count, limit in limits
        for percent in _STEPS
        if limit * percent <= count * 100 < limit * 100
    ]
    if near:
        percent, count, limit = max(near, key=lambda step: step[0])
        return fail(
            "a limit of the year is near",
            entity=Code(entity.name),
            year=ledger.year,
            persons=count,
            percent=percent,
            limit=limit,
        )
    if ledger.uncounted:
        return inconclusive("the persons of exports that could not be counted")
    return PASS
