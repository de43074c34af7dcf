"""OPT004."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS, PERSON
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts, OptOut

_NO = OptOut("user", PERSON, "deny", BASE_AT_MS - 1000)

_NEXT_YEAR = PERSON.replace("k1:", "k2:")


@rule(
    "OPT004",
    on=GenerationEvent,
    zh="用户拒绝训练后其对话仍被标记为可训练",
    severity="high",
    basis=(law.INTERIM_MEASURES_ART_11, law.PIPL_ART_15),
    when={"train_use": {True}},
    needs=("optouts",),
    cases=(
        fails("refused before", train_use=True, user_key=PERSON, given={"optouts": (_NO,)}),
        passes("never refused", train_use=True, user_key=PERSON),
        passes(
            "within the grace time",
            train_use=True,
            user_key=PERSON,
            given={"optouts": (_NO,), "opt_out_grace_seconds": 2},
        ),
        unclear(
            "users refused under another key",
            train_use=True,
            user_key=_NEXT_YEAR,
            given={"optouts": (_NO,)},
        ),
        passes(
            "somebody refused under the same key",
            train_use=True,
            user_key=_NEXT_YEAR,
            given={"optouts": (_NO, OptOut("user", _NEXT_YEAR[:-1] + "0", "deny", BASE_AT_MS))},
        ),
        skips("not for training", user_key=PERSON, given={"optouts": (_NO,)}),
        skips("before the law", at="2023-08-14T23:59:59+08:00", train_use=True, user_key=PERSON),
        unclear("use unknown", train_use=None, user_key=PERSON),
        unclear("user unknown", train_use=True),
        unclear("opt-outs not connected", train_use=True, user_key=PERSON, given={"optouts": None}),
    ),
)
def opted_out_conversation_used(event: GenerationEvent, facts: Facts) -> Result:
    """A conversation is marked for training although its user had refused.

    Why: a service must not keep or use inputs that identify a user against that user's will; the refusal counts at once.

    When it fires:
    1. Compare `refused_at_ms` in the evidence with the event's time: how long did the switch take to act?
    2. Check how the service reads the opt-outs before it sets `train_use`.
    3. Take the marked conversations out of the training queue.
    """
    if event.user_key is None:
        return inconclusive("user_key")
    refusal = facts.opted_out("user", event.user_key, grace_ms=facts.policy.opt_out_grace_seconds * 1000)
    if refusal is not None:
        return fail(
            "the user had refused training", refused_at_ms=refusal.observed_at_ms, registry=Code(refusal.source)
        )
    if not facts.knows_key_of(event.user_key):
        return inconclusive("opt-outs under the key of user_key")
    return PASS
