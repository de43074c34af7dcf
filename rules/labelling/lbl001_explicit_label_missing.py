"""LBL001."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import ExplicitLabel, GenerationEvent, UnlabelledRequest
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.screens import sound_explicit_label

_FILES = frozenset({"download", "copy", "export"})
_ABSENT = ExplicitLabel(present=False)
_ASKED = UnlabelledRequest(requested_at_ms=BASE_AT_MS - 1000)


@rule(
    "LBL001",
    on=GenerationEvent,
    zh="公开的生成合成内容缺少显式标识",
    severity="critical",
    basis=(law.LABELLING_MEASURES_ART_4, law.DEEP_SYNTHESIS_ART_17),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "deep_synthesis_category": {1, 2, 3, 4, 5},
        "explicit_label.present": {True, False},
    },
    screen=sound_explicit_label,
    cases=(
        fails("no label", explicit_label=_ABSENT),
        fails("no label, kind 1", deep_synthesis_category=1, explicit_label=_ABSENT),
        fails("no label, kind 2", deep_synthesis_category=2, explicit_label=_ABSENT),
        fails("no label, kind 4", deep_synthesis_category=4, explicit_label=_ABSENT),
        fails("no label, kind 5", deep_synthesis_category=5, explicit_label=_ABSENT),
        fails("labelled on screen, downloaded without", explicit_label=ExplicitLabel(present=True, in_file=False)),
        passes(
            "labelled on screen, downloaded without, before art. 4",
            at="2025-08-31T23:59:59+08:00",
            explicit_label=ExplicitLabel(present=True, in_file=False),
        ),
        fails(
            "labelled on screen, copied without",
            delivery="copy",
            explicit_label=ExplicitLabel(present=True, in_file=False),
        ),
        fails(
            "labelled on screen, exported without",
            delivery="export",
            explicit_label=ExplicitLabel(present=True, in_file=False),
        ),
        fails("under the older provisions", at="2023-06-01T00:00:00+08:00", explicit_label=_ABSENT),
        fails(
            "asked for without a label, a second before art. 9 allowed it",
            at="2025-08-31T23:59:59+08:00",
            explicit_label=_ABSENT,
            unlabelled_request=_ASKED,
        ),
        passes("labelled in the file"),
        passes(
            "on screen, nothing leaves", delivery="inline", explicit_label=ExplicitLabel(present=True, in_file=False)
        ),
        passes("asked for without, but labelled", unlabelled_request=_ASKED),
        skips("asked for without a label", explicit_label=_ABSENT, unlabelled_request=_ASKED),
        skips(
            "asked for without a label on the day of art. 9",
            at="2025-09-01T00:00:00+08:00",
            explicit_label=_ABSENT,
            unlabelled_request=_ASKED,
        ),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, explicit_label=_ABSENT),
        skips("spreads others' content", given={"svc": {"role": "propagator"}}, explicit_label=_ABSENT),
        skips("none of the five kinds", deep_synthesis_category=0, explicit_label=_ABSENT),
        skips("before the law", at="2023-01-09T23:59:59+08:00", explicit_label=_ABSENT),
        unclear("nothing said of a label", explicit_label=None),
        unclear("presence unknown", explicit_label=ExplicitLabel(text="AI生成")),
        unclear("delivery unknown", delivery=None),
        unclear("kind of service unknown", deep_synthesis_category=None),
        unclear("whether the file carries it is unknown", explicit_label=ExplicitLabel(present=True)),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}),
    ),
)
def explicit_label_missing(event: GenerationEvent, facts: Facts) -> Result:
    """Public AI-generated content carries no explicit label.

    Why: people must be able to see that a machine made the content. Content that is downloaded, copied or exported
    carries its label in the file. An output without label that the user asked for is judged by LBL014.

    False positives: a renderer adds the label after the event was sent. Send the event behind the renderer.

    When it fires:
    1. Open a sample violation by its `source` and `id`; read `modality`, `delivery` and `reason`.
    2. Compare the issue's first failure with that service's last release.
    3. Switch the label step on or roll back; watch the failure rate of this rule for 15 minutes.
    """
    label = event.explicit_label
    assert label is not None  # the guard knows whether there is one
    if label.present:
        if not law.LABELLING_MEASURES_ART_4.in_force_at(facts.at_ms):
            return PASS  # that files carry it is asked since art. 4 of the Measures
        if event.delivery is None:
            return inconclusive("delivery")
        if event.delivery in _FILES and not label.in_file:
            if label.in_file is None:
                return inconclusive("explicit_label.in_file")
            return fail("the label is on screen but not in the file", delivery=Code(event.delivery))
        return PASS
    if event.unlabelled_request is not None and law.LABELLING_MEASURES_ART_9.in_force_at(facts.at_ms):
        return NOT_APPLICABLE
    return fail(
        "no explicit label", modality=Code(event.modality or "unknown"), delivery=Code(event.delivery or "unknown")
    )
