"""Numbered SQL, each applied once: what brings a database to the tables that this version needs.

ClickHouse has no transactions over tables, so a migration is one statement, and whoever applies it
first creates the table `migrating`, which only one process can. That table left behind is a
migration that was begun and not recorded: it is refused with what to do, never guessed at.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING

from tailrace.schemas.errors import TailraceError
from tailrace.sinks.clickhouse import NotMigratedError, QueryFailedError, ask, tell
from tailrace.sinks.replication import is_replicated, replicated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickhouse_connect.driver.client import Client

WAIT_S = 30.0
"""How long another process's migration is waited for before it counts as half applied."""

_POLL_S = 0.1
_TABLE_EXISTS = 57
_RECORD = """
CREATE TABLE IF NOT EXISTS migrations
(
    version    UInt32,
    name       String,
    checksum   String,
    tailrace   String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY version
"""
# A comment is set with the table in one step, and can be no bound parameter.
_CLAIM = "CREATE TABLE migrating (migration String) ENGINE = TinyLog COMMENT '{what}'"


class MigrationError(TailraceError):
    """The database cannot be brought to this version's tables without a person's decision."""


@dataclass(frozen=True)
class Migration:
    """One numbered file."""

    version: int
    """Its number; numbers count from 1 without gaps."""

    name: str
    """The file's name."""

    sql: str
    """One statement."""

    @property
    def checksum(self) -> str:
        """SHA-256 of the file, 64 hex digits."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@cache
def shipped_migrations() -> tuple[Migration, ...]:
    """Return the migrations that this version ships, in order."""
    found: list[Migration] = []
    for file in files("tailrace.sinks").joinpath("sql").iterdir():
        match = re.fullmatch(r"(\d{4})_\w+\.sql", file.name)
        if match:
            found.append(Migration(int(match[1]), file.name, file.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda migration: migration.version))


def migrate(client: Client, *, dry_run: bool = False, wait_s: float = WAIT_S) -> list[Migration]:
    """Apply what is missing, and return it in order; with `dry_run` only return it.

    Safe to run twice and by several processes at once: one applies, the others wait up to `wait_s`.
    Creates the client's database if it is missing; in one of the engine `Replicated` the tables are
    created as replicated ones (see `replication`).

    Raises:
        MigrationError: if a migration was left half applied, was changed after it was applied, or
            comes from a newer Tailrace.
        QueryFailedError: if ClickHouse refuses a statement.
    """
    if dry_run:
        return _missing(client)
    _create_database(client)
    tell(client, _for_database(client, _RECORD))
    applied: list[Migration] = []
    deadline = time.monotonic() + wait_s
    while missing := _missing(client):
        if _claim(client, missing[0], deadline):
            applied += _apply_claimed(client)
    return applied


def _create_database(client: Client) -> None:
    name = client.database
    assert name is not None, "connect() always names a database"
    client.database = None
    try:
        tell(client, "CREATE DATABASE IF NOT EXISTS {name:Identifier}", {"name": name})
    finally:
        client.database = name


def _missing(client: Client) -> list[Migration]:
    try:
        rows = ask(client, "SELECT DISTINCT version, name, checksum FROM migrations")
    except NotMigratedError:
        return list(shipped_migrations())
    applied = {int(row["version"]): row for row in rows}
    known = {migration.version: migration for migration in shipped_migrations()}
    for number, row in sorted(applied.items()):
        migration = known.get(number)
        if migration is None:
            raise MigrationError(
                f"database {client.database} was migrated by a newer Tailrace, which applied "
                f"{row['name']}: use that version, or another database"
            )
        if migration.checksum != row["checksum"]:
            raise MigrationError(
                f"{migration.name} is not the file that was applied to database {client.database}: "
                "restore the file and put the change into a new migration"
            )
    return [migration for number, migration in sorted(known.items()) if number not in applied]


def _claim(client: Client, first: Migration, deadline: float) -> bool:
    """Return whether this process may migrate; wait a little where another one does."""
    what = re.sub(r"[^\w. ]", "_", f"{first.name} by tailrace {_tailrace()}")
    try:
        tell(client, _CLAIM.format(what=what))
    except QueryFailedError as error:
        if error.code != _TABLE_EXISTS:
            raise
    else:
        return True
    if time.monotonic() > deadline:
        raise MigrationError(_half_applied(client))
    time.sleep(_POLL_S)
    return False


def _apply_claimed(client: Client) -> list[Migration]:
    missing = _missing(client)
    # A new database holds nothing yet, so there the records may come at the end, all at once, which
    # spares a quarter of the time. Where rows lie, each is recorded before the next begins.
    is_new = missing == list(shipped_migrations())
    for migration in missing:
        tell(client, _for_database(client, migration.sql))
        if not is_new:
            _record(client, [migration])
    if is_new:
        _record(client, missing)
    tell(client, "DROP TABLE migrating SYNC")
    return missing


def _record(client: Client, migrations: Sequence[Migration]) -> None:
    tell(
        client,
        "INSERT INTO migrations (version, name, checksum, tailrace) "
        "SELECT each.1, each.2, each.3, {tailrace:String} "
        "FROM (SELECT arrayJoin(arrayZip({versions:Array(UInt32)}, {names:Array(String)}, "
        "{checksums:Array(String)})) AS each)",
        {
            "versions": [each.version for each in migrations],
            "names": [each.name for each in migrations],
            "checksums": [each.checksum for each in migrations],
            "tailrace": _tailrace(),
        },
    )


def _for_database(client: Client, sql: str) -> str:
    return replicated(sql) if is_replicated(client) else sql


def _half_applied(client: Client) -> str:
    rows = ask(
        client,
        "SELECT comment, metadata_modification_time AS since FROM system.tables "
        "WHERE database = currentDatabase() AND name = 'migrating'",
    )
    what = f"{rows[0]['comment']}, begun at {rows[0]['since']} UTC" if rows else "unknown"
    return (
        f"a migration of database {client.database} was begun and never finished ({what}): compare "
        "SHOW CREATE TABLE with the file in sinks/sql, drop what it created if it is not recorded "
        f"in the table migrations, then DROP TABLE {client.database}.migrating and start again"
    )


@cache
def _tailrace() -> str:
    return version("tailrace")
