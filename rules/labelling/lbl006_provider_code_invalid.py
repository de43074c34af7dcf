"""LBL006."""

from hegui.rules import law
from hegui.rules.cases import GOOD_LABEL
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ImplicitLabel, LabelSite
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import FILE_DELIVERIES, labels
from hegui.rules.labelling.provider_code import NAME, problem_of
from hegui.rules.screens import sound_file_label

_CODE = "001191440300708461136T1XGW3"


def _producer(code: str) -> ImplicitLabel:
    return ImplicitLabel(container=True, sites=(LabelSite("xmp", GOOD_LABEL.replace(_CODE, code)),))


@rule(
    "LBL006",
    on=GenerationEvent,
    zh="隐式标识中的服务提供者编码无效或不属于本服务",
    severity="high",
    basis=(law.PROVIDER_CODE_RULES, law.LABELLING_MEASURES_ART_5),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "delivery": FILE_DELIVERIES,
        "implicit_label.container": {True},
    },
    screen=sound_file_label,
    cases=(
        fails("wrong checksum", implicit_label=_producer("001191440300708461137T1XGW3")),
        fails("small letters", implicit_label=_producer("001191440300708461136t1xgw3")),
        fails("too short", implicit_label=_producer("0011DEMOAI00000")),
        fails("a propagator's extension", implicit_label=_producer("001191440300708461136T2XGW3")),
        fails("another provider's code", implicit_label=_producer("001191110102MAD55U9H0F10002")),
        fails(
            "I is not in the alphabet of the credit code",
            given={"svc": {"provider_code": None}},
            implicit_label=_producer("00119144030070846113IT1XGW3"),
        ),
        fails(
            "wrong behind a name",
            implicit_label=ImplicitLabel(
                container=True,
                sites=(
                    LabelSite("xmp", GOOD_LABEL.replace(_CODE, "doubao")),
                    LabelSite("png_text", GOOD_LABEL.replace(_CODE, "0011DEMOAI00000")),
                ),
            ),
        ),
        passes("the registered code"),
        passes(
            "unused extension",
            given={"svc": {"provider_code": "001191440300708461136T00000"}},
            implicit_label=_producer("001191440300708461136T00000"),
        ),
        passes(
            "not a credit code",
            given={"svc": {"provider_code": "002191440300708461137T00000"}},
            implicit_label=_producer("002191440300708461137T00000"),
        ),
        unclear(
            "valid, none registered",
            given={"svc": {"provider_code": None}},
            implicit_label=_producer("001191110102MAD55U9H0F10002"),
        ),
        skips("a name, which art. 5 allows", implicit_label=_producer("doubao")),
        skips(
            "unreadable is another rule's",
            implicit_label=ImplicitLabel(container=True, sites=(LabelSite("xmp", "[1]"),)),
        ),
        skips("no label to judge", implicit_label=ImplicitLabel(container=True, sites=())),
        skips("no metadata container", implicit_label=ImplicitLabel(container=False)),
        skips(
            "not offered to the public",
            given={"svc": {"public_cn": False}},
            implicit_label=_producer("0011DEMOAI00000"),
        ),
        skips(
            "spreads others' content",
            given={"svc": {"role": "propagator"}},
            implicit_label=_producer("0011DEMOAI00000"),
        ),
        skips("before the measures", at="2025-08-31T23:59:59+08:00", implicit_label=_producer("0011DEMOAI00000")),
        unclear("nothing said", implicit_label=None),
        unclear("sites unknown", implicit_label=ImplicitLabel(container=True)),
        unclear("delivery unknown", delivery=None, implicit_label=_producer("0011DEMOAI00000")),
    ),
)
def provider_code_invalid(event: GenerationEvent, facts: Facts) -> Result:
    """The provider code in the metadata label is malformed, fails its checksum or is another provider's.

    Why: the code says who made the content. It holds the unified social credit code, whose last character is a checksum.

    When it fires:
    1. Read `problem`: `form`, `checksum` or `not_registered`.
    2. Compare the writer's code with `provider_code` of the service in the policy (`hegui config check`).
    3. Correct whichever is wrong; watch the failure rate of this rule for 15 minutes.
    """
    found = labels(event.implicit_label)
    if found is None:
        return inconclusive("implicit_label.sites")
    registered = facts.service.provider_code if facts.service is not None else None
    judged = False
    for label in found:
        code = label.producer
        if code is None or (problem := problem_of(code)) == NAME:
            continue
        judged = True
        if problem is None and registered is not None and code != registered:
            problem = "not_registered"
        if problem is not None:
            return fail("the provider code is not valid for this service", problem=Code(problem), code=code)
    if not judged:
        return NOT_APPLICABLE
    return PASS if registered is not None else inconclusive("provider_code of the service in the policy")
