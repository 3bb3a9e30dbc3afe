"""The ledger on the real broker and engine: it finds what is missing, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer

from support.ledgers import read_ledger
from support.log_journal import create_topics, fleet, run_records, write
from support.log_sinks import archive
from tailrace.schemas.catalog import latest
from tailrace.schemas.wire import encode
from tailrace.sinks.clickhouse import ask, connect, tell
from tailrace.sinks.sink import SinkOptions

if TYPE_CHECKING:
    from support.log_journal import Keyed

TRACE = "ab" * 16


@pytest.fixture
def options(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> SinkOptions:
    create_topics(kafka, topic_prefix)
    return SinkOptions(kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix)


def put(options: SinkOptions, records: list[Keyed]) -> None:
    assert options.kafka is not None
    assert options.prefix is not None
    write(options.kafka, options.prefix, records)


def sql(options: SinkOptions, text: str) -> list[dict[str, Any]]:
    client = connect(options.clickhouse, options.database)
    try:
        if text.startswith("SELECT"):
            return ask(client, text)
        tell(client, text)
        return []
    finally:
        client.close()


def body(sha256: str, trace_id: str = TRACE, content: str = "{}") -> Keyed:
    fields = {"sha256": sha256, "trace_id": trace_id, "content": content}
    return "bodies", sha256.encode(), encode(latest("body"), fields)


def test_where_nothing_is_missing_the_ledger_is_whole(options: SinkOptions) -> None:
    heartbeat = encode(latest("heartbeat"), {"trace_id": TRACE})
    put(
        options,
        [
            *fleet(100),
            ("runs", TRACE.encode(), heartbeat),
            body("cd" * 32),
            *run_records(trace_id=TRACE, end_fields={"bodies": ["cd" * 32]}),
        ],
    )
    asyncio.run(archive(options))

    read = read_ledger(options, chunk_rows=60, chunk_offsets=7)

    assert read.whole
    assert (read.totals.runs, read.totals.expected, read.totals.stored) == (101, 505, 505)
    assert (read.sum("records"), read.sum("stored"), read.sum("skipped")) == (507, 506, 1)
    assert (read.sum("waiting"), read.sum("surplus"), read.names) == (0, 0, [])


def test_lost_rows_are_named_by_offset_by_seq_and_by_hash(options: SinkOptions) -> None:
    records = run_records(trace_id=TRACE, run_id="1" * 32, steps=9)
    lost_body = run_records(run_id="2" * 32, end_fields={"bodies": ["ef" * 32]})
    put(options, [*fleet(20), *records, *lost_body, body("ef" * 32)])
    asyncio.run(archive(options))
    [place] = sql(
        options,
        "SELECT any(topic) AS topic, any(partition) AS part, arraySort(groupArray(offset)) AS gone "
        "FROM events WHERE startsWith(run_id, '1111') AND seq IN (3, 4, 7)",
    )
    sql(options, "DELETE FROM events WHERE startsWith(run_id, '1111') AND seq IN (3, 4, 7)")
    sql(options, "DELETE FROM bodies WHERE true")

    read = read_ledger(options, chunk_rows=10)

    assert not read.whole
    [run] = read.runs
    assert (run.run_id, run.expected, run.stored, run.ended) == ("1" * 32, 11, 8, True)
    assert [str(found) for found in run.seqs.ranges] == ["3-4", "7-7"]
    [name] = read.names
    assert (name.run_id, name.what, name.named) == ("2" * 32, "body", "ef" * 32)
    assert (read.totals.missing, read.totals.bodies_missing) == (3, 1)
    events = [lost for lost in read.lost if lost[0] != f"{options.prefix}bodies"]
    first, second, third = place["gone"]
    expected = [(first, second), (third, third)]
    assert events == [(place["topic"], place["part"], f"{a}-{b}") for a, b in expected]
    assert read.sum("records") == read.sum("stored") + 4


def test_a_repeat_a_marker_and_a_dead_letter_are_no_gaps(options: SinkOptions) -> None:
    records = fleet(30)
    corrupt = ("steps", TRACE.encode(), records[1][2][:20])
    put(options, [*records, *[body("cd" * 32)] * 5])
    asyncio.run(archive(options))
    put(options, [*records[:50], corrupt, body("cd" * 32)])
    asyncio.run(write_in_transaction(options, fleet(5)))
    asyncio.run(archive(options))
    for table in ("events", "bodies"):
        sql(options, f"OPTIMIZE TABLE {table} FINAL")

    read = read_ledger(options)

    assert read.whole, read.lost
    assert read.sum("dead") == 1
    assert read.sum("replaced") == 55
    assert read.sum("surplus") == 0
    assert (read.totals.runs, read.totals.stored) == (35, 175)


async def write_in_transaction(options: SinkOptions, records: list[Keyed]) -> None:
    assert options.kafka is not None
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=options.kafka, transactional_id=f"{options.prefix}tx"
    )
    await producer.start()
    try:
        for record in records:
            async with producer.transaction():
                suffix, key, value = record
                await producer.send_and_wait(f"{options.prefix}{suffix}", value, key=key)
    finally:
        await producer.stop()


def test_runs_that_are_named_and_not_stored_are_missing_and_offers_are_not(
    options: SinkOptions,
) -> None:
    child, parent = "c" * 32, "d" * 32
    put(
        options,
        [
            *run_records(
                run_id="1" * 32, trace_id=TRACE, end_fields={"children": [child], "offers": ["o"]}
            ),
            *run_records(run_id="2" * 32, trace_id=TRACE, parent_run_id=parent),
            *run_records(run_id="3" * 32, end=None),
        ],
    )
    asyncio.run(archive(options))

    read = read_ledger(options)

    assert {(gap.what, gap.named) for gap in read.names} == {("child", child), ("parent", parent)}
    assert (read.totals.runs_missing, read.totals.unclaimed, read.totals.open) == (2, 1, 1)
    assert not read.whole
    assert not read.lost


def test_what_the_sink_has_not_reached_waits_and_is_no_gap(options: SinkOptions) -> None:
    put(options, fleet(10))
    asyncio.run(archive(options))
    put(options, fleet(10))

    read = read_ledger(options)

    assert read.whole
    assert (read.sum("waiting"), read.sum("records")) == (50, 50)


def test_filters_choose_runs_and_since_where_the_log_begins(options: SinkOptions) -> None:
    put(options, [*fleet(3, component="billing"), *fleet(4, environment="prod")])
    asyncio.run(archive(options))
    assert read_ledger(options, component="billing").totals.runs == 3
    assert read_ledger(options, environment="prod").totals.runs == 4
    assert read_ledger(options, session="none").totals.runs == 0
    later = read_ledger(options, since=datetime(2100, 1, 1, tzinfo=UTC))
    assert (later.totals.runs, later.sum("records"), later.whole) == (0, 0, True)
    began = datetime.fromtimestamp(1_790_000_000 + 2, UTC)
    assert read_ledger(options, since=began).totals.runs == 1 + 2
