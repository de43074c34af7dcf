"""CMP002."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.facts import Facts
from hegui.rules.ledgers.sessions import TWO_HOURS_MS, SessionClock


@rule(
    "CMP002",
    on=SessionClock,
    zh="连续使用拟人化互动服务超过两小时未提醒",
    severity="high",
    basis=(law.ANTHROPOMORPHIC_ART_18,),
    waivable=False,
    cases=(
        fails("a millisecond over two hours", unreminded_ms=TWO_HOURS_MS + 1),
        passes("exactly two hours"),
        passes("just begun", unreminded_ms=0),
        passes("just begun, reminders not told of", unreminded_ms=0, told=False),
        skips("before the law", at="2026-07-14T23:59:59+08:00", unreminded_ms=TWO_HOURS_MS + 1),
        unclear("over two hours, reminders not told of", unreminded_ms=TWO_HOURS_MS + 1, told=False),
        unclear("sessions not named", unreminded_ms=0, named=False),
    ),
)
def two_hour_reminder_missing(clock: SessionClock, facts: Facts) -> Result:
    """A user of a companion service went on for more than two hours without being reminded.

    Why: each time continuous use passes two hours the user must be reminded of it by a pop-up or the like. Outputs no
    further apart than `session_pause_minutes` of the policy are continuous use; `session_id` names the session and
    `usage_reminder_shown` says with which output the reminder was shown. A reminder with the first output after two
    hours is in time, and one counts for outputs of the minute before it. Use of several sessions is not added up: a new
    `session_id` begins a new clock, unless `continuous_use_of` of the service in the policy is `user`: then the clock
    is that of `user_key`, whatever the sessions. The law speaks of continuous use and its exact wording is not
    confirmed; an application that begins a session with every screen needs `user`.

    When it fires:
    1. Find the sessions in the service's own log; `hegui state show` tells how many are in use.
    2. Check that the application counts from the last reminder, and over restarts and devices.
    3. The issue closes when the sessions that were not reminded have ended.
    """
    del facts
    if not clock.named:
        return inconclusive("session_id, or user_key where continuous use is that of a user")
    if clock.unreminded_ms <= TWO_HOURS_MS:
        return PASS
    if not clock.told:
        return inconclusive("usage_reminder_shown")
    return fail("two hours of use passed without a reminder", minutes=clock.unreminded_ms // 60_000)
