"""The queries of our Grafana dashboards, with the variables filled in as Grafana does."""

import json
import math
import re
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from tests.end_to_end.deployment import DASHBOARDS
from tests.servers.process import POLL_INTERVAL_S, ServerError
from tests.servers.prometheus import PrometheusServer

# Grafana's rate interval is at least four scrapes.
BUILT_IN = {"__rate_interval": "10s", "__range": "1h", "__interval": "1s"}
CHOSEN = {"rule": "LBL001"}
"""What the reader picks of a variable without "All"; with "All", Grafana puts in the variable's `allValue`."""


class Query(NamedTuple):
    """One query of a board."""

    where: str
    expr: str
    legend: tuple[str, ...] = ()
    """The labels that the legend shows."""


class Answer(NamedTuple):
    """What Prometheus said to it."""

    results: list[dict[str, Any]]
    error: str | None = None

    @property
    def has_data(self) -> bool:
        """Whether there is a number in it. `NaN` is an empty panel too."""
        return any(math.isfinite(float(result["value"][1])) for result in self.results)


def _queries(name: str, board: dict[str, Any]) -> Iterable[Query]:
    values = dict(BUILT_IN)
    for variable in board["templating"]["list"]:
        if variable["type"] != "query":
            continue
        inside = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert inside is not None
        yield Query(
            f"{name}: ${variable['name']}", f"count by ({inside[2]}) ({_expand(inside[1], values)})", (inside[2],)
        )
        values[variable["name"]] = variable["allValue"] or CHOSEN.get(variable["name"], "")
    for panel in board["panels"]:
        for target in panel["targets"]:
            legend = tuple(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat") or ""))
            yield Query(f"{name}: {panel['title']} {target['refId']}", _expand(target["expr"], values), legend)
    for annotation in board["annotations"]["list"]:
        yield Query(f"{name}: annotation {annotation['name']}", _expand(annotation["expr"], values))


def _expand(expression: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)(?::\w+)?\}?", lambda found: values.get(found[1], found[0]), expression)


QUERIES = [
    query
    for path in sorted((DASHBOARDS / "grafana").glob("*.json"))
    for query in _queries(path.stem, json.loads(path.read_text("utf-8")))
]


def ask(prometheus: PrometheusServer, deadline_s: float) -> dict[str, Answer]:
    """The answers to all queries: each the first with data, or the last when time is up."""
    end = time.monotonic() + deadline_s
    answers: dict[str, Answer] = {}
    while True:
        for query in QUERIES:
            if query.where not in answers or not answers[query.where].has_data:
                answers[query.where] = _ask(prometheus, query.expr)
        if all(answer.has_data for answer in answers.values()) or time.monotonic() > end:
            return answers
        time.sleep(POLL_INTERVAL_S)


def _ask(prometheus: PrometheusServer, expr: str) -> Answer:
    try:
        return Answer(prometheus.query(expr))
    except ServerError as error:
        return Answer([], str(error))
