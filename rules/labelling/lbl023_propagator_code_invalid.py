"""LBL023."""

from hegui.rules import law
from hegui.rules.cases import GOOD_LABEL
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ImplicitLabel, LabelSite
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import FILE_DELIVERIES, labels
from hegui.rules.labelling.provider_code import GENERATION, NAME, problem_of_propagator
from hegui.rules.screens import sound_file_label

_ACCEPTED = frozenset({None, NAME, GENERATION})
_SHORT = "0011DEMOAI00000"


def _raw(propagator: str) -> str:
    return GOOD_LABEL.replace('"ContentPropagator":""', f'"ContentPropagator":"{propagator}"')


def _label(propagator: str) -> ImplicitLabel:
    return ImplicitLabel(container=True, sites=(LabelSite("xmp", _raw(propagator)),))


@rule(
    "LBL023",
    on=GenerationEvent,
    zh="隐式标识中的传播者编码无效",
    severity="medium",
    basis=(law.PROVIDER_CODE_RULES, law.LABELLING_MEASURES_ART_6),
    when={"public_cn": {True}, "delivery": FILE_DELIVERIES, "implicit_label.container": {True}},
    screen=sound_file_label,
    cases=(
        fails("too short", implicit_label=_label(_SHORT)),
        fails("wrong checksum", implicit_label=_label("001191440300708461137T2XGW3")),
        fails("wrong checksum in a generation code", implicit_label=_label("001191440300708461137T1XGW3")),
        fails("neither generation nor propagation", implicit_label=_label("001191440300708461136T3XGW3")),
        fails("small letters", implicit_label=_label("001191440300708461136t2xgw3")),
        fails("written by a platform", given={"svc": {"role": "propagator"}}, implicit_label=_label(_SHORT)),
        fails(
            "one wrong of two",
            implicit_label=ImplicitLabel(
                container=True, sites=(LabelSite("xmp", GOOD_LABEL), LabelSite("png_text", _raw(_SHORT)))
            ),
        ),
        fails(
            "wrong behind an unreadable one",
            implicit_label=ImplicitLabel(
                container=True, sites=(LabelSite("xmp", "[1]"), LabelSite("png_text", _raw(_SHORT)))
            ),
        ),
        passes("a propagation code", implicit_label=_label("001191440300708461136T2XGW3")),
        passes("unused extension", implicit_label=_label("001191440300708461136T00000")),
        passes("a generation code, as many platforms write", implicit_label=_label("001191440300708461136T1XGW3")),
        passes("a name, which art. 6 allows", implicit_label=_label("platform")),
        passes("nobody spread it yet"),
        skips("no label to judge", implicit_label=ImplicitLabel(container=True, sites=())),
        skips(
            "unreadable is another rule's",
            implicit_label=ImplicitLabel(container=True, sites=(LabelSite("xmp", "[1]"),)),
        ),
        skips("no metadata container", implicit_label=ImplicitLabel(container=False)),
        skips("shown on screen only", delivery="inline", implicit_label=_label(_SHORT)),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, implicit_label=_label(_SHORT)),
        skips("before the measures", at="2025-08-31T23:59:59+08:00", implicit_label=_label(_SHORT)),
        unclear("nothing said", implicit_label=None),
        unclear("sites unknown", implicit_label=ImplicitLabel(container=True)),
        unclear("delivery unknown", delivery=None, implicit_label=_label(_SHORT)),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}, implicit_label=_label(_SHORT)),
    ),
)
def propagator_code_invalid(event: GenerationEvent, facts: Facts) -> Result:
    """The propagator's code in the metadata label is malformed or fails its checksum.

    Why: the code says who spreads the content. An empty field, a name, and the platform's own generation code, which is
    common in practice, pass.

    When it fires:
    1. Read `problem` in the evidence: `form` or `checksum`; `code` is the hash of the code.
    2. Compare the writer's code with the code that was registered.
    3. Correct the writer; watch the failure rate of this rule for 15 minutes.
    """
    found = labels(event.implicit_label)
    if found is None:
        return inconclusive("implicit_label.sites")
    judged = False
    for label in found:
        code = label.propagator
        if code is None:
            continue
        judged = True
        problem = problem_of_propagator(code)
        if problem not in _ACCEPTED:
            return fail("the propagator's code is not valid", problem=Code(problem), code=code)
    return PASS if judged else NOT_APPLICABLE
