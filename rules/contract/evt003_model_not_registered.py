"""EVT003."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, unclear
from hegui.rules.events import GenerationEvent, ModelReference
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


def _model(model: str = "model-a", region: str | None = "cn-north-1") -> ModelReference:
    return ModelReference(id=model, version="1", hosting_region=region, filing_number="Beijing-0001")


@rule(
    "EVT003",
    on=GenerationEvent,
    any_time=True,
    zh="模型或其所在区域与服务登记不一致",
    severity="medium",
    basis=(law.CONTRACT_REGISTRY,),
    depends="model",
    cases=(
        fails("another model", model=_model("model-b")),
        fails("the registry lists none", given={"svc": {"models": ()}}),
        fails("another region", model=_model(region="us-east-1")),
        fails("a region that begins alike", model=_model(region="cn-north-10")),
        passes("as registered"),
        passes("the region in capitals", model=_model(region="CN-NORTH-1")),
        passes("a zone of the region", model=_model(region="CN-north-1-a")),
        passes("the registry names no region", model=_model(region="us-east-1"), given={"svc": {"region": None}}),
        passes("neither names a region", model=_model(region=None), given={"svc": {"region": None}}),
        unclear("the event names no region", model=_model(region=None)),
        unclear("unknown service", service="nobody"),
        unclear("the registry does not say which models", given={"svc": {"models": None}}),
        unclear("model unknown", model=None),
    ),
)
def model_not_registered(event: GenerationEvent, facts: Facts) -> Result:
    """An output was made by a model, or in a region, that the service registry does not name.

    Why: filings, safety tests and export checks look at the model that the registry names. Another model answers the public
    unseen, or the registry is out of date.

    When it fires:
    1. Read `model` or `region` in the evidence; compare with `models` and `region` of the service in the policy.
    2. If the model is meant to be there, see that it is filed and tested, then add it; else roll the service back.
    """
    service = facts.service
    if service is None:
        return inconclusive("the service in the registry")
    if service.models is None:
        return inconclusive("models of the service in the policy")
    model = event.model
    if model is None:
        return inconclusive("model")
    if model.id not in service.models:
        return fail("the registry does not name the model", model=Code(model.id))
    region = model.hosting_region
    if service.region is None:
        return PASS
    if region is None:
        return inconclusive("model.hosting_region")
    if region != service.region:
        name = region.lower()
        if name != service.region.lower() and not name.startswith(service.region.lower() + "-"):
            return fail("the model runs in another region than the registry says", region=Code(region))
    return PASS
