"""Beyond the window of tokens a repeated insert is stored again: the identity is the backstop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.log_journal import counts, create_topics, fleet, write
from support.log_sinks import archive, rows_and_identities
from tailrace.schemas.catalog import shipped
from tailrace.schemas.wire import split_frame
from tailrace.sinks.archive.blocks import Place, splice
from tailrace.sinks.archive.writer import Writer
from tailrace.sinks.clickhouse import ask, connect, tell
from tailrace.sinks.queries.count_events import count_events
from tailrace.sinks.queries.list_traces import list_traces
from tailrace.sinks.queries.raw_events import raw_events
from tailrace.sinks.queries.tool_calls_by_name import tool_calls_by_name
from tailrace.sinks.sink import SinkOptions

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

RUNS = 20
_STORED = """
SELECT log_id, offset, toUnixTimestamp64Milli(broker_ts) AS stamp
FROM events
WHERE topic = {topic:String}
ORDER BY offset
"""


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int
    value: bytes
    key: bytes | None = None


def answers(client: Client) -> tuple[object, ...]:
    """Return what every query says that counts events or shows them."""
    counted = count_events(client)
    listed = list_traces(client, limit=2 * RUNS)
    shown = [raw_events(client, row.trace_id) for row in listed]
    told = [(event["run_id"], event["seq"]) for events in shown for event in events]
    totals = (counted.events, counted.runs, counted.executions)
    return totals, listed, tool_calls_by_name(client), told


def test_a_writer_that_repeats_a_forgotten_token_changes_no_answer(
    kafka: str, clickhouse: str, database: str, topic_prefix: str
) -> None:
    create_topics(kafka, topic_prefix, partitions=1)
    options = SinkOptions(
        kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix
    )
    records = fleet(RUNS)
    write(kafka, topic_prefix, records)
    asyncio.run(archive(options))
    client = connect(clickhouse, database)
    tell(client, "SYSTEM STOP MERGES events")
    before = answers(client)
    for suffix in ("runs", "steps"):
        topic = f"{topic_prefix}{suffix}"
        values: list[bytes] = [value for written_to, _, value in records if written_to == suffix]
        stored = ask(client, _STORED, {"topic": topic})
        again = [Record(row["offset"], row["stamp"], values[int(row["offset"])]) for row in stored]
        schema = shipped()[split_frame(values[0])[0]]
        container = splice(schema, Place(stored[0]["log_id"], topic, 0), again)
        Writer(client).insert("events", container, f"forgotten {suffix}")

    rows, identities = rows_and_identities(options, "events", "run_id", "seq")

    assert (rows, identities) == (2 * counts(records, "runs", "steps"), 5 * RUNS)
    assert answers(client) == before
