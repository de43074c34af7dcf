"""Synthetic events that break one rule each, and the facts that some of them run into.

A rule on its own where that is possible. Rules that ask only for a service's entry in the registry fail together, on the
unfinished services of the example policy.
"""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec.structs import replace

from hegui.rules.events import (
    CrisisResponse,
    ExplicitLabel,
    GenerationEvent,
    IngestEvent,
    ModelReference,
    Moderation,
    PromptRound,
    Propagation,
    SourceAssessment,
    WorkHit,
)
from hegui.rules.fact_tables import OptOutScheme, Suspension
from hegui.rules.facts import Notice, OptOut
from hegui.streams.simulated_events import (
    PROPAGATOR_CODE,
    Kind,
    blocked,
    chat,
    companion,
    creation,
    exported,
    file_label,
    homework,
    image,
    label_text,
    reading,
    scene,
    speech,
    spread,
    unlabelled,
    video,
)
from hegui.streams.simulated_records import (
    DAY_MS,
    annotated,
    content_code,
    crawled,
    licensed,
    person,
    synthetic,
    user_input,
)

REFUSED_DOMAIN = "refused.example"
NOTICED_HOLDER = "noticed-publisher"
NOTICED_WORK = "dci:noticed-work"
REFUSED_TEXT = content_code(-1, "text")
NOTICED_PICTURE = content_code(-1, "image")
NEARLY = 0b1011
"""Three bits."""
SUSPENDED_USER = person(200)
UNFILED = ModelReference(id="new-model", version="1", hosting_region="cn-north-1")


def opt_outs(now_ms: int) -> list[OptOut]:
    """Return the refusals that the faults run into, made an hour ago."""
    refused = [OptOut("user", person(n), "deny", now_ms - 3_600_000, source="app") for n in range(3)]
    named: list[tuple[OptOutScheme, str]] = [("domain", REFUSED_DOMAIN), ("work", REFUSED_TEXT)]
    return [*refused, *(OptOut(scheme, subject, "deny", now_ms - 3_600_000) for scheme, subject in named)]


def notices(now_ms: int) -> list[Notice]:
    """Return the rights holders' notices that the faults run into, received five days ago."""
    return [
        Notice("holder", NOTICED_HOLDER, now_ms - 5 * DAY_MS, reference="notice-1"),
        Notice("work", NOTICED_WORK, now_ms - 5 * DAY_MS, reference="notice-2"),
        Notice("fingerprint", NOTICED_PICTURE, now_ms - 5 * DAY_MS, reference="notice-3"),
    ]


def suspensions(now_ms: int) -> list[Suspension]:
    """Return the suspension that a fault runs into, due since an hour; the state agents make such records of abusive inputs."""
    return [Suspension("default", "chat-assistant", SUSPENDED_USER, now_ms - 3_600_000, now_ms + 400 * DAY_MS)]


def draft(number: int, at_ms: int) -> GenerationEvent:
    """Return an output of the service that is not finished: its registry entry lacks all that it can lack."""
    return replace(chat(number, at_ms), service="draft-bot", deep_synthesis_category=0)


E = TypeVar("E", GenerationEvent, IngestEvent)


def _with(event: E, group: str, **changes: Any) -> E:
    """Return the event with changes in one group of its fields."""
    return replace(event, **{group: replace(getattr(event, group), **changes)})


def _image(number: int, at_ms: int, *texts: str) -> GenerationEvent:
    """Return a picture with the given texts as file labels."""
    return replace(image(number, at_ms), implicit_label=file_label(*texts))


def _like(number: int, at_ms: int, work: str, percent: int) -> GenerationEvent:
    return replace(image(number, at_ms), work_hits=(WorkHit(work_id=work, similarity_percent=percent),))


def _rounds(number: int, at_ms: int) -> tuple[PromptRound, ...]:
    evidence = creation(number, at_ms).authorship
    assert evidence is not None
    return evidence.rounds or ()


def _unchained(number: int, at_ms: int) -> GenerationEvent:
    first, second = _rounds(number, at_ms)
    swapped = replace(second, record_sha256=first.record_sha256)
    return _with(creation(number, at_ms), "authorship", rounds=(first, swapped))


def _unseeded(number: int, at_ms: int) -> GenerationEvent:
    rounds = tuple(replace(step, seed="") for step in _rounds(number, at_ms))
    return _with(creation(number, at_ms), "authorship", rounds=rounds)


def _input(number: int) -> IngestEvent:
    """Return the input of a user who is no child."""
    return user_input(4 * number + 1)


def _declared_only(number: int, at_ms: int) -> GenerationEvent:
    """A user says that it is generated; the label that the service writes says more than that."""
    return replace(
        spread(number, at_ms),
        propagation=Propagation(metadata_label_found=False, user_declared=True, notice="possibly"),
    )


def _sent_on(
    number: int, at_ms: int, produce_id: str, propagate_id: str, propagator: str = PROPAGATOR_CODE
) -> GenerationEvent:
    text = label_text(produce_id, propagator=propagator, propagate_id=propagate_id)
    return replace(spread(number, at_ms), implicit_label=file_label(text))


FAULTS: dict[str, Kind] = {
    "AUT001": lambda n, t: _with(creation(n, t), "authorship", selected_output_sha256=""),
    "AUT002": lambda n, t: _with(creation(n, t), "authorship", reconstructed=True),
    "AUT003": lambda n, t: _with(creation(n, t), "authorship", rounds=_rounds(n, t)[:1], candidates=1, edits=0),
    "AUT004": _unseeded,
    "AUT005": lambda n, t: _with(creation(n, t), "authorship", terms_document=""),
    "AUT006": _unchained,
    "AUT007": lambda n, t: _with(creation(n, t), "authorship", contributors=3, allocation_document=""),
    "CMP001": lambda n, t: replace(
        companion(n, t),
        crisis_signal=True,
        crisis_response=CrisisResponse(comfort_given=True, contact_informed=False),
    ),
    "CPR001": lambda n, t: _like(n, t, "dci:some-work", 96),
    "CPR002": draft,
    "EVT001": lambda n, t: replace(image(n, t), role="propagator"),
    "EVT003": lambda n, t: _with(speech(n, t), "model", hosting_region="cn-south-1"),
    "FIL001": lambda n, t: replace(image(n, t), model=UNFILED),
    "FIL002": draft,
    "FIL003": draft,
    "FIL004": draft,
    "FIL005": lambda n, t: _with(image(n, t), "model", version="9"),
    "FIL006": lambda n, t: _with(chat(n, t), "model", filing_number="Example-20210101-0009"),
    "LBL001": lambda n, t: replace(image(n, t), explicit_label=ExplicitLabel(present=False)),
    "LBL002": lambda n, t: _with(image(n, t), "explicit_label", text="AI"),
    "LBL003": _image,
    "LBL004": lambda n, t: _image(n, t, '{"Label":"1","Producer":"x"}'),
    "LBL005": lambda n, t: _image(n, t, label_text(f"img-{n:08d}", value="2")),
    "LBL006": lambda n, t: _image(n, t, label_text(f"img-{n:08d}", "001191440300708461137T1XGW3")),
    "LBL007": lambda n, t: _with(chat(n, t), "explicit_label", ui_persistent=False, position="edge"),
    "LBL008": lambda n, t: _with(image(n, t), "explicit_label", height_px=12),
    "LBL009": lambda n, t: _with(video(n, t), "explicit_label", start_ms=1500),
    "LBL010": lambda n, t: _with(video(n, t), "explicit_label", height_px=24),
    "LBL011": lambda n, t: _with(speech(n, t), "explicit_label", ui_persistent=False, characters_per_minute=260),
    "LBL012": lambda n, t: _with(scene(n, t), "explicit_label", start_ms=4000),
    "LBL013": lambda n, t: _with(companion(n, t), "explicit_label", ui_persistent=False, position="start"),
    "LBL014": lambda n, t: _with(unlabelled(n, t), "unlabelled_request", log_reference=""),
    "LBL015": draft,
    "LBL016": draft,
    "LBL017": lambda n, t: replace(
        spread(n, t),
        propagation=Propagation(metadata_label_found=True, received_label=label_text(f"img-{n:08d}"), notice="none"),
    ),
    "LBL018": _declared_only,
    "LBL019": lambda n, t: _sent_on(n, t, f"img-{n:08d}", ""),
    "LBL020": lambda n, t: _sent_on(n, t, f"pic-{n:08d}", f"post-{n:08d}"),
    "LBL021": lambda n, t: replace(spread(n, t), service="draft-board"),
    "LBL022": lambda n, t: _image(n, t, *[label_text(f"img-{n:08d}")] * 2),
    "LBL023": lambda n, t: replace(
        _sent_on(n, t, f"img-{n:08d}", f"post-{n:08d}", "001191440300708461137T2XGW3"), delivery="download"
    ),
    "LBL024": lambda n, t: _image(n, t, label_text(f"img-{n:08d}", "ExampleStudio")),
    "LBL025": lambda n, t: _image(n, t, label_text("00000000")),
    "LBL026": lambda n, t: _with(image(n, t), "implicit_label", read_back=False),
    "LBL027": lambda n, t: _image(n, t, label_text(f"img-{n:08d}", security="")),
    "LBL028": lambda n, t: _image(n, t, label_text(f"img-{n:08d}"), label_text(f"pic-{n:08d}")),
    "LIK001": lambda n, t: _with(speech(n, t), "likeness", separate_consent=False),
    "LOC001": lambda n, t: replace(reading(n, t), log_region="eu-central-1"),
    "LOC002": lambda n, t: replace(
        _with(exported(n, t), "export", exemption=None), sensitive_personal_information=True
    ),
    "LOC003": lambda n, t: _with(
        replace(chat(n, t), prompt_personal_information=True), "model", hosting_region="us-east-1"
    ),
    "LOC004": lambda n, _: replace(licensed(n), storage_region="eu-central-1", data_class="important"),
    "LOC005": lambda n, t: _with(exported(n, t), "export", notice_given=False),
    "LOC006": lambda n, t: _with(exported(n, t), "export", legal_basis="consent", separate_consent_reference=""),
    "LOC007": lambda n, t: _with(exported(n, t), "export", impact_assessment_document=""),
    "LOC008": lambda n, t: _with(exported(n, t), "export", recipient_kind="authority", approval_document=""),
    "LOC009": lambda n, t: _with(exported(n, t), "export", exemption_document=""),
    "LOC010": lambda n, t: _with(
        exported(n, t), "export", exemption="art_6", free_trade_zone="shanghai-lingang", list_version="2024"
    ),
    "LOG001": lambda n, t: replace(image(n, t), log_retain_until_ms=t + 30 * DAY_MS),
    "MIN001": lambda n, t: replace(companion(n, t), age_band="under_14", persona="virtual_partner"),
    "MIN002": lambda n, t: _with(homework(n, t), "moderation", minor_risk_classes=(2,)),
    "MIN003": lambda n, t: replace(homework(n, t), guardian_consent_reference=""),
    "MOD001": lambda n, t: replace(image(n, t), moderation=Moderation(verdict="none", action="delivered")),
    "MOD002": lambda n, t: _with(blocked(2 * n, t), "moderation", action="delivered"),
    "MOD003": lambda n, t: _with(image(n, t), "model", version="8"),
    "MOD004": draft,
    "MOD005": draft,
    "MOD006": lambda n, t: _with(blocked(2 * n + 1, t), "moderation", action="delivered"),
    "MOD007": draft,
    "MOD008": lambda n, t: replace(chat(n, t), user_key=SUSPENDED_USER),
    "OPT001": lambda n, _: replace(_input(n), user_key=person(n % 3)),
    "OPT002": lambda n, t: _with(crawled(n, t), "crawl", robots="disallow"),
    "OPT003": lambda n, t: replace(crawled(n, t), url=f"https://news.{REFUSED_DOMAIN}/{n}"),
    "OPT004": lambda n, t: replace(chat(n, t), train_use=True, user_key=person(n % 3)),
    "OPT005": lambda n, _: replace(licensed(n), holder=NOTICED_HOLDER),
    "OPT006": lambda n, t: _like(n, t, NOTICED_WORK, 70),
    "OPT007": draft,
    "OPT008": lambda n, t: _with(crawled(n, t), "crawl", tdm_reservation=1),
    "OPT009": lambda n, t: replace(
        companion(n, t),
        user_key=person(100),
        train_use=True,
        sensitive_personal_information=True,
        training_consent_reference="",
    ),
    "OPT011": lambda n, t: replace(crawled(n, t), fingerprint=content_code(-1, "text", NEARLY)),
    "OPT012": lambda n, _: replace(licensed(n), fingerprint=content_code(-1, "image", NEARLY)),
    "TRN001": lambda n, _: replace(licensed(n), licence_document=""),
    "TRN002": lambda n, t: replace(crawled(n, t), assessment_reference=""),
    "TRN003": lambda n, t: _with(crawled(n, t), "crawl", technical_measures_bypassed=True),
    "TRN004": lambda n, t: replace(crawled(n, t), legally_blocked=True),
    "TRN005": lambda n, t: _with(crawled(n, t), "content_check", illegal=True, filtered=False, risk_codes=("A.1.f",)),
    "TRN006": lambda n, _: _with(licensed(n), "content_check", engine_version=""),
    "TRN007": lambda n, _: replace(licensed(n), work_licensed=False),
    "TRN008": lambda n, _: replace(licensed(n), rights_information_removed=True),
    "TRN009": lambda n, _: replace(_input(n), information_basis="none"),
    "TRN010": lambda n, _: replace(_input(n), sensitive_personal_information=True, separate_consent_reference=""),
    "TRN011": lambda n, _: replace(_input(n), minor_under_14=True, guardian_consent_reference=""),
    "TRN012": lambda n, _: replace(_input(n), biometric="face", separate_consent_reference=""),
    "TRN013": lambda n, _: replace(licensed(n), data_class="important"),
    "TRN014": lambda n, _: replace(synthetic(n), lineage_tagged=False),
    "TRN015": lambda n, t: _with(annotated(n, t), "annotation", review_reference=""),
    "TRN016": lambda n, _: replace(licensed(n), service="draft-corpus"),
    "TRN017": lambda n, _: replace(
        licensed(n), source_id=f"rejected-{n}", assessment=SourceAssessment(sampled=1000, illegal=51)
    ),
    "waived": lambda n, t: _with(chat(n, t), "moderation", decided_at_ms=t + 900),
    "inconclusive": lambda n, t: replace(chat(n, t), explicit_label=None, moderation=None),
}
"""Rule id (or kind of trouble) to the event that shows it. Missing: what no event's data can show alone, a clock that is far
off (EVT002, EVT005) and an identity that is used twice (EVT004, EVT006)."""
