"""LBL001."""

from hegui.rules import law
from hegui.rules.calendar import add_months
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import ExplicitLabel, GenerationEvent, UnlabelledRequest
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts

_AT_MS = 1_785_556_800_000  # the base event's time
_FILES = frozenset({"download", "copy", "export"})
_ASKED = UnlabelledRequest(
    requested_at_ms=_AT_MS - 1000, duty_accepted_at_ms=_AT_MS - 5000, log_retain_until_ms=add_months(_AT_MS, 6)
)


@rule(
    "LBL001",
    on=GenerationEvent,
    zh="公开的生成合成内容缺少显式标识",
    severity="critical",
    basis=(law.LABELLING_MEASURES_ART_4, law.LABELLING_MEASURES_ART_9, law.DEEP_SYNTHESIS_ART_17),
    when={"public_cn": {True}, "role": {"generator"}, "deep_synthesis_category": {1, 2, 3, 4, 5}},
    cases=(
        fails("no label", explicit_label=ExplicitLabel(present=False)),
        fails("labelled on screen, downloaded without", explicit_label=ExplicitLabel(present=True, in_file=False)),
        fails(
            "under the older provisions", at="2023-06-01T00:00:00+08:00", explicit_label=ExplicitLabel(present=False)
        ),
        fails(
            "asked for, but the duty was never accepted",
            explicit_label=ExplicitLabel(present=False),
            unlabelled_request=UnlabelledRequest(
                requested_at_ms=_AT_MS - 1000, duty_accepted_at_ms=_AT_MS + 1, log_retain_until_ms=add_months(_AT_MS, 6)
            ),
        ),
        fails(
            "asked for, but the log is kept a second short of six months",
            explicit_label=ExplicitLabel(present=False),
            unlabelled_request=UnlabelledRequest(
                requested_at_ms=_AT_MS, duty_accepted_at_ms=_AT_MS, log_retain_until_ms=add_months(_AT_MS, 6) - 1000
            ),
        ),
        passes("labelled in the file"),
        passes(
            "on screen, nothing leaves", delivery="inline", explicit_label=ExplicitLabel(present=True, in_file=False)
        ),
        passes(
            "asked for, with everything art. 9 wants",
            explicit_label=ExplicitLabel(present=False),
            unlabelled_request=_ASKED,
        ),
        skips("not offered to the public", given={"svc": {"public_cn": False}}),
        skips("spreads others' content", given={"svc": {"role": "propagator"}}),
        skips("none of the five kinds", deep_synthesis_category=0),
        skips("before the law", at="2023-01-09T23:59:59+08:00", explicit_label=ExplicitLabel(present=False)),
        unclear("nothing said of a label", explicit_label=None),
        unclear("delivery unknown", delivery=None),
        unclear(
            "how long the log is kept is unknown",
            explicit_label=ExplicitLabel(present=False),
            unlabelled_request=UnlabelledRequest(requested_at_ms=_AT_MS, duty_accepted_at_ms=_AT_MS),
        ),
        unclear("kind of service unknown", deep_synthesis_category=None),
        unclear("whether the file carries it is unknown", explicit_label=ExplicitLabel(present=True)),
        unclear("presence unknown", explicit_label=ExplicitLabel(text="AI生成")),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}),
        unclear(
            "acceptance of the duty unknown",
            explicit_label=ExplicitLabel(present=False),
            unlabelled_request=UnlabelledRequest(requested_at_ms=_AT_MS),
        ),
    ),
)
def explicit_label_missing(event: GenerationEvent, facts: Facts) -> Result:
    """Public AI-generated content carries no explicit label.

    Why: people must be able to see that a machine made the content. A user may ask for a copy without the label, but only
    after accepting the duty to label it, and the recipient's record must be kept for six calendar months. Content that is
    downloaded, copied or exported carries its label in the file.

    False positives: a renderer adds the label after the event was sent. Send the event behind the renderer.

    When it fires:
    1. Open a sample violation by its `source` and `id`; read `modality`, `delivery` and `reason`.
    2. Compare the issue's first failure with that service's last release.
    3. Switch the label step on or roll back; watch the failure rate of this rule for 15 minutes.
    """
    label = event.explicit_label
    if label is None or label.present is None:
        return inconclusive("explicit_label.present")
    if label.present:
        if event.delivery is None:
            return inconclusive("delivery")
        if event.delivery in _FILES and not label.in_file:
            if label.in_file is None:
                return inconclusive("explicit_label.in_file")
            return fail("the label is on screen but not in the file", delivery=Code(event.delivery))
        return PASS
    request = event.unlabelled_request
    if request is not None:
        if request.duty_accepted_at_ms is None:
            return inconclusive("unlabelled_request.duty_accepted_at_ms")
        if request.log_retain_until_ms is None:
            return inconclusive("unlabelled_request.log_retain_until_ms")
        asked = request.requested_at_ms <= facts.at_ms and request.duty_accepted_at_ms <= facts.at_ms
        if asked and request.log_retain_until_ms >= add_months(facts.at_ms, 6):
            return PASS
        return fail("unlabelled on request, but the conditions of art. 9 are not met", asked_before_delivery=asked)
    return fail(
        "no explicit label", modality=Code(event.modality or "unknown"), delivery=Code(event.delivery or "unknown")
    )
