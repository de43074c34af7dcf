"""LBL018."""

from hegui.rules import law
from hegui.rules.cases import GOOD_LABEL
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ImplicitLabel, LabelSite, Propagation
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import STATE_LABELS, STATES, known_of, labels, parse

_SPREADS = {"svc": {"role": "propagator"}}
_GENERATED = Propagation(metadata_label_found=True, received_label=GOOD_LABEL)
_POSSIBLY = Propagation(metadata_label_found=False, user_declared=True)
_SUSPECTED = Propagation(metadata_label_found=False, user_declared=False, traces_found=True)
_SHOWN = {value: Code(value) for value in STATE_LABELS if value}


def _raw(value: str) -> str:
    return GOOD_LABEL.replace('"Label":"1"', f'"Label":"{value}"')


def _label(value: str) -> ImplicitLabel:
    return ImplicitLabel(container=True, sites=(LabelSite("xmp", _raw(value)),))


@rule(
    "LBL018",
    on=GenerationEvent,
    zh="传播平台写入的隐式标识Label值与核验结果不符",
    severity="medium",
    stage="sandbox",  # the numbers 2 and 3 for "possibly" and "suspected" are inferred
    basis=(law.LABELLING_MEASURES_ART_6,),
    when={"public_cn": {True}, "role": {"propagator"}, "implicit_label.container": {True}},
    cases=(
        fails(
            "a label was found, the file says possibly",
            given=_SPREADS,
            propagation=_GENERATED,
            implicit_label=_label("2"),
        ),
        fails(
            "a label was found, its text unknown, the file says suspected",
            given=_SPREADS,
            propagation=Propagation(metadata_label_found=True),
            implicit_label=_label("3"),
        ),
        fails("declared, the file says generated", given=_SPREADS, propagation=_POSSIBLY, implicit_label=_label("1")),
        fails("traces, the file says possibly", given=_SPREADS, propagation=_SUSPECTED, implicit_label=_label("2")),
        fails("a word", given=_SPREADS, propagation=_SUSPECTED, implicit_label=_label("AIGC")),
        passes("a label was found, the file says generated", given=_SPREADS, propagation=_GENERATED),
        passes("declared, the file says possibly", given=_SPREADS, propagation=_POSSIBLY, implicit_label=_label("2")),
        passes("traces, the file says suspected", given=_SPREADS, propagation=_SUSPECTED, implicit_label=_label("3")),
        passes(
            "the value of an earlier platform is kept",
            given=_SPREADS,
            propagation=Propagation(metadata_label_found=True, received_label=_raw("2")),
            implicit_label=_label("2"),
        ),
        passes(
            "unreadable beside a right one",
            given=_SPREADS,
            propagation=_POSSIBLY,
            implicit_label=ImplicitLabel(
                container=True, sites=(LabelSite("xmp", "[1]"), LabelSite("png_text", _raw("2")))
            ),
        ),
        skips(
            "nothing found",
            given=_SPREADS,
            propagation=Propagation(metadata_label_found=False, user_declared=False, traces_found=False),
        ),
        skips(
            "no label in the file is another rule's",
            given=_SPREADS,
            propagation=_POSSIBLY,
            implicit_label=ImplicitLabel(container=True, sites=()),
        ),
        skips(
            "no metadata container",
            given=_SPREADS,
            propagation=_POSSIBLY,
            implicit_label=ImplicitLabel(container=False),
        ),
        skips("makes content itself", propagation=_POSSIBLY),
        skips(
            "not offered to the public",
            given={"svc": {"role": "propagator", "public_cn": False}},
            propagation=_POSSIBLY,
        ),
        skips("before the law", at="2025-08-31T23:59:59+08:00", given=_SPREADS, propagation=_POSSIBLY),
        unclear("nothing said of what was found", given=_SPREADS, propagation=None),
        unclear(
            "declaration unknown",
            given=_SPREADS,
            propagation=Propagation(metadata_label_found=False, traces_found=True),
            implicit_label=_label("3"),
        ),
        unclear("nothing said of the file", given=_SPREADS, propagation=_POSSIBLY, implicit_label=None),
        unclear("sites unknown", given=_SPREADS, propagation=_POSSIBLY, implicit_label=ImplicitLabel(container=True)),
        unclear(
            "unreadable",
            given=_SPREADS,
            propagation=_POSSIBLY,
            implicit_label=ImplicitLabel(container=True, sites=(LabelSite("xmp", GOOD_LABEL[:40]),)),
        ),
        unclear(
            "public or not is unknown",
            given={"svc": {"role": "propagator", "public_cn": None}},
            propagation=_POSSIBLY,
        ),
        unclear("kind of service unknown", service="nobody", public_cn=True, propagation=_POSSIBLY),
    ),
)
def propagation_label_value(event: GenerationEvent, facts: Facts) -> Result:
    """The metadata label of spread content says something else than what the platform found.

    Why: `Label` is `1` for content found to be generated, `2` for possibly and `3` for suspected. The law gives no numbers
    for the last two; they are inferred from the table of Annex E. A value that the received label already had is kept.

    When it fires:
    1. Read `state`, `expected` and `label` in the evidence; when `label` is a hash, the value is no code at all.
    2. Correct the step that writes the label after the check.
    3. Watch the failure rate of this rule for 15 minutes.
    """
    propagation = event.propagation
    if propagation is None:
        return inconclusive("propagation")
    known = known_of(propagation)
    if not known.most:
        return NOT_APPLICABLE
    if known.missing:
        return inconclusive(*known.missing)
    found = labels(event.implicit_label)
    if found is None:
        return inconclusive("implicit_label.sites")
    expected = STATE_LABELS[known.least]
    judged = False
    for label in found:
        value = label.label
        if value is None:
            continue
        judged = True
        if value != expected:
            received = propagation.received_label
            if received is None or parse(received).label != value:
                return fail(
                    "the label's value is not that of what was found",
                    state=Code(STATES[known.least]),
                    expected=Code(expected),
                    label=_SHOWN.get(value, value),
                )
    if judged:
        return PASS
    return inconclusive("a readable label in the file") if found else NOT_APPLICABLE
