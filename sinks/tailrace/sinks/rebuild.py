"""Builds tables again from the log, beside the ones that stand, and exchanges them at the end.

What is built holds what the archive's commits say is stored, neither more nor less, so the sink
goes on afterwards where it stopped. It must not run meanwhile: what it stored between would lie in
the table that is dropped. Everything is made in a database of its own, which is dropped first: a
rebuild that was killed leaves the old tables, and the next one begins anew.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.schema_log import SchemaFollower
from tailrace.sinks.archive.blocks import Place
from tailrace.sinks.archive.cutting import Cutter, Limits
from tailrace.sinks.archive.storing import BlockStore, UnknownSchemasError
from tailrace.sinks.archive.writer import Writer
from tailrace.sinks.clickhouse import ask, connect, database_name, tell
from tailrace.sinks.erasing import erase
from tailrace.sinks.exchange_fence import fence
from tailrace.sinks.forgotten import read_forgotten
from tailrace.sinks.gaps.log import open_log
from tailrace.sinks.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiokafka import TopicPartition
    from clickhouse_connect.driver.client import Client

    from tailrace.schemas.wire import SchemaSource
    from tailrace.sinks.archive.cutting import Block, LogRecord
    from tailrace.sinks.archive.options import SinkOptions
    from tailrace.sinks.gaps.log import Log
    from tailrace.sinks.tables import Table
from tailrace.sinks.text_index import add_text_index, has_text_index

SHADOW = "_rebuild"
"""What the name of the database beside ends with."""

_LOST = """
SELECT count() AS rows
FROM {table:Identifier}
WHERE log_id != {log_id:String} OR topic NOT IN {topics:Array(String)}
    OR offset < transform(concat(topic, ':', toString(partition)),
        {places:Array(String)}, {begins:Array(Int64)}, toInt64(0))
"""


class RebuildRefusedError(TailraceError):
    """The tables cannot be built again as things stand."""


@dataclass
class Rebuilt:
    """What a rebuild did, or would do."""

    rows_before: dict[str, int] = field(default_factory=dict[str, int])
    """Rows of each table as it stood, repeats included."""

    rows_after: dict[str, int] = field(default_factory=dict[str, int])
    """Rows of each table as it was built, repeats included."""

    lost: dict[str, int] = field(default_factory=dict[str, int])
    """Rows of each table whose record the log no longer has: they are gone after it."""

    rejected: int = 0
    """Records that could not be stored; they were dead-lettered when the sink met them."""


async def rebuild(
    options: SinkOptions,
    tables: Sequence[Table],
    *,
    partial: bool = False,
    on_progress: Callable[[int, int], None] = lambda _, __: None,
) -> Rebuilt:
    """Build the tables again from the log and put them in the place of those that stand.

    Args:
        options: of the sink whose tables they are.
        tables: which of them.
        partial: whether rows may be lost whose records the log has deleted.
        on_progress: called with the offsets read and the offsets to read.

    Raises:
        RebuildRefusedError: if the sink runs or ran meanwhile, or the log lacks a part and
            `partial` is not set; the tables stand as before.
        LogUnreadableError, InsertFailedError, QueryFailedError: if a server does not do its part.
    """
    database = database_name(options.database)
    async with AsyncExitStack() as stack:
        client = await asyncio.to_thread(connect, options.clickhouse, database)
        stack.callback(client.close)
        await asyncio.to_thread(migrate, client)
        log = await stack.enter_async_context(open_log(options.kafka, options.topic_prefix))
        follower = await stack.enter_async_context(
            SchemaFollower(prefix=options.topic_prefix, options=kafka_options(options.kafka))
        )
        cuts = await _cuts(log, options, tables)
        begins = await log.begins(list(cuts))
        done = Rebuilt(rows_before=_count(client, tables))
        done.lost = _lost(client, log.log_id, tables, begins, options.topic_prefix)
        if any(done.lost.values()) and not partial:
            raise RebuildRefusedError(_lost_sentence(done.lost))
        shadow = await asyncio.to_thread(_make_shadow, options, database)
        stack.callback(shadow.close)
        if await asyncio.to_thread(has_text_index, client):
            await asyncio.to_thread(add_text_index, shadow)
        filling = Filling(log, shadow, follower.book, on_progress)
        done.rejected = await filling.fill(begins, cuts)
        forgotten = await read_forgotten(log, options.topic_prefix)
        await asyncio.to_thread(erase, shadow, forgotten, users=client)
        done.rows_after = _count(shadow, tables)
        with fence(client):  # a sink that comes after the look waits
            await _require_unmoved(log, options, cuts)
            for table in tables:
                _exchange(client, database, table)
        tell(client, "DROP DATABASE {name:Identifier} SYNC", {"name": database + SHADOW})
    return done


async def _cuts(
    log: Log, options: SinkOptions, tables: Sequence[Table]
) -> dict[TopicPartition, int]:
    """Return how far the archive has stored each partition of the tables' topics."""
    members = await log.members(options.group_id)
    if members:
        raise RebuildRefusedError(
            f"a sink runs ({members} in the group {options.group_id}): stop it first, and start it "
            "again after the rebuild; what comes meanwhile waits in the log"
        )
    names = sorted({topic.name(options.topic_prefix) for table in tables for topic in table.topics})
    partitions = await log.partitions(names)
    committed = await log.committed(options.group_id, partitions)
    return {partition: committed.get(partition, 0) for partition in partitions}


async def _require_unmoved(
    log: Log, options: SinkOptions, cuts: Mapping[TopicPartition, int]
) -> None:
    committed = await log.committed(options.group_id, list(cuts))
    members = await log.members(options.group_id)
    if members or any(committed.get(partition, 0) != cut for partition, cut in cuts.items()):
        raise RebuildRefusedError(
            "a sink was started during the rebuild: the tables stand as before; stop it first"
        )


def _make_shadow(options: SinkOptions, database: str) -> Client:
    shadow = connect(options.clickhouse, database + SHADOW)
    shadow.database = None
    tell(shadow, "DROP DATABASE IF EXISTS {name:Identifier} SYNC", {"name": database + SHADOW})
    shadow.database = database + SHADOW
    migrate(shadow)
    return shadow


def _exchange(client: Client, database: str, table: Table) -> None:
    names = {"here": database, "beside": database + SHADOW, "table": table.name}
    tell(
        client,
        "EXCHANGE TABLES {here:Identifier}.{table:Identifier} "
        "AND {beside:Identifier}.{table:Identifier}",
        names,
    )


def _count(client: Client, tables: Sequence[Table]) -> dict[str, int]:
    sql = "SELECT count() AS rows FROM {table:Identifier}"
    return {table.name: ask(client, sql, {"table": table.name})[0]["rows"] for table in tables}


def _lost(
    client: Client,
    log_id: str,
    tables: Sequence[Table],
    begins: Mapping[TopicPartition, int],
    prefix: str,
) -> dict[str, int]:
    """Return how many rows of each table have no record in this log any more."""
    found: dict[str, int] = {}
    for table in tables:
        parameters: dict[str, Any] = {
            "table": table.name,
            "log_id": log_id,
            "topics": [topic.name(prefix) for topic in table.topics],
            "places": [f"{tp.topic}:{tp.partition}" for tp in begins],
            "begins": list(begins.values()),
        }
        found[table.name] = ask(client, _LOST, parameters)[0]["rows"]
    return found


def _lost_sentence(lost: Mapping[str, int]) -> str:
    named = ", ".join(f"{rows:,} rows of {name}" for name, rows in lost.items() if rows)
    return (
        f"the log no longer holds the records of {named}: retention deleted them, or they came "
        "from another log; --partial builds what there is and loses these rows"
    )


class Filling:
    """Reads partitions up to their cuts and stores them beside, one after the other.

    Args:
        log: where the records lie.
        shadow: a client in the database beside.
        source: where schemas are looked up.
        on_progress: called with the offsets read and the offsets to read.
    """

    def __init__(
        self,
        log: Log,
        shadow: Client,
        source: SchemaSource,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self._log = log
        # Every record was judged when the sink met it: no share of bad ones stops a rebuild.
        self._store = BlockStore(Writer(shadow), source, max_rejected_share=1.0)
        self._on_progress = on_progress

    async def fill(
        self, begins: Mapping[TopicPartition, int], cuts: Mapping[TopicPartition, int]
    ) -> int:
        """Return how many records could not be stored."""
        total = sum(max(0, cut - begins[partition]) for partition, cut in cuts.items())
        rejected = done = 0
        for partition, cut in cuts.items():
            if cut <= begins[partition]:
                continue
            rejected += await self._partition(partition, begins[partition], cut)
            done += cut - begins[partition]
            self._on_progress(done, total)
        return rejected

    async def _partition(self, partition: TopicPartition, begin: int, cut: int) -> int:
        place = Place(self._log.log_id, partition.topic, partition.partition)
        cutter: Cutter[LogRecord] = Cutter(begin, None, Limits())
        rejected = 0
        async for records in self._log.read(partition, begin, cut):
            cutter.feed(records)
            while (block := cutter.take()) is not None:
                rejected += await asyncio.to_thread(self._stored, place, block)
        cutter.flush()
        while (block := cutter.take()) is not None:
            rejected += await asyncio.to_thread(self._stored, place, block)
        return rejected

    def _stored(self, place: Place, block: Block[LogRecord]) -> int:
        try:
            return len(self._store.store(place, block).rejected)
        except UnknownSchemasError as unknown:
            given_up = unknown.schema_ids
            return len(self._store.store(place, block, given_up).rejected)
