"""Groups, metrics and settings are each declared once, and what is read is what is declared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tailrace.schemas import settings
from tailrace.schemas.metrics import METRICS, Metric
from tailrace.schemas.names import GROUPS
from tailrace.schemas.settings import SETTINGS
from tailrace.schemas.topics import TOPICS

ROOT = Path(__file__).parents[2]
SOURCE_ROOTS = ("schemas", "producers", "streams", "sinks", "evals", "console")
VARIABLE = re.compile(r"\bTAILRACE_[A-Z_]+")
DECLARED = {setting.name for setting in SETTINGS}


def named_in_source() -> set[str]:
    """Every TAILRACE_ name in the code, its docs and messages included, but for the declaration."""
    found: set[str] = set()
    for root in SOURCE_ROOTS:
        for path in (ROOT / root).rglob("*.py"):
            if path.samefile(settings.__file__):
                continue
            found |= set(VARIABLE.findall(path.read_text(encoding="utf-8")))
    return found


def declaration_of(name: str) -> str:
    if name in DECLARED or not name.startswith("TAILRACE_KAFKA_"):
        return name
    return "TAILRACE_KAFKA_X"


def test_every_variable_that_the_code_names_is_declared_and_every_declared_one_is_named() -> None:
    assert {declaration_of(name) for name in named_in_source()} == DECLARED


def test_every_setting_says_what_it_means_and_what_holds_without_it() -> None:
    assert len(DECLARED) == len(SETTINGS)
    assert all(setting.doc.endswith(".") and setting.unset for setting in SETTINGS)


def test_what_may_hold_a_credential_is_marked() -> None:
    secret = {setting.name for setting in SETTINGS if setting.secret}
    assert secret == {
        "TAILRACE_KAFKA_X",
        "TAILRACE_FROM_KAFKA_X",
        "TAILRACE_CLICKHOUSE",
        "TAILRACE_GATEWAY_PASSWORD",
    }


def test_a_group_is_declared_once_reads_declared_topics_and_says_what_a_commit_means() -> None:
    assert len({group.suffix for group in GROUPS}) == len(GROUPS)
    for group in GROUPS:
        assert group.reads
        assert set(group.reads) <= set(TOPICS)
        assert group.doc


def test_a_groups_name_has_the_configured_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_PREFIX", "acme.")
    names = {group.name() for group in GROUPS}
    assert {"acme.archive", "acme.streams"} <= names
    assert {group.name("") for group in GROUPS} == {name.removeprefix("acme.") for name in names}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metrics_name_says_its_unit(metric: Metric) -> None:
    units = {
        "counter": r"total",
        "gauge": r"(seconds|bytes|offsets|partitions|executions)",
        "histogram": r"(seconds|bytes|rows)",
    }
    assert re.fullmatch(rf"tailrace_[a-z_]+_{units[metric.kind]}", metric.name)
    assert metric.doc


def test_metrics_are_declared_once_with_few_labels() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert {label for metric in METRICS for label in metric.labels} <= {
        *("topic", "partition", "table", "link", "output")
    }
