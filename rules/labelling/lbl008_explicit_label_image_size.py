"""LBL008."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import ExplicitLabel, GenerationEvent, LabelPosition, Media
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.screens import sound_explicit_label

_PLACES = frozenset({"edge", "corner"})


def _label(height_px: int | None, position: LabelPosition | None = "corner") -> ExplicitLabel:
    return ExplicitLabel(
        present=True, text="人工智能生成", in_file=True, form="text", position=position, height_px=height_px
    )


@rule(
    "LBL008",
    on=GenerationEvent,
    zh="图片显式标识文字过小或位置不在边角",
    severity="high",
    basis=(law.GB_45438_5_2, law.LABELLING_MEASURES_ART_4),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "deep_synthesis_category": {1, 2, 3, 4, 5},
        "explicit_label.present": {True},
        "modality": {"image"},
    },
    screen=sound_explicit_label,
    cases=(
        fails("a pixel below 5 %", explicit_label=_label(38)),
        fails("a pixel below 5 %, upright", explicit_label=_label(38), media=Media(width_px=768, height_px=1024)),
        fails("just below 5 %", explicit_label=_label(20), media=Media(width_px=401, height_px=401)),
        fails("no height at all", explicit_label=_label(0)),
        fails("inside the picture", explicit_label=_label(40, "inside")),
        fails("at the start, which a picture does not have", explicit_label=_label(40, "start")),
        fails("too small, position unknown", explicit_label=_label(38, None)),
        fails("inside, size unknown", explicit_label=_label(None, "inside"), media=None),
        passes("the first pixel above 5 %", explicit_label=_label(39)),
        passes(
            "the first pixel above 5 %, upright", explicit_label=_label(39), media=Media(width_px=768, height_px=1024)
        ),
        passes("exactly 5 %, upright", explicit_label=_label(20), media=Media(width_px=400, height_px=600)),
        passes("exactly 5 %, lying", explicit_label=_label(20), media=Media(width_px=600, height_px=400)),
        passes("at the edge", explicit_label=_label(40, "edge")),
        skips("a video", modality="video", explicit_label=_label(1)),
        skips("no label at all", explicit_label=ExplicitLabel(present=False, height_px=1)),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, explicit_label=_label(1)),
        skips("spreads others' content", given={"svc": {"role": "propagator"}}, explicit_label=_label(1)),
        skips("none of the five kinds", deep_synthesis_category=0, explicit_label=_label(1)),
        skips("before the law", at="2025-08-31T23:59:59+08:00", explicit_label=_label(1)),
        unclear("height of the label unknown", explicit_label=_label(None)),
        unclear("position unknown", explicit_label=_label(40, None)),
        unclear("nothing said of the picture", media=None),
        unclear("width unknown", media=Media(height_px=768)),
        unclear("height of the picture unknown", media=Media(width_px=1024)),
        unclear("nothing said of a label", explicit_label=None),
        unclear("presence unknown", explicit_label=ExplicitLabel(position="corner", height_px=40)),
        unclear("kind of content unknown", modality=None),
        unclear("kind of service unknown", deep_synthesis_category=None),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}),
    ),
)
def explicit_label_image_size(event: GenerationEvent, facts: Facts) -> Result:
    """The label of a picture is too small or does not stand at an edge or in a corner.

    Why: the characters are at least as high as 5 % of the picture's shortest side, and the label stands at an edge or
    in a corner. A legible font is also wanted; that needs the picture and is not checked.

    False positives: `media` and `height_px` were measured at different scales. Measure both on the finished file.

    When it fires:
    1. Read `reason`; compare `height_px` with `shortest_side_px`, or read `position`.
    2. Let the label step scale with the picture: a twentieth of the shortest side, rounded up, at an edge or corner.
    3. Watch the failure rate of this rule for 15 minutes.
    """
    label, media = event.explicit_label, event.media or Media()
    assert label is not None  # the guard asks for it
    position, height = label.position, label.height_px
    if position is not None and position not in _PLACES:
        return fail("the label stands neither at an edge nor in a corner", position=Code(position))
    across, down = media.width_px, media.height_px
    # A twentieth of both sides is higher than the label: a comparison costs a third of `min`.
    if height is not None and across is not None and down is not None and across > height * 20 < down:
        return fail(
            "the label is lower than 5 % of the shortest side", height_px=height, shortest_side_px=min(across, down)
        )
    if position is None:
        return inconclusive("explicit_label.position")
    if height is None:
        return inconclusive("explicit_label.height_px")
    if across is None:
        return inconclusive("media.width_px")
    if down is None:
        return inconclusive("media.height_px")
    return PASS
