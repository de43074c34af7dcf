"""MOD008."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS, PERSON
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, Moderation
from hegui.rules.fact_tables import Suspension
from hegui.rules.facts import Facts
from hegui.rules.screens import kept_and_moderated

_HOUR_MS = 3_600_000
_BLOCKED = Moderation(verdict="none", action="blocked")
_DELIVERED = Moderation(verdict="allow", action="delivered")


def _suspended(from_ms: int, to_ms: int = BASE_AT_MS + _HOUR_MS, service: str = "svc") -> dict[str, object]:
    return {"suspensions": (Suspension("default", service, PERSON, from_ms, to_ms),)}


@rule(
    "MOD008",
    on=GenerationEvent,
    zh="多次诱导生成违法内容的用户未被暂停服务",
    severity="medium",
    stage="sandbox",
    basis=(law.TC260_003_7_G,),
    when={"public_cn": {True}, "role": {"generator"}},
    needs=("suspensions",),
    screen=kept_and_moderated,
    cases=(
        fails("served the moment after", given=_suspended(BASE_AT_MS - 1), user_key=PERSON, moderation=_DELIVERED),
        passes("blocked", given=_suspended(BASE_AT_MS - 1), user_key=PERSON, moderation=_BLOCKED),
        passes(
            "the input that was one too many itself",
            given=_suspended(BASE_AT_MS),
            user_key=PERSON,
            moderation=_DELIVERED,
        ),
        passes("the suspension has ended", given=_suspended(0, BASE_AT_MS), user_key=PERSON, moderation=_DELIVERED),
        passes(
            "suspended at another service",
            given=_suspended(0, service="pipeline"),
            user_key=PERSON,
            moderation=_DELIVERED,
        ),
        passes("never suspended", user_key=PERSON),
        skips("before the standard", at="2024-02-28T23:59:59+08:00", given=_suspended(0), user_key=PERSON),
        skips(
            "not offered to the public",
            given={**_suspended(0), "svc": {"public_cn": False}},
            user_key=PERSON,
            moderation=_DELIVERED,
        ),
        skips(
            "a service that spreads content",
            given={**_suspended(0), "svc": {"role": "propagator"}},
            user_key=PERSON,
            moderation=_DELIVERED,
        ),
        passes("nobody is suspended, whoever the user is", user_key=None),
        passes("nobody is suspended, and moderation is not known", user_key=None, moderation=None),
        unclear("user not known, others are suspended", given=_suspended(0), user_key=None),
        unclear(
            "an input was refused, and nobody can say whose it was",
            user_key=None,
            moderation=Moderation(verdict="none", action="blocked", input_verdict="block"),
        ),
        passes(
            "an input was refused, whose it was is known",
            user_key=PERSON,
            moderation=Moderation(verdict="none", action="blocked", input_verdict="block"),
        ),
        unclear("moderation not known", given=_suspended(0), user_key=PERSON, moderation=None),
        unclear(
            "what was done is not known", given=_suspended(0), user_key=PERSON, moderation=Moderation(verdict="allow")
        ),
        unclear("verdicts not connected", given={"suspensions": None}, user_key=PERSON),
    ),
)
def suspended_user_served(event: GenerationEvent, facts: Facts) -> Result:
    """A user who tried again and again to bring about unlawful content was served all the same.

    Why: after three such inputs in a row, or five on one day, the service must be suspended for that user. The
    numbers are known from memory only, so this rule is counted and never pages. An input counts when
    `moderation.input_verdict` is `block`; "in a row" needs `input_number`. An event counts once however often it is
    sent, and no more when a revision says that its input was not to be refused: a suspension that followed from it is
    taken back, for the latest ten suspensions of a user. A refused input of which `user_key` is absent counts for
    nobody and leaves the rule undecided.

    When it fires:
    1. Open a sample violation by its `source` and `id`, and find the user in the service's own log.
    2. Check that the service suspends users by itself, and how soon.
    3. Watch the failure rate of this rule for 15 minutes.
    """
    if event.user_key is None and event.moderation is not None and event.moderation.input_verdict == "block":
        return inconclusive("user_key")
    if not facts.snapshot.suspensions.records:
        return PASS
    if event.user_key is None:
        return inconclusive("user_key")
    suspension = facts.suspension(event.user_key)
    if suspension is None:
        return PASS
    action = event.moderation.action if event.moderation is not None else None
    if action is None:
        return inconclusive("moderation.action")
    if action == "blocked":
        return PASS
    return fail("a suspended user was served", suspended_from_ms=suspension.from_ms, suspended_to_ms=suspension.to_ms)
