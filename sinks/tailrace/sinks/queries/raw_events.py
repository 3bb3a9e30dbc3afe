"""The rows of a trace as they lie in the table, coordinates in the log included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.sinks.clickhouse import ask

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_SQL = """
SELECT *
FROM events
WHERE trace_id = {trace_id:String}
ORDER BY run_id, seq, offset
"""
_ONCE = """
LIMIT 1 BY run_id, seq
"""


def raw_events(client: Client, trace_id: str, *, repeats: bool = False) -> list[dict[str, Any]]:
    """Return a trace's events by run and seq: the wide record's fields, then its coordinates.

    Args:
        client: from `clickhouse.connect`.
        trace_id: the whole id.
        repeats: whether to return what the log holds twice as often as the table still has it.

    Raises:
        NotMigratedError: if there is no table yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    return ask(client, _SQL if repeats else _SQL + _ONCE, {"trace_id": trace_id})
