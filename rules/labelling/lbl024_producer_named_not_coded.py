"""LBL024."""

from hegui.rules import law
from hegui.rules.cases import GOOD_LABEL
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ImplicitLabel, LabelSite
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import FILE_DELIVERIES, labels
from hegui.rules.labelling.provider_code import NAME, problem_of
from hegui.rules.screens import sound_file_label


def _raw(producer: str) -> str:
    return GOOD_LABEL.replace("001191440300708461136T1XGW3", producer)


def _sites(*values: str) -> ImplicitLabel:
    return ImplicitLabel(container=True, sites=tuple(LabelSite("xmp", value) for value in values))


_NAMED = _sites(_raw("doubao"))


@rule(
    "LBL024",
    on=GenerationEvent,
    zh="隐式标识以名称而非编码标明服务提供者",
    severity="medium",
    basis=(law.PROVIDER_CODE_RULES, law.LABELLING_MEASURES_ART_5),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "delivery": FILE_DELIVERIES,
        "implicit_label.container": {True},
    },
    screen=sound_file_label,
    cases=(
        fails("a name", implicit_label=_NAMED),
        fails("a Chinese name", implicit_label=_sites(_raw("某公司"))),
        fails("a name beside a code", implicit_label=_sites(GOOD_LABEL, _raw("picwish"))),
        fails("a name behind an unreadable label", implicit_label=_sites("[1]", _raw("picwish"))),
        passes("a code"),
        passes("a wrong code is another rule's", implicit_label=_sites(_raw("0011DEMOAI00000"))),
        skips("blank is another rule's", implicit_label=_sites(_raw(""))),
        skips("unreadable is another rule's", implicit_label=_sites("[1]")),
        skips("no label to judge", implicit_label=_sites()),
        skips("no metadata container", implicit_label=ImplicitLabel(container=False)),
        skips("shown on screen only", delivery="inline", implicit_label=_NAMED),
        skips("spreads others' content", given={"svc": {"role": "propagator"}}, implicit_label=_NAMED),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, implicit_label=_NAMED),
        skips("before the measures", at="2025-08-31T23:59:59+08:00", implicit_label=_NAMED),
        unclear("nothing said", implicit_label=None),
        unclear("sites unknown", implicit_label=ImplicitLabel(container=True)),
        unclear("delivery unknown", delivery=None, implicit_label=_NAMED),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}, implicit_label=_NAMED),
    ),
)
def producer_named_not_coded(event: GenerationEvent, facts: Facts) -> Result:
    """The metadata label names the maker of the content instead of giving its code.

    Why: a name is allowed, but two makers may share it and a Chinese one does not fit the label's characters. The
    27-character code is unique.

    When it fires:
    1. Look up the service and its `provider_code` in the policy; the evidence holds only the hash of the name.
    2. Let the writer put the code into `ContentProducer`; form one from the unified social credit code if there is none.
    3. Watch the failure rate of this rule for 15 minutes.
    """
    found = labels(event.implicit_label)
    if found is None:
        return inconclusive("implicit_label.sites")
    judged = False
    for label in found:
        producer = label.producer
        if not producer:
            continue
        judged = True
        if problem_of(producer) == NAME:
            return fail("the producer is a name and not a code", producer=producer)
    return PASS if judged else NOT_APPLICABLE
