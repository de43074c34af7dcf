"""Findings: each report of an issue is a valid OCSF compliance finding (py-ocsf-models is the oracle)."""

import json
from typing import Any

import msgspec
import pytest
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import Rule
from hegui.rules.findings import finding
from hegui.rules.issues import Issue, Report
from hegui.rules.observations import Mark
from tests.rules.builders import a_rule, failing

REQUIRED = {
    "activity_id",
    "category_uid",
    "class_uid",
    "compliance",
    "finding_info",
    "metadata",
    "severity_id",
    "time",
    "type_uid",
}
RULE = a_rule("LBL901", failing, basis=(law.DEEP_SYNTHESIS_ART_17, law.LABELLING_MEASURES_ART_4))
ISSUE = Issue(
    "default",
    "LBL901",
    "svc",
    episode=2,
    marks={"t/0": Mark(0, 0, 9, 0, 0, 5, 2)},
    base_failures=2,
    first_failure_ms=BASE_AT_MS - 500,
    last_failure_ms=BASE_AT_MS,
    samples=("u1", "u2"),
)
AT_MS = BASE_AT_MS + 60_000


def made(
    activity: Any = "create", rule: Rule = RULE, /, *, team: str | None = "images", **issue: Any
) -> dict[str, Any]:
    report = Report(activity, msgspec.structs.replace(ISSUE, **issue), AT_MS)
    return finding(report, rule, rule_set="abc", policy="v7", team=team, product_version="0.1.0", pages="https://d/p")


STATES = [
    pytest.param("create", "open", (1, "Create"), (1, "New"), (3, "Fail"), id="opened"),
    pytest.param("update", "open", (2, "Update"), (1, "New"), (3, "Fail"), id="updated"),
    pytest.param("close", "closed", (3, "Close"), (4, "Resolved"), (1, "Pass"), id="closed"),
    pytest.param("create", "suppressed", (1, "Create"), (3, "Suppressed"), (3, "Fail"), id="suppressed"),
    pytest.param("update", "suppressed", (2, "Update"), (3, "Suppressed"), (3, "Fail"), id="updated while suppressed"),
]


@pytest.mark.parametrize(("activity", "status", "does", "workflow", "verdict"), STATES)
def test_every_report_is_a_valid_ocsf_compliance_finding(
    activity: str, status: str, does: tuple[int, str], workflow: tuple[int, str], verdict: tuple[int, str]
) -> None:
    found = made(activity, status=status)
    assert found.keys() >= REQUIRED
    assert (found["activity_id"], found["activity_name"]) == does
    assert (found["status_id"], found["status"]) == workflow
    assert (found["compliance"]["status_id"], found["compliance"]["status"]) == verdict
    assert found["type_uid"] == found["class_uid"] * 100 + found["activity_id"] == 200_300 + does[0]
    parsed = ComplianceFinding.model_validate(json.loads(msgspec.json.encode(found)))
    assert parsed.class_uid == 2003
    assert parsed.category_uid == 2
    assert parsed.type_uid == found["type_uid"]
    assert parsed.activity_id == does[0]
    assert parsed.compliance.control == "LBL901"
    assert parsed.finding_info.uid == msgspec.structs.replace(ISSUE, status=status).finding_uid


@pytest.mark.parametrize(
    ("severity", "expected"),
    [("low", (2, "Low")), ("medium", (3, "Medium")), ("high", (4, "High")), ("critical", (5, "Critical"))],
)
def test_severity_is_that_of_the_rule(severity: Any, expected: tuple[int, str]) -> None:
    found = made("create", RULE.with_policy(severity, None))
    assert (found["severity_id"], found["severity"]) == expected
    ComplianceFinding.model_validate(found)


def test_what_a_finding_tells() -> None:
    found = made()
    info, metadata = found["finding_info"], found["metadata"]
    assert found["time"] == info["modified_time"] == AT_MS
    assert (info["first_seen_time"], info["last_seen_time"]) == (BASE_AT_MS - 500, BASE_AT_MS)
    assert info["related_events_count"] == 3 + 2
    assert [event["uid"] for event in info["related_events"]] == ["u1", "u2"]
    assert info["src_url"] == "https://d/p/LBL901.md"
    assert (info["title"], info["desc"]) == (RULE.title, RULE.title_zh)
    assert info["analytic"]["uid"] == metadata["event_code"] == "LBL901"
    assert metadata["tenant_uid"] == "default"
    assert metadata["labels"] == ["stage:stable", "policy:v7", "rule_set:abc"]
    assert metadata["version"] == "1.5.0"
    (resource,) = found["resources"]
    assert (resource["uid"], resource["name"], resource["type"]) == ("svc", "svc", "service")
    assert "images" in json.dumps(resource)
    assert found["unmapped"] == {"episode": 2, "failures": 3, "waived": 2}
    assert found["message"] == f"svc: {RULE.title}"


@pytest.mark.parametrize("at_ms", [law.LABELLING_MEASURES_ART_4.in_force_from_ms + shift for shift in (-1, 0)])
def test_the_clauses_are_those_in_force_at_the_last_failure(at_ms: int) -> None:
    compliance = made("create", last_failure_ms=at_ms)["compliance"]
    clauses = RULE.clauses_at(at_ms)
    assert compliance["requirements"] == [clause.id for clause in clauses]
    assert compliance["standards"] == sorted({clause.instrument for clause in clauses})


def test_what_is_not_known_is_left_out() -> None:
    report = Report("create", ISSUE, AT_MS)
    found = finding(report, RULE, rule_set="abc", policy="v7", team=None, product_version="0.1.0")
    assert "src_url" not in found["finding_info"]
    assert found["resources"] == [{"uid": "svc", "name": "svc", "type": "service"}]
    ComplianceFinding.model_validate(found)
