"""`tailrace gaps`: the ledger, what must be stored against what is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.console.cli.traces import (
    NARROWEST,
    ComponentOption,
    EnvironmentOption,
    Screen,
    SessionOption,
    SinceOption,
)
from tailrace.console.report.ledger import (
    gap_line,
    gap_record,
    partition_lines,
    partition_record,
    total_lines,
    total_record,
)
from tailrace.console.report.printable import json_text, one_line
from tailrace.sinks.gaps.ledger import Ledger, open_ledger
from tailrace.sinks.gaps.options import LedgerOptions

if TYPE_CHECKING:
    from collections.abc import Callable

MISSING = 2
"""The exit code where anything is missing."""


def command(
    *,
    component: ComponentOption = None,
    environment: EnvironmentOption = None,
    session: SessionOption = None,
    since: SinceOption = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Name N gaps of runs; count all.")
    ] = 20,
    settle: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0, help="Do not judge runs of which something came since."
        ),
    ] = 10.0,
    width: Annotated[
        int | None,
        typer.Option(
            min=NARROWEST,
            help="Cells in a line.",
            show_default="the terminal's; in a pipe nothing is cut",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON, an account a line, with every gap.")
    ] = False,
) -> None:
    """Compare what must be stored with what is; exit code 2 if anything is missing.

    First every partition of the log: each record that the sink has passed is
    a row, or a repeat, or skipped by rule, or dead-lettered. Then every run:
    the events up to the one that its last event names, its children, and the
    bodies that it names. The filters choose runs; the partitions are read
    from --since on, else whole.
    """
    options = LedgerOptions(
        component=component or "",
        environment=environment or "",
        session=session or "",
        since=since,
        settle_s=settle,
    )
    screen = Screen(width)
    ledger = asyncio.run(open_ledger(options))
    show: Callable[[Screen, Ledger, int], None] = _print_json if json else _print
    show(screen, ledger, limit)
    screen.flush()
    if not ledger.whole:
        raise typer.Exit(MISSING)


def _print(screen: Screen, ledger: Ledger, limit: int) -> None:
    for line in partition_lines(ledger.partitions, screen.room):
        screen.line(line)
    screen.plain("")
    found = 0
    for gap in ledger.gaps():
        found += 1
        if found <= limit:
            screen.plain(one_line(gap_line(gap)))
    if found > limit:
        screen.plain(f"… and {found - limit:,} more gaps of runs: --limit names more")
    for sentence in total_lines(ledger.partitions, ledger.totals):
        screen.plain(sentence)


def _print_json(screen: Screen, ledger: Ledger, limit: int) -> None:
    del limit
    for account in ledger.partitions:
        screen.plain(json_text(partition_record(account)))
    for gap in ledger.gaps():
        screen.plain(json_text(gap_record(gap)))
    screen.plain(json_text(total_record(ledger.totals, whole=ledger.whole)))
