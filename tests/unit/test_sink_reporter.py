from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from tailrace.console.cli.sink_reporter import Reporter
from tailrace.sinks.sink import SinkStats

if TYPE_CHECKING:
    import pytest


def test_a_backlog_is_a_bar_with_the_time_left_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    stats = SinkStats(partitions=1, lag=50_000)
    with Reporter(stats, json=False) as reporter:
        reporter.look()
        stats.lag = 25_000
        reporter.look()
    said = Text.from_ansi(capsys.readouterr().err).plain
    assert f"{'━' * 20} 50%, " in said
    assert " left" in said


def test_elsewhere_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(SinkStats(partitions=1, lag=50_000), json=False) as reporter:
        reporter.look()
    reporter.stopped()
    assert capsys.readouterr().err.splitlines() == [
        "the sink starts; SIGTERM or Ctrl-C stops it",
        "stopped: 0 rows stored, 0 dead letters",
    ]
