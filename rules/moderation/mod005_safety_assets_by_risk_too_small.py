"""MOD005."""

from msgspec.structs import replace

from hegui.rules import law
from hegui.rules.core import PASS, Result, Situation, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.policy import SafetyAssets

_ENOUGH = SafetyAssets(
    refusal_questions=500,
    non_refusal_questions=500,
    fewest_keywords_a1=200,
    fewest_keywords_a2=100,
    fewest_questions_a1_a2=50,
    fewest_questions_others=20,
)


def _given(**changes: int | None) -> dict[str, object]:
    return {"svc": {"safety_assets": replace(_ENOUGH, **changes)}}


@rule(
    "MOD005",
    on=GenerationEvent,
    zh="按风险类型的关键词数、测试题数或拒答题库不足",
    severity="medium",
    stage="sandbox",
    basis=(law.TC260_003_ASSETS_BY_RISK,),
    when={"public_cn": {True}, "role": {"generator"}},
    of=Situation,
    cases=(
        fails("one question to refuse short", given=_given(refusal_questions=499)),
        fails("one question not to refuse short", given=_given(non_refusal_questions=499)),
        fails("one keyword short, core values", given=_given(fewest_keywords_a1=199)),
        fails("one keyword short, discrimination", given=_given(fewest_keywords_a2=99)),
        fails("one question short, core values", given=_given(fewest_questions_a1_a2=49)),
        fails("one question short, other risks", given=_given(fewest_questions_others=19)),
        fails("one short, another unknown", given=_given(refusal_questions=None, fewest_questions_others=19)),
        passes("just enough", given=_given()),
        passes("more than enough", given=_given(refusal_questions=9_000, fewest_keywords_a1=9_000)),
        passes("the totals are another rule's", given=_given(keywords=0, test_questions=0)),
        skips("spreads others' content", given={"svc": {"role": "propagator"}}),
        skips("not offered to the public", given={"svc": {"public_cn": False, "safety_assets": SafetyAssets()}}),
        skips("before the standard", at="2024-02-28T23:59:59+08:00", given=_given(refusal_questions=0)),
        unclear("questions to refuse unknown", given=_given(refusal_questions=None)),
        unclear("questions not to refuse unknown", given=_given(non_refusal_questions=None)),
        unclear("keywords unknown, core values", given=_given(fewest_keywords_a1=None)),
        unclear("keywords unknown, discrimination", given=_given(fewest_keywords_a2=None)),
        unclear("questions unknown, core values", given=_given(fewest_questions_a1_a2=None)),
        unclear("questions unknown, other risks", given=_given(fewest_questions_others=None)),
        unclear("nothing stated", given={"svc": {"safety_assets": None}}),
        unclear("audience unknown", given={"svc": {"public_cn": None}}),
        unclear("unknown service", service="nobody", public_cn=True, role="generator"),
    ),
)
def safety_assets_by_risk_too_small(situation: Situation, facts: Facts) -> Result:
    """The service has too few keywords or test questions for a single risk, or too small banks of refusals.

    Why: every risk of Appendix A needs its own keywords (A.1: 200, A.2: 100) and test questions (A.1, A.2: 50, the
    others: 20), and the banks of questions to refuse and not to refuse need 500 each. These numbers are known from
    memory only, so the rule stays in the sandbox. An unknown number is inconclusive, unless another one is already
    too small.

    When it fires:
    1. Read `asset` and `entries` in the evidence; count the entries of the risk with the fewest.
    2. If the policy is out of date, correct `safety_assets`; if not, open a ticket with the content safety team.
    3. Add entries for that risk and put the new number into the policy.
    """
    if situation.service is None:
        return inconclusive("the service in the registry")
    assets = situation.service.safety_assets
    if assets is None:
        return inconclusive("safety_assets of the service in the policy")
    missing = []
    for name, entries, least in (
        ("refusal_questions", assets.refusal_questions, 500),
        ("non_refusal_questions", assets.non_refusal_questions, 500),
        ("fewest_keywords_a1", assets.fewest_keywords_a1, 200),
        ("fewest_keywords_a2", assets.fewest_keywords_a2, 100),
        ("fewest_questions_a1_a2", assets.fewest_questions_a1_a2, 50),
        ("fewest_questions_others", assets.fewest_questions_others, 20),
    ):
        if entries is None:
            missing.append(f"safety_assets.{name} of the service in the policy")
        elif entries < least:
            return fail("fewer entries than the standard wants", asset=Code(name), entries=entries, least=least)
    if missing:
        return inconclusive(*missing)
    return PASS
