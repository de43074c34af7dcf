"""OPT007."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, Situation, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.facts import Facts
from hegui.rules.policy import TrainingSwitch

_NONE = {"svc": {"training_switch": TrainingSwitch(offered=False)}}


@rule(
    "OPT007",
    on=GenerationEvent,
    of=Situation,
    zh="未提供便捷的关闭用户输入用于训练的方式",
    severity="medium",
    stage="sandbox",
    basis=(law.TC260_003_7,),
    when={"public_cn": {True}},
    cases=(
        fails("no switch", given=_NONE),
        fails("five clicks", given={"svc": {"training_switch": TrainingSwitch(offered=True, clicks=5)}}),
        fails("two clicks where the policy allows one", given={"training_switch_clicks": 1}),
        passes("four clicks", given={"svc": {"training_switch": TrainingSwitch(offered=True, clicks=4)}}),
        passes("two clicks"),
        skips("not offered to the public", given={"svc": {"public_cn": False, **_NONE["svc"]}}),
        skips("before the standard", at="2024-02-28T23:59:59+08:00", given=_NONE),
        unclear("unknown service", service="nobody", public_cn=True),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}),
        unclear("switch not described", given={"svc": {"training_switch": None}}),
        unclear("whether it is offered is unknown", given={"svc": {"training_switch": TrainingSwitch(clicks=2)}}),
        unclear("clicks not counted", given={"svc": {"training_switch": TrainingSwitch(offered=True)}}),
    ),
)
def training_switch_unreachable(situation: Situation, facts: Facts) -> Result:
    """Users cannot switch off training on their inputs, or only by too many clicks.

    Why: the standard wants a convenient way to switch off training on one's inputs, for example within four clicks of
    the main screen, and wants it stated clearly. The number is known from secondary knowledge only; the policy may
    set another.

    When it fires:
    1. Open the service as a user; count the clicks from the main screen to the switch.
    2. Compare with `training_switch` of the service in the policy; correct the policy if it is out of date.
    3. Ask the service's team for a switch within the `most` clicks of the evidence.
    """
    service = situation.service
    if service is None:
        return inconclusive("the service in the registry")
    switch = service.training_switch
    if switch is None or switch.offered is None:
        return inconclusive("training_switch.offered of the service in the policy")
    if not switch.offered:
        return fail("there is no switch for training on inputs", offered=False)
    if switch.clicks is None:
        return inconclusive("training_switch.clicks of the service in the policy")
    most = facts.policy.training_switch_clicks
    if switch.clicks > most:
        return fail("the switch for training on inputs is too many clicks away", clicks=switch.clicks, most=most)
    return PASS
