"""Records made to hurt, on the real engine: they harm no other, and are told where they can be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.log_journal import create_topics, event, fleet, run_records, write
from support.log_sinks import archive, rows_and_identities
from tailrace.schemas.wire import HEADER_BYTES
from tailrace.sinks.archive.blocks import zigzag
from tailrace.sinks.clickhouse import ask, connect
from tailrace.sinks.queries.dead_letters import list_dead_letters
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
