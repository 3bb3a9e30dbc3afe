"""The insert: containers into tables over HTTP, each under its token, repeated until it is known.

Blocking; called from worker threads. Which records go into one insert is decided elsewhere, and so
is what to do with a block that ClickHouse refuses.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from tailrace.schemas.errors import TailraceError
from tailrace.sinks.clickhouse import ask, error_code, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clickhouse_connect.driver.client import Client

_log = logging.getLogger(__name__)

MAX_BLOCK_ROWS = 1_048_449
"""One insert stays one block of the engine below this many rows, and so one token."""

# Every setting that the protocol rests on is named, because defaults change between versions.
_PINNED: dict[str, Any] = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "max_insert_threads": 1,
    "max_insert_block_size": MAX_BLOCK_ROWS,
    "min_insert_block_size_rows": MAX_BLOCK_ROWS,
    "min_insert_block_size_bytes": 0,
    "input_format_avro_allow_missing_fields": 1,
    # Repeats within a block wait for a merge, as those of two blocks do; sorting them out while a
    # client waits would cost every insert a pass over all columns.
    "optimize_on_insert": 0,
    # The broker's times decide the parts; no choice of them may refuse a block.
    "throw_on_max_partitions_per_insert_block": 0,
}
_PINNED_WHERE_KNOWN: dict[str, Any] = {
    "deduplicate_insert": "enable",
    "max_insert_block_size_bytes": 0,
}

# Errors of the server's state, not of the data: busy, out of memory, too many parts, read-only,
# shutting down, replicas or keeper away, an insert whose outcome the server itself does not know.
_TRANSIENT = frozenset(
    {159, 164, 202, 203, 209, 210, 225, 241, 242, 243, 252, 254, 285, 286, 289, 319, 394, 425, 439}
    | {473, 499, 745, 999}
)
# Errors that no other data would cure: tables, columns, rights, settings.
_HOPELESS = frozenset({16, 60, 62, 81, 115, 192, 193, 194, 291, 497, 516})
_MEMORY = 241
_MEMORY_TRIES = 3

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0


class InsertRefusedError(TailraceError):
    """ClickHouse refused the data of an insert; nothing of it was written."""


class InsertFailedError(TailraceError):
    """An insert cannot be done: the tables, the rights or the server need a person."""


class Writer:
    """Inserts containers through one client, which threads share.

    Args:
        client: from `clickhouse.connect`, in the database to write to.
        patience_s: how long one insert is retried before it counts as failed.
        on_retry: called with the table for each retry.
    """

    def __init__(
        self,
        client: Client,
        patience_s: float = 300.0,
        on_retry: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._client: Any = client  # its types know raw_insert only with a table
        self._patience_s = patience_s
        self._on_retry = on_retry
        self._stopped = threading.Event()
        known = client.server_settings
        self._settings = _PINNED | {
            name: value for name, value in _PINNED_WHERE_KNOWN.items() if name in known
        }
        self._structures: dict[str, str] = {}

    def insert(self, table: str, container: Sequence[bytes], token: str) -> None:
        """Insert a container; return when it is stored, by this call or an earlier one.

        Errors of the way there and of a busy server are retried with growing pauses, always under
        the same token, so a reply that was lost does no harm.

        Raises:
            InsertRefusedError: if the data was refused; nothing was written.
            InsertFailedError: if it could not be done in `patience_s`, or never can.
        """
        statement = f"INSERT INTO {table} FORMAT Avro\n".encode()
        settings = self._settings | {"insert_deduplication_token": token}
        self._send(table, b"".join((statement, *container)), settings)

    def stop(self) -> None:
        """Have running inserts retry no more, so that their threads end."""
        self._stopped.set()

    def check(self, table: str, container: Sequence[bytes]) -> None:
        """Have ClickHouse read a container as it would for the table, and throw it away.

        Raises:
            As `insert` does.
        """
        structure = self._structure(table)
        statement = f"INSERT INTO FUNCTION null('{structure}') FORMAT Avro\n".encode()
        self._send(table, b"".join((statement, *container)), self._settings)

    def _send(self, table: str, body: bytes, settings: dict[str, Any]) -> None:
        pause_s = FIRST_PAUSE_S
        deadline = time.monotonic() + self._patience_s
        tries = 0
        while True:
            tries += 1
            try:
                self._client.raw_insert(insert_block=body, settings=settings)
            except ClickHouseError as error:
                _raise_unless_transient(error, table, tries)
                if self._stopped.is_set() or time.monotonic() + pause_s > deadline:
                    raise InsertFailedError(
                        f"inserts into {table} have failed for {self._patience_s:.0f} s, last: "
                        f"{sentence(error)}; nothing is lost, and a sink that is started once "
                        "ClickHouse answers goes on from there"
                    ) from error
                _log.warning("insert into %s is retried: %s", table, sentence(error))
            else:
                return
            self._on_retry(table)
            self._stopped.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _structure(self, table: str) -> str:
        if table not in self._structures:
            rows = ask(
                self._client,
                "SELECT name, type FROM system.columns WHERE database = currentDatabase() "
                "AND table = {table:String} ORDER BY position",
                {"table": table},
            )
            columns = ", ".join(f"`{row['name']}` {row['type']}" for row in rows)
            self._structures[table] = columns.replace("\\", "\\\\").replace("'", "\\'")
        return self._structures[table]


def _raise_unless_transient(error: ClickHouseError, table: str, tries: int) -> None:
    code = error_code(error)
    if code is None or (code in _TRANSIENT and not (code == _MEMORY and tries >= _MEMORY_TRIES)):
        return
    if code in _HOPELESS:
        raise InsertFailedError(
            f"inserts into {table} cannot work (code {code}): {sentence(error)}; check that "
            "`tailrace sink` migrated this database and may write to it"
        ) from error
    # Memory too: a corrupt length can ask for any amount of it.
    raise InsertRefusedError(
        f"{table} refused an insert (code {code}): {sentence(error)}"
    ) from error
