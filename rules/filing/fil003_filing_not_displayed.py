"""FIL003."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, Situation, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


@rule(
    "FIL003",
    on=GenerationEvent,
    zh="未在显著位置公示模型名称和备案号或上线编号",
    severity="medium",
    basis=(law.INTERIM_MEASURES_ART_17,),
    when={"public_cn": {True}},
    of=Situation,
    cases=(
        fails("not displayed", given={"svc": {"filing_displayed": False}}),
        passes("displayed"),
        skips("not offered to the public", given={"svc": {"public_cn": False, "filing_displayed": False}}),
        skips("before the law", at="2023-08-14T23:59:59+08:00", given={"svc": {"filing_displayed": False}}),
        unclear("display not stated", given={"svc": {"filing_displayed": None}}),
        unclear("public or not is unknown", given={"svc": {"public_cn": None, "filing_displayed": False}}),
        unclear("unknown service", service="nobody"),
        unclear("unknown service that says it is public", service="nobody", public_cn=True),
    ),
)
def filing_not_displayed(situation: Situation, facts: Facts) -> Result:
    """A public service does not display its model's name and filing number.

    Why: the authority asks every public generative service to show, in a conspicuous place or on the product page,
    which filed or registered model it uses: the model's name and the number.

    When it fires:
    1. Read `service` in the evidence; open its start page and product page and look for model name and number.
    2. If they are there, set `filing_displayed` of the service in the policy to true.
    3. If not, have the owning team add them and note the day.
    """
    service = situation.service
    if service is None:
        return inconclusive("the service in the registry")
    if service.filing_displayed is None:
        return inconclusive("filing_displayed of the service in the policy")
    if service.filing_displayed:
        return PASS
    return fail("model name and filing number are not displayed", service=Code(service.name))
