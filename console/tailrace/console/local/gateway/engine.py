"""The embedded engine: one a process, one connection a query.

A fresh connection costs about 0.2 ms and starts from the defaults, so nothing that a query sets
(settings, database, parameters, temporary tables) can reach another: nothing is ever reset.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, cast

from chdb.state.sqlitelike import Connection as _ChdbConnection

from tailrace.console.local.gateway.default_database import bring_back, put_aside
from tailrace.console.local.gateway.errors import EngineUnavailableError, from_engine
from tailrace.console.local.gateway.folder_lock import lock_folder
from tailrace.console.local.gateway.sandbox import write_configuration
from tailrace.console.local.memory import usable_memory_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.console.local.gateway.connection import Connection

_MEMORY_PARTS = 2
"""One statement may take this part of the memory: the machine has other work than one query."""

_UNSAFE_PATH = re.compile(r"[?&#%\n]")


class Engine:
    """The embedded engine on one folder, open for as long as this object is not closed."""

    def __init__(self, path: Path, *, allow_files: bool = False) -> None:
        """Open the folder, creating it; raises EngineUnavailableError, blocks about 0.4 s."""
        folder = path.absolute()
        if _UNSAFE_PATH.search(str(folder)):
            raise EngineUnavailableError(
                f"the embedded ClickHouse cannot use {path}: its name has one of ? & # % in it; "
                "choose another folder"
            )
        self._address = str(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._anchor = self._open(folder, allow_files=allow_files)
        except (RuntimeError, OSError) as raised:
            raise EngineUnavailableError(_reason(path, str(raised))) from raised
        row = self._anchor.query(b"SELECT version(), timezone()", "TSV").bytes().decode()
        self.version, self.timezone = row.rstrip("\n").split("\t")

    def connect(self) -> Connection:
        """Open a connection with the engine's defaults."""
        return _connect(self._address)

    def _open(self, folder: Path, *, allow_files: bool) -> Connection:
        self._lock = lock_folder(folder)
        put_aside(folder)
        limit = usable_memory_bytes() // _MEMORY_PARTS
        file = write_configuration(folder, max_query_memory_bytes=limit, allow_files=allow_files)
        anchor = _connect(f"{self._address}?config-file={file}")
        bring_back(anchor)
        return anchor

    def kill_all(self) -> None:
        """Ask everything that runs to stop; blocks shortly."""
        connection = self.connect()
        try:
            connection.query(b"KILL QUERY WHERE 1 ASYNC", "Null")
        finally:
            connection.close()

    def close(self) -> None:
        """Close the engine; parts in memory are written, the folder's lock is given back."""
        self._anchor.close()
        os.close(self._lock)


def _connect(address: str) -> Connection:
    return cast("Connection", cast("Any", _ChdbConnection)(address))


def prepare(connection: Connection, settings: dict[str, str], database: str | None) -> None:
    """Give a fresh connection its database and settings; raises GatewayError for unknown ones.

    A setting `param_x` is the query parameter x.
    """
    try:
        if database:
            connection.query(b"USE " + quote_name(database), "Null")
        if settings:
            pairs = (f"{name} = {quote_text(value)}" for name, value in settings.items())
            connection.query(f"SET {', '.join(pairs)}".encode(), "Null")
    except RuntimeError as raised:
        raise from_engine(raised) from raised


def quote_text(value: str) -> str:
    """Write a string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quote_name(name: str) -> bytes:
    """Write an identifier."""
    return b"`" + name.replace("\\", "\\\\").replace("`", "\\`").encode() + b"`"


def _reason(path: Path, text: str) -> str:
    return f"the embedded ClickHouse cannot open {path}: {text.strip()}"
