"""MOD009."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, passes, rule, skips, unclear
from hegui.rules.facts import Facts
from hegui.rules.ledgers.deadlines import SHOWN_MS, Deadline, overdue

_HOUR_MS = 3_600_000
_DAY_AGO = BASE_AT_MS - 24 * _HOUR_MS


@rule(
    "MOD009",
    on=Deadline,
    zh="发现违法内容后未按时向主管部门报告",
    severity="critical",
    basis=(law.INTERIM_MEASURES_ART_14,),
    when={"kind": {"incident"}},
    waivable=False,
    cases=(
        fails("a millisecond over a day", kind="incident", opened_ms=_DAY_AGO - 1),
        fails(
            "an hour was the limit",
            kind="incident",
            opened_ms=BASE_AT_MS - _HOUR_MS - 1,
            given={"incident_report_hours": 1},
        ),
        fails("reported a millisecond late, just now", kind="incident", opened_ms=_DAY_AGO - 1, done_ms=BASE_AT_MS),
        fails("reported late, an hour ago", kind="incident", opened_ms=0, done_ms=BASE_AT_MS - SHOWN_MS),
        passes("exactly a day", kind="incident", opened_ms=_DAY_AGO),
        passes("reported in time", kind="incident", opened_ms=0, done_ms=24 * _HOUR_MS),
        passes("reported late, longer ago", kind="incident", opened_ms=0, done_ms=BASE_AT_MS - SHOWN_MS - 1),
        skips("before the law", at="2023-08-14T23:59:59+08:00", kind="incident", opened_ms=0),
        skips("a complaint", opened_ms=0),
        unclear("at a time that is not trusted", kind="incident", opened_ms=0, trusted=False),
    ),
)
def incident_not_reported(deadline: Deadline, facts: Facts) -> Result:
    """Illegal content was found in a service and not reported to the authority in time.

    Why: the provider must stop it, remove it, improve the model and report promptly. The law names no number; the limit
    is `incident_report_hours` in the policy. The clock is event time, and runs on although nothing arrives.

    When it fires:
    1. Ask the service's team for the incident: `hegui state show` names when it was discovered.
    2. Report it to the competent authority now, and send the event again with a higher `revision`, `reported_at_ms`
       and `report_reference`.
    3. The issue closes then; a late report stays open for one hour more.
    """
    if overdue(deadline.opened_ms, deadline.done_ms, facts.policy.incident_report_hours, facts.at_ms):
        return fail("the incident was not reported in time", hours=facts.policy.incident_report_hours)
    return PASS
