"""EVT001."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, Situation, fail, fails, inconclusive, passes, rule, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


@rule(
    "EVT001",
    on=GenerationEvent,
    of=Situation,
    any_time=True,
    zh="事件与服务登记不一致",
    severity="medium",
    basis=(law.CONTRACT_REGISTRY,),
    cases=(
        fails("says it spreads content", role="propagator"),
        fails("says it is not public", public_cn=False),
        fails("says it is public", public_cn=True, given={"svc": {"public_cn": False}}),
        fails("at a time nobody trusts", public_cn=False, trusted=False),
        passes("says nothing"),
        passes("agrees", role="generator", public_cn=True),
        passes("the registry does not say", public_cn=True, given={"svc": {"public_cn": None}}),
        unclear("unknown service", service="nobody", role="propagator"),
    ),
)
def registry_contradicted(situation: Situation, facts: Facts) -> Result:
    """An event says otherwise of its service than the service registry.

    Why: which duties an event has follows from what its service is. The registry decides, so the event was judged by the
    registry's word; if the registry is wrong, rules were left out that should have been checked, or the other way round.

    When it fires:
    1. Read `field`, `event` and `registry` in the evidence.
    2. Ask the owning team which is right; correct the producer, or the service's entry in the policy.
    3. After a correction of the registry, judge the events since the change again (`hegui check`).
    """
    service = situation.service
    if service is None:
        return inconclusive("the service in the registry")
    role = situation.guards["claims.role"]
    if role is not None and role != service.role:
        return fail(
            "the event's role is not the registry's", field=Code("role"), event=Code(role), registry=Code(service.role)
        )
    public = situation.guards["claims.public_cn"]
    if public is not None and service.public_cn is not None and public != service.public_cn:
        return fail(
            "the event is not public or internal as the registry says",
            field=Code("public_cn"),
            event=public,
            registry=service.public_cn,
        )
    return PASS
