"""OPT001."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS, PERSON
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts, OptOut

_NO = OptOut("user", PERSON, "deny", BASE_AT_MS - 1000)
_NEXT_YEAR = PERSON.replace("k1:", "k2:")
_YES = OptOut("user", PERSON, "allow", BASE_AT_MS - 500)


@rule(
    "OPT001",
    on=IngestEvent,
    zh="已拒绝训练的用户输入仍被用于训练",
    severity="critical",
    basis=(law.INTERIM_MEASURES_ART_11, law.PIPL_ART_15),
    when={"source_type": {"user_input"}},
    needs=("optouts",),
    waivable=False,
    cases=(
        fails("refused a second before", source_type="user_input", user_key=PERSON, given={"optouts": (_NO,)}),
        fails(
            "refused in one place, allowed in another",
            source_type="user_input",
            user_key=PERSON,
            given={"optouts": (_NO, OptOut("user", PERSON, "allow", BASE_AT_MS - 500, source="app"))},
        ),
        passes("never refused", source_type="user_input", user_key=PERSON),
        passes(
            "refused later",
            source_type="user_input",
            user_key=PERSON,
            given={"optouts": (OptOut("user", PERSON, "deny", BASE_AT_MS + 1),)},
        ),
        passes("allowed again", source_type="user_input", user_key=PERSON, given={"optouts": (_NO, _YES)}),
        passes(
            "within the grace time",
            source_type="user_input",
            user_key=PERSON,
            given={"optouts": (_NO,), "opt_out_grace_seconds": 60},
        ),
        passes(
            "the refusal had ended",
            source_type="user_input",
            user_key=PERSON,
            given={"optouts": (OptOut("user", PERSON, "deny", BASE_AT_MS - 1000, BASE_AT_MS),)},
        ),
        unclear(
            "users refused under another key",
            source_type="user_input",
            user_key=_NEXT_YEAR,
            given={"optouts": (_NO,)},
        ),
        passes(
            "somebody refused under the same key",
            source_type="user_input",
            user_key=_NEXT_YEAR,
            given={"optouts": (_NO, OptOut("user", _NEXT_YEAR[:-1] + "0", "deny", BASE_AT_MS))},
        ),
        unclear(
            "somebody refused under the same key, but later",
            source_type="user_input",
            user_key=_NEXT_YEAR,
            given={"optouts": (_NO, OptOut("user", _NEXT_YEAR[:-1] + "0", "deny", BASE_AT_MS + 1))},
        ),
        passes(
            "users refused under another key, but later",
            source_type="user_input",
            user_key=_NEXT_YEAR,
            given={"optouts": (OptOut("user", PERSON, "deny", BASE_AT_MS + 1),)},
        ),
        passes(
            "a site refused, no user",
            source_type="user_input",
            user_key=PERSON,
            given={"optouts": (OptOut("domain", "example.com", "deny", 1),)},
        ),
        skips("not a user's input"),
        skips("before the law", at="2023-08-14T23:59:59+08:00", source_type="user_input", user_key=PERSON),
        unclear("user unknown", source_type="user_input"),
        unclear("kind of source unknown", source_type=None),
        unclear("opt-outs not connected", source_type="user_input", user_key=PERSON, given={"optouts": None}),
    ),
)
def user_opt_out_ignored(event: IngestEvent, facts: Facts) -> Result:
    """A user's input was taken into a corpus although the user had refused.

    Why: users may refuse that their inputs train models, and the refusal counts from the moment it is made (plus the
    grace time of the policy, zero unless the deployer sets one). A user has another hash under another key: while users have
    refused, but none under the key of this one, nothing can be told.

    When it fires:
    1. Find the record by the sample violation's `source` and `id`; compare `refused_at_ms` with the event's time.
    2. Stop the pipeline that took it; check how it reads the opt-outs.
    3. Remove the record from the next dataset version; keep the evidence of the removal.
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
