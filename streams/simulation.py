"""Synthetic traffic that matches the example policy: mostly sound events, and faults of every family. No real content, no persons.

The same seed gives the same events but for their times. Used by `hegui simulate`, the demo, the tests and the benchmark.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from hegui.rules.events import (
    Authorship,
    CrawlRecord,
    Envelope,
    ExplicitLabel,
    Export,
    GenerationEnvelope,
    GenerationEvent,
    ImplicitLabel,
    IngestEnvelope,
    IngestEvent,
    LabelSite,
    ModelReference,
    Moderation,
    PromptRound,
)
from hegui.rules.facts import OptOut

REFUSED_DOMAIN = "refused.example"
MODEL = ModelReference(id="example-model", version="7", hosting_region="cn-north-1")
UNFILED = ModelReference(id="new-model", version="1", hosting_region="cn-north-1")
ABROAD = ModelReference(id="example-model", version="7", hosting_region="us-east-1")
CODE = "001191440300708461136T1XGW3"


def person(number: int) -> str:
    """Return the keyed hash of a made-up person."""
    return "k1:" + hashlib.sha256(b"nobody %d" % number).hexdigest()


def opt_outs(now_ms: int) -> list[OptOut]:
    """Return the refusals that the faults run into, made an hour ago."""
    refused = [OptOut("user", person(n), "deny", now_ms - 3_600_000, source="app") for n in range(3)]
    return [*refused, OptOut("domain", REFUSED_DOMAIN, "deny", now_ms - 3_600_000)]


def label(produce_id: str, producer: str = CODE) -> ImplicitLabel:
    """Return a file label in the form of Annex E."""
    value = (
        f'{{"Label":"1","ContentProducer":"{producer}","ProduceID":"{produce_id}","ReservedCode1":"",'
        '"ContentPropagator":"","PropagateID":"","ReservedCode2":""}'
    )
    return ImplicitLabel(container=True, sites=(LabelSite("xmp", value),))


def _sha(number: int) -> str:
    return hashlib.sha256(b"synthetic %d" % number).hexdigest()


def image(number: int, at_ms: int) -> GenerationEvent:
    """Return a sound download of a picture."""
    return GenerationEvent(
        service="image-studio",
        modality="image",
        delivery="download",
        deep_synthesis_category=5,
        explicit_label=ExplicitLabel(present=True, text="人工智能生成", in_file=True),
        implicit_label=label(f"img-{number:08d}"),
        moderation=Moderation(verdict="allow", decided_at_ms=at_ms - 40, engine_version="3.2", action="delivered"),
        delivered_at_ms=at_ms,
        model=MODEL,
        user_key=person(100 + number % 50),
        prompt_personal_information=False,
        sensitive_personal_information=False,
        exported=False,
        data_class="general",
        train_use=False,
        log_region="cn-north-1",
        authorship_claimed=False,
        output_sha256=_sha(number),
    )


def chat(number: int, at_ms: int) -> GenerationEvent:
    """Return a sound answer of the assistant."""
    return GenerationEvent(
        service="chat-assistant",
        modality="text",
        delivery="inline",
        deep_synthesis_category=1,
        explicit_label=ExplicitLabel(present=True, text="内容由AI生成", ui_persistent=True),
        implicit_label=ImplicitLabel(container=False),
        moderation=Moderation(verdict="allow", decided_at_ms=at_ms - 15, engine_version="3.2", action="delivered"),
        delivered_at_ms=at_ms,
        model=MODEL,
        user_key=person(100 + number % 50),
        prompt_personal_information=number % 4 == 0,
        sensitive_personal_information=False,
        exported=False,
        data_class="general",
        train_use=number % 10 == 0,
        log_region="cn-north-1",
        authorship_claimed=False,
    )


def reading(number: int, at_ms: int) -> GenerationEvent:
    """Return a sound output of an in-house service of critical infrastructure."""
    return replace(
        chat(number, at_ms),
        service="meter-reader",
        deep_synthesis_category=0,
        prompt_personal_information=True,
        train_use=False,
    )


def licensed(number: int) -> IngestEvent:
    """Return a sound record of a licensed corpus."""
    return IngestEvent(
        service="crawler",
        dataset="corpus-7",
        purpose="pretrain",
        source_type="licensed",
        source_id=f"publisher-{number % 5}",
        content_sha256=_sha(number),
        licence_document=f"licence-{number % 5}",
        personal_information=False,
        data_class="general",
        storage_region="cn-north-1",
    )


def crawled(number: int, at_ms: int) -> IngestEvent:
    """Return a sound crawled record."""
    crawl = CrawlRecord(
        fetched_at_ms=at_ms,
        robots="allow",
        robots_seen_at_ms=at_ms - 60_000,
        tdm_reservation=0,
        noai=False,
        collection_record=f"crawl-{number}",
    )
    url = f"https://site-{number % 9}.example/page/{number}"
    return replace(
        licensed(number),
        source_type="crawl",
        source_id=f"site-{number % 9}",
        licence_document=None,
        url=url,
        crawl=crawl,
    )


def user_input(number: int) -> IngestEvent:
    """Return a sound record made of a user's input."""
    return replace(
        licensed(number),
        source_type="user_input",
        source_id="conversations",
        licence_document=None,
        user_key=person(100 + number % 50),
        user_authorisation=f"authorisation-{number}",
    )


Fault = Callable[[int, int], GenerationEvent | IngestEvent]

FAULTS: dict[str, Fault] = {
    "LBL001": lambda n, t: replace(image(n, t), explicit_label=ExplicitLabel(present=False)),
    "LBL002": lambda n, t: replace(image(n, t), explicit_label=ExplicitLabel(present=True, text="AI", in_file=True)),
    "LBL003": lambda n, t: replace(image(n, t), implicit_label=ImplicitLabel(container=True, sites=())),
    "LBL004": lambda n, t: replace(
        image(n, t),
        implicit_label=ImplicitLabel(container=True, sites=(LabelSite("xmp", '{"Label":"1","Producer":"x"}'),)),
    ),
    "LBL006": lambda n, t: replace(image(n, t), implicit_label=label(f"img-{n:08d}", "001191440300708461137T1XGW3")),
    "OPT001": lambda n, _: replace(user_input(n), user_key=person(n % 3)),
    "OPT002": lambda n, t: replace(
        crawled(n, t),
        crawl=CrawlRecord(
            fetched_at_ms=t,
            robots="disallow",
            robots_seen_at_ms=t - 60_000,
            tdm_reservation=0,
            noai=False,
            collection_record="c",
        ),
    ),
    "OPT003": lambda n, t: replace(crawled(n, t), url=f"https://news.{REFUSED_DOMAIN}/{n}"),
    "OPT004": lambda n, t: replace(chat(n, t), train_use=True, user_key=person(n % 3)),
    "LOC001": lambda n, t: replace(reading(n, t), log_region="eu-central-1"),
    "LOC002": lambda n, t: replace(
        chat(n, t),
        exported=True,
        export=Export(entity="example-company", destination_country="SG"),
        sensitive_personal_information=True,
    ),
    "LOC003": lambda n, t: replace(chat(n, t), prompt_personal_information=True, model=ABROAD),
    "LOC004": lambda n, _: replace(licensed(n), storage_region="eu-central-1", data_class="important"),
    "TRN001": lambda n, _: replace(licensed(n), licence_document=""),
    "MOD001": lambda n, t: replace(image(n, t), moderation=Moderation(verdict="none")),
    "FIL001": lambda n, t: replace(image(n, t), model=UNFILED),
    "AUT001": lambda n, t: replace(
        image(n, t),
        authorship_claimed=True,
        authorship=Authorship(rounds=(PromptRound(at_ms=t),), selected_output_sha256=_sha(n), model_version="7"),
    ),
    "waived": lambda n, t: replace(
        chat(n, t), moderation=Moderation(verdict="allow", decided_at_ms=t + 900, engine_version="3.2")
    ),
    "inconclusive": lambda n, t: replace(chat(n, t), explicit_label=None, moderation=None),
}
"""Rule id (or kind of trouble) to the event that shows it."""


def envelope(data: GenerationEvent | IngestEvent, number: int, at_ms: int, run: str) -> Envelope:
    """Return the CloudEvent of an event's data."""
    time = datetime.fromtimestamp(at_ms / 1000, UTC)
    source = f"simulation/{data.service}"
    if isinstance(data, GenerationEvent):
        return GenerationEnvelope(id=f"{run}-{number}", source=source, time=time, specversion="1.0", data=data)
    return IngestEnvelope(id=f"{run}-{number}", source=source, time=time, specversion="1.0", data=data)


def traffic(
    clock_ms: Callable[[], int], *, seed: int = 1, faults: float = 0.05, run: str = "sim"
) -> Iterator[Envelope]:
    """Yield events without end: of every hundred about `faults * 100` faulty, the kinds of fault in turn.

    Args:
        clock_ms: the events' time, epoch milliseconds.
        seed: same seed, same events but for the times.
        faults: share of faulty events, 0 to 1.
        run: prefix of the events' ids.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    kinds = list(FAULTS.values())
    faulty = 0
    number = 0
    while True:
        at_ms = clock_ms()
        if chance.random() < faults:
            data = kinds[faulty % len(kinds)](number, at_ms)
            faulty += 1
        else:
            pick = chance.random()
            if pick < 0.35:
                data = image(number, at_ms)
            elif pick < 0.7:
                data = chat(number, at_ms)
            elif pick < 0.75:
                data = reading(number, at_ms)
            elif pick < 0.85:
                data = licensed(number)
            elif pick < 0.97:
                data = crawled(number, at_ms)
            else:
                data = user_input(number)
        yield envelope(data, number, at_ms, run)
        number += 1


def encode(event: Envelope) -> bytes:
    """Return the structured CloudEvent as JSON."""
    return msgspec.json.encode(event)
