"""MOD010."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.facts import Facts
from hegui.rules.ledgers.deadlines import SHOWN_MS, Deadline, overdue

_HOUR_MS = 3_600_000
_DUE = BASE_AT_MS - 48 * _HOUR_MS


@rule(
    "MOD010",
    on=Deadline,
    zh="未在公布的时限内处理投诉举报",
    severity="medium",
    basis=(law.INTERIM_MEASURES_ART_15,),
    when={"kind": {"complaint"}},
    waivable=False,
    cases=(
        fails("a millisecond over the limit", opened_ms=_DUE - 1),
        fails("answered a millisecond late, just now", opened_ms=_DUE - 1, done_ms=BASE_AT_MS),
        fails("a shorter limit", opened_ms=BASE_AT_MS - _HOUR_MS - 1, given={"svc": {"complaint_answer_hours": 1}}),
        passes("exactly at the limit", opened_ms=_DUE),
        passes("answered in time", opened_ms=0, done_ms=48 * _HOUR_MS),
        passes("answered late, longer ago", opened_ms=0, done_ms=BASE_AT_MS - SHOWN_MS - 1),
        skips("before the law", at="2023-08-14T23:59:59+08:00", opened_ms=0),
        skips("a notice", kind="notice", opened_ms=0),
        unclear("the service publishes no limit", opened_ms=0, given={"svc": {"complaint_answer_hours": None}}),
        unclear("a service that is not in the policy", service="unknown", opened_ms=0),
    ),
)
def complaint_not_answered(deadline: Deadline, facts: Facts) -> Result:
    """A complaint or report of the public was not answered within the time that the service publishes.

    Why: a provider must offer a channel for complaints, publish how they are handled and how soon, and keep to it.
    The limit is `complaint_answer_hours` of the service in the policy. The clock is event time, and runs on although
    nothing arrives.

    When it fires:
    1. `hegui state show` names the open complaints of the service, and since when.
    2. Answer them, and send each event again with a higher `revision` and `answered_at_ms`.
    3. The issue closes when none is overdue; a late answer stays open for one hour more.
    """
    hours = facts.service.complaint_answer_hours if facts.service is not None else None
    if hours is None:
        return inconclusive("complaint_answer_hours of the service in the policy")
    if overdue(deadline.opened_ms, deadline.done_ms, hours, facts.at_ms):
        return fail("the complaint was not answered in time", hours=hours)
    return PASS
