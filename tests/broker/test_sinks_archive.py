from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from support.log_journal import (
    Keyed,
    counts,
    create_topics,
    fleet,
    run_records,
    write,
    write_async,
)
from support.log_proxy import lossy_proxy
from support.log_sinks import (
    archive,
    rows_and_identities,
    running_sink,
    spawn_sink,
)
from support.waiting import wait_until
from tailrace.schemas.catalog import Schema, latest
from tailrace.schemas.schema_log import publish_missing
from tailrace.schemas.wire import encode
from tailrace.sinks.archive.log_identity import AnotherLogError
from tailrace.sinks.clickhouse import NotMigratedError, ask, connect, tell
from tailrace.sinks.queries.count_events import count_events
from tailrace.sinks.queries.dead_letters import list_dead_letters
from tailrace.sinks.sink import (
    MissingTopicsError,
    SinkOptions,
    SinkStats,
    lag,
    run_sink,
    wait_until_stored,
)

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

EVENT_ID = ("run_id", "seq")
EVENT_TOPICS = ("runs", "steps")


@pytest.fixture
def options(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> SinkOptions:
    create_topics(kafka, topic_prefix)
    return SinkOptions(kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix)


def put(options: SinkOptions, records: list[Keyed]) -> None:
    assert options.kafka is not None
    assert options.prefix is not None
    write(options.kafka, options.prefix, records)


def stored(options: SinkOptions) -> int:
    """Return the stored rows; 0 before the first migration."""
    client = client_of(options)
    try:
        return count_events(client).rows
    except NotMigratedError:
        return 0
    finally:
        client.close()


def until_stored(options: SinkOptions, rows: int) -> None:
    wait_until(lambda: stored(options) >= rows, f"{rows} rows are stored", timeout_s=60)


def client_of(options: SinkOptions) -> Client:
    return connect(options.clickhouse, options.database)


def test_every_record_is_a_row_that_says_where_in_the_log_it_lies(options: SinkOptions) -> None:
    heartbeat = encode(latest("heartbeat"), {"trace_id": "ab" * 16})
    body = encode(latest("body"), {"sha256": "cd" * 32, "trace_id": "ab" * 16, "content": "{}"})
    records = [
        *fleet(50, tags=["a", "b"], attributes={"k": "v"}),
        ("runs", b"ab" * 16, heartbeat),
        ("bodies", b"cd" * 32, body),
    ]
    put(options, records)

    stats = asyncio.run(archive(options))

    client = client_of(options)
    found = count_events(client)
    assert (found.rows, found.events, found.runs) == (250, 250, 50)
    assert stats.skipped == 1
    for place in found.partitions:
        assert place.topic in {f"{options.prefix}runs", f"{options.prefix}steps"}
    [row] = ask(client, "SELECT * FROM bodies")
    assert (row["content"], row["topic"], row["offset"]) == ("{}", f"{options.prefix}bodies", 0)
    [event] = ask(client, "SELECT * FROM events WHERE kind = 'run_completed' LIMIT 1")
    assert (event["tags"], event["attributes"]) == (["a", "b"], {"k": "v"})
    assert event["last_seq"] == 4


def test_a_sink_that_is_killed_at_random_points_stores_everything_once(
    options: SinkOptions,
) -> None:
    records = fleet(3000)
    chance = random.Random(7)  # noqa: S311 - a seed, not a secret

    static = replace(options, instance="one")  # takes its own place again without a wait

    async def kill_and_kill_again() -> None:
        assert options.kafka is not None
        assert options.prefix is not None
        for portion in (records[start::6] for start in range(6)):
            sink = await asyncio.to_thread(spawn_sink, static)
            try:
                enough = stored(options) + chance.randrange(1, len(portion))
                await write_async(options.kafka, options.prefix, portion)
                await asyncio.to_thread(until_stored, options, enough)
            finally:
                sink.kill()
                await asyncio.to_thread(sink.wait)
        await archive(static)

    asyncio.run(kill_and_kill_again())

    assert rows_and_identities(options, "events", *EVENT_ID) == (15_000, 15_000)


def test_a_lost_reply_to_an_insert_leaves_no_row_twice(options: SinkOptions) -> None:
    put(options, fleet(400))

    async def lose_replies() -> int:
        assert options.clickhouse is not None
        async with lossy_proxy(options.clickhouse) as thief:
            through = replace(options, clickhouse=thief.url)
            thief.every = 2
            await archive(through)
            return thief.stolen

    assert asyncio.run(lose_replies()) >= 2
    assert rows_and_identities(options, "events", *EVENT_ID) == (2000, 2000)


def test_partitions_that_change_hands_under_load_lose_and_repeat_nothing(
    options: SinkOptions,
) -> None:
    async def hand_over() -> int:
        assert options.kafka is not None
        assert options.prefix is not None
        written = 0
        async with running_sink(options) as first:
            async with running_sink(options) as second:
                while not (first.rows and second.rows and second.partitions):
                    assert written < 40, "the group never shared the partitions"
                    await write_async(options.kafka, options.prefix, fleet(200))
                    await wait_until_stored(options)
                    written += 1
            await write_async(options.kafka, options.prefix, fleet(200))
            await wait_until_stored(options)
            assert await lag(options) == 0
        return written + 1

    written = asyncio.run(hand_over())

    expected = written * 1000
    assert rows_and_identities(options, "events", *EVENT_ID) == (expected, expected)


def test_corrupt_records_alone_become_dead_letters(options: SinkOptions) -> None:
    key = b"ab" * 16
    [(_, _, whole), *_] = run_records(steps=0)
    corrupt: dict[bytes, str] = {
        whole[:-4]: "the datum is no journal_event",
        whole + b"\x00": "1 bytes follow",
        b"\x01" + whole[1:]: "the frame starts with byte 0x01",
        b"\x00": "too short",
        b"": "too short",
        whole[:5] + b"\xff" * 40: "the datum is no journal_event",
        b"\x00\x00\x00\x00\x07rest": "schema id 7 is not known",
    }
    sound = fleet(300)
    mixed = sorted(
        [
            *enumerate(sound),
            *((index * 31.5, ("runs", key, value)) for index, value in enumerate(corrupt)),
        ],
        key=lambda entry: entry[0],
    )
    put(options, [record for _, record in mixed])

    stats = asyncio.run(archive(replace(options, schema_wait_s=0.5)))
    asyncio.run(archive(options))  # the letters themselves are archived too

    assert rows_and_identities(options, "events", *EVENT_ID) == (1500, 1500)
    assert stats.dead_letters == len(corrupt)
    letters = list_dead_letters(client_of(options))
    assert len(letters) == len(corrupt)
    for value, reason in corrupt.items():
        assert any(reason in letter.reason for letter in letters), reason
        rows = ask(
            client_of(options),
            "SELECT hex(value) AS raw FROM dead_letters WHERE hex(value) = {raw:String}",
            {"raw": value.hex().upper()},
        )
        assert len(rows) == 1
    assert {letter.source_topic for letter in letters} == {f"{options.prefix}runs"}
    assert counts(sound, *EVENT_TOPICS) == 1500


def test_another_cluster_s_database_is_refused(options: SinkOptions) -> None:
    put(options, fleet(2))
    asyncio.run(archive(options))
    client = client_of(options)
    tell(client, "CREATE TABLE moved AS events")
    tell(client, "INSERT INTO moved SELECT * REPLACE ('another' AS log_id) FROM events")
    tell(client, "EXCHANGE TABLES events AND moved")

    with pytest.raises(AnotherLogError, match="was filled from the log another"):
        asyncio.run(run_sink(options, asyncio.Event()))


def test_a_topic_that_is_not_the_stored_one_is_refused(options: SinkOptions) -> None:
    put(options, fleet(4))
    asyncio.run(archive(options))
    client = client_of(options)
    tell(client, "CREATE TABLE moved AS events")
    tell(client, "INSERT INTO moved SELECT * REPLACE (broker_ts - 5 AS broker_ts) FROM events")
    tell(client, "EXCHANGE TABLES events AND moved")

    with pytest.raises(AnotherLogError, match="the topic was recreated"):
        asyncio.run(asyncio.wait_for(run_sink(options, asyncio.Event()), 30))


def test_a_topic_that_was_deleted_and_made_again_is_refused(options: SinkOptions) -> None:
    put(options, fleet(4))
    asyncio.run(archive(options))

    async def make_again() -> None:
        assert options.kafka is not None
        assert options.prefix is not None
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=options.kafka)
        await admin.start()
        name = f"{options.prefix}steps"
        await admin.delete_topics([name])
        while name in await admin.list_topics():  # noqa: ASYNC110 - the broker only tells
            await asyncio.sleep(0)
        await admin.close()
        await asyncio.to_thread(create_topics, options.kafka, options.prefix)

    asyncio.run(make_again())

    with pytest.raises(AnotherLogError, match="or the topic was recreated"):
        asyncio.run(asyncio.wait_for(run_sink(options, asyncio.Event()), 60))


def test_missing_topics_are_named(
    kafka: str, clickhouse: str, database: str, topic_prefix: str
) -> None:
    options = SinkOptions(
        kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix
    )
    with pytest.raises(MissingTopicsError, match=r"tailrace topics apply|schemas"):
        asyncio.run(run_sink(options, asyncio.Event(), source={}))


def test_a_newer_producer_s_events_are_stored_once_its_schema_is_published(
    options: SinkOptions,
) -> None:
    definition = dict(latest("journal_event").definition)
    later = {"name": "mood", "type": "string", "default": ""}
    newer = Schema("journal_event", 0, {**definition, "fields": [*definition["fields"], later]})
    value = encode(newer, {"trace_id": "ab" * 16, "run_id": "cd" * 16, "mood": "fine"})
    put(options, [*fleet(10), ("runs", b"x", value), *fleet(10)])

    async def publish_late() -> SinkStats:
        async with running_sink(options) as stats:
            while not stats.waiting_for_schemas:  # noqa: ASYNC110 - the sink only counts
                await asyncio.sleep(0)
            connection = {"bootstrap_servers": options.kafka}
            await publish_missing([newer], prefix=options.prefix, options=connection)
            await wait_until_stored(options)
        return stats

    stats = asyncio.run(publish_late())

    assert stats.dead_letters == 0
    assert stats.narrowed == 1, "its mood has no column"
    assert rows_and_identities(options, "events", *EVENT_ID) == (101, 101)


def test_an_event_reaches_the_table_within_two_seconds_when_the_log_is_quiet(
    options: SinkOptions,
) -> None:
    async def one_by_one() -> float:
        assert options.kafka is not None
        assert options.prefix is not None
        loop = asyncio.get_running_loop()
        took: list[float] = []
        async with running_sink(options):
            await wait_until_stored(options)
            for _ in range(5):
                await write_async(options.kafka, options.prefix, fleet(1))
                began = loop.time()
                await wait_until_stored(options)
                took.append(loop.time() - began)
        return sorted(took)[2]

    assert asyncio.run(one_by_one()) < 2


def test_a_sink_stops_within_its_bound_and_goes_on_where_it_was(options: SinkOptions) -> None:
    put(options, fleet(500))

    async def stop_at_once() -> float:
        loop = asyncio.get_running_loop()
        async with running_sink(options) as stats:
            while not stats.partitions:  # noqa: ASYNC110 - the sink only counts
                await asyncio.sleep(0)
            began = loop.time()
        return loop.time() - began

    assert asyncio.run(stop_at_once()) < 10
    asyncio.run(archive(options))
    assert rows_and_identities(options, "events", *EVENT_ID) == (2500, 2500)


def test_transaction_markers_are_no_gap_and_aborted_records_no_rows(options: SinkOptions) -> None:
    kept, aborted = fleet(20), fleet(20)

    async def transact() -> None:
        assert options.kafka is not None
        producer: Any = AIOKafkaProducer(
            bootstrap_servers=options.kafka, transactional_id=f"{options.prefix}test"
        )
        await producer.start()
        for number in range(20):
            for records, abort in ((kept, False), (aborted, True)):
                await producer.begin_transaction()
                for suffix, key, value in records[number * 5 : number * 5 + 5]:
                    await producer.send(f"{options.prefix}{suffix}", key=key, value=value)
                await (producer.abort_transaction() if abort else producer.commit_transaction())
        await producer.stop()
        await archive(options)
        assert await lag(options) == 0

    asyncio.run(transact())

    assert rows_and_identities(options, "events", *EVENT_ID) == (100, 100)


def test_little_memory_makes_smaller_blocks_and_loses_nothing(options: SinkOptions) -> None:
    put(options, fleet(1000, payload='"' + "x" * 8000 + '"'))

    stats = asyncio.run(archive(replace(options, buffer_bytes=200_000, loaded_linger_ms=60_000)))

    assert stats.blocks > 8
    assert rows_and_identities(options, "events", *EVENT_ID) == (5000, 5000)
