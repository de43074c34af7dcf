"""AUT004."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Authorship, GenerationEvent, PromptRound
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


def _evidence(*seeds: str | None, model: str | None = "1") -> Authorship:
    return Authorship(rounds=tuple(PromptRound(at_ms=BASE_AT_MS, seed=seed) for seed in seeds), model_version=model)


@rule(
    "AUT004",
    on=GenerationEvent,
    zh="创作过程无法复现（缺少随机种子或模型版本）",
    severity="low",
    basis=(law.AUTHORSHIP_LI_V_LIU, law.AUTHORSHIP_CAT_PENDANT),
    when={"authorship_claimed": {True}},
    cases=(
        fails("a round without its seed", authorship_claimed=True, authorship=_evidence("42", "")),
        fails("an empty seed", authorship_claimed=True, authorship=_evidence("", "42")),
        fails("an empty seed, model version not stated", authorship_claimed=True, authorship=_evidence("", model=None)),
        fails("an empty model version", authorship_claimed=True, authorship=_evidence("42", model="")),
        fails("no rounds, so no seed", authorship_claimed=True, authorship=_evidence()),
        passes("seeds and model version", authorship_claimed=True, authorship=_evidence("42", "43")),
        skips("nobody claims it", authorship=_evidence(None)),
        skips(
            "before the first judgment",
            at="2023-11-26T23:59:59+08:00",
            authorship_claimed=True,
            authorship=_evidence(None),
        ),
        unclear("whether it is claimed is unknown", authorship_claimed=None, authorship=_evidence(None)),
        unclear("no evidence record sent", authorship_claimed=True),
        unclear("a seed not stated", authorship_claimed=True, authorship=_evidence("42", None)),
        unclear("model version not stated", authorship_claimed=True, authorship=_evidence("42", model=None)),
        unclear("rounds unknown", authorship_claimed=True, authorship=Authorship(model_version="1")),
    ),
)
def creation_not_reproducible(event: GenerationEvent, facts: Facts) -> Result:
    """Authorship is claimed, but the creation cannot be replayed.

    Why: a court held it against a plaintiff that the picture could not be made again; without every round's seed and
    the model's version a replay is impossible. It is one factor among others, not a test by itself.

    When it fires:
    1. Read `lacks` in the evidence: the seed of a round, or the model's version.
    2. Make the tool record that item while the author works.
    3. Tell the author that this work cannot be replayed; do not fill in the item afterwards.
    """
    evidence = event.authorship
    if evidence is None or evidence.rounds is None:
        return inconclusive("authorship.rounds")
    rounds = evidence.rounds
    seeds = tuple(step.seed for step in rounds)
    if evidence.model_version == "":
        return fail("the creation cannot be replayed", lacks=Code("model_version"), rounds=len(rounds))
    if not seeds or "" in seeds:
        return fail("the creation cannot be replayed", lacks=Code("seed"), rounds=len(rounds))
    if evidence.model_version is None:
        return inconclusive("authorship.model_version")
    return inconclusive("authorship.rounds.seed") if None in seeds else PASS
