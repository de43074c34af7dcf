"""MOD006."""

from typing import Literal

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import RISKS, GenerationEvent, Moderation, RiskCode
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts

_FORBIDDEN = frozenset(code for code in RISKS if code.startswith(("A.1.", "A.2.")))
"""Against core socialist values; discrimination."""


def _found(
    *codes: RiskCode,
    verdict: Literal["allow", "block", "review", "none"] | None = "allow",
    action: Literal["delivered", "blocked", "replaced"] | None = "delivered",
) -> Moderation:
    return Moderation(verdict=verdict, action=action, risk_codes=codes)


@rule(
    "MOD006",
    on=GenerationEvent,
    zh="检出违法或歧视类风险的内容未被判定拦截并已交付",
    severity="high",
    basis=(law.TC260_003_APPENDIX_A, law.GB_45654_APPENDIX_A, law.INTERIM_MEASURES_ART_4),
    when={"public_cn": {True}, "moderation.verdict": {"allow", "review"}, "moderation.risk_codes": {True}},
    cases=(
        fails("subversion, allowed", moderation=_found("A.1.a")),
        fails("other prohibited content, allowed", moderation=_found("A.1.h")),
        fails("discrimination by ethnic group, allowed", moderation=_found("A.2.a")),
        fails("other discrimination, up for review", moderation=_found("A.2.i", verdict="review")),
        fails("second of two codes", moderation=_found("A.4.e", "A.2.e")),
        passes("blocked while up for review", moderation=_found("A.1.f", verdict="review", action="blocked")),
        passes("replaced by another answer", moderation=_found("A.1.f", action="replaced")),
        passes("intellectual property only", moderation=_found("A.3.a")),
        passes("privacy and unreliable content only", moderation=_found("A.4.e", "A.5.b")),
        passes("privacy only, action unknown", moderation=_found("A.4.e", action=None)),
        skips("no risk found", moderation=_found()),
        skips("verdict is block", moderation=_found("A.1.a", verdict="block")),
        skips("not moderated", moderation=_found("A.1.a", verdict="none")),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, moderation=_found("A.1.a")),
        skips("before the law", at="2023-08-14T23:59:59+08:00", moderation=_found("A.1.a")),
        unclear("action unknown", moderation=_found("A.1.a", action=None)),
        unclear("risks unknown", moderation=Moderation(verdict="allow", action="delivered")),
        unclear("verdict unknown", moderation=_found("A.1.a", verdict=None)),
        unclear("nothing said", moderation=None),
        unclear("audience unknown", given={"svc": {"public_cn": None}}, moderation=_found("A.1.a")),
        unclear("unknown service", service="nobody", moderation=_found("A.1.a")),
    ),
)
def risk_found_but_delivered(event: GenerationEvent, facts: Facts) -> Result:
    """Moderation found a forbidden risk in a public output, did not say to block it, and it was delivered.

    Why: what Appendix A lists under A.1 (against core socialist values) and A.2 (discrimination) is what art. 4 of the
    Interim Measures forbids to generate, whatever the verdict was. The risks of A.3 to A.5 (commerce, the rights of
    others, special services) depend on consent, licence and the kind of service: alone they pass here and are left to
    the rules on copyright, likeness and personal information.

    False positives: the engine names risks that it only suspects. Let it name those it holds for found.

    When it fires:
    1. Read `risk` and `verdict` in the evidence; find the event by its `source` and `id` and look at the output.
    2. If the risk is real, take the output down and tell the content safety team, who report it to the authority.
    3. Make the moderation engine answer `block` for that risk; watch the failure rate of this rule for 15 minutes.
    """
    moderation = event.moderation
    if moderation is not None and _FORBIDDEN.isdisjoint(moderation.risk_codes or ()):
        return PASS
    if moderation is None or moderation.action is None:
        return inconclusive("moderation.action")
    if moderation.action == "delivered":
        risk = min(_FORBIDDEN.intersection(moderation.risk_codes or ()))
        return fail(
            "a forbidden risk was found and the output delivered",
            risk=Code(risk),
            verdict=Code(moderation.verdict or "unknown"),
            modality=Code(event.modality or "unknown"),
        )
    return PASS
