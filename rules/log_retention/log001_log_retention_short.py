"""LOG001."""

from hegui.rules import law
from hegui.rules.calendar import add_months
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.facts import Facts
from hegui.rules.screens import kept_and_moderated

_DAY_MS = 86_400_000
# No six months in a row have more days (those from March, May, July and August have as many), an end day that its month
# lacks only makes them shorter, and the mainland has no daylight saving: 184 days are six calendar months or more.
_LONGEST_MS = 184 * _DAY_MS

_AUGUST_31 = "2026-08-31T12:00:00+08:00"
_AUGUST_31_MS = BASE_AT_MS + 30 * _DAY_MS
_LEAP_AUGUST_31 = "2027-08-31T12:00:00+08:00"
_LEAP_AUGUST_31_MS = _AUGUST_31_MS + 365 * _DAY_MS


@rule(
    "LOG001",
    on=GenerationEvent,
    zh="生成日志留存少于六个月",
    severity="high",
    basis=(law.CSL_ART_23, law.CSL_2016_ART_21),
    when={"public_cn": {True}},
    screen=kept_and_moderated,
    cases=(
        fails("not kept", log_retain_until_ms=0),
        fails("a millisecond short of the longest six months", log_retain_until_ms=BASE_AT_MS + _LONGEST_MS - 1),
        fails("180 days", log_retain_until_ms=BASE_AT_MS + 180 * _DAY_MS),
        fails(
            "a millisecond short of the end of February",
            at=_AUGUST_31,
            log_retain_until_ms=_AUGUST_31_MS + 181 * _DAY_MS - 1,
        ),
        fails(
            "the end of February, but of a leap year",
            at=_LEAP_AUGUST_31,
            log_retain_until_ms=_LEAP_AUGUST_31_MS + 181 * _DAY_MS,
        ),
        passes("a year", log_retain_until_ms=BASE_AT_MS + 365 * _DAY_MS),
        passes("exactly the longest six months", log_retain_until_ms=BASE_AT_MS + _LONGEST_MS),
        passes("until the end of February", at=_AUGUST_31, log_retain_until_ms=_AUGUST_31_MS + 181 * _DAY_MS),
        passes(
            "until the end of February of a leap year",
            at=_LEAP_AUGUST_31,
            log_retain_until_ms=_LEAP_AUGUST_31_MS + 182 * _DAY_MS,
        ),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, log_retain_until_ms=0),
        fails("kept too short before the amendment", at="2025-12-31T23:59:59+08:00", log_retain_until_ms=0),
        skips("before the law", at="2017-05-31T23:59:59+08:00", log_retain_until_ms=0),
        unclear("retention unknown", log_retain_until_ms=None),
        unclear("audience unknown", given={"svc": {"public_cn": None}}, log_retain_until_ms=0),
        unclear("unknown service", service="nobody", log_retain_until_ms=0),
    ),
)
def log_retention_short(event: GenerationEvent, facts: Facts) -> Result:
    """The log of a public output is kept for less than six calendar months.

    Why: network logs must be kept for at least six months, counted as calendar months from the event: 180 days are not
    always enough.

    When it fires:
    1. Read `kept_until_ms` and `wanted_until_ms` in the evidence; compare them with the setting of the log store.
    2. Set the retention to seven months or more, and stop the deletion job until that is done.
    3. Check whether logs younger than six months were deleted already; tell the security team if so.
    """
    until_ms = event.log_retain_until_ms
    if until_ms is None:
        return inconclusive("log_retain_until_ms")
    if until_ms >= facts.at_ms + _LONGEST_MS:  # nearly every event
        return PASS
    wanted_ms = add_months(facts.at_ms, 6)
    if until_ms >= wanted_ms:
        return PASS
    return fail("the log is not kept for six months", kept_until_ms=until_ms, wanted_until_ms=wanted_ms)
