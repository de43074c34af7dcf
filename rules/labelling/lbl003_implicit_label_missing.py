"""LBL003."""

from hegui.rules import law
from hegui.rules.cases import GOOD_LABEL
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ImplicitLabel, LabelSite
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import FILE_DELIVERIES, labels
from hegui.rules.screens import sound_file_label


def _sites(*values: str) -> ImplicitLabel:
    return ImplicitLabel(container=True, sites=tuple(LabelSite("xmp", value) for value in values))


@rule(
    "LBL003",
    on=GenerationEvent,
    zh="文件元数据缺少隐式标识",
    severity="critical",
    basis=(law.LABELLING_MEASURES_ART_5, law.GB_45438_6_1, law.DEEP_SYNTHESIS_ART_16),
    since=law.LABELLING_MEASURES_ART_5,
    when={
        "public_cn": {True},
        "role": {"generator"},
        "delivery": FILE_DELIVERIES,
        "implicit_label.container": {True},
    },
    screen=sound_file_label,
    cases=(
        fails("looked, found none", implicit_label=_sites()),
        fails("exported without", delivery="export", implicit_label=_sites()),
        fails("copied without", delivery="copy", implicit_label=_sites()),
        fails("sent by the interface without", delivery="api", implicit_label=_sites()),
        passes("one site"),
        passes(
            "told to have no container, yet a label was found",
            implicit_label=ImplicitLabel(container=False, sites=(LabelSite("xmp", GOOD_LABEL),)),
        ),
        skips("shown on screen only", delivery="inline", implicit_label=_sites()),
        skips("no metadata container", implicit_label=ImplicitLabel(container=False, sites=())),
        skips("spreads others' content", given={"svc": {"role": "propagator"}}, implicit_label=_sites()),
        skips("before the law", at="2025-08-31T23:59:59+08:00", implicit_label=_sites()),
        unclear("nothing said", implicit_label=None),
        unclear("sites unknown", implicit_label=ImplicitLabel(container=True)),
        unclear("container unknown", implicit_label=ImplicitLabel(sites=())),
        unclear("an empty shell", implicit_label=_sites("")),
        unclear("public or not is unknown", implicit_label=_sites(), given={"svc": {"public_cn": None}}),
        unclear("cut off", implicit_label=_sites('{"Label":"1","ContentPro')),
        unclear("delivery unknown", delivery=None),
    ),
)
def implicit_label_missing(event: GenerationEvent, facts: Facts) -> Result:
    """A file leaves the service without the metadata label.

    Why: the label in the file's metadata lets platforms and authorities recognise generated content and its maker.
    A shell without content (an empty or cut-off label) is inconclusive: it may have been tampered with.

    False positives: the event was sent before the label was written. Send it after the file is finished and read back.

    When it fires:
    1. Open a sample violation; read `delivery` and find the file by the event's `id`.
    2. Check the writer: some tools drop the tag silently (video remuxers without the option that keeps metadata).
    3. Write the label, read it back, and watch the failure rate of this rule for 15 minutes.
    """
    found = labels(event.implicit_label)
    if found is None:
        return inconclusive("implicit_label.sites")
    if not found:
        return fail(
            "no metadata label in the file",
            delivery=Code(event.delivery or "unknown"),
            modality=Code(event.modality or "unknown"),
        )
    for label in found:
        if not label.damaged:
            return PASS
    return inconclusive("an undamaged label (tampering suspected)")
