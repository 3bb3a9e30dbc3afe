"""A rebuild on the real broker and engine: the log alone makes the same tables again."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from support.ledgers import read_ledger
from support.log_journal import create_topics, fleet, run_records, write, write_async
from support.log_sinks import archive, running_sink
from tailrace.schemas.catalog import latest
from tailrace.schemas.wire import encode
from tailrace.sinks import exchange_fence
from tailrace.sinks import rebuild as rebuilding
from tailrace.sinks.clickhouse import ask, connect, tell
from tailrace.sinks.exchange_fence import fence
from tailrace.sinks.gaps.log import open_log
from tailrace.sinks.migrations import migrate
from tailrace.sinks.rebuild import RebuildRefusedError, rebuild
from tailrace.sinks.sink import SinkOptions, run_sink, wait_until_stored
from tailrace.sinks.tables import BODIES, DEAD_LETTERS, EVENTS

if TYPE_CHECKING:
    from support.log_journal import Keyed

ROWS = "SELECT * FROM {table:Identifier} FINAL ORDER BY topic, partition, offset"
TABLES = (EVENTS, BODIES, DEAD_LETTERS)
TRACE = "ab" * 16


@pytest.fixture
def options(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> SinkOptions:
    create_topics(kafka, topic_prefix)
    return SinkOptions(kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix)


def put(options: SinkOptions, records: list[Keyed]) -> None:
    assert options.kafka is not None
    assert options.prefix is not None
    write(options.kafka, options.prefix, records)


def body(sha256: str) -> Keyed:
    fields = {"sha256": sha256, "trace_id": TRACE, "content": f'"{sha256}"'}
    return "bodies", sha256.encode(), encode(latest("body"), fields)


def rows_of(options: SinkOptions) -> dict[str, list[dict[str, Any]]]:
    client = connect(options.clickhouse, options.database)
    try:
        return {table.name: ask(client, ROWS, {"table": table.name}) for table in TABLES}
    finally:
        client.close()


def databases(options: SinkOptions) -> set[str]:
    client = connect(options.clickhouse, options.database)
    try:
        return {row["name"] for row in ask(client, "SELECT name FROM system.databases")}
    finally:
        client.close()


def journal() -> list[Keyed]:
    heartbeat = encode(latest("heartbeat"), {"trace_id": TRACE})
    records = fleet(60, tags=["a"], attributes={"k": "v"})
    corrupt = ("steps", TRACE.encode(), records[1][2][:30])
    bodies = [body(f"{number:064x}") for number in range(20)]
    return [*records, *records[:40], corrupt, *bodies, *bodies[:5], ("runs", b"x", heartbeat)]


def test_the_rebuilt_tables_equal_the_live_ones_row_for_row_and_the_sink_goes_on(
    options: SinkOptions,
) -> None:
    put(options, journal())
    asyncio.run(archive(options))
    asyncio.run(archive(options))  # the dead letter's own row
    live = rows_of(options)
    assert {name: len(rows) for name, rows in live.items()} == {
        "events": 300,
        "bodies": 20,
        "dead_letters": 1,
    }
    put(options, fleet(5))  # not stored yet: the rebuild must leave it to the sink

    done = asyncio.run(rebuild(options, TABLES))

    assert rows_of(options) == live
    assert done.rejected == 1
    assert not any(done.lost.values())
    assert f"{options.database}{rebuilding.SHADOW}" not in databases(options)
    asyncio.run(archive(options))
    assert len(rows_of(options)["events"]) == 325
    assert read_ledger(options).whole


def test_a_table_that_lost_rows_is_whole_again(options: SinkOptions) -> None:
    put(options, journal())
    asyncio.run(archive(options))
    live = rows_of(options)
    client = connect(options.clickhouse, options.database)
    tell(client, "TRUNCATE TABLE events")
    client.close()

    asyncio.run(rebuild(options, [EVENTS]))

    assert rows_of(options) == live


def test_a_rebuild_refuses_while_a_sink_runs(options: SinkOptions) -> None:
    put(options, fleet(5))

    async def rebuild_beside() -> None:
        async with running_sink(options):
            await wait_until_stored(options)
            await rebuild(options, [EVENTS])

    with pytest.raises(RebuildRefusedError, match="a sink runs"):
        asyncio.run(rebuild_beside())


def test_a_rebuild_that_was_killed_leaves_the_old_table_and_the_next_one_begins_anew(
    options: SinkOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(options, journal())
    asyncio.run(archive(options))
    live = rows_of(options)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rebuilding, "_exchange", killed)
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(rebuild(options, [EVENTS]))
    assert rows_of(options) == live
    assert f"{options.database}{rebuilding.SHADOW}" in databases(options)

    asyncio.run(rebuild(options, [EVENTS]))

    assert rows_of(options) == live
    assert f"{options.database}{rebuilding.SHADOW}" not in databases(options)


def test_a_sink_that_was_started_during_a_rebuild_keeps_its_tables(
    options: SinkOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(options, fleet(5))
    asyncio.run(archive(options))
    fill = rebuilding.Filling.fill

    async def fill_while_a_sink_stores(filling: Any, begins: Any, cuts: Any) -> int:
        assert options.kafka is not None
        assert options.prefix is not None
        rejected = await fill(filling, begins, cuts)
        await write_async(options.kafka, options.prefix, fleet(5))
        await archive(options)
        return rejected

    monkeypatch.setattr(rebuilding.Filling, "fill", fill_while_a_sink_stores)
    with pytest.raises(RebuildRefusedError, match="started during the rebuild: the tables stand"):
        asyncio.run(rebuild(options, [EVENTS]))

    assert len(rows_of(options)["events"]) == 50


def test_a_sink_that_starts_while_tables_are_exchanged_waits_for_it(options: SinkOptions) -> None:
    put(options, fleet(5))
    client = connect(options.clickhouse, options.database)
    migrate(client)

    async def start_meanwhile() -> None:
        async with AsyncExitStack() as stack:
            log = await stack.enter_async_context(open_log(options.kafka, options.topic_prefix))
            with fence(client):
                stats = await stack.enter_async_context(running_sink(options))
                while not await log.members(options.group_id):  # noqa: ASYNC110 - the group only tells
                    await asyncio.sleep(0)
                assert not stats.partitions
            await wait_until_stored(options)

    asyncio.run(start_meanwhile())

    assert len(rows_of(options)["events"]) == 25
    client.close()


def test_an_exchange_that_was_killed_stops_a_sink_with_a_sentence_until_the_next_rebuild(
    options: SinkOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(options, fleet(5))
    asyncio.run(archive(options))
    client = connect(options.clickhouse, options.database)
    tell(client, "CREATE TABLE exchanging (nothing UInt8) ENGINE = TinyLog")
    client.close()
    with monkeypatch.context() as patch:
        patch.setattr(exchange_fence, "WAIT_S", 0.0)
        with pytest.raises(exchange_fence.ExchangeLeftError, match="tailrace rebuild"):
            asyncio.run(run_sink(options, asyncio.Event()))

    asyncio.run(rebuild(options, [EVENTS]))
    asyncio.run(archive(options))


def test_where_retention_deleted_records_their_rows_are_lost_only_if_told(
    options: SinkOptions,
) -> None:
    records = [record for number in range(9) for record in run_records(run_id=f"{number:032x}")]
    put(options, records)
    asyncio.run(archive(options))
    live = rows_of(options)
    deleted = asyncio.run(delete_records(options, 5))

    with pytest.raises(RebuildRefusedError, match=f"no longer holds the records of {deleted} rows"):
        asyncio.run(rebuild(options, [EVENTS]))
    assert rows_of(options) == live

    done = asyncio.run(rebuild(options, [EVENTS], partial=True))

    assert done.lost == {"events": deleted}
    kept = [row for row in live["events"] if row["topic"].endswith("steps") or row["offset"] >= 5]
    assert rows_of(options)["events"] == kept


async def delete_records(options: SinkOptions, before: int) -> int:
    """Delete what lies below an offset in every partition of `runs`; return how many records."""
    client = connect(options.clickhouse, options.database)
    runs = f"{options.prefix}runs"
    parts = ask(
        client,
        "SELECT partition AS part, count() AS rows, countIf(offset < {before:Int64}) AS gone "
        "FROM events WHERE topic = {topic:String} GROUP BY part",
        {"topic": runs, "before": before},
    )
    client.close()
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=options.kafka or "")
    await admin.start()
    try:
        await admin.delete_records(
            {
                TopicPartition(runs, row["part"]): RecordsToDelete(before_offset=row["gone"])
                for row in parts
            }
        )
    finally:
        await admin.close()
    return sum(row["gone"] for row in parts)
