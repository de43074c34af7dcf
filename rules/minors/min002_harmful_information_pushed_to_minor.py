"""MIN002."""

from typing import Literal

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, Moderation
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


def _found(
    *classes: Literal[1, 2, 3, 4], action: Literal["delivered", "blocked", "replaced"] | None = "delivered"
) -> Moderation:
    return Moderation(verdict="allow", action=action, minor_risk_classes=classes)


@rule(
    "MIN002",
    on=GenerationEvent,
    zh="向未成年人推送可能影响其身心健康的信息",
    severity="critical",
    basis=(law.MINORS_INFORMATION,),
    when={"public_cn": {True}, "age_band": {"under_14", "14_to_17"}},
    waivable=False,
    cases=(
        fails("class one, child", age_band="under_14", moderation=_found(1)),
        fails("class four, teenager", age_band="14_to_17", moderation=_found(4)),
        fails("two classes", age_band="under_14", moderation=_found(2, 3)),
        passes("none found", age_band="under_14", moderation=_found()),
        passes("none found, action unknown", age_band="14_to_17", moderation=_found(action=None)),
        passes("blocked", age_band="under_14", moderation=_found(1, action="blocked")),
        passes("replaced by another answer", age_band="14_to_17", moderation=_found(1, action="replaced")),
        skips("adult", moderation=_found(1)),
        skips(
            "not offered to the public",
            given={"svc": {"public_cn": False}},
            age_band="under_14",
            moderation=_found(1),
        ),
        skips("before the law", at="2026-02-28T23:59:59+08:00", age_band="under_14", moderation=_found(1)),
        unclear("classes unknown", age_band="under_14", moderation=Moderation(verdict="allow", action="delivered")),
        unclear("action unknown", age_band="under_14", moderation=_found(1, action=None)),
        unclear("nothing said", age_band="14_to_17", moderation=None),
        unclear("age unknown", age_band=None, moderation=_found(1)),
        unclear("audience unknown", given={"svc": {"public_cn": None}}, age_band="under_14", moderation=_found(1)),
        unclear("unknown service", service="nobody", age_band="under_14", moderation=_found(1)),
    ),
)
def harmful_information_pushed_to_minor(event: GenerationEvent, facts: Facts) -> Result:
    """A minor was given information that may harm the body or mind of minors.

    Why: providers of generative AI must not push information of the four classes to minors. A class that was found and
    an output that was delivered all the same is such a push.

    When it fires:
    1. Read `information_class` in the evidence; find the event by its `source` and `id` and take the output down.
    2. Check whether the mode for minors was on and whether the service waits for the classes before it delivers.
    3. Block these classes for users under 18; watch the failure rate of this rule for 15 minutes.
    """
    moderation = event.moderation
    if moderation is None or moderation.minor_risk_classes is None:
        return inconclusive("moderation.minor_risk_classes")
    if not moderation.minor_risk_classes:
        return PASS
    if moderation.action is None:
        return inconclusive("moderation.action")
    if moderation.action == "delivered":
        return fail(
            "information that may harm minors was delivered to one",
            information_class=moderation.minor_risk_classes[0],
            age_band=Code(event.age_band or "unknown"),
        )
    return PASS
