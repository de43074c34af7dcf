"""LBL004."""

from hegui.rules import law
from hegui.rules.cases import GOOD_LABEL
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ImplicitLabel, LabelSite
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import FILE_DELIVERIES, labels
from hegui.rules.screens import sound_file_label


def _label(value: str) -> ImplicitLabel:
    return ImplicitLabel(container=True, sites=(LabelSite("xmp", value),))


@rule(
    "LBL004",
    on=GenerationEvent,
    zh="隐式标识格式不符合附录E",
    severity="high",
    basis=(law.GB_45438_ANNEX_E, law.LABELLING_MEASURES_ART_5),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "delivery": FILE_DELIVERIES,
        "implicit_label.container": {True},
    },
    screen=sound_file_label,
    cases=(
        fails("Base64", implicit_label=_label("eyJMYWJlbCI6IjEifQ==")),
        fails("a list", implicit_label=_label("[1]")),
        fails("a number", implicit_label=_label("1")),
        fails("a comma too many", implicit_label=_label(GOOD_LABEL[:-1] + ",}")),
        fails("misspelt key", implicit_label=_label(GOOD_LABEL.replace("ReservedCode1", "ReserveCode1"))),
        fails("a key too many", implicit_label=_label(GOOD_LABEL[:-1] + ',"ServiceProvider":"x"}')),
        fails("a number for a string", implicit_label=_label(GOOD_LABEL.replace('"1"', "1", 1))),
        fails("a duplicate key", implicit_label=_label('{"Label":"1",' + GOOD_LABEL[1:])),
        fails(
            "ProduceID twice, no ReservedCode1", implicit_label=_label(GOOD_LABEL.replace("ReservedCode1", "ProduceID"))
        ),
        fails(
            "ReservedCode1 twice, no ContentPropagator",
            implicit_label=_label(GOOD_LABEL.replace("ContentPropagator", "ReservedCode1")),
        ),
        fails(
            "ReservedCode1 twice, no PropagateID",
            implicit_label=_label(GOOD_LABEL.replace("PropagateID", "ReservedCode1")),
        ),
        fails(
            "ReservedCode1 twice, no ReservedCode2",
            implicit_label=_label(GOOD_LABEL.replace("ReservedCode2", "ReservedCode1")),
        ),
        fails("blank value", implicit_label=_label(GOOD_LABEL.replace('"1"', '""', 1))),
        fails("blank producer", implicit_label=_label(GOOD_LABEL.replace("001191440300708461136T1XGW3", ""))),
        fails("blank id", implicit_label=_label(GOOD_LABEL.replace("4c8a5c1e", ""))),
        fails("a space in a value", implicit_label=_label(GOOD_LABEL.replace("4c8a5c1e", "4c 8a"))),
        fails("a control character in a value", implicit_label=_label(GOOD_LABEL.replace("4c8a5c1e", "4c\x7f8a"))),
        fails("an escape that stands for Chinese", implicit_label=_label(GOOD_LABEL.replace("4c8a5c1e", "\\u4f60"))),
        fails("a Chinese name", implicit_label=_label(GOOD_LABEL.replace("001191440300708461136T1XGW3", "某公司"))),
        fails("encoded twice", implicit_label=_label('{"AIGC":"{}"}')),
        passes("bare object", implicit_label=_label(GOOD_LABEL)),
        passes(
            "damaged beside a whole one",
            implicit_label=ImplicitLabel(
                container=True, sites=(LabelSite("xmp", GOOD_LABEL[:40]), LabelSite("png_text", GOOD_LABEL))
            ),
        ),
        passes("wrapped", implicit_label=_label('{"AIGC":' + GOOD_LABEL + "}")),
        skips("no label to judge", implicit_label=ImplicitLabel(container=True, sites=())),
        skips("no metadata container", implicit_label=ImplicitLabel(container=False)),
        skips("shown on screen only", delivery="ui_stream"),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, implicit_label=_label("[1]")),
        skips("spreads others' content", given={"svc": {"role": "propagator"}}, implicit_label=_label("[1]")),
        skips("before the standard", at="2025-08-31T23:59:59+08:00", implicit_label=_label("[1]")),
        unclear("nothing said", implicit_label=None),
        unclear("sites unknown", implicit_label=ImplicitLabel(container=True)),
        unclear("delivery unknown", delivery=None, implicit_label=_label("[1]")),
        unclear("an empty object", implicit_label=_label("{}")),
        unclear("cut off", implicit_label=_label(GOOD_LABEL[:40])),
    ),
)
def implicit_label_schema_invalid(event: GenerationEvent, facts: Facts) -> Result:
    """The metadata label is not the plain JSON object of seven strings that Annex E describes.

    Why: a label that readers cannot parse does not label. Keys are spelt exactly, values are strings of printable ASCII,
    and `Label`, `ContentProducer` and `ProduceID` are filled.

    When it fires:
    1. Read `problem` in the evidence: it names the key or the defect.
    2. Compare the writer's template with Annex E; misspelt keys (`ReserveCode1`, `Propagator`) are common.
    3. Deploy the corrected template; watch the failure rate of this rule for 15 minutes.
    """
    found = labels(event.implicit_label)
    if found is None:
        return inconclusive("implicit_label.sites")
    if not found:
        return NOT_APPLICABLE
    undamaged = False
    for label in found:
        if label.damaged:
            continue
        if label.problem is not None:
            return fail("the metadata label does not have the form of Annex E", problem=Code(label.problem))
        undamaged = True
    return PASS if undamaged else inconclusive("an undamaged label (tampering suspected)")
