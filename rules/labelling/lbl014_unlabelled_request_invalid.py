"""LBL014."""

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from hegui.rules import law
from hegui.rules.calendar import add_months
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import ExplicitLabel, GenerationEvent, UnlabelledRequest
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.policy import UserAgreement

_MONTHS = 6
_ABSENT = ExplicitLabel(present=False)
_ASKED = UnlabelledRequest(
    requested_at_ms=BASE_AT_MS,
    duty_accepted_at_ms=BASE_AT_MS,
    log_retain_until_ms=add_months(BASE_AT_MS, _MONTHS),
    agreement_version="2026-01",
    log_reference="recipients-1",
)
_IN_FORCE = datetime.fromisoformat("2026-01-01T00:00:00+08:00")


def _asked(**changes: Any) -> dict[str, Any]:
    return {"explicit_label": _ABSENT, "unlabelled_request": replace(_ASKED, **changes)}


def _kept_until(moment: str) -> dict[str, Any]:
    return _asked(log_retain_until_ms=round(datetime.fromisoformat(moment).timestamp() * 1000))


def _agreement(**changes: Any) -> dict[str, Any]:
    agreement = UserAgreement(version="2026-01", valid_from=_IN_FORCE, states_labelling_duty=True)
    return {"svc": {"agreement": replace(agreement, **changes)}}


@rule(
    "LBL014",
    on=GenerationEvent,
    zh="应用户要求提供的无显式标识内容不符合第九条规定的条件",
    severity="critical",
    basis=(law.LABELLING_MEASURES_ART_9,),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "deep_synthesis_category": {1, 2, 3, 4, 5},
        "unlabelled_request": {True},
        "explicit_label.present": {False},
    },
    cases=(
        fails("asked for a millisecond later", **_asked(requested_at_ms=BASE_AT_MS + 1)),
        fails("the duty was accepted a millisecond later", **_asked(duty_accepted_at_ms=BASE_AT_MS + 1)),
        fails("no record of the recipient", **_asked(log_reference="")),
        fails(
            "kept a millisecond short of six months",
            **_asked(log_retain_until_ms=add_months(BASE_AT_MS, _MONTHS) - 1),
        ),
        fails("kept for 180 days", **_asked(log_retain_until_ms=BASE_AT_MS + 180 * 86_400_000)),
        fails(
            "from 31 August, kept until before noon on 28 February",
            at="2026-08-31T12:00:00+08:00",
            **_kept_until("2027-02-28T11:59:59+08:00"),
        ),
        fails(
            "from 31 August, kept until 28 February of a leap year",
            at="2027-08-31T12:00:00+08:00",
            **_kept_until("2028-02-28T12:00:00+08:00"),
        ),
        fails(
            "from the last of February, kept for 180 days",
            at="2027-02-28T12:00:00+08:00",
            **_kept_until("2027-08-27T12:00:00+08:00"),
        ),
        fails("the agreement states no duty", given=_agreement(states_labelling_duty=False), **_asked()),
        fails("an older agreement was accepted", **_asked(agreement_version="2025-09")),
        fails(
            "too short, everything else unknown",
            **_asked(
                duty_accepted_at_ms=None, agreement_version=None, log_reference=None, log_retain_until_ms=BASE_AT_MS
            ),
        ),
        fails(
            "no duty stated, the rest unknown",
            given=_agreement(states_labelling_duty=False),
            **_asked(duty_accepted_at_ms=None, agreement_version=None, log_reference=None, log_retain_until_ms=None),
        ),
        fails(
            "an older agreement, its duty unknown",
            given=_agreement(states_labelling_duty=None),
            **_asked(agreement_version="2025-09"),
        ),
        passes("all conditions, to the millisecond", **_asked()),
        passes("kept longer", **_asked(log_retain_until_ms=add_months(BASE_AT_MS, 12))),
        passes(
            "from 31 August to 28 February",
            at="2026-08-31T12:00:00+08:00",
            **_kept_until("2027-02-28T12:00:00+08:00"),
        ),
        passes(
            "from 31 August to 29 February",
            at="2027-08-31T12:00:00+08:00",
            **_kept_until("2028-02-29T12:00:00+08:00"),
        ),
        passes(
            "from the last of February to 28 August",
            at="2027-02-28T12:00:00+08:00",
            **_kept_until("2027-08-28T12:00:00+08:00"),
        ),
        passes(
            "the agreement began that millisecond",
            given=_agreement(valid_from=datetime.fromisoformat("2026-08-01T12:00:00+08:00")),
            **_asked(),
        ),
        skips("labelled all the same", unlabelled_request=replace(_ASKED, log_reference="")),
        skips("nobody asked", explicit_label=_ABSENT),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, **_asked(log_reference="")),
        skips("spreads others' content", given={"svc": {"role": "propagator"}}, **_asked(log_reference="")),
        skips("none of the five kinds", deep_synthesis_category=0, **_asked(log_reference="")),
        skips("before the law", at="2025-08-31T23:59:59+08:00", **_asked(log_reference="")),
        unclear("acceptance of the duty unknown", **_asked(duty_accepted_at_ms=None)),
        unclear("accepted agreement unknown", **_asked(agreement_version=None)),
        unclear("record of the recipient unknown", **_asked(log_reference=None)),
        unclear("how long the record is kept is unknown", **_asked(log_retain_until_ms=None)),
        unclear(
            "whether the agreement states the duty is unknown", given=_agreement(states_labelling_duty=None), **_asked()
        ),
        unclear("no agreement in the policy", given={"svc": {"agreement": None}}, **_asked()),
        unclear(
            "another agreement was in force then",
            given=_agreement(valid_from=datetime.fromisoformat("2026-08-01T12:00:00.001+08:00")),
            **_asked(agreement_version="2025-09"),
        ),
        unclear("unknown service", service="nobody", public_cn=True, role="generator", **_asked()),
        unclear("nothing said of a label", explicit_label=None, unlabelled_request=_ASKED),
        unclear("presence unknown", explicit_label=ExplicitLabel(in_file=False), unlabelled_request=_ASKED),
        unclear("kind of service unknown", deep_synthesis_category=None, **_asked()),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}, **_asked()),
    ),
)
def unlabelled_request_invalid(event: GenerationEvent, facts: Facts) -> Result:
    """An output without explicit label was given on request, but the conditions for that are not met.

    Why: a user may get an output without the label only on request, after accepting an agreement that states the duty
    to label it and the liability; and the recipient's record is kept for at least six calendar months. The label in the
    file's metadata is still due (LBL003).

    False positives: the agreement was renewed and the policy still names the old version.

    When it fires:
    1. Read `reason` and the evidence of a sample violation; find the request by the event's `source` and `id`.
    2. Stop handing out outputs without label on that service until the condition is met.
    3. Mend the consent step, the record or `agreement` in the policy; watch the failure rate for 15 minutes.
    """
    request, service, at_ms = event.unlabelled_request, facts.service, facts.at_ms
    assert request is not None  # the guard asks for it
    accepted, kept, version = request.duty_accepted_at_ms, request.log_retain_until_ms, request.agreement_version
    if request.requested_at_ms > at_ms:
        return fail("nobody had asked for it yet", requested_at_ms=request.requested_at_ms)
    if accepted is not None and accepted > at_ms:
        return fail("the duty to label was not accepted yet", duty_accepted_at_ms=accepted)
    if request.log_reference == "":
        return fail("there is no record of the recipient", requested_at_ms=request.requested_at_ms)
    if kept is not None and kept < add_months(at_ms, _MONTHS):
        return fail("the recipient's record is kept for less than six calendar months", log_retain_until_ms=kept)
    agreement = service.agreement if service is not None else None
    if agreement is None:
        return inconclusive("agreement of the service in the policy")
    if round(agreement.valid_from.timestamp() * 1000) > at_ms:
        return inconclusive("the agreement in force at that time")
    if agreement.states_labelling_duty is False:
        return fail("the agreement does not state the duty to label", agreement=Code(agreement.version))
    if version is not None and version != agreement.version:
        return fail(
            "the user accepted another agreement than the one in force",
            agreement=Code(agreement.version),
            accepted_agreement=version,
        )
    if agreement.states_labelling_duty is None:
        return inconclusive("agreement.states_labelling_duty of the service in the policy")
    if version is None:
        return inconclusive("unlabelled_request.agreement_version")
    if accepted is None:
        return inconclusive("unlabelled_request.duty_accepted_at_ms")
    if request.log_reference is None:
        return inconclusive("unlabelled_request.log_reference")
    if kept is None:
        return inconclusive("unlabelled_request.log_retain_until_ms")
    return PASS
