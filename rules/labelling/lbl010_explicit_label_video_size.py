"""LBL010."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import ExplicitLabel, GenerationEvent, Media
from hegui.rules.facts import Facts

_WIDE = Media(width_px=1920, height_px=1080)
_UPRIGHT = Media(width_px=1080, height_px=1920)


def _label(height_px: int | None) -> ExplicitLabel:
    return ExplicitLabel(present=True, text="人工智能生成", in_file=True, form="text", height_px=height_px)


@rule(
    "LBL010",
    on=GenerationEvent,
    zh="视频显式标识文字高度低于画面最短边长度的5%",
    severity="high",
    basis=(law.GB_45438_5_4, law.LABELLING_MEASURES_ART_4),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "deep_synthesis_category": {1, 2, 3, 4, 5},
        "explicit_label.present": {True},
        "modality": {"video"},
    },
    cases=(
        fails("a pixel below 5 %", modality="video", media=_WIDE, explicit_label=_label(53)),
        fails("a pixel below 5 %, upright", modality="video", media=_UPRIGHT, explicit_label=_label(53)),
        fails("just below 5 %", modality="video", media=Media(width_px=721, height_px=721), explicit_label=_label(36)),
        passes("exactly 5 %", modality="video", media=_WIDE, explicit_label=_label(54)),
        passes("exactly 5 %, upright", modality="video", media=_UPRIGHT, explicit_label=_label(54)),
        skips("a picture", explicit_label=_label(1)),
        skips("no label at all", modality="video", explicit_label=ExplicitLabel(present=False, height_px=1)),
        skips(
            "not offered to the public", given={"svc": {"public_cn": False}}, modality="video", explicit_label=_label(1)
        ),
        skips(
            "spreads others' content", given={"svc": {"role": "propagator"}}, modality="video", explicit_label=_label(1)
        ),
        skips("none of the five kinds", deep_synthesis_category=0, modality="video", explicit_label=_label(1)),
        skips("before the law", at="2025-08-31T23:59:59+08:00", modality="video", explicit_label=_label(1)),
        unclear("height of the label unknown", modality="video", media=_WIDE, explicit_label=_label(None)),
        unclear("nothing said of the video", modality="video", media=None, explicit_label=_label(54)),
        unclear("width unknown", modality="video", media=Media(height_px=1080), explicit_label=_label(54)),
        unclear("height of the video unknown", modality="video", media=Media(width_px=1920), explicit_label=_label(54)),
        unclear("nothing said of a label", modality="video", explicit_label=None),
        unclear("presence unknown", modality="video", explicit_label=ExplicitLabel(height_px=54)),
        unclear("kind of content unknown", modality=None),
        unclear("kind of service unknown", modality="video", deep_synthesis_category=None),
        unclear("public or not is unknown", modality="video", given={"svc": {"public_cn": None}}),
    ),
)
def explicit_label_video_size(event: GenerationEvent, facts: Facts) -> Result:
    """The characters of a video's label are lower than 5 % of the picture's shortest side.

    Why: the standard wants characters that a viewer can read without looking for them.

    False positives: `media` and `height_px` were measured at different scales. Measure both on the finished file.

    When it fires:
    1. Compare `height_px` with `shortest_side_px` in the evidence; find the resolution that fails.
    2. Let the label step scale with the resolution: a twentieth of the shortest side, rounded up.
    3. Watch the failure rate of this rule for 15 minutes.
    """
    label, media = event.explicit_label, event.media or Media()
    assert label is not None  # the guard asks for it
    height, across, down = label.height_px, media.width_px, media.height_px
    if height is None:
        return inconclusive("explicit_label.height_px")
    if across is None:
        return inconclusive("media.width_px")
    if down is None:
        return inconclusive("media.height_px")
    if across > height * 20 < down:  # a twentieth of both sides is higher than the label
        return fail(
            "the label is lower than 5 % of the shortest side", height_px=height, shortest_side_px=min(across, down)
        )
    return PASS
