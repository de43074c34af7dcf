"""CPR003."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, passes, rule, skips, unclear
from hegui.rules.facts import Facts
from hegui.rules.ledgers.deadlines import SHOWN_MS, Deadline, overdue

_HOUR_MS = 3_600_000
_DUE = BASE_AT_MS - 72 * _HOUR_MS


@rule(
    "CPR003",
    on=Deadline,
    zh="收到权利人通知后未及时采取必要措施",
    severity="high",
    basis=(law.INTERIM_MEASURES_ART_15, law.CIVIL_CODE_NOTICE),
    since=law.INTERIM_MEASURES_ART_15,
    when={"kind": {"notice"}},
    waivable=False,
    cases=(
        fails("a millisecond over three days", kind="notice", opened_ms=_DUE - 1),
        fails("handled a millisecond late, just now", kind="notice", opened_ms=_DUE - 1, done_ms=BASE_AT_MS),
        fails("a shorter limit", kind="notice", opened_ms=BASE_AT_MS - _HOUR_MS - 1, given={"notice_grace_hours": 1}),
        passes("exactly three days", kind="notice", opened_ms=_DUE),
        passes("handled in time", kind="notice", opened_ms=0, done_ms=72 * _HOUR_MS),
        passes("handled late, longer ago", kind="notice", opened_ms=0, done_ms=BASE_AT_MS - SHOWN_MS - 1),
        skips("before the law", at="2023-08-14T23:59:59+08:00", kind="notice", opened_ms=0),
        skips("an incident", kind="incident", opened_ms=0),
        unclear("at a time that is not trusted", kind="notice", opened_ms=0, trusted=False),
    ),
)
def notice_not_handled(deadline: Deadline, facts: Facts) -> Result:
    """A rights holder's notice was not handled in time.

    Why: who is notified must take the necessary measures promptly, else he is liable for what follows. The law names no
    number; the limit is `notice_grace_hours` in the policy. That the work is used again after the notice is another
    thing (OPT005, OPT006).

    When it fires:
    1. `hegui state show` names the open notices of the service, and since when.
    2. Take the measures (remove, filter, tell partners) or answer why the notice has no ground; send the event again
       with a higher `revision` and `handled_at_ms`.
    3. The issue closes when none is overdue; one handled late stays open for one hour more.
    """
    if overdue(deadline.opened_ms, deadline.done_ms, facts.policy.notice_grace_hours, facts.at_ms):
        return fail("the notice was not handled in time", hours=facts.policy.notice_grace_hours)
    return PASS
