"""Findings: an issue as an OCSF Compliance Finding (class 2003, schema 1.5.0), for SIEMs and auditors.

One finding per issue and episode, upserted by `finding_info.uid`: create, update, close. Two status fields differ:
`status_id` is the workflow (new, suppressed, resolved), `compliance.status_id` the verdict (pass, fail).
"""

from __future__ import annotations

from typing import Any

from hegui.rules.core import Rule
from hegui.rules.exports import ExportLedger
from hegui.rules.issues import Activity, Report
from hegui.rules.ledgers.sources import SourceLedger

FINDING_TYPE = "hegui.finding.v1"
"""CloudEvents `type` of a finding record."""

CLASS_UID = 2003
_ACTIVITY: dict[Activity, tuple[int, str]] = {"create": (1, "Create"), "update": (2, "Update"), "close": (3, "Close")}
_SEVERITY = {"low": (2, "Low"), "medium": (3, "Medium"), "high": (4, "High"), "critical": (5, "Critical")}
_STATUS = {"open": (1, "New"), "suppressed": (3, "Suppressed"), "closed": (4, "Resolved")}

_RESOURCES: dict[type, str] = {ExportLedger: "legal entity", SourceLedger: "data source"}
"""What the resource of a finding is, by what its rule judges; else it is a service."""


def finding(
    report: Report, rule: Rule, *, rule_set: str, policy: str, team: str | None, product_version: str, pages: str = ""
) -> dict[str, Any]:
    """Return the finding of a report as a JSON-ready dict.

    Args:
        report: what happened to the issue.
        rule: the issue's rule.
        rule_set: hash of the rules.
        policy: version of the policy.
        team: the owning team of the service, when the policy names one.
        product_version: version of hegui.
        pages: base address of the rule pages; empty leaves out the runbook link.

    Source: OCSF 1.5.0 `compliance_finding`; required are activity_id, category_uid, class_uid, compliance, finding_info,
    metadata, severity_id, time, type_uid.
    """
    issue = report.issue
    activity_id, activity = _ACTIVITY[report.activity]
    severity_id, severity = _SEVERITY[rule.severity]
    status_id, status = _STATUS[issue.status]
    closed = issue.status == "closed"
    # A ledger's issue names a legal year too, which is in the evidence.
    name = issue.service.partition("/")[0] if rule.on is ExportLedger else issue.service
    clauses = rule.clauses_at(issue.last_failure_ms)
    info: dict[str, Any] = {
        "uid": issue.finding_uid,
        "title": rule.title,
        "desc": rule.title_zh,
        "types": [rule.family],
        "analytic": {"type_id": 1, "type": "Rule", "uid": rule.id, "name": rule.check.__name__, "version": rule_set},
        "first_seen_time": issue.first_failure_ms,
        "last_seen_time": issue.last_failure_ms,
        "modified_time": report.at_ms,
        "related_events_count": issue.failures + issue.waived,
        "related_events": [{"uid": uid, "type_uid": 0} for uid in issue.samples],
    }
    if pages:
        info["src_url"] = f"{pages}/{rule.id}.md"
    return {
        "activity_id": activity_id,
        "activity_name": activity,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": CLASS_UID,
        "class_name": "Compliance Finding",
        "type_uid": CLASS_UID * 100 + activity_id,
        "time": report.at_ms,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "message": f"{issue.service}: {rule.title}",
        "compliance": {
            "control": rule.id,
            "standards": sorted({clause.instrument for clause in clauses}),
            "requirements": [clause.id for clause in clauses],
            "status_id": 1 if closed else 3,
            "status": "Pass" if closed else "Fail",
            **({"status_detail": issue.reason} if issue.reason else {}),
        },
        "finding_info": info,
        "resources": [
            {
                "uid": name,
                "name": name,
                "type": _RESOURCES.get(rule.on, "service"),
                **({"group": {"name": team}} if team else {}),
            }
        ],
        "metadata": {
            "product": {"name": "hegui", "vendor_name": "hegui", "version": product_version},
            "version": "1.5.0",
            "tenant_uid": issue.tenant,
            "labels": [f"stage:{rule.stage}", f"policy:{policy}", f"rule_set:{rule_set}"],
            "event_code": rule.id,
        },
        "unmapped": {
            "episode": issue.episode,
            "failures": issue.failures,
            "waived": issue.waived,
            **({"evidence": issue.evidence} if issue.evidence else {}),
        },
    }
