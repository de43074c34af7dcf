"""LBL025."""

from hegui.rules import law
from hegui.rules.cases import GOOD_LABEL
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ImplicitLabel, LabelSite
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import FILE_DELIVERIES, labels
from hegui.rules.screens import sound_file_label


def _raw(number: str) -> str:
    return GOOD_LABEL.replace("4c8a5c1e", number)


def _sites(*values: str) -> ImplicitLabel:
    return ImplicitLabel(container=True, sites=tuple(LabelSite("xmp", value) for value in values))


_ZEROS = _sites(_raw("0000000000000000"))


@rule(
    "LBL025",
    on=GenerationEvent,
    zh="隐式标识的内容编号为占位值",
    severity="medium",
    basis=(law.GB_45438_ANNEX_E, law.LABELLING_MEASURES_ART_5),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "delivery": FILE_DELIVERIES,
        "implicit_label.container": {True},
    },
    screen=sound_file_label,
    cases=(
        fails("zeros", implicit_label=_ZEROS),
        fails("a zero", implicit_label=_sites(_raw("0"))),
        fails("an empty UUID", implicit_label=_sites(_raw("00000000-0000-0000-0000-000000000000"))),
        fails("a dash", implicit_label=_sites(_raw("-"))),
        fails("zeros beside a number", implicit_label=_sites(GOOD_LABEL, _raw("0"))),
        fails("zeros behind an unreadable label", implicit_label=_sites("[1]", _raw("0"))),
        passes("a number"),
        passes("one after many zeros", implicit_label=_sites(_raw("00000000-0000-0000-0000-000000000001"))),
        passes("one before zeros", implicit_label=_sites(_raw("1000"))),
        skips("blank is another rule's", implicit_label=_sites(_raw(""))),
        skips("unreadable is another rule's", implicit_label=_sites("[1]")),
        skips("no label to judge", implicit_label=_sites()),
        skips("no metadata container", implicit_label=ImplicitLabel(container=False)),
        skips("shown on screen only", delivery="inline", implicit_label=_ZEROS),
        skips("spreads others' content", given={"svc": {"role": "propagator"}}, implicit_label=_ZEROS),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, implicit_label=_ZEROS),
        skips("before the standard", at="2025-08-31T23:59:59+08:00", implicit_label=_ZEROS),
        unclear("nothing said", implicit_label=None),
        unclear("sites unknown", implicit_label=ImplicitLabel(container=True)),
        unclear("delivery unknown", delivery=None, implicit_label=_ZEROS),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}, implicit_label=_ZEROS),
    ),
)
def produce_id_placeholder(event: GenerationEvent, facts: Facts) -> Result:
    """The number of the content in the metadata label is a placeholder.

    Why: the number is the provider's unique number of the content; by it the generation log is found. Zeros find nothing.

    When it fires:
    1. Open a sample violation by its `source` and `id`; read `characters` in the evidence: the length of the placeholder.
    2. Let the writer put the number of the generation log into `ProduceID`.
    3. Watch the failure rate of this rule for 15 minutes.
    """
    found = labels(event.implicit_label)
    if found is None:
        return inconclusive("implicit_label.sites")
    judged = False
    for label in found:
        number = label.produce_id
        if not number:
            continue
        judged = True
        if not number.strip("0-"):
            return fail("the number of the content consists of zeros", characters=len(number))
    return PASS if judged else NOT_APPLICABLE
