"""`tailrace migrate`: bring the ClickHouse database to the tables that this version needs."""

import sys
from typing import Annotated

import typer

from tailrace.sinks.clickhouse import connect
from tailrace.sinks.migrations import migrate, shipped_migrations


def command(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Name what is missing and change nothing.")
    ] = False,
) -> None:
    """Create or update the tables in ClickHouse.

    Safe to run twice and by several processes at once. `tailrace sink` does
    it as well when it starts. The database is $TAILRACE_DATABASE, else
    `tailrace`.
    """
    client = connect()
    database = client.database
    applied = migrate(client, dry_run=dry_run)
    for migration in applied:
        sys.stdout.write(f"{'would apply' if dry_run else 'applied'} {migration.name}\n")
    if not applied:
        number = len(shipped_migrations())
        sys.stdout.write(f"database {database} is up to date: all {number} migrations applied\n")
