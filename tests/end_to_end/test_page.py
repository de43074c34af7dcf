"""From an event to the page and back: what every hop of the run in `acts.py` has to show."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

from hegui.rules.violations import identity_uid, result_uid
from tests.end_to_end.acts import (
    DEAD_LETTERS,
    FINDINGS,
    GENERATION,
    INGEST,
    VIOLATIONS,
    WAIT_S,
    Alarm,
    Curtain,
    Relief,
    Scene,
    about,
)
from tests.end_to_end.deployment import RECEIVERS, ROOT, RUNBOOK_BASE, STOP_S
from tests.end_to_end.log_trouble import trouble
from tests.end_to_end.topics import Read

pytestmark = pytest.mark.end_to_end

ISSUES = {
    ("LBL001", "image-studio"),
    ("LBL002", "image-studio"),
    ("MOD001", "chat-assistant"),
    ("TRN001", "crawler"),
    ("OPT010", "crawler"),
}
PAGED = {"LBL001", "TRN001", "OPT010"}
OF_INGEST = {"TRN001", "OPT010"}
OUTCOMES = {kind: (kind, "fail") for kind in ("LBL001", "LBL002", "TRN001")} | {"waived": ("MOD001", "waived")}
"""Kind of fault to the rule and the outcome that its violation must show."""


def results(violations: list[Read]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every violation's results, each with its violation."""
    return [(made, result) for made in (read.json() for read in violations) for result in made["results"]]


def findings_of(relief: Relief, rule: str) -> list[dict[str, Any]]:
    return [found for found in (read.json() for read in relief.findings) if found["compliance"]["control"] == rule]


def in_repository(url: str) -> Path:
    assert url.startswith(RUNBOOK_BASE + "/"), url
    return ROOT / url.removeprefix(RUNBOOK_BASE + "/")


# --- on Kafka --------------------------------------------------------------------------------------------------------


def test_topics_are_created(scene: Scene) -> None:
    made = {line.split()[1] for line in scene.created.splitlines() if line.startswith("created")}
    assert {GENERATION, INGEST, VIOLATIONS, FINDINGS, DEAD_LETTERS} <= made


def test_every_failing_event_has_its_violation_whatever_its_encoding(scene: Scene, curtain: Curtain) -> None:
    faults = scene.traffic.faults
    assert {sent.encoding for sent in faults if sent.kind == "LBL001"} == {"structured", "binary"}
    wanted = [
        (identity_uid("default", sent.source, sent.id), *OUTCOMES[sent.kind], sent.at_ms)
        for sent in faults
        if sent.kind in OUTCOMES
    ]
    found = [
        (made["uid"], result["rule"], result["outcome"], made["occurred_at_ms"])
        for made, result in results(curtain.violations)
        if result["rule"] != "OPT010"
    ]
    assert Counter(found) == Counter(wanted)


def test_the_record_that_was_ingested_before_the_opt_out_is_found_once(scene: Scene, curtain: Curtain) -> None:
    (sent,) = scene.traffic.refused
    wanted = [(result_uid("OPT010", "default", sent.source, sent.id), "fail", sent.id, sent.at_ms)]
    found = [
        (result["uid"], result["outcome"], made["id"], made["occurred_at_ms"])
        for made, result in results(curtain.violations)
        if result["rule"] == "OPT010"
    ]
    assert found == wanted


def test_violations_say_what_failed_and_where(scene: Scene, curtain: Curtain) -> None:
    uids = {
        result_uid("LBL001", "default", sent.source, sent.id) for sent in scene.traffic.faults if sent.kind == "LBL001"
    }
    assert {result["uid"] for _, result in results(curtain.violations) if result["rule"] == "LBL001"} == uids
    for read in curtain.violations:
        event = from_binary_event(KafkaMessage(read.headers, None, read.value))
        assert (event.get_type(), event.get_source()) == ("hegui.violation.v1", "hegui")
        assert event.get_id() == read.json()["uid"]
    for made, result in results(curtain.violations):
        assert made["topic"] == (INGEST if result["rule"] in OF_INGEST else GENERATION)
        assert result["clauses"]
        assert result["stage"] == ("sandbox" if result["rule"] == "LBL002" else "stable")
        assert result.get("waiver") == ("W-1" if result["rule"] == "MOD001" else None)


def test_findings_are_ocsf_compliance_findings_in_cloudevents(relief: Relief) -> None:
    ids = []
    for read in relief.findings:
        event = from_binary_event(KafkaMessage(read.headers, None, read.value))
        assert (event.get_type(), event.get_source()) == ("hegui.finding.v1", "hegui")
        assert event.get_datacontenttype() == "application/json"
        ids.append(event.get_id())
        found = read.json()
        model = ComplianceFinding(**found)
        assert model.class_uid == 2003
        assert model.type_uid.value == 200300 + model.activity_id.value
        assert read.key == model.finding_info.uid.encode()
        assert set(found) - {"unmapped"} <= set(ComplianceFinding.model_fields), "OCSF knows every field"
        assert in_repository(found["finding_info"]["src_url"]).is_file()
    assert len(set(ids)) == len(ids)


def test_issues_open_once_and_close(relief: Relief) -> None:
    assert {(f.json()["compliance"]["control"], f.json()["resources"][0]["name"]) for f in relief.findings} == ISSUES
    for rule, _ in ISSUES:
        found = findings_of(relief, rule)
        assert len({finding["finding_info"]["uid"] for finding in found}) == 1
        activities = [finding["activity_name"] for finding in found]
        assert activities == ["Create", *["Update"] * (len(found) - 2), "Close"]
        last = found[-1]
        assert (last["status"], last["status_id"]) == ("Resolved", 4)
        assert (last["compliance"]["status"], last["compliance"]["status_id"]) == ("Pass", 1)


def test_the_waived_failure_is_a_suppressed_finding(relief: Relief) -> None:
    found = findings_of(relief, "MOD001")
    assert {finding["status"] for finding in found[:-1]} == {"Suppressed"}
    assert found[-1]["unmapped"]["failures"] == 0 < found[-1]["unmapped"]["waived"]


def test_the_sandbox_failure_is_a_finding(relief: Relief) -> None:
    found = findings_of(relief, "LBL002")
    assert found[0]["status"] == "New"
    assert all("stage:sandbox" in finding["metadata"]["labels"] for finding in found)


def test_counts_of_the_closed_findings(scene: Scene, relief: Relief) -> None:
    sent = Counter(fault.kind for fault in scene.traffic.faults)
    counts = {rule: findings_of(relief, rule)[-1]["unmapped"] for rule, _ in ISSUES}
    assert counts["LBL001"]["failures"] == sent["LBL001"]
    assert counts["LBL002"]["failures"] == sent["LBL002"]
    assert counts["TRN001"]["failures"] == sent["TRN001"] > 0
    assert counts["MOD001"]["waived"] == sent["waived"]


def test_broken_records_are_dead_letters(scene: Scene, curtain: Curtain) -> None:
    letters = [read.json() for read in curtain.dead_letters]
    assert len(letters) == scene.traffic.broken > 0
    assert {(letter["topic"], letter["reason"]) for letter in letters} == {(GENERATION, "not_json")}
    assert not any(b"broken" in read.value for read in curtain.dead_letters)


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_has_its_labels(alarm: Alarm) -> None:
    assert alarm.page["receiver"] == "pager"
    (alert,) = alarm.page["alerts"]
    wanted = {
        "alertname": "ComplianceIssueOpen",
        "tenant": "default",
        "service": "image-studio",
        "rule": "LBL001",
        "family": "labelling",
        "severity": "critical",
        "team": "imaging",
    }
    assert alert["labels"] == wanted


def test_the_page_says_what_the_person_on_call_needs(scene: Scene, alarm: Alarm, relief: Relief) -> None:
    (alert,) = alarm.page["alerts"]
    said = alert["annotations"]["description"]
    shown = re.fullmatch(
        r"Owning team: imaging\. Tenant default\. First bad event: (?P<first>[\d :.-]+) \+0000 UTC\. Failures: (?P<failures>\d+)\. "
        r"Rule LBL001 \(labelling\), clause: (?P<clause>.+)\. "
        r"Evidence: finding (?P<finding>[0-9a-f]{32}), sample violation (?P<sample>[0-9a-f]{32})\.",
        said,
    )
    assert shown, said
    first_ms = next(fault.at_ms for fault in scene.traffic.faults if fault.kind == "LBL001")
    shown_ms = datetime.fromisoformat(shown["first"]).replace(tzinfo=UTC).timestamp() * 1000
    assert shown_ms == pytest.approx(first_ms, abs=1.1), "a float of seconds holds a millisecond but for its rounding"
    assert 1 <= int(shown["failures"]) <= len(scene.traffic.faults)
    ours = [result for _, result in results(alarm.violations) if result["rule"] == "LBL001"]
    assert shown["sample"] in {result["uid"] for result in ours}
    assert all(shown["clause"] in result["clauses"] for result in ours)
    assert {found["finding_info"]["uid"] for found in findings_of(relief, "LBL001")} == {shown["finding"]}


def test_the_page_links_to_the_runbook_and_the_dashboard(alarm: Alarm) -> None:
    (alert,) = alarm.page["alerts"]
    runbook = in_repository(alert["annotations"]["runbook_url"])
    assert runbook == ROOT / "rules" / "pages" / "LBL001.md"
    assert runbook.is_file()
    url = alert["annotations"]["dashboard_url"]
    assert url.endswith("/d/hegui-rule?var-tenant=default&var-service=image-studio&var-rule=LBL001")


def test_a_failing_ingest_event_pages_the_team_of_the_data(alarm: Alarm, relief: Relief) -> None:
    (alert,), (after,) = alarm.ingest_page["alerts"], relief.ingest_resolved["alerts"]
    labels = alert["labels"]
    assert (labels["service"], labels["severity"], labels["team"]) == ("crawler", "high", "data")
    assert in_repository(alert["annotations"]["runbook_url"]).is_file()
    assert (after["status"], after["fingerprint"]) == ("resolved", alert["fingerprint"])


def test_an_opt_out_pages_the_team_whose_records_it_covers_until_they_are_taken_out(
    scene: Scene, alarm: Alarm, relief: Relief
) -> None:
    (alert,), (after,) = alarm.removal_page["alerts"], relief.removal_resolved["alerts"]
    labels = alert["labels"]
    assert (labels["service"], labels["severity"], labels["team"]) == ("crawler", "high", "data")
    assert in_repository(alert["annotations"]["runbook_url"]).is_file()
    assert (after["status"], after["fingerprint"]) == ("resolved", alert["fingerprint"])


def test_the_resolved_page_follows(alarm: Alarm, relief: Relief) -> None:
    (alert,), (first,) = relief.resolved["alerts"], alarm.page["alerts"]
    assert alert["status"] == "resolved"
    assert (alert["fingerprint"], alert["labels"]) == (first["fingerprint"], first["labels"])
    assert datetime.fromisoformat(alert["endsAt"]) > datetime.fromisoformat(first["startsAt"])


def test_sandbox_and_waived_failures_never_page(scene: Scene, alarm: Alarm, relief: Relief) -> None:
    assert {result["metric"]["rule"] for result in alarm.open_issues} == {"LBL002", *PAGED}
    assert [result["metric"]["rule"] for result in alarm.suppressed] == ["MOD001"]
    pages = [alert["labels"] for body in scene.hooks["pager"].bodies for alert in body["alerts"]]
    assert {labels["rule"] for labels in pages if labels["alertname"] == "ComplianceIssueOpen"} == PAGED
    others = [alert for name in RECEIVERS for body in scene.hooks[name].bodies for alert in body["alerts"]]
    assert {alert["labels"].get("rule") for alert in others} == {None, *PAGED}


def test_the_test_page_takes_the_same_way(alarm: Alarm) -> None:
    assert alarm.trial["receiver"] == "pager"
    assert "sent ComplianceTestPage with severity critical" in alarm.trial_said
    (alert,) = alarm.trial["alerts"]
    assert alert["labels"]["severity"] == "critical"
    assert "nothing is wrong" in alert["annotations"]["summary"]


def test_watchdog_and_dead_letters_go_their_own_ways(scene: Scene, relief: Relief) -> None:
    assert scene.hooks["deadman"].wait_for(about("", "firing", "Watchdog"), WAIT_S)["commonLabels"] == {
        "alertname": "Watchdog",
        "severity": "none",
    }
    letters = scene.hooks["ticket"].wait_for(about("", "firing", "ComplianceDeadLetters"), WAIT_S)
    assert letters["commonLabels"]["topic"] == GENERATION


def test_every_link_to_a_runbook_leads_to_a_file(scene: Scene, relief: Relief) -> None:
    alerts = [alert for hook in scene.hooks.values() for body in hook.bodies for alert in body["alerts"]]
    links = {
        alert["annotations"]["runbook_url"] for alert in alerts if alert["labels"]["alertname"] != "ComplianceTestPage"
    }
    assert [link for link in links if not in_repository(link).is_file()] == []


# --- the daemon ------------------------------------------------------------------------------------------------------


def test_every_event_was_judged_once(scene: Scene, curtain: Curtain) -> None:
    assert curtain.judged == scene.traffic.events
    assert set(scene.traffic.encodings) == {"structured", "binary"}


def test_sigterm_ends_the_daemon_with_all_committed(scene: Scene, curtain: Curtain) -> None:
    assert curtain.exit_code == 0, scene.daemon.log()[-3000:]
    assert curtain.seconds < STOP_S
    assert curtain.behind == {GENERATION: {}, INGEST: {}}


def test_the_log_is_one_json_object_a_line(scene: Scene, curtain: Curtain) -> None:
    # All roles write to one standard error: a line that goes out in two writes can be torn by another role's.
    lines = scene.daemon.log().splitlines()
    assert [line for line in lines if not re.fullmatch(r"\{[^{}]*\}", line)] == []
    events = [json.loads(line)["event"] for line in lines]
    assert events.count("stopped") == 3, "all roles ended in order"


def test_the_log_tells_of_no_trouble(scene: Scene, curtain: Curtain) -> None:
    assert (curtain.judged, curtain.behind) == (scene.traffic.events, {GENERATION: {}, INGEST: {}})
    assert trouble(scene.daemon.log()) == []


def test_nothing_written_names_a_person(scene: Scene, curtain: Curtain, relief: Relief) -> None:
    person = re.compile(rb"k1:[0-9a-f]{8}")
    written = [read.value for read in (*curtain.violations, *curtain.dead_letters, *relief.findings)]
    assert [text for text in (scene.daemon.log().encode(), *written) if person.search(text)] == []
