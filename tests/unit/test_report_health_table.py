"""The health of deployments as people see it, and as a log tells a worker's counts."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from tailrace.console.report.health_table import health_record, health_table, trend
from tailrace.console.report.stream_status import log_line
from tailrace.sinks.queries.health_by_deployment import DeploymentHealth
from tailrace.streams.options import StreamStats

NOW = datetime(2026, 11, 26, 10, 5, 30, tzinfo=UTC)


def health(**fields: Any) -> DeploymentHealth:
    told: dict[str, Any] = {
        "environment": "prod",
        "component": "support",
        "deployment": "d" * 64,
        "started": 40,
        "completed": 36,
        "failed": 4,
        "cancelled": 0,
        "abandoned": 1,
        "step_errors": 2,
        "code_mismatches": 0,
        "input_tokens": 12_000,
        "output_tokens": None,
        "cost_usd": None,
        "durations": {"600": 36, "700": 4},
        "started_by_minute": {},
    }
    return DeploymentHealth(**{**told, **fields})


def shown(*rows: DeploymentHealth) -> str:
    console = Console(file=io.StringIO(), width=160, color_system=None)
    console.print(health_table(rows, NOW, 5))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_row_says_who_how_many_how_bad_and_how_long() -> None:
    heading, row = shown(health()).splitlines()
    assert "component" in heading
    assert "5 min" in heading
    for word in ("support", "prod", "d" * 12, "40", "36", "4 9.8%", "1", "12k"):
        assert word in row
    assert "d" * 13 not in row
    assert "≠" not in row


def test_code_that_is_not_what_the_deployment_says_is_marked() -> None:
    assert "≠" in shown(health(code_mismatches=1))


def test_the_trend_has_a_bar_a_minute_the_newest_last() -> None:
    minute = NOW.replace(second=0)
    started = {minute: 8, minute - timedelta(minutes=2): 1, minute - timedelta(minutes=9): 99}
    assert trend(health(started_by_minute=started), NOW, 5) == "  ▂ █"
    assert trend(health(), NOW, 3) == "   "


def test_for_programs_quantiles_stand_beside_the_counts() -> None:
    record = health_record(health())
    assert record["bad_share"] == 5 / 41
    assert record["p50_us"] < record["p99_us"]
    assert health_record(health(durations={}))["p50_us"] is None


def test_a_log_line_tells_counts_and_what_was_put_aside_last() -> None:
    stats = StreamStats(events=7, traces=3)
    line = "2026-11-26T10:05:30Z stream events=7 traces=3 abandoned=0 open=0 partitions=0"
    assert log_line(stats, NOW) == f"{line} dead_letters=0"
    stats.dead_letters, stats.last_dead_letter = 1, "runs-0:4: it is cut"
    assert log_line(stats, NOW).endswith("dead_letters=1 last dead letter: runs-0:4: it is cut")
