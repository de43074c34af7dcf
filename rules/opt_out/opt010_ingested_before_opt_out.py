"""OPT010."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, passes, rule, skips, unclear
from hegui.rules.facts import Facts
from hegui.rules.ledgers.deadlines import Deadline, overdue

_HOUR_MS = 3_600_000


@rule(
    "OPT010",
    on=Deadline,
    zh="拒绝训练前已收录的记录须移出下一数据集版本",
    severity="high",
    basis=(law.TC260_003_5_1, law.INTERIM_MEASURES_ART_7, law.INTERIM_MEASURES_ART_11, law.PIPL_ART_15),
    since=law.INTERIM_MEASURES_ART_7,
    when={"kind": {"removal"}},
    waivable=False,
    cases=(
        fails("refused just now", kind="removal", opened_ms=BASE_AT_MS),
        fails("refused long ago", kind="removal", opened_ms=0),
        fails("no time of grace", kind="removal", opened_ms=BASE_AT_MS, given={"notice_grace_hours": 0}),
        passes("taken out", kind="removal", opened_ms=BASE_AT_MS - _HOUR_MS, done_ms=BASE_AT_MS),
        passes("taken out late", kind="removal", opened_ms=0, done_ms=BASE_AT_MS),
        skips("before the law", at="2023-08-14T23:59:59+08:00", kind="removal", opened_ms=0),
        skips("a rights holder's notice", kind="notice", opened_ms=0),
        unclear("at a time that is not trusted", kind="removal", opened_ms=0, trusted=False),
    ),
)
def ingested_before_opt_out(deadline: Deadline, facts: Facts) -> Result:
    """Records were ingested before the opt-out that covers them, and must leave the next dataset version.

    Why: a refusal counts for what comes after it, but what was taken in before must not go into dataset versions built
    after it; nor must what an exception, a yes or the grace time let in, once that is over. The sweep finds such records
    when an opt-out arrives. No court has ordered a model to unlearn; the next version is what counts. The clock is that of a
    notice (`notice_grace_hours`), from when the opt-out was observed, or from when it counted for the record without a break.

    When it fires:
    1. Read the violations of this rule: each names one record (`source`, `id`), what matched, and by `removal` the
       opt-out (others that cover it too by `removal_2` and so on). `due_at_ms` says until when.
    2. Take the records out of the dataset; keep the evidence. Build the next version without them.
    3. Send `hegui.notice.v1` of the pipeline with the source `hegui/sweep`, the id in `removal`, `revision` 1 and
       `handled_at_ms`. The issue closes when no removal of the pipeline is open.
    """
    if deadline.done_ms is not None:
        return PASS
    hours = facts.policy.notice_grace_hours
    return fail(
        "ingested before the opt-out, must leave the next dataset version",
        due_at_ms=deadline.opened_ms + hours * 3_600_000,
        overdue=overdue(deadline.opened_ms, None, hours, facts.at_ms),
    )
