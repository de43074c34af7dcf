"""FIL004."""

from datetime import datetime

from hegui.rules import law
from hegui.rules.core import PASS, Result, Situation, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


def _unfiled(due: str | None, **service: object) -> dict[str, object]:
    moment = None if due is None else datetime.fromisoformat(due)
    return {"svc": {"algorithm_filing_number": "", "algorithm_filing_due": moment, **service}}


@rule(
    "FIL004",
    on=GenerationEvent,
    zh="生成合成类算法未按期备案",
    severity="high",
    basis=(law.ALGORITHM_RECOMMENDATION_ART_24, law.DEEP_SYNTHESIS_ART_19),
    when={"public_cn": {True}},
    of=Situation,
    cases=(
        fails("long overdue", given=_unfiled("2022-01-01T00:00:00+08:00")),
        fails("due that moment", given=_unfiled("2026-08-01T12:00:00+08:00")),
        fails("due that moment, in another time zone", given=_unfiled("2026-08-01T04:00:00+00:00")),
        passes("filed"),
        passes("filed late", given=_unfiled("2022-01-01T00:00:00+08:00", algorithm_filing_number="Algorithm-0001")),
        passes("due a second later", given=_unfiled("2026-08-01T12:00:01+08:00")),
        skips("not offered to the public", given=_unfiled("2022-01-01T00:00:00+08:00", public_cn=False)),
        skips("before the law", at="2022-02-28T23:59:59+08:00", given=_unfiled("2022-01-01T00:00:00+08:00")),
        unclear("number not stated", given=_unfiled("2022-01-01T00:00:00+08:00", algorithm_filing_number=None)),
        unclear("not filed, and when it is due is unknown", given=_unfiled(None)),
        unclear("public or not is unknown", given=_unfiled("2022-01-01T00:00:00+08:00", public_cn=None)),
        unclear("unknown service", service="nobody"),
        unclear("unknown service that says it is public", service="nobody", public_cn=True),
    ),
)
def algorithm_not_filed(situation: Situation, facts: Facts) -> Result:
    """A public service's algorithm is not filed and the time for it has run out.

    Why: a generation or synthesis algorithm is filed within ten working days after the service began. An empty number
    says "there is none"; until the moment named in the policy it may still be missing.

    False positives: the service has no public-opinion attributes and no capacity for social mobilisation, so it need
    not file. Waive the rule for it.

    When it fires:
    1. Read `service` and `due_at_ms` in the evidence; look the algorithm up in the filing system of the authority.
    2. If it is filed, enter `algorithm_filing_number` of the service in the policy.
    3. If not, have the compliance officer file it now and say when the service began.
    """
    service = situation.service
    if service is None:
        return inconclusive("the service in the registry")
    if service.algorithm_filing_number is None:
        return inconclusive("algorithm_filing_number of the service in the policy")
    if service.algorithm_filing_number:
        return PASS
    if service.algorithm_filing_due is None:
        return inconclusive("algorithm_filing_due of the service in the policy")
    due_at_ms = round(service.algorithm_filing_due.timestamp() * 1000)
    if facts.at_ms < due_at_ms:
        return PASS
    return fail("the algorithm was not filed in time", service=Code(service.name), due_at_ms=due_at_ms)
