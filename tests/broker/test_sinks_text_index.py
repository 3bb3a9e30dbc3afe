"""The index of words finds what reading finds, is used, outlives a rebuild, and goes when told."""

from __future__ import annotations

import asyncio
import hashlib
import json

from support.log_journal import START_US, create_topics, run_records, write
from support.log_sinks import archive
from support.waiting import wait_until
from tailrace.schemas.catalog import latest
from tailrace.schemas.wire import encode
from tailrace.sinks.clickhouse import ask, connect
from tailrace.sinks.queries.list_traces import TraceFilter, list_traces
from tailrace.sinks.rebuild import rebuild
from tailrace.sinks.sink import SinkOptions
from tailrace.sinks.tables import EVENTS
from tailrace.sinks.text_index import add_text_index, drop_text_index, has_text_index

BODY = json.dumps({"text": "the Quick brown fox"})
SHA = hashlib.sha256(BODY.encode()).hexdigest()
TEXTS = ("parcel", "PARC", "rcel 1", "quick BROWN", "Zürich", "zür", "100%", "_", "nothing like it")


def test_texts_are_found_as_without_it(
    kafka: str, clickhouse: str, database: str, topic_prefix: str
) -> None:
    create_topics(kafka, topic_prefix)
    options = SinkOptions(
        kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix
    )
    client = connect(clickhouse, database)

    def store(first: int) -> None:
        records = [
            record
            for number in range(first, first + 20)
            for record in run_records(
                start_us=START_US + number * 1_000_000,
                payload=f'{{"question":"parcel {number}, Zürich, {number}%"}}',
                step_fields={"bodies": [SHA]} if number % 7 == 0 else None,
            )
        ]
        body = {"sha256": SHA, "trace_id": "ab" * 16, "content": BODY}
        write(
            kafka, topic_prefix, [*records, ("bodies", SHA.encode(), encode(latest("body"), body))]
        )
        asyncio.run(archive(options))

    def found() -> dict[str, list[str]]:
        return {
            text: [row.trace_id for row in list_traces(client, TraceFilter(text=text), limit=100)]
            for text in TEXTS
        }

    store(85)
    before = found()
    assert [len(ids) for ids in before.values()] == [20, 20, 5, 2, 20, 20, 1, 0, 0]
    assert not has_text_index(client)
    add_text_index(client)
    add_text_index(client)
    assert has_text_index(client)
    wait_until(
        lambda: not ask(client, "SELECT 1 FROM system.mutations WHERE NOT is_done"),
        "what was stored is indexed",
    )
    assert found() == before
    store(105)
    both = found()
    assert [len(ids) for ids in both.values()] == [40, 40, 25, 5, 40, 40, 1, 0, 0]

    plan = ask(
        client, "EXPLAIN indexes = 1 SELECT count() FROM events WHERE input ILIKE '%parcel%'"
    )
    assert any("input_words" in str(row["explain"]) for row in plan)
    asyncio.run(rebuild(options, [EVENTS]))
    assert has_text_index(client)
    assert found() == both
    drop_text_index(client)
    drop_text_index(client)
    assert not has_text_index(client)
    assert found() == both
    client.close()
