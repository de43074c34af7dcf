"""MOD001."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, Moderation
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.screens import kept_and_moderated


def _verdict(decided_at_ms: int | None) -> Moderation:
    return Moderation(verdict="allow", decided_at_ms=decided_at_ms, engine_version="1.0", action="delivered")


@rule(
    "MOD001",
    on=GenerationEvent,
    zh="内容未经审核或审核晚于交付",
    severity="high",
    basis=(law.INTERIM_MEASURES_ART_4, law.INTERIM_MEASURES_ART_14, law.DEEP_SYNTHESIS_ART_10),
    when={"public_cn": {True}},
    screen=kept_and_moderated,
    cases=(
        fails("not moderated", moderation=Moderation(verdict="none")),
        fails("a millisecond late", moderation=_verdict(BASE_AT_MS + 1)),
        fails("late against the event's own time", delivered_at_ms=None, moderation=_verdict(BASE_AT_MS + 1)),
        fails(
            "no engine behind the verdict",
            moderation=Moderation(verdict="allow", decided_at_ms=BASE_AT_MS, engine_version=""),
        ),
        passes("before delivery"),
        passes("at the very moment", moderation=_verdict(BASE_AT_MS)),
        passes(
            "delivered later than the event", delivered_at_ms=BASE_AT_MS + 500, moderation=_verdict(BASE_AT_MS + 400)
        ),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, moderation=Moderation(verdict="none")),
        skips("before the law", at="2023-01-09T23:59:59+08:00", moderation=Moderation(verdict="none")),
        unclear("nothing said", moderation=None),
        unclear("verdict unknown", moderation=Moderation(decided_at_ms=BASE_AT_MS, engine_version="1.0")),
        unclear("time of the verdict unknown", moderation=_verdict(None)),
        unclear("engine unknown", moderation=Moderation(verdict="allow", decided_at_ms=BASE_AT_MS)),
    ),
)
def moderation_missing(event: GenerationEvent, facts: Facts) -> Result:
    """A public output was delivered without a moderation verdict, or before it.

    Why: the provider answers for the content and must keep unlawful content from being generated and spread; a verdict
    after delivery comes too late.

    When it fires:
    1. Read `late_ms` or `verdict` in the evidence: was moderation skipped, or is it slow?
    2. Check the health of the moderation engine and whether the service delivers when it times out.
    3. Make the service wait or block; watch the failure rate of this rule for 15 minutes.
    """
    moderation = event.moderation
    if moderation is None or moderation.verdict is None:
        return inconclusive("moderation.verdict")
    if moderation.verdict == "none":
        return fail("the output was not moderated", verdict=Code("none"), modality=Code(event.modality or "unknown"))
    if moderation.decided_at_ms is None:
        return inconclusive("moderation.decided_at_ms")
    delivered_at_ms = facts.at_ms if event.delivered_at_ms is None else event.delivered_at_ms
    if moderation.decided_at_ms > delivered_at_ms:
        return fail("the verdict came after delivery", late_ms=moderation.decided_at_ms - delivered_at_ms)
    if moderation.engine_version is None:
        return inconclusive("moderation.engine_version")
    if not moderation.engine_version:
        return fail("no engine is named that reached the verdict", lacks=Code("moderation.engine_version"))
    return PASS
