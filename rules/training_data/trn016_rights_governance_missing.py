"""TRN016."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, Situation, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.policy import RightsProtection


def _given(**changes: object) -> dict[str, object]:
    held = {"policy_document": "p", "officer": "o", "complaint_channel": "c", "agreement_clause": True}
    return {"pipeline": {"rights_protection": RightsProtection(**{**held, **changes})}}  # type: ignore[arg-type]


@rule(
    "TRN016",
    on=IngestEvent,
    of=Situation,
    zh="训练数据知识产权管理措施缺失",
    severity="medium",
    basis=(law.TC260_003_5_2, law.INTERIM_MEASURES_ART_7),
    cases=(
        fails("no policy", given=_given(policy_document="")),
        fails("no officer", given=_given(officer="")),
        fails("no complaint channel", given=_given(complaint_channel="")),
        fails("no clause in the agreement", given=_given(agreement_clause=False)),
        fails(
            "nothing at all",
            given=_given(policy_document="", officer="", complaint_channel="", agreement_clause=False),
        ),
        fails("one lack is enough", given={"pipeline": {"rights_protection": RightsProtection(officer="")}}),
        passes("all four"),
        passes("all four, nothing else", given=_given()),
        skips("before the law", at="2023-08-14T23:59:59+08:00", given=_given(officer="")),
        unclear("policy not stated", given=_given(policy_document=None)),
        unclear("officer not stated", given=_given(officer=None)),
        unclear("complaint channel not stated", given=_given(complaint_channel=None)),
        unclear("clause not stated", given=_given(agreement_clause=None)),
        unclear("no measures stated", given={"pipeline": {"rights_protection": None}}),
        unclear("unknown service", service="nobody"),
    ),
)
def rights_governance_missing(situation: Situation, facts: Facts) -> Result:
    """A training pipeline lacks its measures for intellectual property.

    Why: a provider needs a policy for the intellectual property in its training data, a responsible officer, a channel
    for complaints and a clause in the user agreement. An empty value in the registry says "there is none"; a missing
    one is inconclusive.

    When it fires:
    1. Read `lacks` and `service` in the evidence; open `rights_protection` of that service in the policy.
    2. If the measure exists, enter its reference; if not, ask the compliance officer to set it up.
    3. Load the policy again and see that the rule passes for that service.
    """
    service = situation.service
    if service is None:
        return inconclusive("the service in the registry")
    held = service.rights_protection
    if held is None:
        return inconclusive("rights_protection of the service in the policy")
    parts = (
        ("policy_document", held.policy_document),
        ("officer", held.officer),
        ("complaint_channel", held.complaint_channel),
        ("agreement_clause", held.agreement_clause),
    )
    lacks = [name for name, value in parts if value is not None and not value]
    if lacks:
        return fail(
            "measures for intellectual property are missing", lacks=Code("+".join(lacks)), service=Code(service.name)
        )
    unknown = [name for name, value in parts if not value]
    if unknown:
        return inconclusive(*(f"rights_protection.{name} of the service in the policy" for name in unknown))
    return PASS
