"""FIL002."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, Situation, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


@rule(
    "FIL002",
    on=GenerationEvent,
    zh="具有舆论属性或社会动员能力的公众服务未备案或登记",
    severity="critical",
    basis=(law.INTERIM_MEASURES_ART_17,),
    when={"public_cn": {True}, "public_opinion": {True}},
    waivable=False,
    of=Situation,
    cases=(
        fails("no number", given={"svc": {"filing_number": ""}}),
        passes("filed"),
        skips("not offered to the public", given={"svc": {"public_cn": False, "filing_number": ""}}),
        skips("cannot move public opinion", given={"svc": {"public_opinion": False, "filing_number": ""}}),
        skips("before the law", at="2023-08-14T23:59:59+08:00", given={"svc": {"filing_number": ""}}),
        unclear("number not stated", given={"svc": {"filing_number": None}}),
        unclear("public or not is unknown", given={"svc": {"public_cn": None, "filing_number": ""}}),
        unclear("public opinion not classified", given={"svc": {"public_opinion": None, "filing_number": ""}}),
        unclear("unknown service", service="nobody"),
        unclear("unknown service that says it is public", service="nobody", public_cn=True),
    ),
)
def service_not_filed(situation: Situation, facts: Facts) -> Result:
    """A public service with public-opinion attributes has no filing and no registration.

    Why: a generative service with public-opinion attributes or the capacity for social mobilisation is assessed and
    filed before it serves the public; one that calls a filed model unchanged is registered. An empty number says
    "there is none".

    When it fires:
    1. Read `service` in the evidence; ask the compliance officer for its filing or registration number.
    2. If there is one, enter it as `filing_number` of the service in the policy.
    3. If there is none, take the service off the public network until it is filed.
    """
    service = situation.service
    if service is None or service.filing_number is None:  # the guards admit no unknown service
        return inconclusive("filing_number of the service in the policy")
    if service.filing_number:
        return PASS
    return fail("the service has neither filing nor registration", service=Code(service.name))
