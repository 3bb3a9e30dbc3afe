"""The highest stored record of a partition is found among the newest rows, if it is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tailrace.sinks.archive.log_identity import highest_stored
from tailrace.sinks.clickhouse import ask, connect
from tailrace.sinks.migrations import migrate

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
OLD_ROWS = 200_000
_COLUMNS = ["seq", "log_id", "topic", "partition", "offset", "broker_ts"]
_OLD = """
INSERT INTO events (trace_id, log_id, topic, partition, offset, broker_ts)
SELECT leftPad(toString(number), 32, '0'), 'log', 't.steps', 0, number,
    toDateTime64('2026-06-14 00:00:00', 3, 'UTC') + toIntervalMillisecond(number)
FROM numbers({rows:UInt64})
"""


@pytest.fixture
def client(clickhouse: str, database: str) -> Client:
    found = connect(clickhouse, database)
    migrate(found)
    return found


def store(client: Client, rows: list[tuple[str, str, int, int, datetime]]) -> None:
    loose: Any = client
    numbered = [(number, *row) for number, row in enumerate(rows)]  # repeats would be replaced
    loose.insert("events", numbered, column_names=_COLUMNS)


def stamp(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def found(client: Client, partitions: list[int]) -> dict[int, tuple[int, int]]:
    return highest_stored(client, "log", "t.steps", "t.", partitions)


def test_it_is_found_however_long_ago_it_was_stored(client: Client) -> None:
    assert found(client, [0, 1]) == {}
    hours, days = NOW - timedelta(hours=3), NOW - timedelta(days=40)
    store(
        client,
        [
            ("log", "t.steps", 0, 7, NOW - timedelta(seconds=5)),
            ("log", "t.steps", 0, 8, NOW),
            ("log", "t.steps", 1, 5, hours - timedelta(seconds=1)),
            ("log", "t.steps", 1, 6, hours),
            ("log", "t.steps", 2, 3, days),
            ("log", "t.steps", 2, 2, days - timedelta(seconds=1)),
            ("log", "t.steps", 4, 1, NOW),
            ("another", "t.steps", 2, 90, NOW),
            ("log", "t.runs", 2, 91, NOW),
        ],
    )
    expected = {0: (8, stamp(NOW)), 1: (6, stamp(hours)), 2: (3, stamp(days))}
    assert found(client, [0, 1, 2, 3]) == expected
    assert found(client, [2]) == {2: expected[2]}


def test_older_rows_are_not_read_for_partitions_that_have_newer_ones(client: Client) -> None:
    loose: Any = client
    loose.command(_OLD, parameters={"rows": OLD_ROWS})
    store(client, [("log", "t.steps", 0, OLD_ROWS, NOW)])

    def read_rows() -> int:
        [row] = ask(client, "SELECT value FROM system.events WHERE event = 'SelectedRows'")
        return int(row["value"])

    before = read_rows()
    assert found(client, [0]) == {0: (OLD_ROWS, stamp(NOW))}
    assert read_rows() - before < OLD_ROWS // 10
