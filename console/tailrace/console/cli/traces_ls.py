"""`tailrace traces ls`: which executions there are, how they stand, what they cost."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from clickhouse_connect.driver.client import Client

from tailrace.console.cli.traces import (
    ComponentOption,
    EnvironmentOption,
    OutcomeOption,
    Screen,
    SessionOption,
    SinceOption,
    StatusOption,
    TagOption,
    TextOption,
)
from tailrace.console.report.listing import Listing, listed_record
from tailrace.console.report.printable import json_text
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.queries.list_traces import ListedTrace, TraceFilter, list_traces

POLL_S = 1.0
_LATE = timedelta(seconds=60)
"""How far behind the newest an event may be stored and still be followed: partitions are stored
each at its own pace."""
_AT_ONCE = 1_000
"""Executions that may change between two looks; of more, the newest are shown."""


def command(
    *,
    component: ComponentOption = None,
    status: StatusOption = None,
    outcome: OutcomeOption = None,
    since: SinceOption = None,
    session: SessionOption = None,
    tag: TagOption = None,
    environment: EnvironmentOption = None,
    text: TextOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Show the newest N.")] = 25,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new and changed ones until Ctrl-C.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, one execution a line.")] = False,
) -> None:
    """List executions, the newest first (last, with --follow).

    Until the stream processors exist, all is told from the stored events alone: an execution that
    has not ended is open, however long ago it began, and `took` says for how long.
    """
    wanted = TraceFilter(
        component=component or "",
        environment=environment or "",
        session=session or "",
        tag=tag or "",
        status=status or "",
        outcome=outcome or "",
        text=text or "",
        since=since,
    )
    screen = Screen()
    client = connect()
    rows = list_traces(client, wanted, limit)
    printer = _Printer(screen, rows, json=json)
    if follow:
        printer.show(rows[::-1])
        for changed in _changes(client, wanted, rows):
            printer.show(changed)
        return
    printer.show(rows)
    if not rows:
        screen.aside(_nothing(wanted))
    elif len(rows) == limit and screen.is_terminal and not json:
        screen.aside(f"the newest {limit} are shown: --limit shows more")


class _Printer:
    """Prints rows as a table or as JSON."""

    def __init__(self, screen: Screen, rows: list[ListedTrace], *, json: bool) -> None:
        self._screen = screen
        self._json = json
        width = screen.width if screen.is_terminal else None
        self._listing = Listing(rows, datetime.now(UTC), width)
        if rows and not json:
            screen.line(self._listing.heading())

    def show(self, rows: list[ListedTrace]) -> None:
        for row in rows:
            if self._json:
                self._screen.plain(json_text(listed_record(row)))
            else:
                self._screen.line(self._listing.row(row, datetime.now(UTC)))
        self._screen.flush()


def _changes(
    client: Client, wanted: TraceFilter, rows: list[ListedTrace]
) -> Iterator[list[ListedTrace]]:
    """Yield what is new or changed, the oldest first, for ever."""
    known = {_identity(row): row for row in rows}
    newest = max((row.updated_at for row in rows), default=datetime.now(UTC))
    while True:
        time.sleep(POLL_S)
        asked = replace(wanted, updated_since=newest - _LATE)
        found = list_traces(client, asked, _AT_ONCE)
        yield [row for row in found[::-1] if known.get(_identity(row)) != row]
        newest = max([newest, *(row.updated_at for row in found)])
        # What has rested longer than the window cannot be found again: it need not be known.
        known = {_identity(row): row for row in found}


def _identity(row: ListedTrace) -> tuple[str, str]:
    return row.trace_id, row.root_run_id


def _nothing(wanted: TraceFilter) -> str:
    if wanted != TraceFilter():
        return "no execution is like that: leave out a filter, or look further back with --since"
    return (
        "nothing is stored yet: run an agent inside `async with Tailrace()` or `tailrace import` a "
        "recording, and let `tailrace sink` run"
    )
