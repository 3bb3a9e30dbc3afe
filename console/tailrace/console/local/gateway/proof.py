"""Whether an insert that the engine calls finished was stored: the embedded engine does not say.

What fails after the rows were parsed (a constraint, too many parts, a full disk, memory) is not
raised by chDB's streaming insert, which reports its rows as written. The engine's own counter of
failed inserts does tell, for all inserts together; which of them failed, and why, stands in its
query log, where each insert goes under a name of its own if it fails, and not otherwise.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tailrace.console.local.gateway.errors import from_engine

if TYPE_CHECKING:
    from tailrace.console.local.gateway.connection import Connection
    from tailrace.console.local.gateway.errors import GatewayError

_COUNT = b"SELECT value FROM system.events WHERE event = 'FailedInsertQuery'"
_NAME = (
    "SET log_queries = 1, log_queries_min_type = 'EXCEPTION_BEFORE_START', "
    "log_queries_probability = 1, log_queries_min_query_duration_ms = 0, log_comment = '{name}'"
)
_FLUSH = b"SYSTEM FLUSH LOGS query_log"
_FOUND = (
    "SELECT exception FROM system.query_log WHERE event_date >= today() - 1 "
    "AND log_comment = '{name}' AND exception_code != 0 LIMIT 1"
)
_LOG_SETTINGS = (b"log_queries", b"log_comment")
_UNKNOWN_STATUS = (
    "Code: 319. DB::Exception: An insert failed while this one ran, and its own settings keep it "
    "from the query log: send it again under its token. (UNKNOWN_STATUS_OF_INSERT)"
)


class FailedInserts:
    """How many inserts have failed as far as this gateway has seen; one object an engine.

    What was seen is never more than the engine's own counter says at that moment, so an insert of
    whose failure nobody knows yet shows in the next look, whosoever it was.
    """

    def __init__(self) -> None:
        self.seen = 0

    def count(self, connection: Connection) -> int:
        """Ask the engine; blocks for a millisecond."""
        self.seen = int(connection.query(_COUNT, "TSV").bytes() or 0)
        return self.seen


class Proof:
    """Stands around one insert: begun before it, asked once it is finished.

    Args:
        connection: the insert's own.
        head: the insert's statement.
        failed: the engine's failed inserts.
    """

    def __init__(self, connection: Connection, head: bytes, failed: FailedInserts) -> None:
        self._connection = connection
        self._name = uuid.uuid4().hex
        self._hides = any(name in head.lower() for name in _LOG_SETTINGS)
        self._failed = failed
        self._before = 0

    def begin(self) -> None:
        """Name the insert, and note how many have failed so far; blocks for a millisecond."""
        self._connection.query(_NAME.format(name=self._name).encode(), "Null")
        # Where the log cannot tell afterwards whose failure it was, the newest number is worth it.
        failed = self._failed
        self._before = failed.count(self._connection) if self._hides else failed.seen

    def failure(self) -> GatewayError | None:
        """Return why the insert is not acknowledged, None if it is stored.

        Blocks for a millisecond; where any insert failed since the last look, for a tenth of a
        second.
        A statement that changes the log's settings cannot be found in it: its client is told that
        nobody knows, and can send it again under its token.
        """
        if self._failed.count(self._connection) == self._before:
            return None
        self._connection.query(_FLUSH, "Null")
        said = self._connection.query(_FOUND.format(name=self._name).encode(), "RawBLOB").bytes()
        if said:
            return from_engine(RuntimeError(said.decode("utf-8", "replace")))
        return from_engine(RuntimeError(_UNKNOWN_STATUS)) if self._hides else None
