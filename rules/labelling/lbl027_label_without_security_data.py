"""LBL027."""

from hegui.rules import law
from hegui.rules.cases import GOOD_LABEL
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ImplicitLabel, LabelSite
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import FILE_DELIVERIES, labels
from hegui.rules.screens import sound_file_label


def _sites(*values: str) -> ImplicitLabel:
    return ImplicitLabel(container=True, sites=tuple(LabelSite("xmp", value) for value in values))


_BARE = GOOD_LABEL.replace("sd-1", "")
_EMPTY = _sites(_BARE)


@rule(
    "LBL027",
    on=GenerationEvent,
    zh="隐式标识未附安全防护数据",
    severity="low",
    stage="sandbox",  # the practice guide leaves the data to the provider
    basis=(law.LABEL_SECURITY_GUIDE,),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "delivery": FILE_DELIVERIES,
        "implicit_label.container": {True},
    },
    screen=sound_file_label,
    cases=(
        fails("empty", implicit_label=_EMPTY),
        fails("empty beside a filled one", implicit_label=_sites(GOOD_LABEL, _BARE)),
        fails("empty behind an unreadable label", implicit_label=_sites("[1]", _BARE)),
        passes("filled"),
        passes("unreadable beside a filled one", implicit_label=_sites("[1]", GOOD_LABEL)),
        skips("unreadable is another rule's", implicit_label=_sites("[1]")),
        skips("misspelt is another rule's", implicit_label=_sites(_BARE.replace("ReservedCode1", "ReserveCode1"))),
        skips("no label to judge", implicit_label=_sites()),
        skips("no metadata container", implicit_label=ImplicitLabel(container=False)),
        skips("shown on screen only", delivery="inline", implicit_label=_EMPTY),
        skips("spreads others' content", given={"svc": {"role": "propagator"}}, implicit_label=_EMPTY),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, implicit_label=_EMPTY),
        skips("before the guide", at="2025-08-27T23:59:59+08:00", implicit_label=_EMPTY),
        unclear("nothing said", implicit_label=None),
        unclear("sites unknown", implicit_label=ImplicitLabel(container=True)),
        unclear("delivery unknown", delivery=None, implicit_label=_EMPTY),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}, implicit_label=_EMPTY),
    ),
)
def label_without_security_data(event: GenerationEvent, facts: Facts) -> Result:
    """The metadata label carries no security data.

    Why: without security data in `ReservedCode1` nobody can tell a forged or copied label from a true one. The data are
    optional; hegui does not verify them.

    When it fires:
    1. Decide with the security team whether the service signs its labels; if not, ignore this rule in the policy.
    2. Else let the writer fill `ReservedCode1` as the practice guide describes.
    """
    found = labels(event.implicit_label)
    if found is None:
        return inconclusive("implicit_label.sites")
    judged = False
    for label in found:
        data = label.reserved_code_1
        if data is None:
            continue
        judged = True
        if not data:
            return fail("the label has no security data", empty=Code("ReservedCode1"))
    return PASS if judged else NOT_APPLICABLE
