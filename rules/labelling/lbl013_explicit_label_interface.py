"""LBL013."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import ExplicitLabel, GenerationEvent
from hegui.rules.facts import Facts


def _label(persistent: bool | None) -> ExplicitLabel:
    return ExplicitLabel(
        present=True, text="本回答由人工智能生成", form="text", position="start", ui_persistent=persistent
    )


@rule(
    "LBL013",
    on=GenerationEvent,
    zh="交互界面未持续显示提示文字",
    severity="high",
    basis=(law.GB_45438_INTERFACE, law.LABELLING_MEASURES_ART_4),
    when={
        "public_cn": {True},
        "role": {"generator"},
        "deep_synthesis_category": {1, 2, 3, 4, 5},
        "explicit_label.present": {True},
        "delivery": {"ui_stream"},
    },
    cases=(
        fails("the notice does not stay", delivery="ui_stream", modality="text", explicit_label=_label(False)),
        fails("a picture in the dialogue", delivery="ui_stream", explicit_label=_label(False)),
        fails("kind of content unknown", delivery="ui_stream", modality=None, explicit_label=_label(False)),
        passes("the notice stays", delivery="ui_stream", modality="text", explicit_label=_label(True)),
        skips("not streamed to an interface", delivery="inline", explicit_label=_label(False)),
        skips(
            "no label at all",
            delivery="ui_stream",
            explicit_label=ExplicitLabel(present=False, ui_persistent=False),
        ),
        skips(
            "not offered to the public",
            given={"svc": {"public_cn": False}},
            delivery="ui_stream",
            explicit_label=_label(False),
        ),
        skips(
            "spreads others' content",
            given={"svc": {"role": "propagator"}},
            delivery="ui_stream",
            explicit_label=_label(False),
        ),
        skips("none of the five kinds", deep_synthesis_category=0, delivery="ui_stream", explicit_label=_label(False)),
        skips("before the law", at="2025-08-31T23:59:59+08:00", delivery="ui_stream", explicit_label=_label(False)),
        unclear("whether it stays is unknown", delivery="ui_stream", explicit_label=_label(None)),
        unclear("nothing said of a label", delivery="ui_stream", explicit_label=None),
        unclear("presence unknown", delivery="ui_stream", explicit_label=ExplicitLabel(ui_persistent=True)),
        unclear("delivery unknown", delivery=None, explicit_label=_label(True)),
        unclear(
            "kind of service unknown",
            delivery="ui_stream",
            deep_synthesis_category=None,
            explicit_label=_label(True),
        ),
        unclear(
            "public or not is unknown",
            given={"svc": {"public_cn": None}},
            delivery="ui_stream",
            explicit_label=_label(True),
        ),
    ),
)
def explicit_label_interface(event: GenerationEvent, facts: Facts) -> Result:
    """An interactive interface does not keep a notice on screen that its content is generated.

    Why: in an interface that streams content, words with both elements show continuously near the content, or at the
    top, at the bottom or in the background of the page.

    False positives: the page keeps the notice, but the service does not know and says `ui_persistent` false.

    When it fires:
    1. Open the interface of that service and scroll through a long answer; look for the notice.
    2. Keep the notice on screen, or roll back the release that lets it vanish.
    3. Watch the failure rate of this rule for 15 minutes.
    """
    label = event.explicit_label
    assert label is not None  # the guard asks for it
    if label.ui_persistent:
        return PASS
    if label.ui_persistent is None:
        return inconclusive("explicit_label.ui_persistent")
    return fail("no notice stays on screen in the interface", ui_persistent=label.ui_persistent)
