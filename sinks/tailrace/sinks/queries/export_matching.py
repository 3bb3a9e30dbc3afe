"""The traces that a filter means, as a file: found and read by ClickHouse in one pass each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.sinks.clickhouse import ask, ask_bytes
from tailrace.sinks.queries.list_traces_sql import listing_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickhouse_connect.driver.client import Client

    from tailrace.sinks.queries.list_traces import TraceFilter

_EVERY = 2**31
_IDS = "SELECT DISTINCT trace_id FROM ({listing})"
_ROWS = """
SELECT *
FROM events
WHERE trace_id IN ({ids})
ORDER BY trace_id, run_id, seq, offset
LIMIT 1 BY trace_id, run_id, seq
"""


def matching_trace_ids(client: Client, wanted: TraceFilter, limit: int | None = None) -> list[str]:
    """Return the ids of the traces with a wanted execution; of the newest `limit` ones if given.

    Raises:
        NotMigratedError: if there is no table yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    sql, parameters = _ids(wanted, limit)
    return sorted(str(row["trace_id"]) for row in ask(client, sql, parameters))


def export_matching_parquet(
    client: Client, wanted: TraceFilter, limit: int | None = None
) -> Iterator[bytes]:
    """Yield a Parquet file of the events of every trace with a wanted execution.

    As `export.export_parquet`, whose ids travel with the question: here any number of traces may be
    meant. Raises as `matching_trace_ids` does, at the first item or later.
    """
    sql, parameters = _ids(wanted, limit)
    return ask_bytes(client, _ROWS.replace("{ids}", sql), parameters, "Parquet")


def _ids(wanted: TraceFilter, limit: int | None) -> tuple[str, dict[str, Any]]:
    given = {name: value for name, value in vars(wanted).items() if value}
    listing = listing_sql(frozenset(given))
    return _IDS.replace("{listing}", listing), {**given, "limit": limit or _EVERY}
