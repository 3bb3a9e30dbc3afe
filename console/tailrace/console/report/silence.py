"""The line that says where an abandoned execution was when it gave its last sign of life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from tailrace.console.report.printable import one_line
from tailrace.console.report.signs import sign_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def silence(execution: Mapping[str, Any]) -> Text:
    """Return the line for a row of `abandoned_executions`."""
    sign = sign_of("abandoned")
    seen = execution["last_seen_at"]
    since = "" if seen is None else f" after {seen:%Y-%m-%d %H:%M:%S}Z"
    step = f", in {one_line(execution['last_step'])}" if execution["last_step"] else ""
    run = execution["root_run_id"]
    return Text(f"{sign.mark} abandoned: run {run} gave no sign of life{since}{step}", sign.style)
