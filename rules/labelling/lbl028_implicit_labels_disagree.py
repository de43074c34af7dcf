"""LBL028."""

from hegui.rules import law
from hegui.rules.cases import GOOD_LABEL
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ImplicitLabel, LabelSite
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import FILE_DELIVERIES, agree, labels
from hegui.rules.screens import sound_file_label


def _sites(*values: str) -> ImplicitLabel:
    return ImplicitLabel(container=True, sites=tuple(LabelSite("xmp", value) for value in values))


_OTHER = GOOD_LABEL.replace("4c8a5c1e", "4c8a5c1f")
_DIFFERENT = _sites(GOOD_LABEL, _OTHER)


@rule(
    "LBL028",
    on=GenerationEvent,
    zh="同一文件存在多份内容不一致的文件元数据隐式标识",
    severity="high",
    basis=(law.GB_45438_6_1_C,),
    when={"public_cn": {True}, "delivery": FILE_DELIVERIES, "implicit_label.container": {True}},
    screen=sound_file_label,
    cases=(
        fails("two that differ", implicit_label=_DIFFERENT),
        fails("a shell beside the label", implicit_label=_sites(GOOD_LABEL, "{}")),
        fails("two that cannot be read", implicit_label=_sites("[1]", "[1]")),
        fails("the third differs", implicit_label=_sites(GOOD_LABEL, GOOD_LABEL, _OTHER)),
        fails("two, spread by a platform", given={"svc": {"role": "propagator"}}, implicit_label=_DIFFERENT),
        passes("one"),
        passes("one, unreadable", implicit_label=_sites("[1]")),
        passes("two alike: another rule's", implicit_label=_sites(GOOD_LABEL, GOOD_LABEL)),
        skips("no label to judge", implicit_label=_sites()),
        skips("no metadata container", implicit_label=ImplicitLabel(container=False)),
        skips("shown on screen only", delivery="inline", implicit_label=_DIFFERENT),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, implicit_label=_DIFFERENT),
        skips("before the standard", at="2025-08-31T23:59:59+08:00", implicit_label=_DIFFERENT),
        unclear("nothing said", implicit_label=None),
        unclear("sites unknown", implicit_label=ImplicitLabel(container=True)),
        unclear("delivery unknown", delivery=None, implicit_label=_DIFFERENT),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}, implicit_label=_DIFFERENT),
    ),
)
def implicit_labels_disagree(event: GenerationEvent, facts: Facts) -> Result:
    """A file holds several metadata labels that disagree.

    Why: the standard lets a file keep exactly one metadata label. When two say different things, or one cannot be read,
    readers follow different ones, and nobody can tell which is true.

    When it fires:
    1. Read `sites` in the evidence; look at the labels of a sample file.
    2. Find the second writer: an editor, a converter or a platform that adds instead of replacing.
    3. Let the last step keep the maker's label and remove the others; watch the failure rate of this rule for 15 minutes.
    """
    found = labels(event.implicit_label)
    if found is None:
        return inconclusive("implicit_label.sites")
    if not found:
        return NOT_APPLICABLE
    if len(found) == 1 or agree(found):
        return PASS
    return fail("metadata labels in the file disagree", sites=len(found))
