"""LBL002."""

from hegui.rules import law
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import ExplicitLabel, GenerationEvent, LabelForm
from hegui.rules.facts import Facts
from hegui.rules.labelling.wording import elements
from hegui.rules.screens import sound_explicit_label


def _text(words: str | None, form: LabelForm | None = None) -> ExplicitLabel:
    return ExplicitLabel(present=True, text=words, in_file=True, form=form)


@rule(
    "LBL002",
    on=GenerationEvent,
    zh="显式标识文字缺少“人工智能”或“生成/合成”要素",
    severity="high",
    basis=(law.GB_45438_5, law.LABELLING_MEASURES_ART_4),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "deep_synthesis_category": {1, 2, 3, 4, 5},
        "explicit_label.present": {True},
    },
    screen=sound_explicit_label,
    cases=(
        fails("only AI", explicit_label=_text("AI")),
        fails("only the maker's name", explicit_label=_text("由小助手创作")),
        fails("only generated", explicit_label=_text("自动生成")),
        fails("AI inside a word", explicit_label=_text("MAIL 生成")),
        fails("English only", explicit_label=_text("AI generated")),
        fails("empty", explicit_label=_text("")),
        fails("spoken, only AI", modality="audio", explicit_label=_text("AI", "voice")),
        fails("a corner mark on a picture, only AI", explicit_label=_text("AI", "corner_mark")),
        fails("words on a text, only AI", modality="text", explicit_label=_text("AI", "text")),
        passes("full form", explicit_label=_text("人工智能生成")),
        passes("short form", explicit_label=_text("AI生成")),
        passes("synthesised", explicit_label=_text("本内容由 AI 合成")),
        passes("both", explicit_label=_text("人工智能生成合成内容")),
        passes("a corner mark on a picture", explicit_label=_text("AI生成", "corner_mark")),
        passes("words on a text", modality="text", explicit_label=_text("AI生成", "text")),
        skips("no label at all", explicit_label=ExplicitLabel(present=False)),
        skips("not offered to the public", given={"svc": {"public_cn": False}}, explicit_label=_text("AI")),
        skips("spreads others' content", given={"svc": {"role": "propagator"}}, explicit_label=_text("AI")),
        skips("none of the five kinds", deep_synthesis_category=0, explicit_label=_text("AI")),
        skips("a rhythm has no words", modality="audio", explicit_label=_text(None, "rhythm")),
        skips("before the standard", at="2025-08-31T23:59:59+08:00", explicit_label=_text("AI")),
        unclear("words unknown", explicit_label=_text(None)),
        unclear("spoken words unknown", modality="audio", explicit_label=_text(None, "voice")),
        unclear("a rhythm, kind of content unknown", modality=None, explicit_label=_text(None, "rhythm")),
        unclear("a corner mark on a text", modality="text", explicit_label=_text("AI生成", "corner_mark")),
        unclear("a corner mark, kind of content unknown", modality=None, explicit_label=_text("AI", "corner_mark")),
        unclear("nothing said of a label", explicit_label=None),
        unclear("presence unknown", explicit_label=ExplicitLabel(text="AI")),
        unclear("kind of service unknown", deep_synthesis_category=None),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}),
    ),
)
def explicit_label_wording(event: GenerationEvent, facts: Facts) -> Result:
    """The explicit label does not say both that it is AI and that the content is generated or synthesised.

    Why: the standard wants two elements in the words, 人工智能 or AI, and 生成 or 合成; "AI" alone names no act. The wording of
    a corner mark on text has a rule of its own that is not verified, so it stays inconclusive. A rhythm label on sound
    has no words.

    When it fires:
    1. Look up the label text of that service and release; results hold only its hash.
    2. Change the text to one with both elements, as 人工智能生成.
    3. Watch the failure rate of this rule for 15 minutes.
    """
    label = event.explicit_label
    assert label is not None  # the guard asks for it
    if label.form == "corner_mark" and event.modality in {"text", None}:
        return inconclusive("the wording of a corner mark")
    if label.text is None:
        if label.form == "rhythm" and event.modality == "audio":
            return NOT_APPLICABLE
        return inconclusive("explicit_label.text")
    machine, made = elements(label.text)
    if machine and made:
        return PASS
    return fail("the label's words lack an element", names_ai=machine, names_generation=made, text=label.text)
