"""The dashboard and the alert rules name declared metrics and labels, and leave no metric out."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from support.repository import ROOT
from tailrace.schemas.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.schemas.metrics import Metric

DASHBOARDS: dict[str, dict[str, Any]] = {
    name: json.loads((ROOT / f"deploy/grafana/{name}.json").read_text("utf-8"))
    for name in ("sink", "stream")
}
PANELS: list[dict[str, Any]] = [each for one in DASHBOARDS.values() for each in one["panels"]]
ALERTS: dict[str, Any] = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text("utf-8"))
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
SERIES = {
    name: metric
    for metric in METRICS
    for name in (
        [f"{metric.name}_{part}" for part in ("bucket", "sum", "count")]
        if metric.kind == "histogram"
        else [metric.name]
    )
}
FROM_PROMETHEUS = {"instance", "job", "le"}
"""Labels that the scrape or the kind of a metric adds."""


def expressions() -> Iterator[tuple[str, str]]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for rule in RULES:
        yield rule["alert"], rule["expr"]


def metrics_in(expression: str) -> list[Metric]:
    return [SERIES[name] for name in re.findall(r"\btailrace_\w+", expression)]


@pytest.mark.parametrize(("name", "expression"), tuple(expressions()))
def test_an_expression_reads_declared_metrics_by_their_labels(name: str, expression: str) -> None:
    found = metrics_in(expression)
    assert found or expression.startswith("up{"), name
    grouped = {
        label.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(",")
    }
    for metric in found:
        assert grouped <= {*metric.labels, *FROM_PROMETHEUS}, name
    assert expression.count("(") == expression.count(")")


@pytest.mark.parametrize(("name", "expression"), tuple(expressions()))
def test_counters_are_read_as_rates_and_gauges_are_not(name: str, expression: str) -> None:
    for series in re.findall(r"\btailrace_\w+", expression):
        rated = re.search(rf"(rate|increase)\({series}(\{{[^}}]*\}})?\[", expression) is not None
        whole = f"max({series})" in expression  # a total since the start, on purpose
        assert (SERIES[series].kind == "gauge") != (rated or whole), name


@pytest.mark.parametrize(
    ("dashboard", "prefixes"),
    [("sink", ("tailrace_archive", "tailrace_schemas")), ("stream", ("tailrace_streams",))],
)
def test_a_dashboard_shows_every_declared_metric_of_its_worker(
    dashboard: str, prefixes: tuple[str, ...]
) -> None:
    shown = {
        metric.name
        for panel in DASHBOARDS[dashboard]["panels"]
        for target in panel["targets"]
        for metric in metrics_in(target["expr"])
    }
    assert shown == {m.name for m in METRICS if m.name.startswith(prefixes)}


def test_legends_name_labels_that_the_expression_keeps() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                kept = f"by ({label})" in target["expr"] or " by " not in target["expr"]
                assert kept, panel["title"]


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_panels_have_ids_of_their_own_a_text_and_a_place_of_their_own(dashboard: str) -> None:
    panels = DASHBOARDS[dashboard]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    assert all(panel["description"] for panel in panels)


def test_there_is_an_alert_for_lag_gaps_dead_letters_and_what_is_stuck() -> None:
    names = {rule["alert"] for rule in RULES}
    for what in ("Lags", "Stuck", "Down", "OwnsNothing"):
        assert {f"TailraceSink{what}", f"TailraceStream{what}"} <= names
    assert {"TailraceDeadLetters", "TailraceStreamDeadLetters", "TailraceAbandoned"} <= names
    assert any("Gaps" in name for name in names)


def test_an_alert_says_what_is_wrong_what_to_do_and_how_bad_it_is() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in {"page", "warn"}, rule["alert"]
        assert {"summary", "description"} <= set(rule["annotations"])
        used = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        by = {
            label
            for part in re.findall(r"by \(([^)]*)\)", rule["expr"])
            for label in part.split(", ")
        }
        assert used <= by or rule["expr"].startswith("up{"), rule["alert"]
