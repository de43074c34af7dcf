"""What the evaluator tells the ledgers of an event: what is absent, what is ahead of its time, what belongs to nobody."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from hegui.rules.case_events import ComplaintEvent, IncidentEvent
from hegui.rules.cases import BASE_GENERATION, BASE_INGEST, BASE_POLICY, PERSON
from hegui.rules.events import (
    ComplaintEnvelope,
    ContentCheck,
    GenerationEnvelope,
    GenerationEvent,
    ImplicitLabel,
    IncidentEnvelope,
    IngestEvent,
    LabelSite,
    Moderation,
    Propagation,
    SourceAssessment,
)
from hegui.rules.facts import Facts, Snapshot
from hegui.rules.ledgers.coverage import CoverageSum
from hegui.rules.ledgers.labels import ContentLabelUse, ProduceIdUse
from hegui.rules.ledgers.recording import (
    Ingested,
    abusive_input,
    assessment,
    case_update,
    corrected,
    label_use,
    recorders,
    session_use,
)

NOW_MS = 1_780_000_000_000
GOOD = (
    '{"Label":"1","ContentProducer":"001191440300708461136T1XGW3","ProduceID":"4c8a","ReservedCode1":"",'
    '"ContentPropagator":"","PropagateID":"","ReservedCode2":""}'
)
NO_NUMBER = GOOD.replace("4c8a", "")


def facts(service: str | None = "svc") -> Facts:
    snapshot = Snapshot(BASE_POLICY)
    return Facts(snapshot, NOW_MS, "default", snapshot.services.get(("default", service or "")))


def told(
    kind: type, recorder: Any, data: Any, *, of: Facts | None = None, broker_ms: int = NOW_MS + 20, revision: int = 0
) -> tuple[Any, ...]:
    time = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    envelope = kind(id="e-1", source="s", time=time, specversion="1.0", revision=revision, data=data)
    found: tuple[Any, ...] = recorder(envelope, of or facts(), NOW_MS, broker_ms)
    return found


def site(value: str) -> ImplicitLabel:
    return ImplicitLabel(container=True, sites=(LabelSite("xmp", value),))


CONTENT = "ab" * 32


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"implicit_label": None, "output_sha256": CONTENT}, []),
        ({"implicit_label": site(GOOD), "output_sha256": None}, []),
        ({"implicit_label": site(GOOD), "output_sha256": CONTENT}, [ProduceIdUse, ContentLabelUse]),
        ({"implicit_label": site(NO_NUMBER), "output_sha256": CONTENT}, [ContentLabelUse]),
        ({"implicit_label": ImplicitLabel(container=True, sites=()), "output_sha256": CONTENT}, []),
        (
            {
                "implicit_label": ImplicitLabel(container=True, sites=()),
                "output_sha256": None,
                "propagation": Propagation(received_sha256=CONTENT),
            },
            [ContentLabelUse],
        ),
        (
            {"implicit_label": site(GOOD), "output_sha256": None, "propagation": Propagation(received_sha256=CONTENT)},
            [],
        ),
    ],
)
def test_what_an_output_says_of_labels(changes: dict[str, Any], kinds: list[type]) -> None:
    event: GenerationEvent = replace(BASE_GENERATION, **changes)
    found = told(GenerationEnvelope, label_use, event)
    assert [type(entry) for entry in found] == kinds
    assert CONTENT not in str(found)


def test_an_input_of_nobody_is_counted_for_nobody() -> None:
    assert told(GenerationEnvelope, abusive_input, replace(BASE_GENERATION, user_key=None)) == ()
    (entry,) = told(GenerationEnvelope, abusive_input, replace(BASE_GENERATION, user_key=PERSON))
    assert (entry.user, entry.inputs[0].number) == (PERSON, -1)


@pytest.mark.parametrize(
    ("verdict", "user", "refused"),
    [
        ("allow", PERSON, [False]),
        ("review", PERSON, [False]),
        ("block", PERSON, []),
        (None, PERSON, []),
        ("allow", None, []),
    ],
)
def test_a_revision_takes_back_that_an_input_was_refused(verdict: Any, user: str | None, refused: list[bool]) -> None:
    event = replace(BASE_GENERATION, user_key=user, moderation=Moderation(verdict="allow", input_verdict=verdict))
    found = told(GenerationEnvelope, corrected, event, revision=2)
    assert [one.refused for entry in found for one in entry.inputs] == refused
    assert all(one.revision == 2 for entry in found for one in entry.inputs)
    assert told(GenerationEnvelope, corrected, replace(event, moderation=None), revision=2) == ()


def test_a_revision_takes_back_that_a_label_was_lost() -> None:
    indexed = replace(BASE_POLICY.services[0], label_index=True)
    of = Facts(Snapshot(replace(BASE_POLICY, services=(indexed,))), NOW_MS, "default", indexed)
    sent_on = replace(BASE_GENERATION, moderation=None, propagation=Propagation(received_sha256=CONTENT))
    bare = replace(sent_on, implicit_label=ImplicitLabel(container=True, sites=()))
    (entry,) = told(GenerationEnvelope, corrected, replace(sent_on, implicit_label=site(GOOD)), of=of, revision=1)
    (before,) = told(GenerationEnvelope, label_use, bare, of=of)
    assert entry.content == before.content
    assert before.merged(entry).lost == entry.lost
    assert entry.lost[0].labelled and not before.lost[0].labelled
    for event in (bare, replace(sent_on, implicit_label=site(GOOD), propagation=None)):
        assert told(GenerationEnvelope, corrected, event, of=of, revision=1) == ()
    assert told(GenerationEnvelope, corrected, replace(sent_on, implicit_label=site(GOOD)), revision=1) == ()
    assert told(ComplaintEnvelope, corrected, ComplaintEvent(service="svc"), revision=1) == ()


def test_an_output_without_session_is_told_as_such_and_its_reminder_is_nobodys() -> None:
    (entry,) = told(GenerationEnvelope, session_use, replace(BASE_GENERATION, usage_reminder_shown=True))
    assert (entry.session, entry.reminders, entry.told) == ("", (), True)


@pytest.mark.parametrize(("of", "joined"), [("session", False), ("user", True)])
def test_the_clock_is_that_of_a_session_or_of_a_user_as_the_policy_says(of: Any, joined: bool) -> None:
    service = replace(BASE_POLICY.services[0], continuous_use_of=of)
    asked = Facts(Snapshot(replace(BASE_POLICY, services=(service,))), NOW_MS, "default", service)
    used = [
        told(GenerationEnvelope, session_use, replace(BASE_GENERATION, session_id=name, user_key=PERSON), of=asked)[0]
        for name in ("s-1", "s-2")
    ]
    assert (used[0].session == used[1].session) is joined
    assert PERSON not in str(used)
    nobody = replace(BASE_GENERATION, session_id=None, user_key=None)
    assert told(GenerationEnvelope, session_use, nobody, of=asked)[0].session == ""


@pytest.mark.parametrize(
    ("received_at_ms", "answered_at_ms", "opened_ms", "done_ms"),
    [
        (None, None, NOW_MS, None),
        (NOW_MS - 5, None, NOW_MS - 5, None),
        (NOW_MS + 5, None, NOW_MS, None),
        (NOW_MS - 5, NOW_MS + 10, NOW_MS - 5, NOW_MS + 10),
        (NOW_MS - 5, NOW_MS + 10**9, NOW_MS - 5, NOW_MS + 20),
    ],
    ids=[
        "absent: the event",
        "stated",
        "ahead of the event",
        "done after the event's time",
        "done ahead of the broker",
    ],
)
def test_the_moments_of_a_case(
    received_at_ms: int | None, answered_at_ms: int | None, opened_ms: int, done_ms: int | None
) -> None:
    event = ComplaintEvent(service="svc", received_at_ms=received_at_ms, answered_at_ms=answered_at_ms)
    (entry,) = told(ComplaintEnvelope, case_update, event, revision=3)
    assert (entry.opened_ms, entry.done_ms, entry.revision, entry.kind) == (opened_ms, done_ms, 3, "complaint")
    assert "e-1" not in entry.case


def test_an_incident_without_the_reference_of_its_report_is_not_reported() -> None:
    event = IncidentEvent(service="svc", reported_at_ms=NOW_MS)
    (entry,) = told(IncidentEnvelope, case_update, event)
    assert entry.done_ms is None
    (entry,) = told(IncidentEnvelope, case_update, replace(event, report_reference="r-1"))
    assert entry.done_ms == NOW_MS


def test_a_case_of_a_service_that_the_policy_does_not_know_belongs_to_other() -> None:
    (entry,) = told(ComplaintEnvelope, case_update, ComplaintEvent(service="unheard-of"), of=facts(None))
    assert entry.service == "other"


def test_an_assessment_ahead_of_its_event_is_dated_by_the_event_and_one_without_time_or_source_is_none() -> None:
    event = replace(BASE_INGEST, assessment=SourceAssessment(sampled=5, illegal=1), assessed_at_ms=NOW_MS + 10**9)
    found = assessment(event, "default", NOW_MS)
    assert found is not None
    assert (found.assessed_at_ms, found.assessed, found.assessed_illegal) == (NOW_MS, 5, 1)
    for changes in ({"assessed_at_ms": None}, {"source_id": None}, {"assessment": None}):
        assert assessment(replace(event, **changes), "default", NOW_MS) is None


UNCHECKED = replace(BASE_INGEST, content_check=None)
SOUND = replace(BASE_INGEST, content_check=ContentCheck(illegal=False))
ILLEGAL = replace(BASE_INGEST, content_check=ContentCheck(illegal=True))


@pytest.mark.parametrize(
    ("told_of", "records", "sampled", "illegal"),
    [
        ([(SOUND, 0)], 1, 1, 0),
        ([(SOUND, 0), (SOUND, 0)], 1, 1, 0),
        ([(ILLEGAL, 0), (ILLEGAL, 0)], 1, 1, 1),
        ([(SOUND, 0), (ILLEGAL, 1)], 1, 1, 1),
        ([(ILLEGAL, 0), (SOUND, 1)], 1, 1, 0),
        ([(ILLEGAL, 0), (SOUND, 1), (ILLEGAL, 0)], 1, 1, 0),
        ([(ILLEGAL, 0), (UNCHECKED, 1)], 1, 1, 1),
        ([(UNCHECKED, 0), (ILLEGAL, 1), (ILLEGAL, 1)], 1, 1, 1),
        ([(UNCHECKED, 0), (ILLEGAL, 1), (SOUND, 2), (ILLEGAL, 3)], 1, 1, 1),
        ([(ILLEGAL, 1)], 0, 1, 1),
        ([(ILLEGAL, 1), (SOUND, 0)], 1, 1, 1),
    ],
    ids=[
        "once",
        "sent twice",
        "illegal, sent twice",
        "found illegal afterwards",
        "taken back",
        "taken back, and the first word told again",
        "a revision that says nothing of a check",
        "checked afterwards, told twice",
        "found one way and the other",
        "a revision of a record that is not known any more",
        "a revision that came before its record",
    ],
)
def test_a_record_counts_once_and_as_its_highest_revision_says(
    told_of: list[tuple[IngestEvent, int]], records: int, sampled: int, illegal: int
) -> None:
    one, counted = Ingested(), None
    for event, revision in told_of:
        counted = one.add(event, revision, NOW_MS, counted)
    assert (one.records, one.sampled, one.illegal, one.last_ms) == (records, sampled, illegal, NOW_MS)


def test_what_an_earlier_block_counted_is_taken_back_in_the_block_of_the_revision() -> None:
    first, later = Ingested(), Ingested()
    later.add(SOUND, 1, NOW_MS, first.add(ILLEGAL, 0, NOW_MS))
    assert (later.records, later.sampled, later.illegal) == (0, 0, -1)


def test_events_are_asked_only_what_concerns_them() -> None:
    svc = BASE_POLICY.services[0]
    assert recorders(GenerationEvent, svc, {}) == ()
    assert recorders(GenerationEvent, None, {"moderation.input_blocked": True}) == (abusive_input,)
    asked = replace(svc, companion=True, label_index=True)
    assert recorders(GenerationEvent, asked, {"moderation.input_blocked": None}) == (session_use, label_use)
    assert recorders(ComplaintEvent, None, {}) == (case_update,)


def test_label_coverage_belongs_to_its_service() -> None:
    entry = CoverageSum(tenant="t", service="svc", modality="image", label="explicit", outputs={"pass": 1})
    assert entry.begin().subject == "svc"
    assert entry.merged(replace(entry, outputs={"fail": 2})).outputs == {"pass": 1, "fail": 2}
