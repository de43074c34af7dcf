"""LBL017."""

from typing import Any

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, Propagation
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import STATES, STRENGTHS, known_of

_SPREADS = {"svc": {"role": "propagator"}}


def _found(found: bool | None, declared: bool | None, traces: bool | None, notice: Any) -> Propagation:
    return Propagation(metadata_label_found=found, user_declared=declared, traces_found=traces, notice=notice)


@rule(
    "LBL017",
    on=GenerationEvent,
    zh="传播平台的提示标识缺失或弱于核验结果",
    severity="high",
    basis=(law.LABELLING_MEASURES_ART_6,),
    when={"public_cn": {True}, "role": {"propagator"}},
    cases=(
        fails("label found, no notice", given=_SPREADS, propagation=_found(True, False, False, "none")),
        fails("label found, notice says possibly", given=_SPREADS, propagation=_found(True, True, True, "possibly")),
        fails("declared, no notice", given=_SPREADS, propagation=_found(False, True, False, "none")),
        fails("declared, notice says suspected", given=_SPREADS, propagation=_found(False, True, True, "suspected")),
        fails("traces, no notice", given=_SPREADS, propagation=_found(False, False, True, "none")),
        fails(
            "declared, no notice, whatever the metadata hold",
            given=_SPREADS,
            propagation=_found(None, True, None, "none"),
        ),
        passes("label found, notice says generated", given=_SPREADS, propagation=_found(True, None, None, "generated")),
        passes("declared, notice says possibly", given=_SPREADS, propagation=_found(False, True, None, "possibly")),
        passes("declared, notice says generated", given=_SPREADS, propagation=_found(False, True, True, "generated")),
        passes("traces, notice says suspected", given=_SPREADS, propagation=_found(False, False, True, "suspected")),
        passes("nothing found, no notice", given=_SPREADS, propagation=_found(False, False, False, "none")),
        passes("nothing found, notice unknown", given=_SPREADS, propagation=_found(False, False, False, None)),
        passes("nothing found, yet a notice", given=_SPREADS, propagation=_found(False, False, False, "suspected")),
        passes(
            "the strongest notice, inputs unknown", given=_SPREADS, propagation=_found(None, None, None, "generated")
        ),
        passes(
            "traces unknown, notice says suspected", given=_SPREADS, propagation=_found(False, False, None, "suspected")
        ),
        skips("makes content itself", propagation=_found(True, False, False, "none")),
        skips(
            "not offered to the public",
            given={"svc": {"role": "propagator", "public_cn": False}},
            propagation=_found(True, False, False, "none"),
        ),
        skips(
            "before the law",
            at="2025-08-31T23:59:59+08:00",
            given=_SPREADS,
            propagation=_found(True, False, False, "none"),
        ),
        unclear("nothing said", given=_SPREADS, propagation=None),
        unclear("notice unknown", given=_SPREADS, propagation=_found(True, False, False, None)),
        unclear("metadata unknown", given=_SPREADS, propagation=_found(None, False, False, "none")),
        unclear("metadata unknown, declared", given=_SPREADS, propagation=_found(None, True, False, "possibly")),
        unclear("declaration unknown", given=_SPREADS, propagation=_found(False, None, True, "suspected")),
        unclear("traces unknown", given=_SPREADS, propagation=_found(False, False, None, "none")),
        unclear(
            "public or not is unknown",
            given={"svc": {"role": "propagator", "public_cn": None}},
            propagation=_found(True, False, False, "none"),
        ),
        unclear(
            "kind of service unknown", service="nobody", public_cn=True, propagation=_found(True, False, False, "none")
        ),
    ),
)
def propagation_notice_wrong(event: GenerationEvent, facts: Facts) -> Result:
    """Spread content carries no notice, or a weaker one than what is known of it demands.

    Why: a platform shows around the content what it found: a metadata label means generated; else a declaration by the
    user means possibly generated; else an explicit label or other traces mean suspected. A stronger notice than needed is
    no violation.

    False positives: the event was sent before the notice was put on. Send it when the content goes out.

    When it fires:
    1. Read `needed` and `shown` in the evidence; open a sample violation by its `source` and `id`.
    2. Check the step that turns what was found into the notice: does it read the metadata, the declaration, the detector?
    3. Correct the notice of the contents concerned; watch the failure rate of this rule for 15 minutes.
    """
    propagation = event.propagation
    if propagation is None:
        return inconclusive("propagation")
    known = known_of(propagation)
    shown = STRENGTHS[propagation.notice or "none"]
    if shown >= known.most:
        return PASS
    if propagation.notice is None:
        return inconclusive("propagation.notice")
    if shown < known.least:
        return fail(
            "the notice is missing or weaker than what is known of the content",
            needed=Code(STATES[known.least]),
            shown=Code(propagation.notice),
        )
    return inconclusive(*known.missing)
