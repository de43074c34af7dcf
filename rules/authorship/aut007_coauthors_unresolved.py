"""AUT007."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Authorship, GenerationEvent
from hegui.rules.facts import Facts

_UNRESOLVED = Authorship(contributors=2, allocation_document="")


@rule(
    "AUT007",
    on=GenerationEvent,
    zh="多人参与创作但未约定权利归属",
    severity="low",
    basis=(law.AUTHORSHIP_LI_V_LIU,),
    when={"authorship_claimed": {True}},
    cases=(
        fails("two persons, no agreement", authorship_claimed=True, authorship=_UNRESOLVED),
        passes(
            "two persons, agreed",
            authorship_claimed=True,
            authorship=Authorship(contributors=2, allocation_document="allocation-1"),
        ),
        passes(
            "one person, no agreement",
            authorship_claimed=True,
            authorship=Authorship(contributors=1, allocation_document=""),
        ),
        passes("one person, agreement unknown", authorship_claimed=True, authorship=Authorship(contributors=1)),
        passes(
            "agreed, number of persons unknown",
            authorship_claimed=True,
            authorship=Authorship(allocation_document="allocation-1"),
        ),
        skips("nobody claims it", authorship=_UNRESOLVED),
        skips(
            "before the first judgment", at="2023-11-26T23:59:59+08:00", authorship_claimed=True, authorship=_UNRESOLVED
        ),
        unclear("whether it is claimed is unknown", authorship_claimed=None, authorship=_UNRESOLVED),
        unclear("no evidence record sent", authorship_claimed=True),
        unclear("number of persons unknown", authorship_claimed=True, authorship=Authorship(allocation_document="")),
        unclear("agreement unknown", authorship_claimed=True, authorship=Authorship(contributors=2)),
    ),
)
def coauthors_unresolved(event: GenerationEvent, facts: Facts) -> Result:
    """Authorship is claimed for a work of several persons who have not agreed on the rights.

    Why: courts ask who made the personal choices. When several persons took part and nothing records who holds the
    rights, each of them can dispute the claim. An empty text says "there is no agreement".

    When it fires:
    1. Read `contributors` in the evidence; find the work by the sample violation's `source` and `id`.
    2. Ask the persons to agree in writing on who holds the rights; archive it and send its reference.
    3. Make the tool ask for that agreement as soon as a second person joins.
    """
    evidence = event.authorship
    if evidence is None:
        return inconclusive("authorship")
    if evidence.allocation_document:
        return PASS
    contributors = evidence.contributors
    if contributors is None:
        return inconclusive("authorship.contributors")
    if contributors <= 1:
        return PASS
    if evidence.allocation_document is None:
        return inconclusive("authorship.allocation_document")
    return fail("several persons contributed and no agreement allocates the rights", contributors=contributors)
