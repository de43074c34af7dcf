"""LBL022."""

from hegui.rules import law
from hegui.rules.cases import GOOD_LABEL
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ImplicitLabel, LabelSite
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import FILE_DELIVERIES, agree, labels
from hegui.rules.screens import sound_file_label


def _sites(*values: str) -> ImplicitLabel:
    return ImplicitLabel(container=True, sites=tuple(LabelSite("xmp", value) for value in values))


_TWO = _sites(GOOD_LABEL, GOOD_LABEL)


@rule(
    "LBL022",
    on=GenerationEvent,
    zh="同一文件存在多份内容相同的文件元数据隐式标识",
    severity="medium",
    basis=(law.GB_45438_6_1_C,),
    when={"public_cn": {True}, "delivery": FILE_DELIVERIES, "implicit_label.container": {True}},
    screen=sound_file_label,
    cases=(
        fails("two alike", implicit_label=_TWO),
        skips(
            "two that differ: another rule's",
            implicit_label=_sites(GOOD_LABEL, GOOD_LABEL.replace("4c8a5c1e", "4c8a5c1f")),
        ),
        fails("two, spread by a platform", given={"svc": {"role": "propagator"}}, implicit_label=_TWO),
        fails("three", implicit_label=_sites(GOOD_LABEL, GOOD_LABEL, GOOD_LABEL)),
        passes("one"),
        passes("one, unreadable", implicit_label=_sites("[1]")),
        skips("no label to judge", implicit_label=_sites()),
        skips("no metadata container", implicit_label=ImplicitLabel(container=False)),
        skips("shown on screen only", delivery="inline", implicit_label=_TWO),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, implicit_label=_TWO),
        skips("before the standard", at="2025-08-31T23:59:59+08:00", implicit_label=_TWO),
        unclear("nothing said", implicit_label=None),
        unclear("sites unknown", implicit_label=ImplicitLabel(container=True)),
        unclear("delivery unknown", delivery=None, implicit_label=_TWO),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}, implicit_label=_TWO),
    ),
)
def implicit_label_duplicate(event: GenerationEvent, facts: Facts) -> Result:
    """A file holds the same metadata label more than once.

    Why: the standard lets a file keep exactly one metadata label. Labels that disagree are judged by LBL028.

    When it fires:
    1. Read `sites` in the evidence: how many there are.
    2. Find the second writer: an editor, a converter or a platform that adds instead of replacing.
    3. Let the last step merge the labels into one; watch the failure rate of this rule for 15 minutes.
    """
    found = labels(event.implicit_label)
    if found is None:
        return inconclusive("implicit_label.sites")
    if len(found) == 1:
        return PASS
    if not found or not agree(found):
        return NOT_APPLICABLE
    return fail("more than one metadata label in the file", sites=len(found))
