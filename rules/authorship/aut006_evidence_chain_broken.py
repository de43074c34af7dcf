"""AUT006."""

from hashlib import sha256

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Authorship, GenerationEvent, PromptRound
from hegui.rules.facts import Facts

_RECORD_1, _RECORD_2 = "ab" * 32, "cd" * 32
# Worked out apart from the rule, by `printf %s TEXT | sha256sum`.
_CHAIN_1 = "271a413bd339c5709fdceaec41f14f11e9fbfb5042d72d331c65f32b284cd09a"
_CHAIN_2 = "f13997aaed14f53600faba485b019d535070fc2ac745fda09f88e41a41296f84"


def _round(record: str | None, chain: str | None) -> PromptRound:
    return PromptRound(at_ms=BASE_AT_MS, record_sha256=record, chain_sha256=chain)


_FIRST, _SECOND = _round(_RECORD_1, _CHAIN_1), _round(_RECORD_2, _CHAIN_2)
_BROKEN = Authorship(rounds=(_FIRST, _round(_RECORD_1, _CHAIN_2)), time_stamp_verified=True)


@rule(
    "AUT006",
    on=GenerationEvent,
    zh="创作过程证据的哈希链断裂或时间戳未通过验证",
    severity="high",
    basis=(law.AUTHORSHIP_CAT_PENDANT,),
    when={"authorship_claimed": {True}},
    cases=(
        fails("the second record was changed", authorship_claimed=True, authorship=_BROKEN),
        fails(
            "the first record was changed",
            authorship_claimed=True,
            authorship=Authorship(rounds=(_round(_RECORD_2, _CHAIN_1), _SECOND), time_stamp_verified=True),
        ),
        fails(
            "the first round was taken out",
            authorship_claimed=True,
            authorship=Authorship(rounds=(_SECOND,), time_stamp_verified=True),
        ),
        fails(
            "the order was changed",
            authorship_claimed=True,
            authorship=Authorship(rounds=(_SECOND, _FIRST), time_stamp_verified=True),
        ),
        fails(
            "broken, time stamp unknown",
            authorship_claimed=True,
            authorship=Authorship(rounds=(_round(_RECORD_2, _CHAIN_1),)),
        ),
        fails(
            "broken before a round that is incomplete",
            authorship_claimed=True,
            authorship=Authorship(rounds=(_round(_RECORD_2, _CHAIN_1), _round(None, None)), time_stamp_verified=True),
        ),
        fails(
            "broken after a round without its record",
            authorship_claimed=True,
            authorship=Authorship(
                rounds=(_round(None, _CHAIN_1), _round(_RECORD_1, _CHAIN_2)), time_stamp_verified=True
            ),
        ),
        fails(
            "time stamp refused",
            authorship_claimed=True,
            authorship=Authorship(rounds=(_FIRST, _SECOND), time_stamp_verified=False),
        ),
        fails(
            "time stamp refused, rounds unknown",
            authorship_claimed=True,
            authorship=Authorship(time_stamp_verified=False),
        ),
        passes(
            "one round",
            authorship_claimed=True,
            authorship=Authorship(rounds=(_FIRST,), time_stamp_verified=True),
        ),
        passes(
            "two rounds",
            authorship_claimed=True,
            authorship=Authorship(rounds=(_FIRST, _SECOND), time_stamp_verified=True),
        ),
        skips("nobody claims it", authorship=_BROKEN),
        skips("before the judgment", at="2025-09-15T23:59:59+08:00", authorship_claimed=True, authorship=_BROKEN),
        unclear("whether it is claimed is unknown", authorship_claimed=None, authorship=_BROKEN),
        unclear("no evidence record sent", authorship_claimed=True),
        unclear("rounds unknown", authorship_claimed=True, authorship=Authorship(time_stamp_verified=True)),
        unclear("no rounds", authorship_claimed=True, authorship=Authorship(rounds=(), time_stamp_verified=True)),
        unclear("time stamp unknown", authorship_claimed=True, authorship=Authorship(rounds=(_FIRST, _SECOND))),
        unclear(
            "hash of a record unknown",
            authorship_claimed=True,
            authorship=Authorship(rounds=(_round(None, _CHAIN_1), _SECOND), time_stamp_verified=True),
        ),
        unclear(
            "a link unknown, so the next cannot be checked",
            authorship_claimed=True,
            authorship=Authorship(rounds=(_round(_RECORD_1, None), _SECOND), time_stamp_verified=True),
        ),
        unclear(
            "the last link unknown",
            authorship_claimed=True,
            authorship=Authorship(rounds=(_FIRST, _round(_RECORD_2, None)), time_stamp_verified=True),
        ),
    ),
)
def evidence_chain_broken(event: GenerationEvent, facts: Facts) -> Result:
    """Authorship is claimed, but the hash chain or the time stamp of the record does not hold.

    Why: the court wanted evidence of the process itself. Each round's link is the SHA-256 of the previous link's text
    and the hash of the round's record; a link that does not fit, or a trusted time stamp that fails, means the record
    was changed.

    False positives: a tool chains other bytes than the event contract says. Then every record of that tool fails.

    When it fires:
    1. Read `broken_round` in the evidence; without it the time stamp failed.
    2. Compare with other works of that tool: if all fail, correct the tool; if one, keep the original files unchanged.
    3. Tell the author and counsel that this record may not stand; do not compute the chain anew.
    """
    evidence = event.authorship
    if evidence is None:
        return inconclusive("authorship")
    if evidence.time_stamp_verified is False:
        return fail("the time stamp over the record was not verified", time_stamp_verified=False)
    if not evidence.rounds:
        return inconclusive("authorship.rounds")
    missing = None
    previous: str | None = ""
    for number, step in enumerate(evidence.rounds, 1):
        if step.record_sha256 is None:
            missing = "authorship.rounds.record_sha256"
        elif step.chain_sha256 is None:
            missing = "authorship.rounds.chain_sha256"
        elif previous is not None and sha256((previous + step.record_sha256).encode()).hexdigest() != step.chain_sha256:
            return fail("the hash chain of the record is broken", broken_round=number, rounds=len(evidence.rounds))
        previous = step.chain_sha256
    if missing is not None:
        return inconclusive(missing)
    if evidence.time_stamp_verified is None:
        return inconclusive("authorship.time_stamp_verified")
    return PASS
