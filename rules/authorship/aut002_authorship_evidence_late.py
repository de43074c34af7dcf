"""AUT002."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Authorship, GenerationEvent
from hegui.rules.facts import Facts

_MINUTE_MS = 60_000
_GOOD = Authorship(reconstructed=False, recorded_at_ms=BASE_AT_MS + 5 * _MINUTE_MS)
_RECONSTRUCTED = Authorship(reconstructed=True, recorded_at_ms=BASE_AT_MS)


@rule(
    "AUT002",
    on=GenerationEvent,
    zh="创作过程证据为事后形成",
    severity="high",
    basis=(law.AUTHORSHIP_CAT_PENDANT,),
    when={"authorship_claimed": {True}},
    cases=(
        fails("made up again afterwards", authorship_claimed=True, authorship=_RECONSTRUCTED),
        fails(
            "made up again, time of the record unknown",
            authorship_claimed=True,
            authorship=Authorship(reconstructed=True),
        ),
        fails(
            "a millisecond over the grace time",
            authorship_claimed=True,
            authorship=Authorship(reconstructed=False, recorded_at_ms=BASE_AT_MS + 5 * _MINUTE_MS + 1),
        ),
        fails(
            "too late, reconstruction unknown",
            authorship_claimed=True,
            authorship=Authorship(recorded_at_ms=BASE_AT_MS + 5 * _MINUTE_MS + 1),
        ),
        fails(
            "no time of grace",
            authorship_claimed=True,
            authorship=Authorship(reconstructed=False, recorded_at_ms=BASE_AT_MS + 1),
            given={"evidence_grace_minutes": 0},
        ),
        passes("exactly the grace time", authorship_claimed=True, authorship=_GOOD),
        passes(
            "closed before the output",
            authorship_claimed=True,
            authorship=Authorship(reconstructed=False, recorded_at_ms=BASE_AT_MS - 1),
        ),
        skips("nobody claims it", authorship=_RECONSTRUCTED),
        skips(
            "before the judgment",
            at="2025-09-15T23:59:59+08:00",
            authorship_claimed=True,
            authorship=_RECONSTRUCTED,
        ),
        unclear("whether it is claimed is unknown", authorship_claimed=None, authorship=_RECONSTRUCTED),
        unclear("no evidence record sent", authorship_claimed=True),
        unclear("reconstruction unknown", authorship_claimed=True, authorship=Authorship(recorded_at_ms=BASE_AT_MS)),
        unclear("time of the record unknown", authorship_claimed=True, authorship=Authorship(reconstructed=False)),
    ),
)
def authorship_evidence_late(event: GenerationEvent, facts: Facts) -> Result:
    """Authorship is claimed on a record of the creative process that was made after the fact.

    Why: a court refused a picture whose process was only made up again for the suit. The record must arise while
    creating; the policy allows a few minutes to close it (no court set a number).

    False positives: a clock of the recording tool is wrong. Compare it with the service's clock.

    When it fires:
    1. Read the reason: the rounds were reconstructed, or the record was closed `late_by_ms` after the time of grace.
    2. Make the tool close its record when the output is made, not by a later job.
    3. Tell the author that the claim for this work is weak; do not change the dates of the record.
    """
    evidence = event.authorship
    if evidence is None:
        return inconclusive("authorship")
    if evidence.reconstructed:
        return fail("the rounds were reconstructed afterwards", reconstructed=True)
    recorded_at_ms = evidence.recorded_at_ms
    last_ms = facts.at_ms + facts.policy.evidence_grace_minutes * _MINUTE_MS
    if recorded_at_ms is not None and recorded_at_ms > last_ms:
        return fail("the record was closed too long after the output", late_by_ms=recorded_at_ms - last_ms)
    if evidence.reconstructed is None:
        return inconclusive("authorship.reconstructed")
    if recorded_at_ms is None:
        return inconclusive("authorship.recorded_at_ms")
    return PASS
