"""The Prometheus rule files, read once for the tests of alerts and dashboards."""

import re
from itertools import chain
from pathlib import Path
from typing import Any

import promql_parser
import yaml

ROOT = Path(__file__).parents[2]
DASHBOARDS = ROOT / "dashboards"
PROMETHEUS = DASHBOARDS / "prometheus"
RULE_FILES = ("recording.yml", "alerts_rules.yml", "alerts_daemon.yml")
PROMETHEUS_OWN = {"up", "ALERTS"}


def read_yaml(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text("utf-8"))


RULES = list(
    chain.from_iterable(group["rules"] for file in RULE_FILES for group in read_yaml(PROMETHEUS / file)["groups"])
)
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED: set[str] = {rule["record"] for rule in RULES if "record" in rule}


def metrics_in(expression: str) -> set[str]:
    """Return the names of the metrics a query selects, histogram suffixes taken off."""
    found: set[str] = set()
    pending: list[Any] = [promql_parser.parse(expression)]
    while pending:
        node = pending.pop()
        if isinstance(node, promql_parser.VectorSelector):
            name = node.name or next(m.value for m in node.matchers.matchers if m.name == "__name__")
            found.add(re.sub(r"_(bucket|sum|count)$", "", name))
        parts = [getattr(node, part, None) for part in ("expr", "lhs", "rhs", "param", "vector_selector")]
        parts += getattr(node, "args", None) or []
        pending += [part for part in parts if part is not None]
    return found
