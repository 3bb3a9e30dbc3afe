from __future__ import annotations

import threading

import pytest

from tailrace.schemas.catalog import latest
from tailrace.sinks.clickhouse import ask, connect, tell
from tailrace.sinks.migrations import Migration, MigrationError, migrate, shipped_migrations
from tailrace.sinks.tables import COORDINATES, DEDUPLICATION_WINDOW, RECORD_COLUMN, TABLES


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
