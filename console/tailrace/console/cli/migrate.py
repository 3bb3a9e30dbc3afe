"""`tailrace migrate`: bring the ClickHouse database to the tables that this version needs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.sinks.clickhouse import connect
from tailrace.sinks.migrations import migrate, shipped_migrations
from tailrace.sinks.text_index import add_text_index, drop_text_index, has_text_index

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def command(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Name what is missing and change nothing.")
    ] = False,
    text_index: Annotated[
        bool | None,
        typer.Option(
            "--text-index/--no-text-index",
            help="Index the words of payloads, or do so no longer.",
        ),
    ] = None,
) -> None:
    """Create or update the tables in ClickHouse.

    Safe to run twice and by several processes at once. `tailrace sink` does
    it as well when it starts. The database is $TAILRACE_DATABASE, else
    `tailrace`.

    An index of words makes `tailrace traces ls --text` several times cheaper,
    and storing a third to a half dearer, in time and on disk. Unless told, it
    is there or not as before.
    """
    client = connect()
    database = client.database
    applied = migrate(client, dry_run=dry_run)
    for migration in applied:
        sys.stdout.write(f"{'would apply' if dry_run else 'applied'} {migration.name}\n")
    if not applied:
        number = len(shipped_migrations())
        sys.stdout.write(f"database {database} is up to date: all {number} migrations applied\n")
    if text_index is not None:
        sys.stdout.write(_index(client, wanted=text_index, dry_run=dry_run) + "\n")


def _index(client: Client, *, wanted: bool, dry_run: bool) -> str:
    """Have the index or not; return what was done."""
    if dry_run:
        return f"would {'index' if wanted else 'not index'} the words of payloads"
    if wanted == has_text_index(client):
        return f"the words of payloads are {'' if wanted else 'not '}indexed already"
    if wanted:
        add_text_index(client)
        return (
            "the words of payloads are indexed from now on; what is stored already follows in the "
            "background"
        )
    drop_text_index(client)
    return "the words of payloads are indexed no longer"
