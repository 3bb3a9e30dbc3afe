"""What a power failure takes below the commit is stored again, and nothing else is."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.log_journal import create_topics, fleet, write
from support.log_proxy import lossy_proxy
from support.log_sinks import (
    STORED_S,
    archive,
    rows_and_identities,
    running_sink,
    spawn_sink,
)
from support.waiting import wait_until
from tailrace.console.local.clickhouse import ClickHouse
from tailrace.schemas.catalog import latest
from tailrace.schemas.wire import encode
from tailrace.sinks.archive.cutting import Limits
from tailrace.sinks.clickhouse import ask, connect, tell
from tailrace.sinks.migrations import migrate
from tailrace.sinks.queries.dead_letters import list_dead_letters
from tailrace.sinks.sink import SinkOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.timeout(400)
EVENT_ID = ("run_id", "seq")
RUNS = 120
PARTITIONS = 5  # two of runs, two of steps, and that of the dead letter
_PARTS = """
SELECT name, path FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'events'
ORDER BY max_block_number DESC
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """A ClickHouse of these tests' own, since it is stopped and its files are taken."""
    folder = tmp_path_factory.mktemp("clickhouse")
    clickhouse = ClickHouse(folder / "clickhouse", folder / "clickhouse.log")
    clickhouse.start()
    yield clickhouse
    clickhouse.stop()


@pytest.fixture
def options(kafka: str, server: ClickHouse, topic_prefix: str) -> SinkOptions:
    """A log with all that has no row of its own, and the tables that hold it, in many parts."""
    create_topics(kafka, topic_prefix)
    found = SinkOptions(
        kafka=kafka,
        clickhouse=server.address,
        database=f"r{uuid.uuid4().hex[:8]}",
        prefix=topic_prefix,
        limits=Limits(offsets=128),
    )
    migrated(found)
    runs = fleet(RUNS)
    heartbeat = encode(latest("heartbeat"), {"trace_id": "ab" * 16})
    rowless = [("runs", b"ab" * 16, heartbeat), ("runs", b"ab" * 16, b"\x01nothing")]
    write(kafka, topic_prefix, [*runs, *rowless, *runs[:50]])
    asyncio.run(archive(found))
    asyncio.run(archive(found))  # the dead letter
    return found


def migrated(options: SinkOptions) -> None:
    client = connect(options.clickhouse, options.database)
    migrate(client)
    # The sources of a merge that is taken come back, and nothing would be lost.
    no_merges = "max_bytes_to_merge_at_max_space_in_pool = 1"
    no_merges += ", max_bytes_to_merge_at_min_space_in_pool = 1"
    tell(client, f"ALTER TABLE events MODIFY SETTING {no_merges}")
    client.close()


def identities(options: SinkOptions) -> int:
    return rows_and_identities(options, "events", *EVENT_ID)[1]


def rows(options: SinkOptions) -> set[tuple[str, int, int]]:
    """Return the coordinates of all rows; none lies there twice."""
    client = connect(options.clickhouse, options.database)
    found = ask(client, "SELECT topic, partition AS part, offset FROM events")
    client.close()
    places = [(row["topic"], row["part"], row["offset"]) for row in found]
    assert len(places) == len(set(places))
    return set(places)


def looked(options: SinkOptions) -> int:
    """Run a sink until it has looked below every commit; return how many rows it stored again."""

    async def look() -> int:
        async with running_sink(options) as stats:
            while stats.looks < PARTITIONS:  # noqa: ASYNC110 - the sink only counts
                await asyncio.sleep(0)
        return stats.repaired

    return asyncio.run(asyncio.wait_for(look(), STORED_S))


def take_folders(server: ClickHouse, options: SinkOptions) -> None:
    """Take the newest parts as a power failure does, which leaves their tokens."""
    client = connect(options.clickhouse, options.database)
    parts = ask(client, _PARTS)
    client.close()
    server.stop()
    for part in parts[: len(parts) // 2]:
        shutil.rmtree(Path(part["path"]))
    server.start()


def drop_parts(server: ClickHouse, options: SinkOptions) -> None:
    """Take the newest parts with their tokens."""
    assert server.address == options.clickhouse
    client = connect(options.clickhouse, options.database)
    parts = ask(client, _PARTS)
    for part in parts[: len(parts) // 2]:
        tell(client, f"ALTER TABLE events DROP PART '{part['name']}'")
    client.close()


@pytest.mark.parametrize("take", [take_folders, drop_parts])
def test_what_a_power_failure_took_below_the_commit_is_stored_again_once(
    server: ClickHouse,
    options: SinkOptions,
    take: Callable[[ClickHouse, SinkOptions], None],
) -> None:
    whole = rows(options)
    take(server, options)
    options = replace(options, clickhouse=server.address)
    lost = len(whole) - len(rows(options))
    assert lost > 0

    # A row whose identity has another one is no loss.
    repaired, again = looked(options), looked(options)
    assert 0 < repaired <= lost
    assert again == 0
    assert rows(options) <= whole
    assert identities(options) == 5 * RUNS
    client = connect(options.clickhouse, options.database)
    assert len(list_dead_letters(client)) == 1
    client.close()


def test_a_repair_that_is_killed_half_way_and_one_that_was_taken_too_insert_once(
    server: ClickHouse, options: SinkOptions
) -> None:
    whole = rows(options)
    for _ in range(2):  # the second time takes repairs, and leaves the repairs' tokens
        take_folders(server, options)
        options = replace(options, clickhouse=server.address)
        assert identities(options) < 5 * RUNS
        asyncio.run(kill_half_way(options))
        looked(options)
        assert identities(options) == 5 * RUNS
        assert rows(options) <= whole


async def kill_half_way(options: SinkOptions) -> None:
    """Kill a sink whose repair has inserted and waits for the answers, which are lost."""
    assert options.clickhouse is not None
    async with lossy_proxy(options.clickhouse) as thief:
        thief.every = 2
        sink = await asyncio.to_thread(spawn_sink, replace(options, clickhouse=thief.url))
        try:
            await asyncio.to_thread(
                wait_until, lambda: thief.stolen > 0, "a reply is lost", timeout_s=60
            )
        finally:
            sink.kill()
            await asyncio.to_thread(sink.wait)


def test_rows_that_a_repeat_replaced_or_that_were_erased_do_not_come_back(
    options: SinkOptions,
) -> None:
    client = connect(options.clickhouse, options.database)
    tell(client, "OPTIMIZE TABLE events FINAL")
    client.close()
    merged = rows(options)
    assert len(merged) == 5 * RUNS

    assert looked(options) == 0
    assert rows(options) == merged
