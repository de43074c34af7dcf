"""CPR002."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, Situation, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.policy import RightsProtection


def _service(
    keyword_filter: str | None = "filter-1", complaints: str | None = "complaints-1", warning: str | None = "warning-1"
) -> dict[str, dict[str, RightsProtection]]:
    protection = RightsProtection(
        keyword_filter_document=keyword_filter, complaint_channel=complaints, user_warning_document=warning
    )
    return {"svc": {"rights_protection": protection}}


@rule(
    "CPR002",
    on=GenerationEvent,
    of=Situation,
    zh="缺少防止侵害他人著作权的必要措施（关键词过滤、投诉渠道、用户提示）",
    severity="medium",
    basis=(law.ULTRAMAN_GUANGZHOU, law.INTERIM_MEASURES_ART_15),
    when={"public_cn": {True}},
    cases=(
        fails("no keyword filter", given=_service(keyword_filter="")),
        fails("no complaint channel", given=_service(complaints="")),
        fails("no warning to users", given=_service(warning="")),
        fails("one is missing, the others are unknown", given=_service(None, None, "")),
        passes("all three", given=_service()),
        skips("not offered to the public", given={"svc": {"public_cn": False, **_service("")["svc"]}}),
        skips("before the law", at="2023-08-14T23:59:59+08:00", given=_service("")),
        unclear("unknown service", service="nobody", public_cn=True),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}),
        unclear("measures not described", given={"svc": {"rights_protection": None}}),
        unclear("keyword filter not stated", given=_service(keyword_filter=None)),
        unclear("complaint channel not stated", given=_service(complaints=None)),
        unclear("warning not stated", given=_service(warning=None)),
    ),
)
def rights_measures_missing(situation: Situation, facts: Facts) -> Result:
    """A public service lacks a measure that protects the works of others.

    Why: a court found fault where a service had no complaint channel, gave users no warning and did not filter the
    names of protected characters; the Interim Measures want a channel for complaints too. An empty text in the policy
    says "there is none".

    When it fires:
    1. Read `lacks` in the evidence: keyword filter, complaint channel or warning to users.
    2. Ask the service's team whether it exists; if so, correct `rights_protection` of the service in the policy.
    3. If not, open a ticket for that team: put it in place and name it in the policy.
    """
    service = situation.service
    if service is None:
        return inconclusive("the service in the registry")
    protection = service.rights_protection
    if protection is None:
        return inconclusive("rights_protection of the service in the policy")
    measures = (
        ("keyword_filter_document", protection.keyword_filter_document),
        ("complaint_channel", protection.complaint_channel),
        ("user_warning_document", protection.user_warning_document),
    )
    for name, document in measures:
        if document == "":
            return fail("a measure that protects the works of others is missing", lacks=Code(name))
    for name, document in measures:
        if document is None:
            return inconclusive(f"rights_protection.{name} of the service in the policy")
    return PASS
