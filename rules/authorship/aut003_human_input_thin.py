"""AUT003."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Authorship, GenerationEvent, PromptRound
from hegui.rules.facts import Facts

_ROUND = PromptRound(at_ms=BASE_AT_MS, prompt_sha256="cd" * 32, parameters_sha256="cd" * 32, seed="42")
_THIN = Authorship(rounds=(_ROUND,), edits=0, candidates=1)


@rule(
    "AUT003",
    on=GenerationEvent,
    zh="主张著作权但人的独创性投入单薄",
    severity="low",
    stage="sandbox",
    basis=(law.AUTHORSHIP_LI_V_LIU,),
    when={"authorship_claimed": {True}},
    cases=(
        fails("one round, no choice, no edit", authorship_claimed=True, authorship=_THIN),
        fails(
            "no round, no candidate", authorship_claimed=True, authorship=Authorship(rounds=(), edits=0, candidates=0)
        ),
        passes(
            "two rounds", authorship_claimed=True, authorship=Authorship(rounds=(_ROUND, _ROUND), edits=0, candidates=1)
        ),
        passes("one edit", authorship_claimed=True, authorship=Authorship(rounds=(_ROUND,), edits=1, candidates=1)),
        passes(
            "two candidates", authorship_claimed=True, authorship=Authorship(rounds=(_ROUND,), edits=0, candidates=2)
        ),
        passes("two rounds, the rest unknown", authorship_claimed=True, authorship=Authorship(rounds=(_ROUND, _ROUND))),
        passes("an edit, the rest unknown", authorship_claimed=True, authorship=Authorship(edits=1)),
        passes("two candidates, the rest unknown", authorship_claimed=True, authorship=Authorship(candidates=2)),
        skips("nobody claims it", authorship=_THIN),
        skips("before the first judgment", at="2023-11-26T23:59:59+08:00", authorship_claimed=True, authorship=_THIN),
        unclear("whether it is claimed is unknown", authorship_claimed=None, authorship=_THIN),
        unclear("no evidence record sent", authorship_claimed=True),
        unclear("rounds unknown", authorship_claimed=True, authorship=Authorship(edits=0, candidates=1)),
        unclear("edits unknown", authorship_claimed=True, authorship=Authorship(rounds=(_ROUND,), candidates=1)),
        unclear("candidates unknown", authorship_claimed=True, authorship=Authorship(rounds=(_ROUND,), edits=0)),
    ),
)
def human_input_thin(event: GenerationEvent, facts: Facts) -> Result:
    """Authorship is claimed for the first answer to one prompt, neither chosen among others nor edited.

    Why: a court protected a picture for its rounds of prompts and parameters and for the choice of the final picture;
    another refused one that rested on first prompts alone. This is an engineering proxy: no court set a number. With
    fewer than two rounds there is no change of parameters between rounds either.

    False positives: a long prompt may show much personal choice. A person must judge.

    When it fires:
    1. Read `rounds`, `edits` and `candidates` in the evidence.
    2. Check that the tool records all rounds and edits, not only the last.
    3. Tell the author that the claim for this work may be weak; suggest more rounds, a choice or edits by hand.
    """
    evidence = event.authorship
    if evidence is None:
        return inconclusive("authorship")
    if len(evidence.rounds or ()) >= 2 or evidence.edits or (evidence.candidates or 0) >= 2:
        return PASS
    if evidence.rounds is None:
        return inconclusive("authorship.rounds")
    if evidence.edits is None:
        return inconclusive("authorship.edits")
    if evidence.candidates is None:
        return inconclusive("authorship.candidates")
    return fail(
        "the record shows little human input",
        rounds=len(evidence.rounds),
        edits=evidence.edits,
        candidates=evidence.candidates,
    )
