"""`tailrace rebuild`: build tables again from the log."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from tailrace.console.report.amounts import plural
from tailrace.sinks.archive.options import SinkOptions
from tailrace.sinks.rebuild import rebuild
from tailrace.sinks.tables import TABLES, Table

_NAMES = ", ".join(table.name for table in TABLES)


def command(
    tables: Annotated[list[str], typer.Argument(metavar="TABLE", help=f"Which tables: {_NAMES}.")],
    *,
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Go on though the log lacks records, and lose their rows."),
    ] = False,
) -> None:
    """Build tables again from the log and put them in the place of the old.

    Holds afterwards what the sink has stored, row for row, without the traces
    that were forgotten. The sink must be stopped; it goes on where it was.
    Killed on the way, the old tables stand, and the next rebuild begins anew.
    """
    wanted = [_table(name) for name in dict.fromkeys(tables)]
    done = asyncio.run(rebuild(SinkOptions(), wanted, partial=partial, on_progress=_tell))
    for table in wanted:
        before, after = done.rows_before[table.name], done.rows_after[table.name]
        sys.stdout.write(f"rebuilt {table.name}: {plural(after, 'row')}, before {before:,}\n")
        if done.lost[table.name]:
            lost = plural(done.lost[table.name], "row")
            sys.stdout.write(f"  lost with the log's older records: {lost}\n")
    if done.rejected:
        sys.stdout.write(f"not stored, as bad as before: {plural(done.rejected, 'record')}\n")


def _table(name: str) -> Table:
    found = next((table for table in TABLES if table.name == name), None)
    if found is None:
        raise typer.BadParameter(f"{name!r} is none of {_NAMES}")
    return found


def _tell(done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"read {done:,} of {total:,} offsets\n")
