"""Which trace is meant by the beginning of its id?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tailrace.schemas.errors import TailraceError
from tailrace.sinks.clickhouse import ask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickhouse_connect.driver.client import Client

CANDIDATES = 10
"""So many ids are named when a prefix is ambiguous."""

_SQL = """
SELECT DISTINCT trace_id
FROM events
WHERE trace_id >= {prefix:String} AND startsWith(trace_id, {prefix:String})
ORDER BY trace_id
LIMIT {limit:UInt32}
"""


class UnknownTraceError(TailraceError):
    """No stored trace has this id."""


class AmbiguousTraceError(TailraceError):
    """Several stored traces begin like this."""

    def __init__(self, prefix: str, candidates: Sequence[str]) -> None:
        more = ", …" if len(candidates) > CANDIDATES else ""
        named = ", ".join(candidates[:CANDIDATES])
        super().__init__(f"several traces begin with {prefix}: {named}{more}; give more digits")
        self.candidates = tuple(candidates[:CANDIDATES])


def is_whole(trace_id: str) -> bool:
    """Return whether that is a whole id, in the case that ids are stored in."""
    return re.fullmatch(r"[0-9a-f]{32}", trace_id) is not None


def whole_trace_id(client: Client, prefix: str) -> str:
    """Return the id of the one stored trace that begins with the given digits.

    Raises:
        UnknownTraceError: if there is none.
        AmbiguousTraceError: if there are several.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    wanted = prefix.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{1,32}", wanted):
        raise UnknownTraceError(f"{prefix!r} is no trace id: up to 32 hex digits, or a prefix")
    rows = ask(client, _SQL, {"prefix": wanted, "limit": CANDIDATES + 1})
    found = [str(row["trace_id"]) for row in rows]
    if not found:
        raise UnknownTraceError(
            f"no trace {prefix} is stored: `tailrace traces ls` shows those that are; one that "
            "just ran may not have arrived yet"
        )
    if len(found) > 1 and wanted not in found:
        raise AmbiguousTraceError(prefix, found)
    return wanted if wanted in found else found[0]
