"""Whether an insert that the engine calls finished was stored: the embedded engine does not say.

What fails after the rows were parsed (a constraint, too many parts, a full disk, memory) is not
raised by chDB's streaming insert, which reports its rows as written. The engine's own counter of
failed inserts does tell, for all inserts together: if it moved while one ran, that one is not
acknowledged.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace.console.local.gateway.errors import from_engine

if TYPE_CHECKING:
    from tailrace.console.local.gateway.engine import Connection
    from tailrace.console.local.gateway.errors import GatewayError

_FAILED = b"SELECT value FROM system.events WHERE event = 'FailedInsertQuery'"
_ERRORS = b"SELECT code, value, last_error_message FROM system.errors WHERE NOT remote"
_UNKNOWN_STATUS = (
    "Code: 319. DB::Exception: One of the inserts that ran at once failed, and the engine does not "
    "say which: send it again under its token. (UNKNOWN_STATUS_OF_INSERT)"
)


@dataclass
class _Running:
    """The inserts of this process; proofs are made and ended on several threads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    now: int = 0
    begun: int = 0


_running = _Running()


class Proof:
    """Stands around one insert: begun before it, asked once it is finished, ended in any case."""

    def __init__(self, connection: Connection) -> None:
        """Take the insert's connection; nothing is noted yet."""
        self._connection = connection
        self._alone = False
        self._begun: int | None = None
        self._ended = False
        self._failed = 0
        self._errors: dict[str, tuple[int, str]] = {}

    def begin(self) -> None:
        """Note how many inserts failed so far; blocks for a millisecond.

        It may still run when its client has gone and the proof was ended: then nothing is noted.
        """
        with _running.lock:
            if self._ended:
                return
            self._alone = _running.now == 0
            _running.now += 1
            _running.begun += 1
            self._begun = _running.begun
        self._failed = _count(self._connection)
        self._errors = _errors(self._connection)

    def failure(self) -> GatewayError | None:
        """Return why the insert is not acknowledged, None if it is stored.

        Where others ran at the same time nobody knows which of them failed, and the client is told
        that: under its token it can send it again whatever happened.
        """
        if _count(self._connection) == self._failed:
            return None
        if not self._alone or _running.begun != self._begun:
            return from_engine(RuntimeError(_UNKNOWN_STATUS))
        for code, (value, said) in _errors(self._connection).items():
            if value > self._errors.get(code, (0, ""))[0]:
                return from_engine(RuntimeError(f"Code: {code}. DB::Exception: {said}"))
        return from_engine(RuntimeError(_UNKNOWN_STATUS))

    def end(self) -> None:
        """Note that the insert is over, however it ended, or that it never begins."""
        with _running.lock:
            if self._begun is not None and not self._ended:
                _running.now -= 1
            self._ended = True


def _count(connection: Connection) -> int:
    return int(connection.query(_FAILED, "TSV").bytes() or 0)


def _errors(connection: Connection) -> dict[str, tuple[int, str]]:
    """Return how often each error has happened, and what the engine said the last time."""
    found: dict[str, tuple[int, str]] = {}
    for line in connection.query(_ERRORS, "TSV").bytes().decode("utf-8", "replace").splitlines():
        code, value, said = line.split("\t", 2)
        found[code] = (int(value), said)
    return found
