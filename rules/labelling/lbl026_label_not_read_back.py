"""LBL026."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ImplicitLabel
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import FILE_DELIVERIES
from hegui.rules.screens import sound_file_label

_UNREAD = ImplicitLabel(container=True, read_back=False)


@rule(
    "LBL026",
    on=GenerationEvent,
    zh="写入隐式标识后未从成品文件回读验证",
    severity="low",
    basis=(law.LABELLING_MEASURES_ART_5,),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "delivery": FILE_DELIVERIES,
        "implicit_label.container": {True},
    },
    screen=sound_file_label,
    cases=(
        fails("not read back", implicit_label=_UNREAD),
        passes("read back"),
        skips("no metadata container", implicit_label=ImplicitLabel(container=False, read_back=False)),
        skips("shown on screen only", delivery="inline", implicit_label=_UNREAD),
        skips("spreads others' content", given={"svc": {"role": "propagator"}}, implicit_label=_UNREAD),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, implicit_label=_UNREAD),
        skips("before the law", at="2025-08-31T23:59:59+08:00", implicit_label=_UNREAD),
        unclear("nothing said", implicit_label=None),
        unclear("not stated", implicit_label=ImplicitLabel(container=True)),
        unclear("container unknown", implicit_label=ImplicitLabel(read_back=False)),
        unclear("delivery unknown", delivery=None, implicit_label=_UNREAD),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}, implicit_label=_UNREAD),
    ),
)
def label_not_read_back(event: GenerationEvent, facts: Facts) -> Result:
    """The metadata label was not read back from the finished file.

    Why: some tools drop the label and report success, so only reading the finished file shows that it is there.

    When it fires:
    1. Find the step that finishes the file in that service and release.
    2. Let it read the label from the finished file and set `implicit_label.read_back`.
    """
    implicit = event.implicit_label
    if implicit is None or implicit.read_back is None:
        return inconclusive("implicit_label.read_back")
    if implicit.read_back:
        return PASS
    return fail("the label was not read back from the finished file", read_back=False)
