"""The first line about a trace: its id and how much there is of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from tailrace.console.report.amounts import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.console.report.tree import Run


def headline(trace_id: str, roots: Sequence[Run], width: int) -> Text:
    """Return `trace ID  2 executions, 3 runs, 14 events`, cut to the width."""
    runs = [run for root in roots for run in root.with_descendants()]
    executions = len({run.fields.root_run_id for run in roots})
    events = sum(len(run.events) for run in runs)
    amounts = (
        plural(executions, "execution"),
        plural(len(runs), "run"),
        plural(events, "event"),
    )
    line = Text.assemble(("trace ", "dim"), (trace_id, "bold"), (f"  {', '.join(amounts)}", "dim"))
    line.truncate(width, overflow="ellipsis")
    return line
