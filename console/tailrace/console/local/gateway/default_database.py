"""Making `default` an ordinary database again, as it is on a server.

chDB, being ClickHouse's local tool inside, lays a view of the file system over the database
`default`: there, any unknown table name is taken for a file's path. It does so whenever it opens a
folder, and cannot be told not to. So the folder's own `default` waits under another name while the
engine opens, the overlay is dropped while it is empty, and `default` gets its name back.

Every step can be the last one of a killed process; the next start goes on from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.console.local.gateway.errors import EngineUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.console.local.gateway.connection import Connection

_ASIDE = "_tailrace_default"


def put_aside(folder: Path) -> None:
    """Rename `default` on disk; the folder's lock must be held and no engine open."""
    metadata = folder / "metadata"
    named, kept = metadata / "default.sql", metadata / f"{_ASIDE}.sql"
    tables, kept_tables = metadata / "default", metadata / _ASIDE
    if not named.exists() and not kept.exists():
        if not tables.is_symlink():
            return
        # Opened by the bare engine before: it keeps the tables, but no file that names them.
        uuid = tables.readlink().name
        named.write_text(f"ATTACH DATABASE _ UUID '{uuid}'\nENGINE = Atomic\n", encoding="utf-8")
    # If both files are there, `default` is the empty overlay of a start that was killed.
    if tables.is_dir() and not kept_tables.is_dir():
        tables.rename(kept_tables)
    if not kept.exists():
        named.rename(kept)
    if tables.is_dir() and any(tables.glob("*.sql")):
        raise EngineUnavailableError(
            f"{metadata} holds tables of the database default twice, in {tables.name} and "
            f"{kept_tables.name}: move one of them away, nothing was changed"
        )


def bring_back(connection: Connection) -> None:
    """Drop the empty overlay and give `default` its name, or make it; blocks some milliseconds."""
    names = connection.query(b"SHOW DATABASES", "TSV").bytes().decode().split()
    if "default" in names:
        connection.query(b"DROP DATABASE default SYNC", "Null")
    if _ASIDE in names:
        connection.query(f"RENAME DATABASE {_ASIDE} TO default".encode(), "Null")
    else:
        connection.query(b"CREATE DATABASE default ENGINE = Atomic", "Null")
