"""LBL009."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import ExplicitLabel, GenerationEvent, Media
from hegui.rules.facts import Facts

_SHORTEST_MS = 2000


def _label(
    start_ms: int | None = 0, duration_ms: int | None = 2000, around_player: bool | None = True
) -> ExplicitLabel:
    return ExplicitLabel(
        present=True,
        text="人工智能生成",
        in_file=True,
        form="text",
        start_ms=start_ms,
        duration_ms=duration_ms,
        around_player=around_player,
    )


def _clip(duration_ms: int | None) -> Media:
    return Media(width_px=1920, height_px=1080, duration_ms=duration_ms)


@rule(
    "LBL009",
    on=GenerationEvent,
    zh="视频起始画面或播放周边缺少显式标识，或标识持续时间不足",
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
        fails("a millisecond after the start", modality="video", media=_clip(9000), explicit_label=_label(1)),
        fails("nothing around the player", modality="video", media=_clip(9000), explicit_label=_label(0, 2000, False)),
        fails(
            "a millisecond short of two seconds", modality="video", media=_clip(9000), explicit_label=_label(0, 1999)
        ),
        fails("just short, clip of two seconds", modality="video", media=_clip(2000), explicit_label=_label(0, 1999)),
        fails("not the whole of a short clip", modality="video", media=_clip(1500), explicit_label=_label(0, 1499)),
        fails("late, the rest unknown", modality="video", media=None, explicit_label=_label(500, None, None)),
        fails(
            "nothing around the player, the rest unknown",
            modality="video",
            media=None,
            explicit_label=_label(None, None, False),
        ),
        fails(
            "too short, the rest unknown", modality="video", media=_clip(9000), explicit_label=_label(None, 1000, None)
        ),
        passes("two seconds from the start", modality="video", media=_clip(9000), explicit_label=_label()),
        passes("two seconds, length of the clip unknown", modality="video", media=None, explicit_label=_label()),
        passes("a clip of two seconds", modality="video", media=_clip(2000), explicit_label=_label()),
        passes("the whole of a short clip", modality="video", media=_clip(1999), explicit_label=_label(0, 1999)),
        skips("a picture", explicit_label=_label(1)),
        skips("no label at all", modality="video", explicit_label=ExplicitLabel(present=False, start_ms=1)),
        skips(
            "not offered to the public", given={"svc": {"public_cn": False}}, modality="video", explicit_label=_label(1)
        ),
        skips(
            "spreads others' content", given={"svc": {"role": "propagator"}}, modality="video", explicit_label=_label(1)
        ),
        skips("none of the five kinds", deep_synthesis_category=0, modality="video", explicit_label=_label(1)),
        skips("before the law", at="2025-08-31T23:59:59+08:00", modality="video", explicit_label=_label(1)),
        unclear("start unknown", modality="video", media=_clip(9000), explicit_label=_label(None)),
        unclear("player unknown", modality="video", media=_clip(9000), explicit_label=_label(0, 2000, None)),
        unclear("duration unknown", modality="video", media=_clip(9000), explicit_label=_label(0, None)),
        unclear(
            "below two seconds, nothing said of the clip", modality="video", media=None, explicit_label=_label(0, 1999)
        ),
        unclear("below two seconds, clip unknown", modality="video", media=_clip(None), explicit_label=_label(0, 1999)),
        unclear("nothing said of a label", modality="video", explicit_label=None),
        unclear("presence unknown", modality="video", explicit_label=ExplicitLabel(start_ms=0)),
        unclear("kind of content unknown", modality=None),
        unclear("kind of service unknown", modality="video", deep_synthesis_category=None, explicit_label=_label()),
        unclear(
            "public or not is unknown", modality="video", given={"svc": {"public_cn": None}}, explicit_label=_label()
        ),
    ),
)
def explicit_label_video_start(event: GenerationEvent, facts: Facts) -> Result:
    """The label of a video is not on its starting frame for two seconds and around its player.

    Why: the viewer is told before the content has had its effect: on the starting frame, for at least two seconds at
    normal speed, and around the player. A clip shorter than two seconds carries the label all the time (our reading).

    False positives: a service without a player, which only hands over files, has nothing to put a notice around. Ask
    counsel and waive the rule for that service.

    When it fires:
    1. Read `reason` and the times in the evidence; open a sample video of that service.
    2. Correct the label step (first frame, two seconds) or the player's page.
    3. Watch the failure rate of this rule for 15 minutes.
    """
    label, media = event.explicit_label, event.media
    assert label is not None  # the guard asks for it
    start, shown, around = label.start_ms, label.duration_ms, label.around_player
    length = media.duration_ms if media is not None else None
    if start:
        return fail("the label is not on the starting frame", start_ms=start)
    if around is False:
        return fail("no notice stands around the player", around_player=around)
    if shown is not None and length is not None and shown < _SHORTEST_MS and shown < length:
        return fail(
            "the label shows for less than two seconds and not for the whole clip",
            duration_ms=shown,
            clip_duration_ms=length,
        )
    if start is None:
        return inconclusive("explicit_label.start_ms")
    if around is None:
        return inconclusive("explicit_label.around_player")
    if shown is None:
        return inconclusive("explicit_label.duration_ms")
    if shown < _SHORTEST_MS and length is None:
        return inconclusive("media.duration_ms")
    return PASS
