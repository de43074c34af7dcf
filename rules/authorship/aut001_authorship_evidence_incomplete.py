"""AUT001."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Authorship, GenerationEvent, PromptRound
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts

_HASH = "cd" * 32
_ROUND = PromptRound(at_ms=BASE_AT_MS, prompt_sha256=_HASH, parameters_sha256=_HASH, seed="42")


def _evidence(*rounds: PromptRound, selected: str | None = _HASH, model: str | None = "1") -> Authorship:
    return Authorship(rounds=rounds, selected_output_sha256=selected, model_version=model)


@rule(
    "AUT001",
    on=GenerationEvent,
    zh="主张著作权但创作过程证据不完整",
    severity="medium",
    basis=(law.AUTHORSHIP_CAT_PENDANT, law.AUTHORSHIP_LI_V_LIU),
    when={"authorship_claimed": {True}},
    cases=(
        fails("no rounds", authorship_claimed=True, authorship=_evidence()),
        fails(
            "a round without its prompt",
            authorship_claimed=True,
            authorship=_evidence(_ROUND, PromptRound(at_ms=1, prompt_sha256="", parameters_sha256=_HASH, seed="1")),
        ),
        fails(
            "no parameters",
            authorship_claimed=True,
            authorship=_evidence(PromptRound(at_ms=1, prompt_sha256=_HASH, parameters_sha256="", seed="1")),
        ),
        fails(
            "no seed",
            authorship_claimed=True,
            authorship=_evidence(PromptRound(at_ms=1, prompt_sha256=_HASH, parameters_sha256=_HASH, seed="")),
        ),
        fails("no chosen output", authorship_claimed=True, authorship=_evidence(_ROUND, selected="")),
        fails("no model version", authorship_claimed=True, authorship=_evidence(_ROUND, model="")),
        passes("complete", authorship_claimed=True, authorship=_evidence(_ROUND, _ROUND)),
        skips("nobody claims it", authorship=_evidence()),
        skips(
            "before the first judgment", at="2023-11-26T23:59:59+08:00", authorship_claimed=True, authorship=_evidence()
        ),
        unclear("whether it is claimed is unknown", authorship_claimed=None),
        unclear("no evidence record sent", authorship_claimed=True),
        fails(
            "one item missing, one not stated",
            authorship_claimed=True,
            authorship=_evidence(_ROUND, selected=None, model=""),
        ),
        unclear(
            "a prompt not stated",
            authorship_claimed=True,
            authorship=_evidence(_ROUND, PromptRound(at_ms=1, parameters_sha256=_HASH, seed="1")),
        ),
        unclear(
            "parameters not stated",
            authorship_claimed=True,
            authorship=_evidence(PromptRound(at_ms=1, prompt_sha256=_HASH, seed="1")),
        ),
        unclear(
            "a seed not stated",
            authorship_claimed=True,
            authorship=_evidence(PromptRound(at_ms=1, prompt_sha256=_HASH, parameters_sha256=_HASH)),
        ),
        unclear("chosen output not stated", authorship_claimed=True, authorship=_evidence(_ROUND, selected=None)),
        unclear("model version not stated", authorship_claimed=True, authorship=_evidence(_ROUND, model=None)),
        unclear("rounds unknown", authorship_claimed=True, authorship=Authorship(selected_output_sha256=_HASH)),
    ),
)
def authorship_evidence_incomplete(event: GenerationEvent, facts: Facts) -> Result:
    """Authorship is claimed, but the record of the creative process is incomplete.

    Why: courts protected a picture when prompts, parameters, rounds and the choice were shown, and refused it when the
    process could not be proven afterwards. What is not recorded while creating cannot be made up later.

    When it fires:
    1. Read `lacks` in the evidence: rounds, prompt, parameters, seed, selection or model version.
    2. Make the tool record that item while the author works.
    3. Tell the author that the claim for this work is weak; do not reconstruct the record.
    """
    evidence = event.authorship
    if evidence is None or evidence.rounds is None:
        return inconclusive("authorship.rounds")
    rounds = evidence.rounds
    parts: tuple[tuple[str, tuple[str | None, ...]], ...] = (
        ("prompt", tuple(step.prompt_sha256 for step in rounds)),
        ("parameters", tuple(step.parameters_sha256 for step in rounds)),
        ("seed", tuple(step.seed for step in rounds)),
        ("selection", (evidence.selected_output_sha256,)),
        ("model_version", (evidence.model_version,)),
    )
    lacks = ["rounds"] * (not rounds) + [name for name, values in parts if "" in values]
    if lacks:
        return fail("the record of the creative process is incomplete", lacks=Code(lacks[0]), rounds=len(rounds))
    unknown = [name for name, values in parts if None in values]
    return inconclusive(*(f"authorship: {name}" for name in unknown)) if unknown else PASS
