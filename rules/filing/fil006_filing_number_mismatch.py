"""FIL006."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ModelReference
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts, Filing

_AT_MS = 1_785_556_800_000  # the base event's time
_WRONG = ModelReference(id="model-a", filing_number="Beijing-0002")


def _filed(valid_from_ms: int, valid_to_ms: int | None = None) -> dict[str, object]:
    return {"filings": (Filing("model-a", "Beijing-0002", valid_from_ms, valid_to_ms),)}


@rule(
    "FIL006",
    on=GenerationEvent,
    zh="公示的备案号与模型的有效备案不一致",
    severity="medium",
    basis=(law.INTERIM_MEASURES_ART_17,),
    when={"public_cn": {True}},
    needs=("filings",),
    depends="model",
    cases=(
        fails("another number", model=_WRONG),
        fails("the number of another model", model=ModelReference(id="model-b", filing_number="Beijing-0001")),
        fails("it shows none", model=ModelReference(id="model-a", filing_number="")),
        fails("shown before the filing", at="2023-08-31T23:59:59+08:00"),
        fails("filed a millisecond later", model=_WRONG, given=_filed(_AT_MS + 1)),
        fails("withdrawn that moment", model=_WRONG, given=_filed(_AT_MS - 1, _AT_MS)),
        passes("filed in the policy"),
        passes("filed on the topic that moment, second number of the model", model=_WRONG, given=_filed(_AT_MS)),
        passes("first number of the model of two", given=_filed(_AT_MS)),
        skips("not offered to the public", model=_WRONG, given={"svc": {"public_cn": False}}),
        skips("before the law", at="2023-08-14T23:59:59+08:00", model=_WRONG),
        unclear("model unknown", model=None),
        unclear("number not stated", model=ModelReference(id="model-a")),
        unclear("no filings known at all", given={"filings": None, "registered": ()}),
        unclear("public or not is unknown", model=_WRONG, given={"svc": {"public_cn": None}}),
        unclear("unknown service", service="nobody"),
    ),
)
def filing_number_mismatch(event: GenerationEvent, facts: Facts) -> Result:
    """A public service shows a filing number that is not one of its model's filings in force.

    Why: the number that people see must lead them to the filing or registration of the model that answers; a wrong
    number hides a model that was changed or never filed. An empty number says "it shows none".

    When it fires:
    1. Read `model` in the evidence; compare the number on the service's page with `filings` in the policy.
    2. If the filing is missing there, add it with its dates; if the shown number is old, correct the service's page.
    3. If FIL001 fires too, the model itself is not filed: follow that page first.
    """
    model = event.model
    if model is None or model.filing_number is None:
        return inconclusive("model.filing_number")
    filing = facts.filing(model.id)
    if filing is not None and filing.number == model.filing_number:  # nearly every event
        return PASS
    if model.filing_number in facts.filing_numbers(model.id):
        return PASS
    return fail("the number shown is not that of a filing in force", model=Code(model.id), shown=model.filing_number)
