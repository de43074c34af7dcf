"""FIL001."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ModelReference
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts, Filing

_OTHER = ModelReference(id="model-b")


@rule(
    "FIL001",
    on=GenerationEvent,
    zh="面向公众的服务使用未备案或未登记的模型",
    severity="critical",
    basis=(law.INTERIM_MEASURES_ART_17, law.TC260_003_6_A),
    when={"public_cn": {True}},
    needs=("filings",),
    waivable=False,
    depends="model",
    cases=(
        fails("not filed", model=_OTHER),
        fails("filed later", at="2023-08-31T23:59:59+08:00"),
        fails(
            "withdrawn that moment",
            model=_OTHER,
            given={"filings": (Filing("model-b", "n", 1_700_000_000_000, 1_785_556_800_000),)},
        ),
        passes("filed in the policy"),
        passes("filed on the topic", model=_OTHER, given={"filings": (Filing("model-b", "n", 1_700_000_000_000),)}),
        skips("not offered to the public", model=_OTHER, given={"svc": {"public_cn": False}}),
        skips("before the law", at="2023-08-14T23:59:59+08:00", model=_OTHER),
        unclear("model unknown", model=None),
        unclear("no filings known at all", given={"filings": None, "registered": ()}),
    ),
)
def model_without_filing(event: GenerationEvent, facts: Facts) -> Result:
    """A public service answers with a model that is neither filed nor registered.

    Why: generative services with public-opinion attributes file their model or register the filed model they call; a
    third-party base model must be filed too.

    When it fires:
    1. Read `model` in the evidence (a hash when the id is no short code); compare with `filings` in the policy.
    2. If the filing exists, add it with its dates; if not, route the service to a filed model.
    3. Tell the compliance officer since when the model answered the public.
    """
    if event.model is None:
        return inconclusive("model")
    if facts.filing(event.model.id) is None:
        return fail("the model has no filing in force", model=Code(event.model.id))
    return PASS
