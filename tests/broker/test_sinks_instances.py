"""Sinks with a name of their own: partitions come back to the name, and one process bears it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from support.log_journal import create_topics, fleet, write_async
from support.log_sinks import archive, rows_and_identities, running_sink, spawn_sink
from support.waiting import wait_until
from tailrace.sinks.clickhouse import NotMigratedError
from tailrace.sinks.sink import SinkOptions, wait_until_stored

if TYPE_CHECKING:
    from collections.abc import Callable

EVENT_ID = ("trace_id", "run_id", "seq")


@pytest.fixture
def options(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> SinkOptions:
    create_topics(kafka, topic_prefix)
    return SinkOptions(kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix)


def stored(options: SinkOptions) -> Callable[[], bool]:
    def some() -> bool:
        try:
            return rows_and_identities(options, "events", *EVENT_ID)[0] > 0
        except NotMigratedError:
            return False

    return some


def test_a_named_sink_that_was_killed_gets_its_partitions_back_and_stores_nothing_twice(
    options: SinkOptions,
) -> None:
    named = replace(options, instance="one")

    async def kill_and_restart() -> None:
        assert options.kafka is not None
        assert options.prefix is not None
        await write_async(options.kafka, options.prefix, fleet(400))
        process = await asyncio.to_thread(spawn_sink, named)
        try:
            await asyncio.to_thread(wait_until, stored(options), "a row", timeout_s=60)
        finally:
            process.kill()
            await asyncio.to_thread(process.wait)
        await write_async(options.kafka, options.prefix, fleet(400))
        await archive(named)  # the group still counts the killed one: its name is all there is

    asyncio.run(kill_and_restart())
    assert rows_and_identities(options, "events", *EVENT_ID) == (4000, 4000)


def test_two_sinks_of_one_name_take_it_from_each_other_and_store_nothing_twice(
    options: SinkOptions,
) -> None:
    """The client cannot tell a taken name from an expired session, so neither stops."""
    named = replace(options, instance="one")

    async def start_twice() -> None:
        assert options.kafka is not None
        assert options.prefix is not None
        async with running_sink(named) as first:
            await write_async(options.kafka, options.prefix, fleet(100))
            await wait_until_stored(options)
            async with running_sink(named) as second:
                turns = [second, first, second]
                while turns:
                    await write_async(options.kafka, options.prefix, fleet(20))
                    if turns[0].partitions:
                        turns.pop(0)

    asyncio.run(start_twice())
    asyncio.run(archive(named))
    rows, identities = rows_and_identities(options, "events", *EVENT_ID)
    assert rows == identities >= 600
