"""FIL005."""

from datetime import datetime
from functools import lru_cache

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ModelReference
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.policy import SafetyAssessment

_OTHER = ModelReference(id="model-a", version="2")


@lru_cache(maxsize=4096)  # moments of the policy, for every public event
def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _assessed(*from_: str) -> dict[str, object]:
    return {
        "svc": {
            "safety_assessments": tuple(
                SafetyAssessment(
                    reference="safety-1", model="model-a", model_version="1", valid_from=datetime.fromisoformat(moment)
                )
                for moment in from_
            )
        }
    }


@rule(
    "FIL005",
    on=GenerationEvent,
    zh="模型版本更新后未重新进行安全评估",
    severity="high",
    basis=(law.ANTHROPOMORPHIC_ART_22, law.INTERIM_MEASURES_ART_17),
    when={"public_cn": {True}},
    depends="model",
    cases=(
        fails("new version", model=_OTHER),
        fails("another model of the same version", model=ModelReference(id="model-b", version="1")),
        fails("never assessed", given={"svc": {"safety_assessments": ()}}),
        fails("assessed a second later", given=_assessed("2026-08-01T12:00:01+08:00")),
        fails("before its assessment", at="2023-08-31T23:59:59+08:00"),
        passes("assessed"),
        passes("assessed from that moment", given=_assessed("2026-08-01T12:00:00+08:00")),
        passes(
            "assessed again later",
            given=_assessed("2026-08-02T00:00:00+08:00", "2025-01-01T00:00:00+08:00"),
        ),
        skips("not offered to the public", model=_OTHER, given={"svc": {"public_cn": False}}),
        skips("before the law", at="2023-08-14T23:59:59+08:00", model=_OTHER),
        unclear("model unknown", model=None),
        unclear("version unknown", model=ModelReference(id="model-a")),
        unclear("assessments not stated", given={"svc": {"safety_assessments": None}}),
        unclear("public or not is unknown", model=_OTHER, given={"svc": {"public_cn": None}}),
        unclear("unknown service", service="nobody"),
        unclear("unknown service that says it is public", service="nobody", public_cn=True),
    ),
)
def safety_assessment_stale(event: GenerationEvent, facts: Facts) -> Result:
    """A public service answers with a version of a model that was not safety-assessed.

    Why: the safety assessment before filing speaks of one version. A new model, a new version or a major change needs
    a new assessment before the public gets its answers; the Anthropomorphic Measures ask the same of companion
    services.

    False positives: a small patch changed the version's name and nothing else. Enter the patched version with the
    reference of the assessment that covers it.

    When it fires:
    1. Read `model` and `version` in the evidence; compare with `safety_assessments` of the service in the policy.
    2. If the assessment exists, add it with its day; if not, route the service back to the assessed version.
    3. Tell the compliance officer since when the version answered the public.
    """
    model = event.model
    if model is None or model.version is None:
        return inconclusive("model.version")
    service = facts.service
    if service is None:
        return inconclusive("the service in the registry")
    assessments = service.safety_assessments
    if assessments is None:
        return inconclusive("safety_assessments of the service in the policy")
    for assessment in assessments:
        if (
            assessment.model_version == model.version
            and assessment.model == model.id
            and _ms(assessment.valid_from) <= facts.at_ms
        ):
            return PASS
    return fail(
        "no safety assessment of this version was in force",
        model=Code(model.id),
        version=Code(model.version),
        assessments=len(assessments),
    )
