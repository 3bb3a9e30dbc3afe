"""`tailrace traces show ID`: one trace, as the tree and the conversation that it was."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from tailrace.console.cli.traces import NARROWEST, Screen
from tailrace.console.report.assembly import assemble
from tailrace.console.report.document import document
from tailrace.console.report.headline import headline
from tailrace.console.report.outline import draw
from tailrace.console.report.printable import json_text, one_line
from tailrace.console.report.raw import raw_lines, raw_record
from tailrace.console.report.silence import silence
from tailrace.console.report.story import tell
from tailrace.console.report.telling import Telling
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.queries.closed_executions import abandoned_executions
from tailrace.sinks.queries.raw_events import raw_events
from tailrace.sinks.queries.read_trace import StoredTrace, read_trace
from tailrace.sinks.queries.trace_id import whole_trace_id


def command(
    *,
    trace: Annotated[str, typer.Argument(metavar="ID", help="The trace's id, or how it begins.")],
    full: Annotated[bool, typer.Option("--full", help="Fold nothing.")] = False,
    width: Annotated[
        int | None,
        typer.Option(
            min=NARROWEST, help="Cells in a line.", show_default="the terminal's, else 80"
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document, payloads resolved.")
    ] = False,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="The events as they lie in the log; --json: all of it."),
    ] = False,
) -> None:
    """Show one trace: executions, runs, steps, what was said, and what is missing.

    A model call shows the messages that it added to the conversation. Long
    texts are folded; --full shows all of them.
    """
    screen = Screen(width)
    client = connect()
    if raw:
        rows = raw_events(client, whole_trace_id(client, trace), repeats=True)
        if json:
            for row in rows:
                screen.plain(json_text(raw_record(row)))
            return
        for line in raw_lines(rows, screen.room):
            screen.line(line)
        return
    stored = read_trace(client, trace)
    abandoned = abandoned_executions(client, stored.trace_id)
    if json:
        found = document(stored.trace_id, assemble(stored.events), stored.bodies, abandoned)
        screen.plain(json_text(found, indent=2))
        return
    _show(screen, stored, abandoned, full=full)


def _show(
    screen: Screen, stored: StoredTrace, abandoned: list[dict[str, Any]], *, full: bool
) -> None:
    roots = assemble(stored.events)
    screen.line(headline(stored.trace_id, roots, screen.width))
    for each in abandoned:
        screen.line(silence(each))
    for row in stored.unreadable:
        screen.line(Text(f"gap  {one_line(row.reason)}", style="bold yellow"))
    telling = Telling(stored.bodies, datetime.now(UTC), full)
    for line in draw(tell(roots, telling), screen.width, full=full):
        screen.line(line)
