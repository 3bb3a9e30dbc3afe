"""`tailrace traces ls`: which executions there are, how they stand, what they cost."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from clickhouse_connect.driver.client import Client

from tailrace.console.cli.traces import (
    NARROWEST,
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
    width: Annotated[
        int | None,
        typer.Option(
            min=NARROWEST,
            help="Cells in a line.",
            show_default="the terminal's; in a pipe nothing is cut",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, one execution a line.")] = False,
) -> None:
    """List executions, the newest first (last, with --follow).

    An execution that has not ended is open, and `took` says for how long,
    until `tailrace stream` finds that it was abandoned.
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
    screen = Screen(width)
    client = connect()
    follower = _Follower(client, wanted) if follow else None
    rows = list_traces(client, wanted, limit)
    printer = _Printer(screen, rows, json=json, more=follow)
    if follower is not None:
        printer.show(rows[::-1])
        follower.know(rows)
        while True:
            time.sleep(POLL_S)
            printer.show(follower.changed())
    printer.show(rows)
    if not rows:
        screen.aside(_nothing(wanted))
    elif len(rows) == limit and screen.is_terminal and not json:
        screen.aside(f"the newest {limit} are shown: --limit shows more")


class _Printer:
    """Prints rows as a table or as JSON."""

    def __init__(self, screen: Screen, rows: list[ListedTrace], *, json: bool, more: bool) -> None:
        self._screen = screen
        self._json = json
        self._listing = Listing(rows, datetime.now(UTC), screen.room, more=more)
        if (rows or more) and not json:
            screen.line(self._listing.heading())

    def show(self, rows: list[ListedTrace]) -> None:
        for row in rows:
            if self._json:
                self._screen.plain(json_text(listed_record(row)))
            else:
                self._screen.line(self._listing.row(row, datetime.now(UTC)))
        self._screen.flush()


class _Follower:
    """Finds what is new or changed since it last looked."""

    def __init__(self, client: Client, wanted: TraceFilter) -> None:
        self._client = client
        self._wanted = wanted
        self._newest = datetime.now(UTC)
        self._known: dict[tuple[str, str], ListedTrace] = {}
        self.changed()

    def know(self, rows: list[ListedTrace]) -> None:
        """Take rows as shown."""
        self._known |= {_identity(row): row for row in rows}

    def changed(self) -> list[ListedTrace]:
        """Return what is new or changed, the oldest first."""
        asked = replace(self._wanted, updated_since=self._newest - _LATE)
        found = list_traces(self._client, asked, _AT_ONCE)[::-1]
        changed = [row for row in found if self._known.get(_identity(row)) != row]
        self._newest = max([self._newest, *(row.updated_at for row in found)])
        # What has rested longer than the window is not found again: it need not be known.
        self._known = {_identity(row): row for row in found}
        return changed


def _identity(row: ListedTrace) -> tuple[str, str]:
    return row.trace_id, row.root_run_id


def _nothing(wanted: TraceFilter) -> str:
    if wanted != TraceFilter():
        return "no execution is like that: leave out a filter, or look further back with --since"
    return (
        "nothing is stored yet: run an agent inside `async with Tailrace()` or `tailrace import` a "
        "recording, and let `tailrace sink` run"
    )
