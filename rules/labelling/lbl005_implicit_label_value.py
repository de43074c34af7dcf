"""LBL005."""

from hegui.rules import law
from hegui.rules.cases import GOOD_LABEL
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ImplicitLabel, LabelSite
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import FILE_DELIVERIES, labels
from hegui.rules.screens import sound_file_label

_SHOWN = {value: Code(value) for value in ("2", "3")}


def _label(value: str) -> ImplicitLabel:
    return ImplicitLabel(container=True, sites=(LabelSite("xmp", GOOD_LABEL.replace('"Label":"1"', value)),))


@rule(
    "LBL005",
    on=GenerationEvent,
    zh="生成方隐式标识的Label值不为“1”",
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
        fails("possibly", implicit_label=_label('"Label":"2"')),
        fails("suspected", implicit_label=_label('"Label":"3"')),
        fails("a word", implicit_label=_label('"Label":"AIGC"')),
        fails(
            "wrong behind an unreadable one",
            implicit_label=ImplicitLabel(
                container=True,
                sites=(
                    LabelSite("xmp", "[1]"),
                    LabelSite("png_text", GOOD_LABEL.replace('"Label":"1"', '"Label":"2"')),
                ),
            ),
        ),
        passes("one"),
        skips("no label to judge", implicit_label=ImplicitLabel(container=True, sites=())),
        skips("no metadata container", implicit_label=ImplicitLabel(container=False)),
        skips(
            "unreadable is another rule's",
            implicit_label=ImplicitLabel(container=True, sites=(LabelSite("xmp", "[1]"),)),
        ),
        skips("a propagator may say 2", given={"svc": {"role": "propagator"}}, implicit_label=_label('"Label":"2"')),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, implicit_label=_label('"Label":"2"')),
        skips("before the standard", at="2025-08-31T23:59:59+08:00", implicit_label=_label('"Label":"2"')),
        unclear("nothing said", implicit_label=None),
        unclear("sites unknown", implicit_label=ImplicitLabel(container=True)),
        unclear("delivery unknown", delivery=None, implicit_label=_label('"Label":"2"')),
    ),
)
def implicit_label_value(event: GenerationEvent, facts: Facts) -> Result:
    """The maker of the content does not call it generated in the metadata label.

    Why: `1` says generated or synthesised; `2` (possibly) and `3` (suspected) are for platforms that spread content.

    When it fires:
    1. Read `label` in the evidence; when it is a hash, the value is no code at all.
    2. Set `Label` to `"1"` in the writer's template.
    3. Watch the failure rate of this rule for 15 minutes.
    """
    found = labels(event.implicit_label)
    if found is None:
        return inconclusive("implicit_label.sites")
    judged = False
    for label in found:
        value = label.label
        if value is None:
            continue
        judged = True
        if value != "1":
            return fail("the label's value is not 1", label=_SHOWN.get(value, value))
    return PASS if judged else NOT_APPLICABLE
