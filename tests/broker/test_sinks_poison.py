"""Records made to hurt, on the real engine: they harm no other, and are told where they can be."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from support.journal import read_records
from support.log_journal import create_topics, event, fleet, run_records, write
from support.log_sinks import archive, rows_and_identities
from tailrace.schemas.topics import DEAD_LETTERS
from tailrace.schemas.wire import HEADER_BYTES, decode
from tailrace.sinks.archive.blocks import zigzag
from tailrace.sinks.archive.storing import TooManyRejectedError
from tailrace.sinks.clickhouse import ask, connect
from tailrace.sinks.log_record import read_logged_record
from tailrace.sinks.queries.dead_letters import list_dead_letters
from tailrace.sinks.queries.list_traces import list_traces
from tailrace.sinks.sink import SinkOptions

if TYPE_CHECKING:
    from support.log_journal import Keyed

KEY = b"ab" * 16


@pytest.fixture
def options(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> SinkOptions:
    create_topics(kafka, topic_prefix, partitions=1)
    return SinkOptions(kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix)


def put(options: SinkOptions, records: list[Keyed]) -> None:
    assert options.kafka is not None
    assert options.prefix is not None
    write(options.kafka, options.prefix, records)


def rows(options: SinkOptions, sql: str, **parameters: Any) -> list[dict[str, Any]]:
    client = connect(options.clickhouse, options.database)
    try:
        return ask(client, sql, parameters)
    finally:
        client.close()


def forged(inner: bytes) -> bytes:
    """Return a block's end, the begin of a next one, and its record, as the sink makes them."""
    coordinates = zigzag(7) + zigzag(1_790_000_000_000) + zigzag(0) + b"\x00"
    return b"\x02\x00\x00" + b"tailrace-archive" + b"\x02\xc8\x01" + coordinates + inner


def test_a_datum_that_holds_a_second_record_takes_nothing_from_its_neighbours(
    options: SinkOptions,
) -> None:
    [(_, _, whole), *_] = run_records(steps=0)
    second = event(trace_id="ff" * 16, run_id="forged", seq=1)[HEADER_BYTES:]
    sound, behind = fleet(20, end=None, steps=0), fleet(3, end=None, steps=0)
    put(options, [*sound, ("runs", KEY, whole + forged(second)), *behind])

    asyncio.run(archive(options))

    found = rows(options, "SELECT offset, run_id FROM events ORDER BY offset")
    assert {row["offset"] for row in found} >= {*range(20), 21, 22, 23}
    assert "forged" not in {row["run_id"] for row in found}


def test_a_string_that_would_swallow_the_records_behind_it_is_refused(options: SinkOptions) -> None:
    [(_, _, whole), *_] = run_records(steps=0)
    swallowing = whole[:HEADER_BYTES] + zigzag(3000) + whole[HEADER_BYTES + 1 :]
    sound = fleet(20, end=None, steps=0)
    put(options, [("runs", KEY, swallowing), *sound])

    stats = asyncio.run(archive(options))

    assert stats.dead_letters == 1
    assert rows_and_identities(options, "events", "run_id", "seq") == (20, 20)


@pytest.mark.parametrize("extra", [b"\x00", b"\x00\x00", b"\x02\x00", b"\x01", b"\x7fabc"])
def test_bytes_behind_a_datum_are_told(options: SinkOptions, extra: bytes) -> None:
    [(_, _, whole), *_] = run_records(steps=0)
    put(options, [("runs", KEY, whole + extra), *fleet(5, end=None, steps=0)])

    stats = asyncio.run(archive(options))

    assert stats.dead_letters == 1
    assert rows_and_identities(options, "events", "run_id", "seq") == (5, 5)


def test_a_record_that_decodes_and_that_clickhouse_refuses_is_found_by_halving(
    options: SinkOptions,
) -> None:
    mismatch = event(trace_id="ab" * 16, run_id="r", code_digest="dd", code_mismatch=True)
    refused = mismatch.replace(b"\x04dd\x01", b"\x04dd\x02")  # fastavro takes any byte for true
    assert decode(refused)[1]["code_mismatch"] is True
    put(options, [*fleet(20), ("runs", KEY, refused), *fleet(20)])

    stats = asyncio.run(archive(options))

    assert stats.dead_letters == 1
    assert "Invalid value for bool" in stats.last_dead_letter
    assert rows_and_identities(options, "events", "run_id", "seq") == (200, 200)


@pytest.mark.parametrize(
    "field",
    ["trace_id", "run_id", "component", "name", "input", "error_message", "tags", "attributes"],
)
def test_a_string_that_is_no_utf8_is_a_dead_letter(options: SinkOptions, field: str) -> None:
    values = {"tags": ["QQQQ"], "attributes": {"key": "QQQQ"}}
    fields = {"trace_id": "ab" * 16, "run_id": "cd" * 16, field: values.get(field, "QQQQ")}
    broken = event(**fields).replace(b"QQQQ", b"\xff\xfe\x80Z")
    put(options, [*fleet(3), ("runs", KEY, broken)])

    stats = asyncio.run(archive(options))

    assert stats.dead_letters == 1
    assert "utf-8" in stats.last_dead_letter
    assert rows_and_identities(options, "events", "run_id", "seq") == (15, 15)


@pytest.mark.parametrize("field", ["ts", "started_at"])
@pytest.mark.parametrize("micros", [2**63 - 1, -(2**63), 253402300800000000])
def test_a_time_that_no_reader_can_hold_is_a_dead_letter(
    options: SinkOptions, field: str, micros: int
) -> None:
    beyond = event(trace_id="ab" * 16, run_id="cd" * 16, **{field: micros})
    put(options, [*fleet(3), ("runs", KEY, beyond)])

    stats = asyncio.run(archive(options))

    assert stats.dead_letters == 1
    client = connect(options.clickhouse, options.database)
    assert len(list_traces(client)) == 3


def limited(options: SinkOptions, topic: str, max_bytes: int) -> None:
    """Have a topic take records up to a size only."""

    async def alter() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=options.kafka or "")
        await admin.start()
        try:
            limit = {"max.message.bytes": str(max_bytes)}
            name = f"{options.prefix}{topic}"
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, limit)])
        finally:
            await admin.close()

    asyncio.run(alter())


def test_a_bad_record_too_large_to_be_copied_is_told_by_where_it_lies(options: SinkOptions) -> None:
    limited(options, "dead_letters", 2_000)
    put(options, [*fleet(3), ("runs", KEY, b"no frame" + bytes(5_000)), *fleet(3)])

    asyncio.run(archive(options))
    asyncio.run(archive(options))  # the letter itself

    client = connect(options.clickhouse, options.database)
    [letter] = list_dead_letters(client)
    client.close()
    assert letter.size_bytes is None
    assert "too large to be copied whole" in letter.reason
    assert letter.source_topic == f"{options.prefix}runs"
    assert rows_and_identities(options, "events", "run_id", "seq") == (30, 30)
    place = (letter.source_topic, letter.source_partition, letter.source_offset)
    found = asyncio.run(read_logged_record(*place, kafka=options.kafka, prefix=options.prefix))
    assert (found.key, found.value) == (KEY, b"no frame" + bytes(5_000))


def test_where_most_records_are_bad_the_sink_stops_and_goes_on_when_told(
    options: SinkOptions,
) -> None:
    bad: list[Keyed] = [("runs", KEY, b"no frame")] * 150
    put(options, [*bad, *fleet(30, end=None, steps=0)])

    with pytest.raises(TooManyRejectedError, match=r"150 of 180 records of .*raise max_rejected"):
        asyncio.run(archive(options))
    assert read_records(options.kafka or "", options.prefix or "", DEAD_LETTERS) == []

    stats = asyncio.run(archive(replace(options, max_rejected_share=0.9)))
    assert stats.dead_letters == 150
    assert rows_and_identities(options, "events", "run_id", "seq") == (30, 30)
