"""LBL019."""

from hegui.rules import law
from hegui.rules.cases import GOOD_LABEL
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ImplicitLabel, LabelSite, Propagation
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import STATES, known_of, labels

_SPREADS = {"svc": {"role": "propagator"}}
_GENERATED = Propagation(metadata_label_found=True)
_POSSIBLY = Propagation(metadata_label_found=False, user_declared=True)
_SUSPECTED = Propagation(metadata_label_found=False, user_declared=False, traces_found=True)
_UNKNOWN = Propagation(metadata_label_found=False, user_declared=False)


def _raw(propagator: str, number: str) -> str:
    return GOOD_LABEL.replace('"ContentPropagator":""', f'"ContentPropagator":"{propagator}"').replace(
        '"PropagateID":""', f'"PropagateID":"{number}"'
    )


def _sites(*values: str) -> ImplicitLabel:
    return ImplicitLabel(container=True, sites=tuple(LabelSite("xmp", value) for value in values))


_FILLED = _raw("platform", "p-1")


@rule(
    "LBL019",
    on=GenerationEvent,
    zh="传播内容的隐式标识缺少传播要素信息",
    severity="high",
    basis=(law.LABELLING_MEASURES_ART_6,),
    when={"public_cn": {True}, "role": {"propagator"}, "implicit_label.container": {True}},
    cases=(
        fails("both empty", given=_SPREADS, propagation=_GENERATED),
        fails(
            "propagator empty, declared content",
            given=_SPREADS,
            propagation=_POSSIBLY,
            implicit_label=_sites(_raw("", "p-1")),
        ),
        fails(
            "number empty, suspected content",
            given=_SPREADS,
            propagation=_SUSPECTED,
            implicit_label=_sites(_raw("platform", "")),
        ),
        fails("no label in the file", given=_SPREADS, propagation=_GENERATED, implicit_label=_sites()),
        fails(
            "fields that no reader can find",
            given=_SPREADS,
            propagation=_GENERATED,
            implicit_label=_sites(_FILLED.replace("ContentPropagator", "Propagator")),
        ),
        fails("Base64", given=_SPREADS, propagation=_GENERATED, implicit_label=_sites("eyJMYWJlbCI6IjEifQ==")),
        fails(
            "filled in one label, empty in the other",
            given=_SPREADS,
            propagation=_GENERATED,
            implicit_label=_sites(GOOD_LABEL, _FILLED),
        ),
        passes("both filled", given=_SPREADS, propagation=_GENERATED, implicit_label=_sites(_FILLED)),
        passes(
            "both filled, what was found unknown", given=_SPREADS, propagation=_UNKNOWN, implicit_label=_sites(_FILLED)
        ),
        passes(
            "damaged beside a filled one", given=_SPREADS, propagation=_POSSIBLY, implicit_label=_sites("", _FILLED)
        ),
        skips(
            "nothing found",
            given=_SPREADS,
            propagation=Propagation(metadata_label_found=False, user_declared=False, traces_found=False),
        ),
        skips(
            "no metadata container",
            given=_SPREADS,
            propagation=_GENERATED,
            implicit_label=ImplicitLabel(container=False),
        ),
        skips("makes content itself", propagation=_GENERATED),
        skips(
            "not offered to the public",
            given={"svc": {"role": "propagator", "public_cn": False}},
            propagation=_GENERATED,
        ),
        skips("before the law", at="2025-08-31T23:59:59+08:00", given=_SPREADS, propagation=_GENERATED),
        unclear("nothing said of what was found", given=_SPREADS, propagation=None),
        unclear("traces unknown, both empty", given=_SPREADS, propagation=_UNKNOWN),
        unclear("nothing said of the file", given=_SPREADS, propagation=_GENERATED, implicit_label=None),
        unclear("sites unknown", given=_SPREADS, propagation=_GENERATED, implicit_label=ImplicitLabel(container=True)),
        unclear("cut off", given=_SPREADS, propagation=_GENERATED, implicit_label=_sites(_FILLED[:40])),
        unclear(
            "public or not is unknown",
            given={"svc": {"role": "propagator", "public_cn": None}},
            propagation=_GENERATED,
        ),
        unclear("kind of service unknown", service="nobody", public_cn=True, propagation=_GENERATED),
    ),
)
def propagation_fields_missing(event: GenerationEvent, facts: Facts) -> Result:
    """The metadata label of spread content does not say who spreads it, or under which number.

    Why: a platform that found content to be generated, possibly or suspected adds its own name or code and its number of
    the content to the file's metadata. A file without a label, or with one that cannot be read, does not hold them.

    When it fires:
    1. Read `lacking` in the evidence: `label` means that the file has none.
    2. Check the step that writes `ContentPropagator` and `PropagateID`; transcoding after it drops them.
    3. Write both, read them back, and watch the failure rate of this rule for 15 minutes.
    """
    propagation = event.propagation
    if propagation is None:
        return inconclusive("propagation")
    known = known_of(propagation)
    if not known.most:
        return NOT_APPLICABLE
    found = labels(event.implicit_label)
    if found is None:
        return inconclusive("implicit_label.sites")
    lacking = "" if found else "label"
    undamaged = False
    for label in found:
        if label.damaged:
            continue
        undamaged = True
        if not label.propagator:
            lacking = "ContentPropagator"
        elif not label.propagate_id:
            lacking = "PropagateID"
    if lacking:
        if not known.least:
            return inconclusive(*known.missing)
        return fail(
            "the label does not hold what the propagator must add",
            lacking=Code(lacking),
            state=Code(STATES[known.least]),
        )
    return PASS if undamaged else inconclusive("an undamaged label (tampering suspected)")
