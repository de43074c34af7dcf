"""LBL011."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import ExplicitLabel, GenerationEvent, LabelPosition, Media
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts

_PLACES = frozenset({"start", "middle", "end"})
_TRACK = Media(mime_type="audio/wav", voice_interaction=False)
_TALK = Media(mime_type="audio/wav", voice_interaction=True)


def _spoken(
    speed: int | None = 140,
    position: LabelPosition | None = "start",
    persistent: bool | None = False,
    each_turn: bool | None = None,
) -> ExplicitLabel:
    return ExplicitLabel(
        present=True,
        text="以下内容由人工智能生成",
        form="voice",
        characters_per_minute=speed,
        position=position,
        ui_persistent=persistent,
        each_turn=each_turn,
    )


_RHYTHM = ExplicitLabel(
    present=True, form="rhythm", rhythm="short_long_short_short", position="end", ui_persistent=False
)
_OTHER_RHYTHM = ExplicitLabel(present=True, form="rhythm", rhythm="other", position="end", ui_persistent=False)
_SHOWN = ExplicitLabel(present=True, text="人工智能生成", form="text", position="start", ui_persistent=False)


@rule(
    "LBL011",
    on=GenerationEvent,
    zh="音频缺少符合要求的语音标识或节奏标识",
    severity="high",
    basis=(law.GB_45438_5_3, law.LABELLING_MEASURES_ART_4),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "deep_synthesis_category": {1, 2, 3, 4, 5},
        "explicit_label.present": {True},
        "modality": {"audio"},
    },
    cases=(
        fails("spoken too slowly", modality="audio", media=_TRACK, explicit_label=_spoken(119)),
        fails("spoken too fast", modality="audio", media=_TRACK, explicit_label=_spoken(161)),
        fails(
            "too fast for a stricter policy",
            given={"speech_rate_to": 139},
            modality="audio",
            media=_TRACK,
            explicit_label=_spoken(140),
        ),
        fails(
            "too slow for a stricter policy",
            given={"speech_rate_from": 141},
            modality="audio",
            media=_TRACK,
            explicit_label=_spoken(140),
        ),
        fails("another rhythm", modality="audio", media=_TRACK, explicit_label=_OTHER_RHYTHM),
        fails("words that nobody hears", modality="audio", media=_TRACK, explicit_label=_SHOWN),
        fails("spoken at no place of the sound", modality="audio", media=_TRACK, explicit_label=_spoken(140, "corner")),
        fails("not in each turn", modality="audio", media=_TALK, explicit_label=_spoken(each_turn=False)),
        fails("too fast, the rest unknown", modality="audio", media=None, explicit_label=_spoken(161, None)),
        passes("slowest speech", modality="audio", media=_TRACK, explicit_label=_spoken(120)),
        passes("fastest speech", modality="audio", media=_TRACK, explicit_label=_spoken(160)),
        passes("spoken in the middle", modality="audio", media=_TRACK, explicit_label=_spoken(140, "middle")),
        passes("spoken at the end", modality="audio", media=_TRACK, explicit_label=_spoken(140, "end")),
        passes("spoken, notice unknown", modality="audio", media=_TRACK, explicit_label=_spoken(persistent=None)),
        passes(
            "a track needs no label in each turn",
            modality="audio",
            media=_TRACK,
            explicit_label=_spoken(each_turn=False),
        ),
        passes("the rhythm", modality="audio", media=_TRACK, explicit_label=_RHYTHM),
        passes("in each turn", modality="audio", media=_TALK, explicit_label=_spoken(each_turn=True)),
        passes("in each turn, whatever it is", modality="audio", media=None, explicit_label=_spoken(each_turn=True)),
        passes(
            "a persistent notice and nothing in the sound",
            modality="audio",
            media=_TALK,
            explicit_label=ExplicitLabel(present=True, text="人工智能生成", form="text", ui_persistent=True),
        ),
        skips("a picture", explicit_label=_OTHER_RHYTHM),
        skips("no label at all", modality="audio", explicit_label=ExplicitLabel(present=False, ui_persistent=False)),
        skips(
            "not offered to the public",
            given={"svc": {"public_cn": False}},
            modality="audio",
            explicit_label=_OTHER_RHYTHM,
        ),
        skips(
            "spreads others' content",
            given={"svc": {"role": "propagator"}},
            modality="audio",
            explicit_label=_OTHER_RHYTHM,
        ),
        skips("none of the five kinds", deep_synthesis_category=0, modality="audio", explicit_label=_OTHER_RHYTHM),
        skips("before the law", at="2025-08-31T23:59:59+08:00", modality="audio", explicit_label=_OTHER_RHYTHM),
        unclear("speed unknown", modality="audio", media=_TRACK, explicit_label=_spoken(None)),
        unclear(
            "rhythm unknown",
            modality="audio",
            media=_TRACK,
            explicit_label=ExplicitLabel(present=True, form="rhythm", position="end", ui_persistent=False),
        ),
        unclear(
            "form unknown",
            modality="audio",
            media=_TRACK,
            explicit_label=ExplicitLabel(present=True, position="end", ui_persistent=False),
        ),
        unclear("position unknown", modality="audio", media=_TRACK, explicit_label=_spoken(140, None)),
        unclear(
            "too fast, notice unknown", modality="audio", media=_TRACK, explicit_label=_spoken(161, persistent=None)
        ),
        unclear("nothing said of the sound", modality="audio", media=None, explicit_label=_spoken()),
        unclear("interaction unknown", modality="audio", media=Media(), explicit_label=_spoken(each_turn=False)),
        unclear("each turn unknown", modality="audio", media=_TALK, explicit_label=_spoken()),
        unclear("nothing said of a label", modality="audio", explicit_label=None),
        unclear("presence unknown", modality="audio", explicit_label=ExplicitLabel(ui_persistent=True)),
        unclear("kind of content unknown", modality=None),
        unclear("kind of service unknown", modality="audio", deep_synthesis_category=None),
        unclear("public or not is unknown", modality="audio", given={"svc": {"public_cn": None}}),
    ),
)
def explicit_label_audio(event: GenerationEvent, facts: Facts) -> Result:
    """The label of a sound is neither spoken at normal speed nor the standard's rhythm, or not where it belongs.

    Why: whoever listens sees nothing. The label is spoken at normal speed (120 to 160 characters a minute, unless the
    policy says otherwise) or is the rhythm short long, short short, at the start, the end or a suitable place in the
    middle. In high-frequency voice interaction each turn carries it. A notice that stays on screen near the content
    takes its place. The words of a spoken label are judged by LBL002.

    When it fires:
    1. Read `problem` in the evidence: `form`, `speed`, `rhythm`, `position` or `turn`.
    2. Correct the label step of that service, or keep a notice with both elements on screen.
    3. Watch the failure rate of this rule for 15 minutes.
    """
    label, media = event.explicit_label, event.media
    assert label is not None  # the guard asks for it
    if label.ui_persistent:
        return PASS
    problem: str | None = None
    missing: str | None = None
    form, speed = label.form, label.characters_per_minute
    if form == "voice":
        if speed is None:
            missing = "explicit_label.characters_per_minute"
        elif not facts.policy.speech_rate_from <= speed <= facts.policy.speech_rate_to:
            problem = "speed"
    elif form == "rhythm":
        if label.rhythm is None:
            missing = "explicit_label.rhythm"
        elif label.rhythm != "short_long_short_short":
            problem = "rhythm"
    elif form is None:
        missing = "explicit_label.form"
    else:
        problem = "form"
    if label.position is None:
        missing = "explicit_label.position"
    elif label.position not in _PLACES:
        problem = "position"
    if not label.each_turn:
        conversation = media.voice_interaction if media is not None else None
        if conversation is None:
            missing = "media.voice_interaction"
        elif conversation:
            if label.each_turn is None:
                missing = "explicit_label.each_turn"
            else:
                problem = "turn"
    if problem is not None:
        if label.ui_persistent is None:
            return inconclusive("explicit_label.ui_persistent")
        return fail(
            "the label in the sound has not the form of the standard, and no notice stays on screen",
            problem=Code(problem),
            characters_per_minute=speed,
        )
    if missing is not None:
        return inconclusive(missing)
    return PASS
