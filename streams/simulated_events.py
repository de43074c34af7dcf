"""Sound synthetic events that match the example policy: no rule fails on them, none stays undecided. No real content, no persons.

Each holds what the rules need of it and little more. The same number and time give the same event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from msgspec.structs import replace

from hegui.rules.events import (
    Authorship,
    CrisisResponse,
    ExplicitLabel,
    Export,
    GenerationEvent,
    ImplicitLabel,
    IngestEvent,
    LabelSite,
    Likeness,
    Media,
    ModelReference,
    Moderation,
    PromptRound,
    Propagation,
    UnlabelledRequest,
    WorkHit,
)
from hegui.streams.simulated_records import (
    DAY_MS,
    annotated,
    crawled,
    licensed,
    person,
    sha,
    synthetic,
    user_input,
)

MODEL = ModelReference(
    id="example-model", version="7", hosting_region="cn-north-1", filing_number="Example-20230901-0001"
)
CODE = "001191440300708461136T1XGW3"
"""Provider code of those who make content."""
PROPAGATOR_CODE = "001191440300708461136T2XGW3"
"""Provider code of the service that spreads it."""


def label_text(
    produce_id: str,
    producer: str = CODE,
    *,
    value: str = "1",
    security: str = "c2VjdXJpdHk",
    propagator: str = "",
    propagate_id: str = "",
) -> str:
    """Return the text of a file label in the form of Annex E."""
    return (
        f'{{"Label":"{value}","ContentProducer":"{producer}","ProduceID":"{produce_id}","ReservedCode1":"{security}",'
        f'"ContentPropagator":"{propagator}","PropagateID":"{propagate_id}","ReservedCode2":""}}'
    )


def file_label(*texts: str, carrier: str = "xmp") -> ImplicitLabel:
    """Return what was read back from a finished file: one label for each text."""
    return ImplicitLabel(container=True, sites=tuple(LabelSite(carrier, text) for text in texts), read_back=True)


_PRIVATE = GenerationEvent(
    service="meter-reader",
    modality="text",
    model=MODEL,
    prompt_personal_information=False,
    exported=False,
    train_use=False,
    log_region="cn-north-1",
    authorship_claimed=False,
    likeness=Likeness(kind="none"),
)


def _allowed(at_ms: int) -> Moderation:
    return Moderation(
        verdict="allow", decided_at_ms=at_ms - 40, engine_version="3.2", action="delivered", risk_codes=()
    )


def _public(service: str, at_ms: int) -> GenerationEvent:
    return replace(
        _PRIVATE,
        service=service,
        moderation=_allowed(at_ms),
        log_retain_until_ms=at_ms + 190 * DAY_MS,
        age_band="adult",
        work_hits=(),
        user_key=person(100 + at_ms // 1000 % 50),
    )


def image(number: int, at_ms: int) -> GenerationEvent:
    """Return a sound download of a picture."""
    return replace(
        _public("image-studio", at_ms),
        modality="image",
        delivery="download",
        deep_synthesis_category=5,
        explicit_label=ExplicitLabel(present=True, text="人工智能生成", in_file=True, position="corner", height_px=40),
        implicit_label=file_label(label_text(f"img-{number:08d}")),
        media=Media(width_px=1024, height_px=768),
    )


def chat(number: int, at_ms: int) -> GenerationEvent:
    """Return a sound answer of the assistant."""
    return replace(
        _public("chat-assistant", at_ms),
        delivery="inline",
        deep_synthesis_category=1,
        explicit_label=ExplicitLabel(present=True, text="内容由AI生成", ui_persistent=True),
        user_key=person(100 + number % 50),
        prompt_personal_information=number % 4 == 0,
        train_use=number % 10 == 0,
    )


def reading(_number: int, _at_ms: int) -> GenerationEvent:
    """Return a sound output of an in-house service of critical infrastructure."""
    return replace(_PRIVATE, prompt_personal_information=True, age_band="adult")


def speech(number: int, at_ms: int) -> GenerationEvent:
    """Return a sound download of speech in the cloned voice of a person who agreed to it."""
    return replace(
        _public("media-studio", at_ms),
        modality="audio",
        delivery="download",
        deep_synthesis_category=2,
        explicit_label=ExplicitLabel(
            present=True,
            text="以下语音由人工智能合成",
            in_file=True,
            form="voice",
            position="start",
            characters_per_minute=140,
        ),
        implicit_label=file_label(label_text(f"voice-{number:08d}"), carrier="id3_txxx"),
        media=Media(voice_interaction=False),
        likeness=Likeness(kind="voice", separate_consent=True),
    )


def video(number: int, at_ms: int) -> GenerationEvent:
    """Return a sound download of a clip."""
    return replace(
        _public("media-studio", at_ms),
        modality="video",
        delivery="download",
        deep_synthesis_category=5,
        explicit_label=ExplicitLabel(
            present=True,
            text="人工智能生成",
            in_file=True,
            height_px=60,
            start_ms=0,
            duration_ms=3000,
            around_player=True,
        ),
        implicit_label=file_label(label_text(f"clip-{number:08d}"), carrier="mp4_keys"),
        media=Media(width_px=1920, height_px=1080),
    )


def spread(number: int, at_ms: int) -> GenerationEvent:
    """Return a picture that arrived with a label and is shown or handed on: the service says so, and adds itself to the label."""
    produce_id = f"img-{number:08d}"
    sent_on = label_text(produce_id, propagator=PROPAGATOR_CODE, propagate_id=f"post-{number:08d}")
    return replace(
        _public("community", at_ms),
        modality="image",
        delivery="download" if number % 2 else "inline",
        deep_synthesis_category=5,
        implicit_label=file_label(sent_on),
        propagation=Propagation(metadata_label_found=True, received_label=label_text(produce_id), notice="generated"),
    )


def scene(number: int, at_ms: int) -> GenerationEvent:
    """Return a sound virtual scene."""
    return replace(
        image(number, at_ms),
        modality="scene",
        deep_synthesis_category=4,
        explicit_label=ExplicitLabel(present=True, text="人工智能生成", in_file=True, form="text", start_ms=0),
    )


def unlabelled(number: int, at_ms: int) -> GenerationEvent:
    """Return a picture without explicit label, as its user asked for; all conditions for that are met."""
    request = UnlabelledRequest(
        requested_at_ms=at_ms - 5000,
        duty_accepted_at_ms=at_ms - 3000,
        log_retain_until_ms=at_ms + 190 * DAY_MS,
        agreement_version="2025-09",
        log_reference=f"request-{number}",
    )
    return replace(image(number, at_ms), explicit_label=ExplicitLabel(present=False), unlabelled_request=request)


def blocked(number: int, at_ms: int) -> GenerationEvent:
    """Return a translation in which moderation found a risk: it was blocked, or replaced where people still had to look at it."""
    found = replace(_allowed(at_ms), verdict="block", action="blocked", risk_codes=("A.1.f",))
    if number % 2:
        found = replace(found, verdict="review", action="replaced")
    return replace(chat(number, at_ms), deep_synthesis_category=0, moderation=found)


def companion(number: int, at_ms: int) -> GenerationEvent:
    """Return a sound answer of the companion service: to adults and minors, to one in a crisis, to one who lends it for training."""
    made = replace(
        _public("companion-app", at_ms),
        delivery="ui_stream",
        deep_synthesis_category=1,
        explicit_label=ExplicitLabel(present=True, text="内容由AI生成", ui_persistent=True),
        moderation=replace(_allowed(at_ms), minor_risk_classes=()),
        sensitive_personal_information=False,
        persona="other",
        crisis_signal=False,
        session_id=f"session-{at_ms // 3_600_000}-{number % 20}",
        usage_reminder_shown=False,
    )
    turn = number % 5
    if turn == 0:
        return replace(made, age_band="14_to_17")
    if turn == 1:
        answered = CrisisResponse(comfort_given=True, contact_informed=True)
        return replace(made, crisis_signal=True, crisis_response=answered)
    if turn == 2:
        lent = replace(made, train_use=True, sensitive_personal_information=True, user_key=person(100 + number % 50))
        return replace(lent, training_consent_reference=f"training-{number}")
    return made


def homework(number: int, at_ms: int) -> GenerationEvent:
    """Return a sound answer of the assistant to a child whose guardian agreed."""
    return replace(
        chat(number, at_ms),
        moderation=replace(_allowed(at_ms), minor_risk_classes=()),
        prompt_personal_information=True,
        train_use=False,
        age_band="under_14",
        guardian_consent_reference=f"guardian-{number % 50}",
    )


def creation(number: int, at_ms: int) -> GenerationEvent:
    """Return a picture whose author claims it, with the whole record of how it came about; it is a little like a known work."""
    rounds: list[PromptRound] = []
    chain = ""
    for turn in range(2):
        record = sha(2 * number + turn)
        chain = hashlib.sha256((chain + record).encode()).hexdigest()
        rounds.append(
            PromptRound(
                at_ms=at_ms - 60_000 * (2 - turn),
                prompt_sha256=sha(turn),
                parameters_sha256=sha(3),
                seed=str(4000 + turn),
                record_sha256=record,
                chain_sha256=chain,
            )
        )
    evidence = Authorship(
        rounds=tuple(rounds),
        selected_output_sha256=sha(number),
        model_version="7",
        recorded_at_ms=at_ms + 2000,
        reconstructed=False,
        candidates=4,
        edits=1,
        time_stamp_verified=True,
        terms_document="terms-2026-01",
        terms_give_rights=True,
        contributors=1,
    )
    hit = WorkHit(work_id="dci:some-work", similarity_percent=40)
    return replace(image(number, at_ms), authorship_claimed=True, authorship=evidence, work_hits=(hit,))


def exported(number: int, at_ms: int) -> GenerationEvent:
    """Return a chat that sent personal information abroad: to book a room, or under a free trade zone's list. Nothing lacks."""
    export = Export(
        entity="example-company",
        destination_country="SG",
        exemption="art_5_1",
        exemption_document=f"booking-{number}",
        recipient_kind="company",
        notice_given=True,
        legal_basis="contract",
        impact_assessment_document="impact-3",
    )
    if number % 2:
        export = replace(
            export,
            exemption="art_6",
            exemption_document="zone-registration-1",
            free_trade_zone="shanghai-lingang",
            list_version="2025",
        )
    return replace(
        chat(number, at_ms), prompt_personal_information=True, exported=True, export=export, data_class="general"
    )


Kind = Callable[[int, int], GenerationEvent | IngestEvent]
"""From a number and a time (epoch milliseconds) to an event."""

SOUND: dict[str, Kind] = {
    "image": image,
    "chat": chat,
    "reading": reading,
    "speech": speech,
    "video": video,
    "scene": scene,
    "unlabelled": unlabelled,
    "spread": spread,
    "blocked": blocked,
    "companion": companion,
    "homework": homework,
    "creation": creation,
    "exported": exported,
    "licensed": lambda n, _: licensed(n),
    "crawled": crawled,
    "user_input": lambda n, _: user_input(n),
    "synthetic": lambda n, _: synthetic(n),
    "annotated": annotated,
}
"""Name to kind of sound event."""
