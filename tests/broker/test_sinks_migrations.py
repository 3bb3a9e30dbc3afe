from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tailrace.schemas.catalog import latest
from tailrace.sinks import migrations
from tailrace.sinks.clickhouse import ask, connect, tell
from tailrace.sinks.migrations import Migration, MigrationError, migrate, shipped_migrations
from tailrace.sinks.tables import COORDINATES, DEDUPLICATION_WINDOW, RECORD_COLUMN, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clickhouse_connect.driver.client import Client


def test_migrations_are_numbered_and_one_statement_each() -> None:
    found = shipped_migrations()
    assert [migration.version for migration in found] == list(range(1, len(found) + 1))
    for migration in found:
        lines = [line.partition("--")[0].rstrip() for line in migration.sql.splitlines()]
        statement = "\n".join(lines).strip()
        assert statement.endswith(";")
        assert statement.count(";") == 1


def test_every_table_has_the_fields_of_its_records_and_where_they_lie(
    clickhouse: str, database: str
) -> None:
    client = connect(clickhouse, database)
    migrate(client)
    for table in TABLES:
        rows = ask(
            client,
            "SELECT name FROM system.columns WHERE database = currentDatabase() "
            "AND table = {table:String} ORDER BY position",
            {"table": table.name},
        )
        names = [row["name"] for row in rows]
        fields: dict[str, None] = {}
        for record in table.records:
            fields |= dict.fromkeys(latest(record).field_names)
        extra = [RECORD_COLUMN] if len(table.records) > 1 else []
        assert names == [*fields, *extra, *COORDINATES], table.name
        assert set(table.identity) <= set(names)
        [created] = ask(
            client,
            "SELECT create_table_query AS text FROM system.tables "
            "WHERE database = currentDatabase() AND name = {table:String}",
            {"table": table.name},
        )
        assert f"non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}" in created["text"]
        assert f"ORDER BY ({', '.join(table.identity)})" in created["text"]


def test_migrating_twice_does_nothing_and_a_dry_run_touches_nothing(
    clickhouse: str, database: str
) -> None:
    client = connect(clickhouse, database)
    assert migrate(client, dry_run=True) == list(shipped_migrations())
    assert ask(client, "SELECT name FROM system.tables WHERE database = currentDatabase()") == []
    assert migrate(client) == list(shipped_migrations())
    assert migrate(client) == []
    assert migrate(client, dry_run=True) == []


def test_a_database_that_is_missing_is_created(clickhouse: str, database: str) -> None:
    client = connect(clickhouse, f"{database}_new")
    migrate(client)
    tell(client, "DROP DATABASE {name:Identifier}", {"name": f"{database}_new"})


def test_many_processes_at_once_apply_each_migration_once(clickhouse: str, database: str) -> None:
    applied: list[Migration] = []

    def one() -> None:
        applied.extend(migrate(connect(clickhouse, database)))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(applied, key=lambda migration: migration.version) == list(shipped_migrations())


def test_a_half_applied_migration_is_refused_with_what_to_do(
    clickhouse: str, database: str
) -> None:
    client = connect(clickhouse, database)
    tell(client, "CREATE TABLE migrating (migration String) ENGINE = TinyLog COMMENT '0001 by me'")
    with pytest.raises(MigrationError, match=r"0001 by me.*DROP TABLE .*migrating"):
        migrate(client, wait_s=0.3)


@pytest.mark.parametrize("there", [0, 2])
def test_a_migration_that_was_killed_before_it_was_recorded_is_never_guessed_at(
    clickhouse: str, database: str, monkeypatch: pytest.MonkeyPatch, there: int
) -> None:
    client = connect(clickhouse, database)
    tells, shipped = migrations.tell, shipped_migrations()
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "shipped_migrations", lambda: shipped[:there])
        migrate(client)

    def killed(client: Client, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        if sql.startswith("INSERT INTO migrations"):
            raise KeyboardInterrupt
        tells(client, sql, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "tell", killed)
        with pytest.raises(KeyboardInterrupt):
            migrate(client)
    begun = shipped[there].name.removesuffix(".sql")
    for _ in range(2):
        with pytest.raises(MigrationError, match=rf"{begun}.*DROP TABLE .*migrating"):
            migrate(client, wait_s=0)
    left = list(shipped[there:])
    assert migrate(client, dry_run=True) == left

    # As the sentence says: of a database that had tables one is not recorded, of a new one any.
    created = set(tables_of(client)) - {each.name for each in TABLES[:there]} - {"migrations"}
    assert len(created) == (2 if there else 1 + len(shipped))
    for name in created:
        tell(client, "DROP TABLE {table:Identifier}", {"table": name})
    assert migrate(client) == left


@pytest.fixture(scope="module")
def tables_of_today(clickhouse: str) -> Iterator[dict[str, str]]:
    client = connect(clickhouse, "migrated_at_once")
    migrate(client)
    yield tables_of(client)
    tell(client, "DROP DATABASE migrated_at_once SYNC")
    client.close()


@pytest.mark.parametrize("version", range(len(shipped_migrations())))
def test_a_database_of_any_version_before_has_todays_tables_afterwards_and_its_rows_still(
    clickhouse: str,
    database: str,
    tables_of_today: dict[str, str],
    version: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A release is a number of migrations, so each number is every release that had it."""
    client = connect(clickhouse, database)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "shipped_migrations", lambda: shipped_migrations()[:version])
        migrate(client)
    there = [table.name for table in TABLES if table.name in tables_of(client)]
    assert len(there) == sum("CREATE TABLE" in each.sql for each in shipped_migrations()[:version])
    for name in there:
        tell(client, "INSERT INTO {table:Identifier} (offset) VALUES (7)", {"table": name})

    assert [each.version for each in migrate(client, dry_run=True)] == [
        each.version for each in shipped_migrations()[version:]
    ]
    migrate(client)

    assert tables_of(client) == tables_of_today
    for name in there:
        rows = ask(client, "SELECT offset FROM {table:Identifier}", {"table": name})
        assert rows == [{"offset": 7}], name


def tables_of(client: Client) -> dict[str, str]:
    """Return what each table is, by its name, without the name of the database."""
    rows = ask(
        client,
        "SELECT name, replaceAll(create_table_query, currentDatabase(), '') AS text "
        "FROM system.tables WHERE database = currentDatabase()",
    )
    return {row["name"]: row["text"] for row in rows}


def test_a_changed_and_a_newer_migration_are_refused(clickhouse: str, database: str) -> None:
    client = connect(clickhouse, database)
    migrate(client)
    tell(client, "INSERT INTO migrations (version, name, checksum) VALUES (99, '0099_x.sql', '')")
    with pytest.raises(MigrationError, match="newer Tailrace"):
        migrate(client)
    tell(client, "TRUNCATE TABLE migrations")
    tell(client, "INSERT INTO migrations (version, name, checksum) VALUES (1, '0001_x.sql', 'x')")
    with pytest.raises(MigrationError, match="is not the file that was applied"):
        migrate(client)
