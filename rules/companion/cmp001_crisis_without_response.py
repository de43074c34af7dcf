"""CMP001."""

from typing import Any

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import CrisisResponse, GenerationEvent
from hegui.rules.facts import Facts

_COMPANION: dict[str, Any] = {"svc": {"companion": True}}


@rule(
    "CMP001",
    on=GenerationEvent,
    zh="用户出现极端情绪或自伤意图时未作安抚或未联系监护人、紧急联系人",
    severity="critical",
    basis=(law.ANTHROPOMORPHIC_ART_13,),
    when={"companion": {True}, "crisis_signal": {True}},
    waivable=False,
    cases=(
        fails("neither", given=_COMPANION, crisis_signal=True, crisis_response=CrisisResponse(False, False)),
        fails("only comfort", given=_COMPANION, crisis_signal=True, crisis_response=CrisisResponse(True, False)),
        fails("only the contact", given=_COMPANION, crisis_signal=True, crisis_response=CrisisResponse(False, True)),
        fails(
            "no comfort, contact unknown",
            given=_COMPANION,
            crisis_signal=True,
            crisis_response=CrisisResponse(comfort_given=False),
        ),
        fails(
            "contact not informed, comfort unknown",
            given=_COMPANION,
            crisis_signal=True,
            crisis_response=CrisisResponse(contact_informed=False),
        ),
        passes("both", given=_COMPANION, crisis_signal=True, crisis_response=CrisisResponse(True, True)),
        skips("no crisis", given=_COMPANION, crisis_response=CrisisResponse(False, False)),
        skips("not a companion service", crisis_signal=True, crisis_response=CrisisResponse(False, False)),
        skips(
            "before the law",
            at="2026-07-14T23:59:59+08:00",
            given=_COMPANION,
            crisis_signal=True,
            crisis_response=CrisisResponse(False, False),
        ),
        unclear("nothing said of a response", given=_COMPANION, crisis_signal=True),
        unclear(
            "comfort unknown",
            given=_COMPANION,
            crisis_signal=True,
            crisis_response=CrisisResponse(contact_informed=True),
        ),
        unclear(
            "contact unknown",
            given=_COMPANION,
            crisis_signal=True,
            crisis_response=CrisisResponse(comfort_given=True),
        ),
        unclear("signal unknown", given=_COMPANION, crisis_signal=None, crisis_response=CrisisResponse(False, False)),
        unclear(
            "kind of service unknown",
            given={"svc": {"companion": None}},
            crisis_signal=True,
            crisis_response=CrisisResponse(False, False),
        ),
        unclear("unknown service", service="nobody", crisis_signal=True, crisis_response=CrisisResponse(False, False)),
    ),
)
def crisis_without_response(event: GenerationEvent, facts: Facts) -> Result:
    """A user in extreme distress got no comforting answer, or no guardian or emergency contact was told.

    Why: when a user shows extreme emotion or intent of self-harm, a companion service must comfort the user and turn to
    the guardian or emergency contact. A life may depend on it. What is unknown is inconclusive, unless the other half
    is known to be missing.

    When it fires:
    1. Find the event by its `source` and `id`; let a trained person take over the conversation now.
    2. Read `comfort_given` and `contact_informed` in the evidence; inform the contact if nobody did.
    3. Find out why the service did not react, and do not let it talk to users in crisis until it does.
    """
    response = event.crisis_response
    if response is None:
        return inconclusive("crisis_response.comfort_given", "crisis_response.contact_informed")
    if response.comfort_given is False or response.contact_informed is False:
        return fail(
            "a crisis without full response",
            comfort_given=response.comfort_given,
            contact_informed=response.contact_informed,
        )
    if response.comfort_given is None:
        return inconclusive("crisis_response.comfort_given")
    if response.contact_informed is None:
        return inconclusive("crisis_response.contact_informed")
    return PASS
