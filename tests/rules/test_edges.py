"""Edges that a rule's own cases do not show: the exact moment, the exact evidence, the order of look-ups."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from hegui.rules.calendar import add_months
from hegui.rules.cases import BASE_AT_MS, BASE_GENERATION, GOOD_LABEL, case_snapshot
from hegui.rules.catalog import find_rules
from hegui.rules.core import Outcome, passes
from hegui.rules.engine import Engine
from hegui.rules.events import ExplicitLabel, GenerationEvent, ImplicitLabel, IngestEvent, LabelSite, UnlabelledRequest
from hegui.rules.evidence import reference
from hegui.rules.facts import OptOut
from hegui.rules.law import SHANGHAI
from hegui.rules.localisation.mechanism import held_at
from hegui.rules.policy import Entity, ExportMechanism
from tests.rules.builders import judged

RULES = {rule.id: rule for rule in find_rules()}


def says(rule_id: str, event: GenerationEvent | IngestEvent, **given: object) -> object:
    engine = Engine([RULES[rule_id]], case_snapshot(passes("edge", given=given)))
    return judged(engine, event)[rule_id]


@pytest.mark.parametrize(
    ("asked", "accepted", "kept", "outcome"),
    [(0, 0, 0, "pass"), (1, 0, 0, "fail"), (0, 1, 0, "fail"), (0, 0, -1, "fail"), (0, 0, 1, "pass")],
)
def test_a_request_counts_up_to_the_very_moment(asked: int, accepted: int, kept: int, outcome: str) -> None:
    request = UnlabelledRequest(
        requested_at_ms=BASE_AT_MS + asked,
        duty_accepted_at_ms=BASE_AT_MS + accepted,
        log_retain_until_ms=add_months(BASE_AT_MS, 6) + kept,
        agreement_version="2026-01",
        log_reference="request-1",
    )
    event = replace(BASE_GENERATION, explicit_label=ExplicitLabel(present=False), unlabelled_request=request)
    assert says("LBL014", event).outcome == outcome
    assert says("LBL001", event).outcome == "not_applicable"


@pytest.mark.parametrize(
    ("value", "shown"), [("2", "2"), ("3", "3"), ("AIGC", reference("AIGC")), ("13800138000", reference("13800138000"))]
)
def test_a_label_value_of_the_standard_is_shown_and_any_other_is_hashed(value: str, shown: str) -> None:
    site = LabelSite("xmp", GOOD_LABEL.replace('"Label":"1"', f'"Label":"{value}"'))
    event = replace(BASE_GENERATION, implicit_label=ImplicitLabel(container=True, sites=(site,)))
    assert says("LBL005", event).evidence == {"label": shown}


@pytest.mark.parametrize(
    ("rule_id", "changes", "shown"),
    [
        ("LBL001", {"explicit_label": ExplicitLabel(present=False)}, {"modality": "image", "delivery": "download"}),
        (
            "LBL001",
            {"explicit_label": ExplicitLabel(present=False), "modality": None, "delivery": None},
            {"modality": "unknown", "delivery": "unknown"},
        ),
        (
            "LBL003",
            {"implicit_label": ImplicitLabel(container=True, sites=())},
            {"modality": "image", "delivery": "download"},
        ),
    ],
)
def test_evidence_names_kind_and_way(rule_id: str, changes: dict, shown: dict) -> None:
    assert says(rule_id, replace(BASE_GENERATION, **changes)).evidence == shown


@pytest.mark.parametrize(
    ("values", "agree"),
    [
        ((GOOD_LABEL, GOOD_LABEL), True),
        ((GOOD_LABEL, GOOD_LABEL, GOOD_LABEL.replace("4c8a5c1e", "5d9b6d2f")), False),
        ((GOOD_LABEL, "[1]"), False),
        (("[1]", "[1]"), False),
    ],
)
def test_several_labels_agree_when_they_are_readable_and_alike(values: tuple[str, ...], agree: bool) -> None:
    sites = tuple(LabelSite("xmp", value) for value in values)
    event = replace(BASE_GENERATION, implicit_label=ImplicitLabel(container=True, sites=sites))
    alike, different = says("LBL022", event), says("LBL028", event)
    assert (alike if agree else different).evidence == {"sites": len(values)}
    assert (different if agree else alike).outcome in {Outcome.PASS, Outcome.NOT_APPLICABLE}


def test_a_refused_work_is_named_before_a_refused_content() -> None:
    digest = "ab" * 32
    event = IngestEvent(service="pipeline", source_type="open", work_id="isbn:1", content_sha256=digest)
    optouts = tuple(OptOut(scheme, key, "deny", 1) for scheme, key in (("work", "isbn:1"), ("content", digest)))
    assert says("OPT003", event, optouts=optouts).evidence["matched"] == "work"
    assert says("OPT003", event, optouts=optouts[1:]).evidence["matched"] == "content"


@pytest.mark.parametrize(
    ("at_ms", "held"),
    [(BASE_AT_MS - 1, False), (BASE_AT_MS, True), (BASE_AT_MS + 999, True), (BASE_AT_MS + 1_000, False)],
)
def test_a_mechanism_holds_from_its_first_to_before_its_last_millisecond(at_ms: int, held: bool) -> None:
    start = datetime.fromtimestamp(BASE_AT_MS / 1000, SHANGHAI)
    mechanism = ExportMechanism(
        kind="certification", reference="r", valid_from=start, valid_to=start + timedelta(seconds=1)
    )
    assert held_at(Entity(name="e", export_mechanisms=(mechanism,)), at_ms) == ({"certification"} if held else set())
