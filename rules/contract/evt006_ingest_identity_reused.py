"""EVT006."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, Situation, fail, fails, inconclusive, passes, rule, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.facts import Facts


@rule(
    "EVT006",
    on=IngestEvent,
    of=Situation,
    any_time=True,
    zh="同一入库事件标识对应不同内容",
    severity="medium",
    basis=(law.CONTRACT_IDENTITY,),
    cases=(
        fails("other content under the same identity", given={"identity": "reused"}),
        passes("not seen before"),
        unclear("nobody looks", given={"identity": "unwatched"}),
    ),
)
def ingest_identity_reused(situation: Situation, facts: Facts) -> Result:
    """Two ingest events of one identity and revision have different content.

    Why: an event's identity is tenant, source and id; results are kept under it. The second content overwrites the result of
    the first, so that one of two records is on record and the other is not. A correction carries a higher `revision`.
    Identities are compared within the last `evaluator.identity_window_events` events of a partition.

    When it fires:
    1. Read the event at the violation's `topic`, `partition` and `offset`, and earlier ones with the same `id`.
    2. If it is a correction, let the producer raise `revision`; if not, let it make unique ids.
    """
    if situation.identity == "unwatched":
        return inconclusive("evaluator.identity_window_events")
    if situation.identity == "reused":
        return fail("another content was judged under this identity", identity="reused")
    return PASS
