"""LBL007."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import ExplicitLabel, GenerationEvent, LabelPosition
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.screens import sound_explicit_label

_IN_COURSE = frozenset({"start", "middle", "end"})


def _at(position: LabelPosition | None, persistent: bool | None = False) -> ExplicitLabel:
    return ExplicitLabel(
        present=True, text="本回答由人工智能生成", form="text", position=position, ui_persistent=persistent
    )


@rule(
    "LBL007",
    on=GenerationEvent,
    zh="文本显式标识的位置不符合要求",
    severity="high",
    basis=(law.GB_45438_5_1, law.LABELLING_MEASURES_ART_4),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "deep_synthesis_category": {1, 2, 3, 4, 5},
        "explicit_label.present": {True},
        "modality": {"text"},
    },
    screen=sound_explicit_label,
    cases=(
        fails("at the edge", modality="text", explicit_label=_at("edge")),
        fails("in a corner", modality="text", explicit_label=_at("corner")),
        fails("inside", modality="text", explicit_label=_at("inside")),
        passes("at the start", modality="text", explicit_label=_at("start")),
        passes("in the middle", modality="text", explicit_label=_at("middle")),
        passes("at the end", modality="text", explicit_label=_at("end")),
        passes("at the start, notice unknown", modality="text", explicit_label=_at("start", None)),
        passes("in a corner, with a persistent notice", modality="text", explicit_label=_at("corner", True)),
        passes("a persistent notice, position unknown", modality="text", explicit_label=_at(None, True)),
        skips("a picture", explicit_label=_at("corner")),
        skips("no label at all", modality="text", explicit_label=ExplicitLabel(present=False, position="corner")),
        skips(
            "not offered to the public",
            given={"svc": {"public_cn": False}},
            modality="text",
            explicit_label=_at("corner"),
        ),
        skips(
            "spreads others' content",
            given={"svc": {"role": "propagator"}},
            modality="text",
            explicit_label=_at("corner"),
        ),
        skips("none of the five kinds", deep_synthesis_category=0, modality="text", explicit_label=_at("corner")),
        skips("before the law", at="2025-08-31T23:59:59+08:00", modality="text", explicit_label=_at("corner")),
        unclear("position and notice unknown", modality="text", explicit_label=_at(None, None)),
        unclear("position unknown, no notice", modality="text", explicit_label=_at(None)),
        unclear("in a corner, notice unknown", modality="text", explicit_label=_at("corner", None)),
        unclear("nothing said of a label", modality="text", explicit_label=None),
        unclear("presence unknown", modality="text", explicit_label=ExplicitLabel(position="start")),
        unclear("kind of content unknown", modality=None),
        unclear("kind of service unknown", modality="text", deep_synthesis_category=None),
        unclear("public or not is unknown", modality="text", given={"svc": {"public_cn": None}}),
    ),
)
def explicit_label_text_position(event: GenerationEvent, facts: Facts) -> Result:
    """The label of a text stands neither in its course nor as a persistent notice around it.

    Why: the label of a text stands at its start, its end or a suitable place in the middle. A notice that stays on
    screen around the text may take its place. The rule believes the position that the event states; whether both
    elements stand together within the first or last 64 characters would need the content, which events do not carry.

    False positives: a notice around the text stays on screen, but the event says `ui_persistent` false.

    When it fires:
    1. Read `position` in the evidence; open a sample output of that service and look where the label stands.
    2. Put the label at the start or the end of the text, or keep a notice with both elements on screen.
    3. Watch the failure rate of this rule for 15 minutes.
    """
    label = event.explicit_label
    assert label is not None  # the guard asks for it
    if label.position in _IN_COURSE or label.ui_persistent:
        return PASS
    if label.position is None:
        return inconclusive("explicit_label.position")
    if label.ui_persistent is None:
        return inconclusive("explicit_label.ui_persistent")
    return fail(
        "the label stands neither at start, middle or end nor in a persistent notice", position=Code(label.position)
    )
