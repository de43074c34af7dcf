"""MIN001."""

from typing import Any

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts

_COMPANION: dict[str, Any] = {"svc": {"companion": True}}


@rule(
    "MIN001",
    on=GenerationEvent,
    zh="向未成年人提供虚拟亲属、虚拟伴侣等拟人化服务",
    severity="critical",
    basis=(law.ANTHROPOMORPHIC_ART_14,),
    when={"companion": {True}, "age_band": {"under_14", "14_to_17"}},
    waivable=False,
    cases=(
        fails("virtual relative, child", given=_COMPANION, age_band="under_14", persona="virtual_relative"),
        fails("virtual partner, child", given=_COMPANION, age_band="under_14", persona="virtual_partner"),
        fails("virtual relative, teenager", given=_COMPANION, age_band="14_to_17", persona="virtual_relative"),
        fails("virtual partner, teenager", given=_COMPANION, age_band="14_to_17", persona="virtual_partner"),
        passes("another persona, child", given=_COMPANION, age_band="under_14", persona="other"),
        passes("another persona, teenager", given=_COMPANION, age_band="14_to_17", persona="other"),
        skips("adult", given=_COMPANION, persona="virtual_partner"),
        skips("not a companion service", age_band="under_14", persona="virtual_partner"),
        skips(
            "before the law",
            at="2026-07-14T23:59:59+08:00",
            given=_COMPANION,
            age_band="under_14",
            persona="virtual_relative",
        ),
        unclear("persona unknown", given=_COMPANION, age_band="14_to_17", persona=None),
        unclear("age unknown", given=_COMPANION, age_band=None, persona="virtual_partner"),
        unclear(
            "kind of service unknown",
            given={"svc": {"companion": None}},
            age_band="under_14",
            persona="virtual_partner",
        ),
        unclear("unknown service", service="nobody", age_band="under_14", persona="virtual_partner"),
    ),
)
def virtual_relative_for_minor(event: GenerationEvent, facts: Facts) -> Result:
    """A companion service played a virtual relative or partner for a minor.

    Why: the measures forbid it for everybody under 18, with or without a guardian's consent. Other personas are
    allowed; an unknown one is inconclusive.

    When it fires:
    1. Read `persona` and `age_band` in the evidence; switch that persona off for users under 18.
    2. Find out how the minor reached it: age check passed over, mode for minors off, or persona made by the user.
    3. Close that way; tell the officer for the protection of minors, who informs the guardian.
    """
    if event.persona == "other":
        return PASS
    if event.persona is None:
        return inconclusive("persona")
    return fail(
        "a forbidden persona for a minor", persona=Code(event.persona), age_band=Code(event.age_band or "unknown")
    )
