"""Which of these runs are stored to their end?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.sinks.clickhouse import ask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clickhouse_connect.driver.client import Client

_SQL = """
SELECT DISTINCT run_id
FROM events
WHERE run_id IN {run_ids:Array(String)} AND last_seq IS NOT NULL
"""
_PORTION = 5_000  # parameters travel in the address, whose length servers limit


def stored_runs(client: Client, run_ids: Iterable[str]) -> set[str]:
    """Return those of the runs whose last event is in the table.

    Raises:
        NotMigratedError: if there is no table yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    asked = list(run_ids)
    found: set[str] = set()
    for start in range(0, max(len(asked), 1), _PORTION):
        rows = ask(client, _SQL, {"run_ids": asked[start : start + _PORTION]})
        found |= {str(row["run_id"]) for row in rows}
    return found
