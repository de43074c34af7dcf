"""LBL021."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, Situation, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


@rule(
    "LBL021",
    on=GenerationEvent,
    of=Situation,
    zh="传播平台未提供用户声明生成合成内容的功能",
    severity="medium",
    basis=(law.LABELLING_MEASURES_ART_6,),
    when={"public_cn": {True}, "role": {"propagator"}},
    cases=(
        fails("not offered", given={"svc": {"role": "propagator", "declaration_offered": False}}),
        passes("offered", given={"svc": {"role": "propagator"}}),
        skips("makes content itself", given={"svc": {"declaration_offered": False}}),
        skips(
            "not offered to the public",
            given={"svc": {"role": "propagator", "public_cn": False, "declaration_offered": False}},
        ),
        skips(
            "before the law",
            at="2025-08-31T23:59:59+08:00",
            given={"svc": {"role": "propagator", "declaration_offered": False}},
        ),
        unclear("not stated", given={"svc": {"role": "propagator", "declaration_offered": None}}),
        unclear(
            "public or not is unknown",
            given={"svc": {"role": "propagator", "public_cn": None, "declaration_offered": False}},
        ),
        unclear("unknown service", service="nobody"),
        unclear("unknown service that says it spreads content", service="nobody", role="propagator", public_cn=True),
    ),
)
def declaration_function_missing(situation: Situation, facts: Facts) -> Result:
    """A service that spreads content gives users no way to declare content generated.

    Why: the platform offers the function needed to label content and reminds users to declare what is generated.

    When it fires:
    1. Read `service` in the evidence; look at its publishing page.
    2. Add the declaration and the reminder there, or correct `declaration_offered` in the policy if they exist.
    """
    service = situation.service
    if service is None:
        return inconclusive("the service in the registry")
    if service.declaration_offered is None:
        return inconclusive("declaration_offered of the service in the policy")
    if service.declaration_offered:
        return PASS
    return fail("users cannot declare content generated", service=Code(service.name))
