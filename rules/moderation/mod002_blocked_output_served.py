"""MOD002."""

from typing import Literal

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, Moderation, RiskCode
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


def _blocked(
    action: Literal["delivered", "blocked", "replaced"] | None, codes: tuple[RiskCode, ...] | None = ("A.1.a", "A.2.e")
) -> Moderation:
    return Moderation(verdict="block", action=action, risk_codes=codes)


@rule(
    "MOD002",
    on=GenerationEvent,
    zh="审核结论为拦截的内容仍被交付",
    severity="critical",
    basis=(law.INTERIM_MEASURES_ART_14, law.DEEP_SYNTHESIS_ART_10),
    when={"public_cn": {True}, "moderation.verdict": {"block"}},
    cases=(
        fails("delivered all the same", moderation=_blocked("delivered")),
        fails("delivered, no risk code found", moderation=_blocked("delivered", ())),
        fails("delivered, risk codes unknown", moderation=_blocked("delivered", None)),
        passes("blocked", moderation=_blocked("blocked")),
        passes("replaced by another answer", moderation=_blocked("replaced")),
        skips("verdict is allow"),
        skips("not moderated", moderation=Moderation(verdict="none", action="delivered")),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, moderation=_blocked("delivered")),
        skips("before the law", at="2023-01-09T23:59:59+08:00", moderation=_blocked("delivered")),
        unclear("action unknown", moderation=_blocked(None)),
        unclear("nothing said", moderation=None),
        unclear("verdict unknown", moderation=Moderation(action="delivered")),
        unclear("audience unknown", given={"svc": {"public_cn": None}}, moderation=_blocked("delivered")),
        unclear("unknown service", service="nobody", moderation=_blocked("delivered")),
    ),
)
def blocked_output_served(event: GenerationEvent, facts: Facts) -> Result:
    """An output that moderation said to block was delivered to the public.

    Why: once unlawful content is found the provider must stop generating and spreading it, remove it, correct the model
    and report to the authority. Delivering it against its own verdict is spreading it with knowledge.

    False positives: the service sends the event before it replaces the output. Emit the event behind that step.

    When it fires:
    1. Read `risk` in the evidence; find the event by its `source` and `id` and take the output down.
    2. Compare the first failure with the last release of the service: does it still wait for the verdict?
    3. Block deliveries until it does; tell the content safety team, who correct the model and report to the authority.
    """
    moderation = event.moderation
    if moderation is None or moderation.action is None:
        return inconclusive("moderation.action")
    if moderation.action == "delivered":
        risk, *_ = moderation.risk_codes or ("unknown",)
        return fail(
            "delivered although the verdict was to block", risk=Code(risk), modality=Code(event.modality or "unknown")
        )
    return PASS
