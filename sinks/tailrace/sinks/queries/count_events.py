"""How many events are stored, of how many runs, from where in the log?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.sinks.clickhouse import ask

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_TOTALS = """
SELECT count() AS rows, uniqExact(run_id, seq) AS events, uniqExact(run_id) AS runs,
    uniqExact(trace_id, root_run_id) AS executions
FROM events
"""
_PLACES = """
SELECT log_id, topic, partition, count() AS rows, min(offset) AS first, max(offset) AS last
FROM events
GROUP BY log_id, topic, partition
ORDER BY log_id, topic, partition
"""


@dataclass(frozen=True)
class StoredPartition:
    """What is stored of one partition of the log."""

    log_id: str
    topic: str
    partition: int
    rows: int
    """Rows in the table; a repeat counts as long as no merge has replaced it."""

    first: int
    """The lowest stored offset."""

    last: int
    """The highest stored offset."""


@dataclass(frozen=True)
class EventCounts:
    """What the table of events holds."""

    rows: int
    """Rows in the table; more than `events` only where the log or the sink repeated one."""

    events: int
    """Distinct (run_id, seq)."""

    runs: int
    """Distinct runs."""

    executions: int
    """Distinct (trace_id, root_run_id)."""

    partitions: tuple[StoredPartition, ...]
    """By log, topic and partition."""


def count_events(client: Client) -> EventCounts:
    """Return the counts; reads every row's identity, so it takes its time on a large table.

    Raises:
        NotMigratedError: if there is no table yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    partitions = tuple(StoredPartition(**row) for row in ask(client, _PLACES))
    return EventCounts(**ask(client, _TOTALS)[0], partitions=partitions)
