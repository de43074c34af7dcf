"""EVT002."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, Situation, fail, fails, passes, rule
from hegui.rules.events import GenerationEvent
from hegui.rules.facts import Facts


@rule(
    "EVT002",
    on=GenerationEvent,
    of=Situation,
    any_time=True,
    zh="事件时间与消息代理的时间相差过大",
    severity="high",
    basis=(law.CONTRACT_TIME,),
    cases=(
        fails("far from the broker's time", trusted=False),
        fails("of a service nobody knows", service="nobody", trusted=False),
        passes("near the broker's time"),
        passes("judged without a broker", service="nobody"),
    ),
)
def clock_far_off(situation: Situation, facts: Facts) -> Result:
    """An output's event has a time that is far from the broker's.

    Why: which law was in force and which facts held is decided by the event's time. Where that cannot be trusted, every
    other rule is inconclusive: the service is not watched.

    False positives: a backlog older than `evaluator.max_age_days` is replayed. Raise that setting for the replay.

    When it fires:
    1. Compare `time` of a sample event with the record's time at its `topic`, `partition` and `offset`.
    2. Check the producer's clock (NTP) and the unit of its times; milliseconds taken for seconds are common.
    3. Correct it, and send the events again with a higher `revision`.
    """
    if situation.time_trusted:
        return PASS
    return fail("the event's time is far from the broker's", time_trusted=False)
