"""LIK001."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, Likeness
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


@rule(
    "LIK001",
    on=GenerationEvent,
    zh="未取得本人单独同意编辑或克隆人脸、人声",
    severity="critical",
    basis=(law.YIN_VOICE_CASE, law.DEEP_SYNTHESIS_ART_14, law.CIVIL_CODE_LIKENESS),
    when={"likeness.kind": {"face", "voice"}},
    waivable=False,
    cases=(
        fails("face, no consent", likeness=Likeness(kind="face", separate_consent=False)),
        fails("voice, no consent", likeness=Likeness(kind="voice", separate_consent=False)),
        fails(
            "service not offered to the public",
            given={"svc": {"public_cn": False}},
            likeness=Likeness(kind="voice", separate_consent=False),
        ),
        passes("face, consent given", likeness=Likeness(kind="face", separate_consent=True)),
        passes("voice, consent given", likeness=Likeness(kind="voice", separate_consent=True, consent_reference="c")),
        skips("nobody identifiable", likeness=Likeness(kind="none", separate_consent=False)),
        skips(
            "before the law",
            at="2024-04-22T23:59:59+08:00",
            likeness=Likeness(kind="face", separate_consent=False),
        ),
        unclear("consent unknown", likeness=Likeness(kind="voice")),
        unclear("nothing said", likeness=None),
    ),
)
def likeness_without_consent(event: GenerationEvent, facts: Facts) -> Result:
    """The face or voice of an identifiable person was edited or cloned without that person's separate consent.

    Why: a voice that people recognise is protected like a face; making and using it by AI needs the person's own
    consent. Consent to a recording, or by the holder of the rights in it, is not enough.

    When it fires:
    1. Read `kind` in the evidence; find the event by its `source` and `id` and take the output down.
    2. Stop that face or voice in the service: the template, the cloned voice, the adapter.
    3. Ask the owning team for the person's consent; without one, delete what was made from the likeness.
    """
    likeness = event.likeness
    if likeness is None or likeness.separate_consent is None:
        return inconclusive("likeness.separate_consent")
    if likeness.separate_consent:
        return PASS
    return fail("no separate consent of the person", kind=Code(likeness.kind))
