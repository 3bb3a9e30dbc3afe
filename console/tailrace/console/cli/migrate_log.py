"""`tailrace migrate-log`: move the log to another cluster, offsets included."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from tailrace.console.moving.moving import move_log, plan_move
from tailrace.console.report.amounts import plural
from tailrace.console.report.moving import moved_lines, plan_lines
from tailrace.producers.delivery.spool import spool_root
from tailrace.producers.delivery.spool_moving import move_spools
from tailrace.schemas.endpoints import kafka_options, old_kafka_options
from tailrace.schemas.topics import topic_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


def command(
    *,
    to: Annotated[
        str,
        typer.Option("--to", metavar="HOST:PORT", help="Bootstrap servers of the new cluster."),
    ],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="HOST:PORT",
            help="Bootstrap servers of the old cluster.",
            show_default="the local stack's",
        ),
    ] = None,
    switch: Annotated[
        bool,
        typer.Option(
            "--switch", help="Copy the rest and have the log live on the new cluster from now on."
        ),
    ] = False,
    spools: Annotated[
        bool,
        typer.Option(
            "--spools",
            help="Only hand over what agents on this host could not send to the old cluster: the "
            "next agent sends it to the new one.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
) -> None:
    """Move the log to another cluster: same topics, partitions, records, offsets.

    Without --switch it copies and compares, and the old cluster stays in use;
    run it as often as you like, it goes on where it was. With --switch all
    agents, sinks and other readers must have stopped: it copies the rest, moves
    the commits of all groups, and records the move on the log, after which the
    old cluster's copy is refused. Killed anywhere, it is run again.

    The new cluster is spoken to as TAILRACE_KAFKA_X says, the old one as
    TAILRACE_FROM_KAFKA_X says.
    """
    if switch + dry_run + spools > 1:
        raise typer.BadParameter("say one of --switch, --spools and --dry-run")
    old, new, prefix = old_kafka_options(source), kafka_options(to), topic_prefix()
    if spools:
        lines = _hand_over(old["bootstrap_servers"], new["bootstrap_servers"], prefix)
    elif dry_run:
        plan, commits = asyncio.run(plan_move(old, new, prefix))
        lines = plan_lines(plan, commits)
    else:
        with _bar() as (progress, tell):
            moved = asyncio.run(
                move_log(old, new, prefix, switch=switch, on_progress=progress, tell=tell)
            )
        lines = moved_lines(moved, to)
    for line in lines:
        sys.stdout.write(f"{line}\n")


def _hand_over(old: str, new: str, prefix: str) -> list[str]:
    moved, left = move_spools(spool_root(None, old, prefix), spool_root(None, new, prefix))
    lines = [f"handed over: {plural(moved, 'spool')} of this host"]
    if left:
        lines.append(f"left: {plural(left, 'spool')} of running agents: stop them and run it again")
    return lines


@contextmanager
def _bar() -> Generator[tuple[Callable[[str, int, int], None], Callable[[str], None]]]:
    """Give where progress and sentences go; the bar is drawn on a terminal alone."""
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("offsets"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("looking", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield show, console.print
