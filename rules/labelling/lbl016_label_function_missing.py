"""LBL016."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, Situation, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.facts import Facts

_WITHOUT = {"svc": {"label_function_offered": False}}


@rule(
    "LBL016",
    on=GenerationEvent,
    of=Situation,
    zh="未向用户提供显著标识功能",
    severity="medium",
    stage="sandbox",
    basis=(law.DEEP_SYNTHESIS_ART_17_2,),
    when={"public_cn": {True}, "deep_synthesis_category": {0}},
    cases=(
        fails("not offered", deep_synthesis_category=0, given=_WITHOUT),
        passes("offered", deep_synthesis_category=0),
        skips("one of the five kinds, labelled by the service", given=_WITHOUT),
        skips(
            "not offered to the public",
            deep_synthesis_category=0,
            given={"svc": {"public_cn": False, "label_function_offered": False}},
        ),
        skips("before the law", at="2023-01-09T23:59:59+08:00", deep_synthesis_category=0, given=_WITHOUT),
        unclear("not stated", deep_synthesis_category=0, given={"svc": {"label_function_offered": None}}),
        unclear("unknown service", service="nobody", deep_synthesis_category=0),
        unclear("unknown service that says it is public", service="nobody", public_cn=True, deep_synthesis_category=0),
        unclear("kind of service unknown", deep_synthesis_category=None),
        unclear("public or not is unknown", deep_synthesis_category=0, given={"svc": {"public_cn": None}}),
    ),
)
def label_function_missing(situation: Situation, facts: Facts) -> Result:
    """A deep synthesis service outside the five kinds offers users no function to label their outputs.

    Why: such a service need not label by itself, but it offers a function for conspicuous labels and tells users of it.
    The paragraph is known from memory only.

    When it fires:
    1. Look in that service for a function that labels an output, and for the hint that users can use it.
    2. Offer both, or correct `label_function_offered` of that service in the policy.
    """
    service = situation.service
    if service is None:
        return inconclusive("the service in the registry")
    if service.label_function_offered:
        return PASS
    if service.label_function_offered is None:
        return inconclusive("label_function_offered of the service in the policy")
    return fail("users are offered no function to label outputs", label_function_offered=False)
