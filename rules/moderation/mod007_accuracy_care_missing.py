"""MOD007."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, Situation, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


def _given(shown: bool | None, document: str | None) -> dict[str, object]:
    return {"svc": {"limits_notice_shown": shown, "accuracy_measures_document": document}}


@rule(
    "MOD007",
    on=GenerationEvent,
    zh="未显著提示生成内容局限性或未采取行业通常的准确性措施",
    severity="medium",
    basis=(law.LIANG_CASE,),
    when={"public_cn": {True}},
    of=Situation,
    cases=(
        fails("no notice", given=_given(shown=False, document="m-1")),
        fails("no measures", given=_given(shown=True, document="")),
        fails("neither", given=_given(shown=False, document="")),
        fails("no notice, measures unknown", given=_given(shown=False, document=None)),
        fails("no measures, notice unknown", given=_given(shown=None, document="")),
        passes("notice and measures", given=_given(shown=True, document="m-1")),
        skips("not offered to the public", given={"svc": {"public_cn": False, "limits_notice_shown": False}}),
        skips("before the judgment", at="2025-12-02T23:59:59+08:00", given=_given(shown=False, document="")),
        unclear("notice unknown", given=_given(shown=None, document="m-1")),
        unclear("measures unknown", given=_given(shown=True, document=None)),
        unclear("audience unknown", given={"svc": {"public_cn": None}}),
        unclear("unknown service", service="nobody", public_cn=True),
    ),
)
def accuracy_care_missing(situation: Situation, facts: Facts) -> Result:
    """The service does not tell the limits of generated content, or takes no measures for its accuracy.

    Why: the court saw generative AI as a service with liability for fault. A wrong answer alone is no fault; a provider
    without a visible notice of the limits and without the accuracy measures usual in the industry is at fault. An
    unknown one of the two is inconclusive, unless the other is known to be missing.

    When it fires:
    1. Read `measure` in the evidence; open the service as a user and look for the notice, or ask for the document.
    2. If the policy is out of date, correct it; if not, open a ticket with the owning team.
    3. Show the notice next to the answers or document the measures, then put that into the policy.
    """
    service = situation.service
    if service is None:
        return inconclusive("the service in the registry")
    shown, document = service.limits_notice_shown, service.accuracy_measures_document
    if shown is False:
        return fail("no notice of the limits of generated content", measure=Code("limits_notice_shown"))
    if document is not None and not document:
        return fail("no measures for accuracy", measure=Code("accuracy_measures_document"))
    if shown is None:
        return inconclusive("limits_notice_shown of the service in the policy")
    if document is None:
        return inconclusive("accuracy_measures_document of the service in the policy")
    return PASS
