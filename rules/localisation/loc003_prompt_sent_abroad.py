"""LOC003."""

from datetime import datetime

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Export, GenerationEvent, ModelReference
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.localisation.mechanism import exempt, held_at
from hegui.rules.policy import ExportMechanism

_ABROAD = ModelReference(id="model-b", hosting_region="us-east-1")
_HELD = ExportMechanism(
    kind="standard_contract",
    reference="x",
    valid_from=datetime.fromisoformat("2025-01-01T00:00:00+08:00"),
    valid_to=datetime.fromisoformat("2028-01-01T00:00:00+08:00"),
)


@rule(
    "LOC003",
    on=GenerationEvent,
    zh="含个人信息的提示词被发送至境外托管的模型",
    severity="critical",
    basis=(law.PIPL_ART_38, law.CROSS_BORDER_ART_8),
    when={"prompt_personal_information": {True}},
    cases=(
        fails("model abroad, nothing held", prompt_personal_information=True, model=_ABROAD),
        fails(
            "held, but not yet",
            at="2024-12-31T23:59:59+08:00",
            prompt_personal_information=True,
            model=_ABROAD,
            given={"company": {"export_mechanisms": (_HELD,)}},
        ),
        fails(
            "a document without an exemption",
            prompt_personal_information=True,
            model=_ABROAD,
            export=Export(entity="company", exemption_document="c-1"),
        ),
        passes("model in the mainland", prompt_personal_information=True),
        passes(
            "covered by a contract",
            prompt_personal_information=True,
            model=_ABROAD,
            given={"company": {"export_mechanisms": (_HELD,)}},
        ),
        passes(
            "covered from that very moment",
            at="2025-01-01T00:00:00+08:00",
            prompt_personal_information=True,
            model=_ABROAD,
            given={"company": {"export_mechanisms": (_HELD,)}},
        ),
        passes(
            "exempt with its document",
            prompt_personal_information=True,
            model=_ABROAD,
            export=Export(entity="company", exemption="art_5_1", exemption_document="c-1"),
        ),
        skips("no personal information in the prompt", model=_ABROAD),
        skips("before the law", at="2021-10-31T23:59:59+08:00", prompt_personal_information=True, model=_ABROAD),
        unclear("whether the prompt held any is unknown", prompt_personal_information=None, model=_ABROAD),
        unclear(
            "the exemption's document is not stated",
            prompt_personal_information=True,
            model=_ABROAD,
            export=Export(entity="company", exemption="art_5_1"),
        ),
        unclear("model unknown", prompt_personal_information=True, model=None),
        unclear(
            "where the model runs is unknown", prompt_personal_information=True, model=ModelReference(id="model-b")
        ),
        unclear(
            "no entity in the policy", prompt_personal_information=True, model=_ABROAD, given={"svc": {"entity": None}}
        ),
    ),
)
def prompt_sent_abroad(event: GenerationEvent, facts: Facts) -> Result:
    """A prompt with personal information was sent to a model hosted abroad, and nothing covers that export.

    Why: calling a model abroad with personal information provides that information abroad. It needs a mechanism
    (assessment, contract, certificate) or an exemption with its document.

    When it fires:
    1. Read `region` in the evidence; check which model the service calls since its last release.
    2. Route prompts with personal information to a model in the mainland, or mask it before the call.
    3. If a contract covers the recipient, record it under `entities` in the policy.
    """
    if event.model is None or event.model.hosting_region is None:
        return inconclusive("model.hosting_region")
    region = event.model.hosting_region
    proven = exempt(event.export)
    if facts.in_mainland(region) or proven:
        return PASS
    entity = facts.entity(event.export.entity if event.export is not None else None)
    if entity is None:
        return inconclusive("entity of the service in the policy")
    if held_at(entity, facts.at_ms):
        return PASS
    if proven is None:
        return inconclusive("the proof of the exemption")
    return fail(
        "the prompt's personal information went abroad uncovered", region=Code(region), entity=Code(entity.name)
    )
