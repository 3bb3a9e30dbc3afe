"""What could not be read or stored?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.sinks.clickhouse import ask

if TYPE_CHECKING:
    from datetime import datetime

    from clickhouse_connect.driver.client import Client

_SQL = """
SELECT source_log_id, source_topic, source_partition, source_offset, ts, reader, reason,
    length(value) AS size_bytes
FROM dead_letters
ORDER BY dead_letters.ts DESC, source_topic, source_partition, source_offset
LIMIT 1 BY source_log_id, source_topic, source_partition, source_offset, reader
LIMIT {limit:UInt32}
"""


@dataclass(frozen=True)
class ListedDeadLetter:
    """A record that a reader gave up, once however often it did."""

    source_log_id: str
    source_topic: str
    source_partition: int
    source_offset: int
    ts: datetime
    """When it was given up last, UTC."""

    reader: str
    """The consumer group that gave it up."""

    reason: str
    size_bytes: int | None
    """Bytes of the record's value; None where it is not kept."""


def list_dead_letters(client: Client, limit: int = 100) -> list[ListedDeadLetter]:
    """Return the newest dead letters, newest first.

    Raises:
        NotMigratedError: if there is no table yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    return [ListedDeadLetter(**row) for row in ask(client, _SQL, {"limit": limit})]
