"""LBL012."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import ExplicitLabel, GenerationEvent, LabelForm
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


def _label(start_ms: int | None, form: LabelForm | None = "text") -> ExplicitLabel:
    return ExplicitLabel(present=True, text="本场景由人工智能生成", form=form, start_ms=start_ms)


@rule(
    "LBL012",
    on=GenerationEvent,
    zh="虚拟场景起始画面缺少文字提示标识",
    severity="high",
    basis=(law.LABELLING_MEASURES_ART_4, law.GB_45438_SCENE),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "deep_synthesis_category": {1, 2, 3, 4, 5},
        "explicit_label.present": {True},
        "modality": {"scene"},
    },
    cases=(
        fails("a millisecond after the start", modality="scene", explicit_label=_label(1)),
        fails("spoken only", modality="scene", explicit_label=_label(0, "voice")),
        fails("a corner mark only", modality="scene", explicit_label=_label(0, "corner_mark")),
        fails("a rhythm only", modality="scene", explicit_label=_label(0, "rhythm")),
        fails("late, form unknown", modality="scene", explicit_label=_label(1, None)),
        fails("spoken, start unknown", modality="scene", explicit_label=_label(None, "voice")),
        passes("words at the starting picture", modality="scene", explicit_label=_label(0)),
        skips("a video", modality="video", explicit_label=_label(1)),
        skips("no label at all", modality="scene", explicit_label=ExplicitLabel(present=False, start_ms=1)),
        skips(
            "not offered to the public", given={"svc": {"public_cn": False}}, modality="scene", explicit_label=_label(1)
        ),
        skips(
            "spreads others' content", given={"svc": {"role": "propagator"}}, modality="scene", explicit_label=_label(1)
        ),
        skips("none of the five kinds", deep_synthesis_category=0, modality="scene", explicit_label=_label(1)),
        skips("before the law", at="2025-08-31T23:59:59+08:00", modality="scene", explicit_label=_label(1)),
        unclear("start unknown", modality="scene", explicit_label=_label(None)),
        unclear("form unknown", modality="scene", explicit_label=_label(0, None)),
        unclear("nothing said of a label", modality="scene", explicit_label=None),
        unclear("presence unknown", modality="scene", explicit_label=ExplicitLabel(form="text", start_ms=0)),
        unclear("kind of content unknown", modality=None),
        unclear("kind of service unknown", modality="scene", deep_synthesis_category=None, explicit_label=_label(0)),
        unclear(
            "public or not is unknown", modality="scene", given={"svc": {"public_cn": None}}, explicit_label=_label(0)
        ),
    ),
)
def explicit_label_scene_start(event: GenerationEvent, facts: Facts) -> Result:
    """A virtual scene does not begin with a label in words.

    Why: whoever enters a virtual scene is told at its starting picture, in words, that a machine made it. A least
    height of the words (5 % of the shortest side) is known from memory only and is not checked.

    When it fires:
    1. Read `reason` and the evidence; enter a sample scene of that service.
    2. Show the words with both elements on the starting picture.
    3. Watch the failure rate of this rule for 15 minutes.
    """
    label = event.explicit_label
    assert label is not None  # the guard asks for it
    form, start = label.form, label.start_ms
    if form is not None and form != "text":
        return fail("the label of the scene is not in words", form=Code(form))
    if start:
        return fail("the label is not on the starting picture", start_ms=start)
    if form is None:
        return inconclusive("explicit_label.form")
    if start is None:
        return inconclusive("explicit_label.start_ms")
    return PASS
