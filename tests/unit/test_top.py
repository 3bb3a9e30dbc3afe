"""`tailrace top` is left open: what goes wrong meanwhile is said, and the last figures stay."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console

from tailrace.console.cli import top
from tailrace.schemas.errors import TailraceError
from tailrace.sinks.queries.health_by_deployment import DeploymentHealth

if TYPE_CHECKING:
    import pytest

ROW = DeploymentHealth(
    environment="prod",
    component="support",
    deployment="d" * 64,
    started=40,
    completed=37,
    failed=3,
    cancelled=0,
    abandoned=0,
    step_errors=0,
    code_mismatches=0,
    input_tokens=None,
    output_tokens=None,
    cost_usd=None,
    durations={},
    started_by_minute={},
)


def test_it_outlives_a_server_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def answer(*_: Any, **__: Any) -> tuple[datetime, list[DeploymentHealth]]:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise TailraceError("ClickHouse does not answer at 127.0.0.1:1")
        if asked == 3:
            raise KeyboardInterrupt
        return datetime(2026, 11, 26, tzinfo=UTC), [ROW]

    shown = io.StringIO()
    monkeypatch.setattr(top, "connect", lambda: None)
    monkeypatch.setattr(top, "health_by_deployment", answer)
    console = partial(Console, file=shown, force_terminal=True, width=80, height=24)
    monkeypatch.setattr(top, "Console", console)
    top.command(minutes=15, every=0.0)
    frames = shown.getvalue().split("ClickHouse does not answer")
    assert asked == 3
    assert len(frames) == 2
    assert all("support" in frame for frame in frames)
