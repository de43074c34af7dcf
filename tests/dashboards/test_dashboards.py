"""The dashboards: the rules of grafana/dashboard-linter, and queries that parse and name only metrics that exist."""

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from hegui.streams.metrics import METRIC_NAMES
from tests.alerts.rule_files import ALERTS, DASHBOARDS, PROMETHEUS_OWN, RECORDED, metrics_in, read_yaml

BOARDS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((DASHBOARDS / "grafana").glob("*.json"))}
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
PANEL_TYPES = {"timeseries", "stat", "table", "bargauge"}
BUILT_IN = {"__rate_interval": "1m", "__range": "6h", "__interval": "15s"}
PANELS = [
    pytest.param(board, panel, id=f"{name}: {panel['title']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
]
KNOWN = METRIC_NAMES | RECORDED | PROMETHEUS_OWN


def variables(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {variable["name"]: variable for variable in board["templating"]["list"]}


def expand(expression: str, board: dict[str, Any]) -> str:
    """Fill in the dashboard's variables as Grafana would; an unknown variable stays and fails to parse."""
    values = BUILT_IN | dict.fromkeys(variables(board), "x")
    return re.sub(r"\$\{?(\w+)\}?", lambda found: values.get(found[1], found[0]), expression)


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in (("x", "w"), ("y", "h"))
    )


def test_the_dashboards_have_ids_that_alerts_link_to() -> None:
    uids = {board["uid"] for board in BOARDS.values()}
    assert uids == {
        "hegui-overview",
        "hegui-rule",
        "hegui-daemon",
        "hegui-ledgers",
        "hegui-duties",
        "hegui-optouts",
    }
    linked = {re.search(r"/d/([\w-]+)", alert["annotations"]["dashboard_url"])[1] for alert in ALERTS.values()}  # type: ignore[index]
    assert linked <= uids


def test_an_alert_that_links_to_a_panel_names_one_that_exists_and_shows_its_subject() -> None:
    panels = {(board["uid"], str(panel["id"])): panel for board in BOARDS.values() for panel in board["panels"]}
    urls = {name: alert["annotations"]["dashboard_url"] for name, alert in ALERTS.items()}
    found = {
        name: panels[re.search(r"/d/([\w-]+)", url)[1], re.search(r"viewPanel=(\d+)$", url)[1]]["title"]  # type: ignore[index]
        for name, url in urls.items()
        if "viewPanel" in url
    }
    assert found == {"ComplianceInconclusiveRatioHigh": "Not evaluated, by service, rule and reason"}


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_board(board: dict[str, Any]) -> None:
    assert board["schemaVersion"] in {39, 41}
    assert board["editable"] is False
    assert board["description"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    assert "id" not in board
    assert any("/dashboards/runbooks" in link["url"] for link in board["links"])
    for annotation in board["annotations"]["list"]:
        assert annotation["datasource"] == DATASOURCE
        assert metrics_in(expand(annotation["expr"], board)) == {"ALERTS"}


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_board_variables(board: dict[str, Any]) -> None:
    known = variables(board)
    assert known["datasource"]["type"] == "datasource"
    assert known["datasource"]["query"] == "prometheus"
    wanted = {
        "hegui-daemon": {"job", "instance"},
        "hegui-ledgers": {"tenant", "entity", "year"},
        "hegui-duties": {"tenant", "service"},
        "hegui-optouts": {"tenant", "service"},
    }.get(board["uid"], {"tenant", "service", "rule"})
    assert set(known) == wanted | {"datasource", "runbook_base"}
    for variable in known.values():
        if variable["type"] == "query":
            assert variable["datasource"] == DATASOURCE
            assert variable["refresh"] == 2, "reload when the time range changes"
            metric = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert metric
            assert metrics_in(expand(metric[1], board)) <= KNOWN


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_board_layout(board: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert not [pair for pair in combinations(places, 2) if overlap(*pair)]
    if board["uid"] == "hegui-overview":
        assert max(place["y"] + place["h"] for place in places) <= 20, "one screen"


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_panel(board: dict[str, Any], panel: dict[str, Any]) -> None:
    assert panel["type"] in PANEL_TYPES
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["datasource"] == DATASOURCE
    assert panel["fieldConfig"]["defaults"]["unit"]
    references = [target["refId"] for target in panel["targets"]]
    assert len(references) == len(set(references)) > 0
    for target in panel["targets"]:
        assert target["datasource"] == DATASOURCE
        expression = target["expr"]
        promql_parser.parse(expand(expression, board))
        found = metrics_in(expand(expression, board))
        assert found, expression
        assert found <= KNOWN
        windows = re.findall(r"\[([^\]]+)\]", expression)
        assert set(windows) <= {"$__rate_interval", "$__range", "$__range:$__interval"}
        assert all("$__rate_interval" in part for part in re.findall(r"\bi?rate\([^\]]+\]", expression))


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_links_stay_inside_or_go_to_runbooks(board: dict[str, Any]) -> None:
    uids = {other["uid"] for other in BOARDS.values()}
    for url in re.findall(r'"url": "([^"]+)"', json.dumps(board)):
        inside = re.match(r"/d/([\w-]+)", url)
        assert url.startswith("${runbook_base:raw}/") or (inside and inside[1] in uids), url


REASONS = "compliance_inconclusive_total"
DAY = 86400
ANSWERS = [
    (
        "overview",
        "Not evaluated, by service, rule and reason",
        {
            REASONS + '{instance="a",service="draw",rule="LBL001",missing="modality"}': "0+1x600",
            REASONS + '{instance="b",service="draw",rule="LBL001",missing="modality"}': "_x590 7x10",  # born at 7
            REASONS
            + '{instance="a",service="chat",rule="MOD001",missing="moderation.action"}': "5x600",  # before this range
        },
        {'{service="draw", rule="LBL001", missing="modality"}': 367},
    ),
    (
        "rule",
        "What this rule lacked, by service",
        {
            REASONS + '{instance="a",service="draw",rule="x",missing="modality"}': "_x590 2x10",
            REASONS + '{instance="a",service="draw",rule="x",missing="delivery"}': "_x590 1x10",
            REASONS + '{instance="b",service="draw",rule="x",missing="delivery"}': "_x590 1x10",
            REASONS + '{instance="a",service="draw",rule="y",missing="delivery"}': "_x590 4x10",
        },
        {'{service="draw", missing="modality"}': 2, '{service="draw", missing="delivery"}': 2},
    ),
    (
        "overview",
        "Active waivers",
        {f'compliance_waivers{{instance="{i}",state="{s}"}}': "3x600" for i in "ab" for s in ("active", "expired")},
        {"{}": 3},
    ),
    (
        "overview",
        "Waivers ending within 14 days",
        {
            'compliance_waiver_expiry_timestamp_seconds{instance="a",waiver="ended"}': "35999x600",
            'compliance_waiver_expiry_timestamp_seconds{instance="a",waiver="soon"}': f"{36000 + 14 * DAY - 1}x600",
            'compliance_waiver_expiry_timestamp_seconds{instance="b",waiver="soon"}': f"{36000 + 14 * DAY - 1}x600",
            'compliance_waiver_expiry_timestamp_seconds{instance="a",waiver="later"}': f"{36000 + 14 * DAY}x600",
        },
        {"{}": 1},
    ),
    ("overview", "Waivers ending within 14 days", {}, {"{}": 0}),
    ("overview", "Expired waivers", {'compliance_waivers{instance="a",state="expired"}': "2x600"}, {"{}": 2}),
    (
        "ledgers",
        "Days to the next limit",
        {
            f'compliance_export_{name}{{instance="{i}",tenant="t",entity="{entity}",year="2026",kind="{kind}"}}': f"{value}x600"
            for i in "ab"
            for entity, kind, *values in (
                ("small", "ordinary", 40_000, 14_000),
                ("large", "ordinary", 100_000, 70_000),
                ("over", "ordinary", 1_000_000, 70_000),
                ("still", "ordinary", 5, 0),
                ("small", "sensitive", 9_990, 7),
            )
            for name, value in zip(("subjects", "new_subjects"), values, strict=True)
        },
        {
            '{tenant="t", entity="small", year="2026", kind="ordinary"}': 30,
            '{tenant="t", entity="large", year="2026", kind="ordinary"}': 90,
            '{tenant="t", entity="small", year="2026", kind="sensitive"}': 10,
            '{tenant="t", entity="still", year="2026", kind="ordinary"}': 366,
        },
    ),
    ("overview", "Waivers without effect", {'compliance_waivers{instance="a",state="active"}': "2x600"}, {"{}": 0}),
    (
        "optouts",
        "Age of the snapshot",
        {
            'compliance_optouts_snapshot_timestamp_seconds{instance="a"}': "32400x600",
            'compliance_optouts_snapshot_timestamp_seconds{instance="b"}': "28800x600",
            'compliance_optouts_snapshot_timestamp_seconds{instance="no folder"}': "0x600",
        },
        {"{}": 7200},
    ),
    (
        "optouts",
        "Age of the snapshot",
        {'compliance_optouts_snapshot_timestamp_seconds{instance="no folder"}': "0x600"},
        {"{}": -1},
    ),
    (
        "optouts",
        "Failed an opt-out rule",
        {
            # In the range of six hours 360 of the 600 minutes.
            'compliance_service_evaluations_total{instance="a",service="s",rule="OPT001",outcome="fail"}': "0+1x600",
            'compliance_service_evaluations_total{instance="b",service="s",rule="OPT001",outcome="fail"}': "0+1x600",
            'compliance_service_evaluations_total{instance="a",service="s",rule="OPT012",outcome="fail"}': "0x600",
            'compliance_service_evaluations_total{instance="a",service="s",rule="OPT003",outcome="error"}': "0+1x600",
            'compliance_service_evaluations_total{instance="a",service="s",rule="OPT005",outcome="fail"}': "0+1x600",
            'compliance_service_evaluations_total{instance="a",service="s",rule="OPT010",outcome="fail"}': "0x600",
            'compliance_sweep_hits_total{instance="c",service="s"}': "0+2x600",
            'compliance_sweep_hits_total{instance="c",service="other"}': "5x600",
            'compliance_sweep_hits_total{instance="d",service="s"}': "_x590 7x10",  # born at 7: it went on with a sweep at once
        },
        {'{service="s", rule="OPT001"}': 720, '{service="s", rule="OPT010"}': 727},
    ),
    (
        "optouts",
        "Records still to be read",
        {
            # Two sweepers that read the same; a topic that they have read already.
            'compliance_sweep_remaining_records{instance="a",topic="ingest",partition="0"}': "700x600",
            'compliance_sweep_remaining_records{instance="b",topic="ingest",partition="0"}': "500x600",
            'compliance_sweep_remaining_records{instance="b",topic="ingest",partition="1"}': "30x600",
            'compliance_sweep_records_total{instance="a",topic="ingest"}': "9x600",
            'compliance_sweep_records_total{instance="a",topic="generation"}': "9x600",
        },
        {'{topic="ingest"}': 730, '{topic="generation"}': 0},
    ),
]
"""Board, panel, series over the ten hours before, and what the panel shows then."""


@pytest.mark.parametrize(("name", "title", "series", "expected"), ANSWERS)
def test_panel_shows(tmp_path: Path, name: str, title: str, series: dict[str, str], expected: dict[str, int]) -> None:
    board = BOARDS[name]
    (panel,) = (panel for panel in board["panels"] if panel["title"] == title)
    (target,) = panel["targets"]
    expression = expand(re.sub(r'=~"\$\w+"', '=~".*"', target["expr"]), board)
    samples = [{"labels": labels, "value": value} for labels, value in expected.items()]
    asked = {"expr": expression, "eval_time": "10h", "exp_samples": samples}
    inputs = [{"series": labels, "values": values} for labels, values in series.items()]
    file = tmp_path / "panel.test.yml"
    file.write_text(json.dumps({"tests": [{"interval": "1m", "input_series": inputs, "promql_expr_test": [asked]}]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_provisioning() -> None:
    sources = read_yaml(DASHBOARDS / "provisioning" / "datasources" / "datasources.yml")["datasources"]
    by_uid = {source["uid"]: source for source in sources}
    assert set(by_uid) == {"prometheus", "alertmanager"}
    assert by_uid["prometheus"]["jsonData"]["alertmanagerUid"] == "alertmanager"
    scrape = read_yaml(DASHBOARDS / "prometheus" / "prometheus.yml")["global"]["scrape_interval"]
    assert by_uid["prometheus"]["jsonData"]["timeInterval"] == scrape
    providers = read_yaml(DASHBOARDS / "provisioning" / "dashboards" / "dashboards.yml")["providers"]
    assert [provider["options"]["path"] for provider in providers] == ["/var/lib/grafana/dashboards"]
