"""`tailrace topics apply`: create the topics that are missing, check the others."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from tailrace.schemas.topic_admin import Applied, apply
from tailrace.schemas.topic_settings import STANDING_TOPICS


def command(
    *,
    partitions: Annotated[
        int | None,
        typer.Option(min=1, help="Partitions of a topic.", show_default="4 on one broker, else 32"),
    ] = None,
    replication: Annotated[
        int | None,
        typer.Option(
            min=1, help="Copies of a partition.", show_default="3, or the number of brokers"
        ),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Change settings that differ.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what is missing and what differs.")
    ] = False,
) -> None:
    """Create the topics that are missing and name every difference of the others.

    Safe to run again. Partitions are never added to a topic that exists, since its keys would move
    to others. Exit code 0 if all is in order, 1 if a difference remains.
    """
    if fix and dry_run:
        raise typer.BadParameter("--fix changes settings and --dry-run changes nothing")
    result = asyncio.run(
        apply(partitions=partitions, replication=replication, fix=fix, dry_run=dry_run)
    )
    _show(result)
    if result.remaining:
        raise typer.Exit(1)


def _show(result: Applied) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for name in result.created:
        console.print(f"created {name}")
    for found in result.altered:
        was = found.existing
        console.print(f"changed {found.topic}: {found.what} from {was} to {found.declared}")
    for found in result.remaining:
        console.print(str(found))
    if not result.remaining:
        console.print(f"{len(STANDING_TOPICS)} topics are in order")
