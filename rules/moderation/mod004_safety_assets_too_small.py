"""MOD004."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, Situation, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.policy import SafetyAssets


def _given(keywords: int | None, test_questions: int | None) -> dict[str, object]:
    return {"svc": {"safety_assets": SafetyAssets(keywords=keywords, test_questions=test_questions)}}


@rule(
    "MOD004",
    on=GenerationEvent,
    zh="关键词库或生成内容测试题库规模不足",
    severity="medium",
    basis=(law.TC260_003_ASSETS,),
    when={"public_cn": {True}, "role": {"generator"}},
    of=Situation,
    cases=(
        fails("one keyword short", given=_given(9_999, 2_000)),
        fails("one question short", given=_given(10_000, 1_999)),
        fails("keywords short, questions unknown", given=_given(9_999, None)),
        fails("questions short, keywords unknown", given=_given(None, 1_999)),
        passes("just enough", given=_given(10_000, 2_000)),
        passes("more than enough", given=_given(50_000, 9_000)),
        skips("spreads others' content", given={"svc": {"role": "propagator"}}),
        skips("not offered to the public", given={"svc": {"public_cn": False, "safety_assets": SafetyAssets(0, 0)}}),
        skips("before the standard", at="2024-02-28T23:59:59+08:00", given=_given(0, 0)),
        unclear("keywords unknown", given=_given(None, 2_000)),
        unclear("questions unknown", given=_given(10_000, None)),
        unclear("nothing stated", given={"svc": {"safety_assets": None}}),
        unclear("audience unknown", given={"svc": {"public_cn": None}}),
        unclear("unknown service", service="nobody", public_cn=True, role="generator"),
    ),
)
def safety_assets_too_small(situation: Situation, facts: Facts) -> Result:
    """The service's keyword library or output test bank is too small.

    Why: the standard wants at least 10,000 keywords and at least 2,000 questions to test outputs with. An unknown
    number is inconclusive, unless the other one is already too small.

    When it fires:
    1. Read `asset` and `entries` in the evidence; compare them with the library or bank that the service really uses.
    2. If the policy is out of date, correct `safety_assets`; if not, open a ticket with the content safety team.
    3. Enlarge the library or bank, run the safety test again, and put the new number into the policy.
    """
    if situation.service is None:
        return inconclusive("the service in the registry")
    assets = situation.service.safety_assets
    if assets is None:
        return inconclusive("safety_assets of the service in the policy")
    missing = []
    for name, entries, least in (
        ("keywords", assets.keywords, 10_000),
        ("test_questions", assets.test_questions, 2_000),
    ):
        if entries is None:
            missing.append(f"safety_assets.{name} of the service in the policy")
        elif entries < least:
            return fail("fewer entries than the standard wants", asset=Code(name), entries=entries, least=least)
    if missing:
        return inconclusive(*missing)
    return PASS
