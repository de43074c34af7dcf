"""AUT005."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Authorship, GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts

_NO_TERMS = Authorship(terms_document="", terms_give_rights=True)


@rule(
    "AUT005",
    on=GenerationEvent,
    zh="未留存生成工具的用户协议或协议未将权利归属用户",
    severity="low",
    basis=(law.AUTHORSHIP_CHANGSHU,),
    when={"authorship_claimed": {True}},
    cases=(
        fails("terms not archived", authorship_claimed=True, authorship=_NO_TERMS),
        fails("terms not archived, rights unknown", authorship_claimed=True, authorship=Authorship(terms_document="")),
        fails(
            "the vendor keeps the rights",
            authorship_claimed=True,
            authorship=Authorship(terms_document="terms-1", terms_give_rights=False),
        ),
        fails(
            "the vendor keeps the rights, archive unknown",
            authorship_claimed=True,
            authorship=Authorship(terms_give_rights=False),
        ),
        passes(
            "archived, rights with the user",
            authorship_claimed=True,
            authorship=Authorship(terms_document="terms-1", terms_give_rights=True),
        ),
        skips("nobody claims it", authorship=_NO_TERMS),
        skips("before the judgment", at="2025-03-06T23:59:59+08:00", authorship_claimed=True, authorship=_NO_TERMS),
        unclear("whether it is claimed is unknown", authorship_claimed=None, authorship=_NO_TERMS),
        unclear("no evidence record sent", authorship_claimed=True),
        unclear("archive unknown", authorship_claimed=True, authorship=Authorship(terms_give_rights=True)),
        unclear("rights unknown", authorship_claimed=True, authorship=Authorship(terms_document="terms-1")),
    ),
)
def tool_terms_missing(event: GenerationEvent, facts: Facts) -> Result:
    """Authorship is claimed, but the tool's terms are not archived or leave the rights with the vendor.

    Why: a court read the tool's user agreement of that date to see whose the rights in outputs are. Terms change;
    without a copy of that date nobody can show what was agreed. An empty text says "not archived".

    When it fires:
    1. Read `lacks` in the evidence: the archived terms, or rights of the user under them.
    2. Archive the terms in force at the event's time and have the tool send their reference.
    3. If the vendor keeps the rights, tell the author; use a tool or a plan with other terms.
    """
    evidence = event.authorship
    if evidence is None:
        return inconclusive("authorship")
    if evidence.terms_document == "":
        return fail("the tool's terms are not archived", lacks=Code("terms_document"))
    if evidence.terms_give_rights is False:
        return fail("the tool's terms leave the rights with the vendor", lacks=Code("terms_give_rights"))
    if evidence.terms_document is None:
        return inconclusive("authorship.terms_document")
    if evidence.terms_give_rights is None:
        return inconclusive("authorship.terms_give_rights")
    return PASS
